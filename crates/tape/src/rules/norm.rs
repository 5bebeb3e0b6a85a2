//! Norms of any order over axes: (Σ |x|ᵖ)^(1/p), the number of elements other than 0 for p = 0, the largest and the
//! smallest |x| for p = ±∞; and values divided by their norm.
//!
//! Composites. Convention, as in PyTorch: where the norm is 0, and at elements that are 0, the gradient is 0.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use smallvec::SmallVec;

/// Arguments, checked once for all functions.
struct Norm {
    p: f64,
    axes: SmallVec<[usize; 4]>,
}

impl Norm {
    fn checked(
        op: &'static str,
        shape: &Shape,
        p: f64,
        axes: wengert_ops::Result<SmallVec<[usize; 4]>>,
    ) -> Result<Norm> {
        let axes = axes.map_err(|e| Error::new(ErrorKind::Op(e.kind()), op, e.detail()))?;
        let empty = axes.iter().any(|&a| shape[a] == 0);
        if p.is_nan() || (empty && (p < 0.0 || p == f64::INFINITY)) {
            let detail = match p.is_nan() {
                true => "the order is not a number".to_owned(),
                false => format!(
                    "axes {:?} of shape {shape} hold nothing, which has no norm of order {p}",
                    &axes[..]
                ),
            };
            return Err(Error::new(ErrorKind::Op(Kind::Argument), op, detail));
        }
        Ok(Norm { p, axes })
    }

    /// The norm, with its axes kept with size 1.
    #[track_caller]
    fn of<'t, T: Float>(&self, x: Var<'t, T>) -> Var<'t, T> {
        let (p, axes) = (self.p, &self.axes);
        if p == 2.0 {
            return x.norm_keepdim(axes);
        }
        if p == 0.0 {
            return match x.ne(0.0) {
                Ok(mask) => x.tape().constant(mask.to_float::<T>().sum_keepdim(axes)),
                Err(e) => x.tape().failed(e),
            };
        }
        let size = x.abs();
        if p == 1.0 {
            return size.sum_keepdim(axes);
        }
        if p == f64::INFINITY {
            return size.max_keepdim(axes);
        }
        if p == f64::NEG_INFINITY {
            return size.min_keepdim(axes);
        }
        if x.numel() == 0 {
            return size.sum_keepdim(axes); // no elements, or zeros
        }
        // Relative to the largest element, powers do not overflow and do not all vanish. The norm does not depend on the
        // scale, so the scale is a constant.
        let (zero, scale) = match self.zeros_and_scale(size) {
            Ok(found) => found,
            Err(e) => return x.tape().failed(e),
        };
        let empty = if p < 0.0 { f64::INFINITY } else { 0.0 };
        let powers = (size / &scale).masked_fill(&zero, 1.0).pow(p).masked_fill(&zero, empty);
        let sum = powers.sum_keepdim(axes);
        let vanishes = match sum.eq(0.0) {
            Ok(mask) => mask,
            Err(e) => return x.tape().failed(e),
        };
        sum.masked_fill(&vanishes, 1.0).pow(1.0 / p).masked_fill(&vanishes, empty) * scale
    }

    /// Where |x| is 0, and the scale of the powers: the largest |x|, or 1 if that is not positive and finite.
    fn zeros_and_scale<T: Float>(&self, size: Var<'_, T>) -> Result<(Tensor<bool>, Tensor<T>)> {
        let size = size.value()?;
        let zero = size.eq(Tensor::scalar(T::ZERO))?;
        let scale =
            size.max_keepdim(&self.axes)?.map(|m| if m > T::ZERO && m.is_finite() { m } else { T::ONE });
        Ok((zero, scale))
    }
}

impl<'t, T: Float> Var<'t, T> {
    #[track_caller]
    fn norm_of(
        self,
        op: &'static str,
        p: f64,
        axes: wengert_ops::Result<SmallVec<[usize; 4]>>,
        keepdim: bool,
    ) -> Self {
        if self.is_failed() {
            return self;
        }
        match Norm::checked(op, &self.raw_shape(), p, axes) {
            Ok(norm) => {
                let y = norm.of(self);
                if keepdim { y } else { y.squeeze(&norm.axes) }
            }
            Err(e) => self.tape().failed(e),
        }
    }

    /// The norm of order `p` over some axes, which are removed: (Σ |x|ᵖ)^(1/p), without overflow. For p = 0 it is the
    /// number of elements other than 0, for p = ∞ the largest |x| and for p = -∞ the smallest; equal elements share the
    /// gradient. The gradient is 0 at elements that are 0, and where the norm is 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([3.0, -4.0, 0.0]));
    /// assert_eq!(x.norm_p(1.0, 0).item()?, 7.0);
    /// assert_eq!(x.norm_p(f64::INFINITY, 0).item()?, 4.0);
    /// assert_eq!(x.norm_p(0.0, 0).item()?, 2.0);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// It is an error if the order is NaN, or if there are no elements and the order is negative or infinite.
    #[doc(alias = "norm")]
    #[doc(alias = "vector_norm")]
    #[track_caller]
    pub fn norm_p(self, p: f64, axes: impl Axes) -> Self {
        let _scope = self.tape().error_scope("norm_p");
        self.norm_of("norm_p", p, axes.resolve("norm_p", self.rank()), false)
    }

    /// The norm of order `p` over some axes, which are kept with size 1.
    #[doc(alias = "vector_norm")]
    #[track_caller]
    pub fn norm_p_keepdim(self, p: f64, axes: impl Axes) -> Self {
        let _scope = self.tape().error_scope("norm_p_keepdim");
        self.norm_of("norm_p_keepdim", p, axes.resolve("norm_p_keepdim", self.rank()), true)
    }

    /// This value divided by its norm of order `p` along an axis, or by `eps` if the norm is smaller (1e-12 in PyTorch).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[3.0, 4.0], [0.0, 0.0]]));
    /// assert_eq!(x.normalize(2.0, 1, 1e-12).value()?, Tensor::from([[0.6, 0.8], [0.0, 0.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn normalize(self, p: f64, axis: isize, eps: f64) -> Self {
        let _scope = self.tape().error_scope("normalize");
        let norm = self.norm_of("normalize", p, axis.resolve("normalize", self.rank()), true);
        if norm.is_failed() {
            return norm;
        }
        self / norm.clamp(eps, f64::INFINITY)
    }

    /// The cosine of the angle between two values along an axis, which is removed; operands broadcast. Each norm counts as
    /// at least `eps` (1e-8 in PyTorch), so that a zero vector has similarity 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[3.0, 4.0], [0.0, 0.0]]));
    /// let y = x.cosine_similarity(Tensor::from([1.0, 0.0]), -1, 1e-8);
    /// assert_eq!(y.value()?.to_vec(), [0.6, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn cosine_similarity(self, o: impl Operand<'t, T>, axis: isize, eps: f64) -> Self {
        let _scope = self.tape().error_scope("cosine_similarity");
        const OP: &str = "cosine_similarity";
        let o = o.into_var(self.tape());
        if self.is_failed() || o.is_failed() {
            return if self.is_failed() { self } else { o };
        }
        let shape = match wengert_ops::broadcast_shapes(OP, &self.raw_shape(), &o.raw_shape()) {
            Ok(shape) => shape,
            Err(e) => return self.tape().failed(e.into()),
        };
        let axis = match wengert_ops::normalize_axis(OP, axis, shape.len()) {
            Ok(a) => a,
            Err(e) => return self.tape().failed(e.into()),
        };
        let (a, b) = (self.expand(&shape), o.expand(&shape));
        let norms =
            [a.norm_axes(axis).clamp(eps, f64::INFINITY), b.norm_axes(axis).clamp(eps, f64::INFINITY)];
        (a / norms[0].unsqueeze(axis as isize) * (b / norms[1].unsqueeze(axis as isize))).sum_axes(axis)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["norm_p", "norm_p_keepdim"], Order::Second, |g, which| {
        let shape = g.full_shape(0..=3);
        let axes = g.axes(shape.len());
        // At ties the gradient of the infinite orders jumps: they are tested elsewhere.
        let p = g.pick(&[0.0, 1.0, 2.0, 3.0, 1.5, 0.5, -1.0]);
        case!(vec![g.tensor(&shape, Domain::NON_ZERO)], [axes], |x| match which {
            0 => x[0].norm_p(p, &axes),
            _ => x[0].norm_p_keepdim(p, &axes),
        })
    })
}

pub(super) fn normalize_spec() -> Spec {
    Spec::new("normalize", Order::Second, |g| {
        let shape = g.full_shape(1..=3);
        let (axis, p) = (g.axis(shape.len()), g.pick(&[1.0, 2.0, 3.0]));
        case!(vec![g.tensor(&shape, Domain::NON_ZERO)], [], |x| x[0].normalize(p, axis, 1e-12))
    })
}

pub(super) fn cosine_spec() -> Spec {
    Spec::new("cosine_similarity", Order::Second, |g| {
        let shape = g.full_shape(1..=3);
        let (axis, narrow) = (g.axis(shape.len()), g.broadcastable(&shape));
        let x = vec![g.tensor(&shape, Domain::NON_ZERO), g.tensor(&narrow, Domain::NON_ZERO)];
        case!(x, [], |x| x[0].cosine_similarity(x[1], axis, 1e-8))
    })
}
