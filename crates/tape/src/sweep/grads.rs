//! [`Grads`]: the results of a reverse sweep.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::Updates;
use crate::tape::param::{Param, ParamId};
use crate::tape::var::Var;
use std::panic::Location;
use std::sync::{Arc, OnceLock};
use wengert_ops::Tensor;
use wengert_ops::kernel::update::Gradient;

/// Gradients by leaf and by parameter, and the buffer changes that layers [announced](crate::Tape::announce). They own
/// their values and outlive the tape.
///
/// Iteration is in the order in which the parameters were first used on the tape, never in hash order.
#[derive(Debug, Clone)]
pub struct Grads<T: Float> {
    serial: u64,
    values: Vec<(u32, Tensor<T>)>,
    params: Vec<Entry<T>>,
    /// The parameters by identity, sorted, each with its position. (Most models use their parameters in this order.)
    index: Vec<(ParamId, usize)>,
    updates: Updates<T>,
}

#[derive(Debug, Clone)]
struct Entry<T: Float> {
    id: ParamId,
    name: Option<Arc<str>>,
    gradient: Tensor<T>,
    /// By what the gradient is still to be multiplied.
    factor: T,
    /// The product, once it was read.
    product: OnceLock<Tensor<T>>,
}

impl<T: Float> Entry<T> {
    fn value(&self) -> &Tensor<T> {
        if self.factor == T::ONE {
            return &self.gradient;
        }
        self.product.get_or_init(|| self.gradient.scale(self.factor.to_f64()))
    }

    /// The gradient, to be changed.
    fn value_mut(&mut self) -> &mut Tensor<T> {
        if self.factor != T::ONE {
            let product = self.product.take();
            self.gradient = product.unwrap_or_else(|| self.gradient.scale(self.factor.to_f64()));
            self.factor = T::ONE;
        }
        &mut self.gradient
    }
}

impl<T: Float> Grads<T> {
    pub(crate) fn new(serial: u64, updates: Updates<T>) -> Self {
        Grads { serial, values: Vec::new(), params: Vec::new(), index: Vec::new(), updates }
    }

    /// Makes room for this number of parameters.
    pub(crate) fn reserve(&mut self, params: usize) {
        self.params.reserve_exact(params);
        self.index.reserve_exact(params);
    }

    pub(crate) fn push_value(&mut self, id: u32, gradient: Tensor<T>) {
        self.values.push((id, gradient));
    }

    pub(crate) fn push_param(
        &mut self,
        id: ParamId,
        name: Option<Arc<str>>,
        gradient: Tensor<T>,
    ) -> Result<()> {
        match self.find(id) {
            // One parameter can have two nodes, if it was changed or frozen between two uses.
            Ok(i) => {
                let sum = self.params[i].value_mut();
                *sum = sum.add(&gradient)?;
            }
            Err(at) => {
                self.index.insert(at, (id, self.params.len()));
                self.params.push(Entry { id, name, gradient, factor: T::ONE, product: OnceLock::new() });
            }
        }
        Ok(())
    }

    /// The position of a parameter, or where its identity belongs in the index.
    fn find(&self, id: ParamId) -> std::result::Result<usize, usize> {
        if self.index.last().is_none_or(|(last, _)| *last < id) {
            return Err(self.index.len());
        }
        self.index.binary_search_by_key(&id, |(id, _)| *id).map(|at| self.index[at].1)
    }

    /// Sorts the values by node.
    pub(crate) fn sort(&mut self) {
        self.values.sort_unstable_by_key(|(id, _)| *id);
    }

    /// The gradient with respect to a leaf, to a value that was [kept](Var::keep), or to the output itself.
    ///
    /// # Errors
    /// If the output does not depend on `x` (then its gradient is zero), or `x` is an intermediate that was not kept, or a
    /// handle of another tape.
    #[doc(alias = "grad")]
    #[track_caller]
    pub fn wrt(&self, x: Var<'_, T>) -> Result<Tensor<T>> {
        let at = Location::caller();
        let error = |kind, detail: &str| Err(Error::new(kind, "wrt", detail).at(at));
        if x.tape.serial.get() != self.serial {
            return error(
                ErrorKind::ForeignTape,
                "this value is not on the tape that the gradients come from",
            );
        }
        if let Ok(i) = self.values.binary_search_by_key(&x.id, |(id, _)| *id) {
            return Ok(self.values[i].1.clone());
        }
        let (leaf, needs, param) = x.kind();
        if let Some(g) = param.and_then(|id| self.get(id)) {
            return Ok(g.clone());
        }
        match (leaf, needs) {
            (true, true) => {
                error(ErrorKind::Unreached, "the output does not depend on this value: its gradient is zero")
            }
            (true, false) if param.is_some() => {
                error(ErrorKind::NoGradient, "this parameter is frozen: it gets no gradient")
            }
            (true, false) => error(ErrorKind::NoGradient, "this value is a constant; make it with var()"),
            _ => error(ErrorKind::NoGradient, "this value is an intermediate; keep() it before backward()"),
        }
    }

    /// The gradient of a parameter.
    ///
    /// # Errors
    /// If the output does not depend on it (then its gradient is zero), or it is frozen.
    #[track_caller]
    pub fn of(&self, p: &Param<T>) -> Result<&Tensor<T>> {
        let at = Location::caller();
        self.get(p.id()).ok_or_else(|| {
            let name = p.name().unwrap_or("this parameter");
            let detail = match p.is_trainable() {
                true => format!("the output does not depend on {name}: its gradient is zero"),
                false => format!("{name} is frozen"),
            };
            Error::new(ErrorKind::Unreached, "of", detail).at(at)
        })
    }

    /// The gradient of a parameter by its identity, if there is one.
    pub fn get(&self, id: ParamId) -> Option<&Tensor<T>> {
        self.find(id).ok().map(|i| self.params[i].value())
    }

    /// The gradient of a parameter as a tensor times a factor, which is 1 unless the gradients were
    /// [scaled](Grads::scale_parameters): what an optimiser reads.
    pub fn gradient(&self, id: ParamId) -> Option<Gradient<'_, T>> {
        let entry = &self.params[self.find(id).ok()?];
        Some(Gradient { values: &entry.gradient, factor: entry.factor })
    }

    /// All parameters that got a gradient: identity, name, gradient.
    pub fn iter(&self) -> impl Iterator<Item = (ParamId, Option<&str>, &Tensor<T>)> {
        self.params.iter().map(|e| (e.id, e.name.as_deref(), e.value()))
    }

    /// The parameter gradients, to be changed in place (clipping, noise).
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ParamId, &mut Tensor<T>)> {
        self.params.iter_mut().map(|e| (e.id, e.value_mut()))
    }

    /// The joint Euclidean norm of all parameter gradients, correct even where their squares overflow or vanish. NaN if one
    /// of them is NaN.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Param, Tape};
    /// let p = Param::new(Tensor::from([3e30f32, 4e30]));
    /// let grads = (Tape::new().param(&p).square() * 0.5).sum().backward()?;
    /// assert!((grads.norm() / 5e30 - 1.0).abs() < 1e-6);           // the squares are beyond the range of an f32
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "get_total_norm")]
    #[doc(alias = "global_norm")]
    pub fn norm(&self) -> f64 {
        let gradients = || self.params.iter().map(Entry::value);
        let sum: f64 = gradients().map(|g| g.norm_squared().to_vec()[0].to_f64()).sum();
        // Far from the limits of the element type, any square that was lost is negligible.
        let (least, most) = if size_of::<T>() == 4 { (1e-24, 1e37) } else { (1e-280, 1e300) };
        if sum.is_nan() || (least..most).contains(&sum) {
            return sum.sqrt();
        }
        let sizes = || gradients().flat_map(|g| g.to_vec()).map(|x| x.to_f64().abs());
        let largest = sizes().fold(0.0, f64::max);
        if largest == 0.0 || !largest.is_finite() {
            return largest;
        }
        largest * sizes().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
    }

    /// The number of parameters that got a gradient.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Whether no parameter got a gradient.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// The buffer changes that layers announced up to this sweep; an optimiser's step carries them out.
    pub fn updates(&self) -> &Updates<T> {
        &self.updates
    }

    /// Adds the parameter gradients of another sweep: gradient accumulation over several tapes. The other sweep's
    /// announcements are appended to those of this one.
    ///
    /// # Errors
    /// If a parameter's gradients differ in shape.
    pub fn accumulate(&mut self, other: Grads<T>) -> Result<()> {
        for mut e in other.params {
            e.value_mut();
            self.push_param(e.id, e.name, e.gradient)?;
        }
        self.updates.extend(other.updates);
        Ok(())
    }

    /// Multiplies every gradient by `c`.
    pub fn scale(&mut self, c: f64) {
        for (_, g) in &mut self.values {
            *g = g.scale(c);
        }
        self.scale_parameters(c);
    }

    /// Multiplies the gradient of every parameter by `c`. The products are computed when they are read: an optimiser's step
    /// multiplies in the same pass.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Param, Tape};
    /// let p = Param::new(Tensor::from([3.0, 4.0]));
    /// let mut grads = Tape::new().param(&p).square().sum().backward()?;
    /// grads.scale_parameters(0.5);
    /// assert_eq!(grads.of(&p)?.to_vec(), [3.0, 4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn scale_parameters(&mut self, c: f64) {
        for e in &mut self.params {
            e.value_mut();
            e.factor = T::from_f64(c);
        }
    }
}
