//! concat, stack and pad. Cotangents: slices of the cotangent.

use super::prelude::*;
use wengert_ops::{Slice, normalize_axis};

struct Concat {
    axis: isize,
}

impl<T: Float> Op<T> for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("axis {}", self.axis))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let parts: Vec<Tensor<T>> = x.iter().map(|&t| t.clone()).collect();
        Ok(Tensor::concat(&parts, self.axis)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let mut at = 0;
        let part = |(i, x): (usize, &Var<'s, T>)| {
            let n = x.dim(self.axis);
            at += n;
            r.when(i, || r.gy().slice(self.axis, at - n..at))
        };
        r.inputs().iter().enumerate().map(part).collect()
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = (inputs, outputs);
        0
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

struct Pad {
    widths: Vec<(usize, usize)>,
    value: f64,
}

impl<T: Float> Op<T> for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("{:?}", self.widths))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].pad(&self.widths, T::from_f64(self.value))?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let (mut g, shape) = (r.gy(), r.x(0).raw_shape());
        for (axis, (&(before, _), &n)) in self.widths.iter().zip(shape.iter()).enumerate() {
            g = g.slice(axis as isize, Slice::from(before..before + n));
        }
        cotangents([Some(g)])
    }
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let _ = (inputs, outputs);
        0
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Tape<T> {
    /// Values joined one after the other along an axis.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (a, b) = (tape.var(Tensor::from([1.0])), tape.var(Tensor::from([2.0, 3.0])));
    /// assert_eq!(tape.concat(&[a, b], 0).value()?.to_vec(), [1.0, 2.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "cat")]
    #[doc(alias = "concatenate")]
    #[track_caller]
    pub fn concat<'t>(&'t self, parts: &[Var<'t, T>], axis: isize) -> Var<'t, T> {
        self.apply(Concat { axis }, parts)
    }

    /// Values of one shape joined along a new axis.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let a = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(tape.stack(&[a, a], 1).value()?, Tensor::from([[1.0, 1.0], [2.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn stack<'t>(&'t self, parts: &[Var<'t, T>], axis: isize) -> Var<'t, T> {
        let _scope = self.error_scope("stack");
        if let Some(first) = parts.first().map(|part| part.raw_shape()) {
            let differs = |part: &&Var<'t, T>| !part.is_failed() && part.raw_shape() != first;
            if let (false, Some(other)) = (parts[0].is_failed(), parts.iter().find(differs)) {
                let detail = format!("expected equal shapes, found {first} and {}", other.shape());
                let kind = crate::ErrorKind::Op(Kind::Shape);
                return self.failed(crate::Error::new(kind, "stack", detail));
            }
        }
        let mut rows = Vec::with_capacity(parts.len());
        for part in parts {
            rows.push(part.unsqueeze(axis));
        }
        self.apply(Concat { axis }, &rows)
    }
}

impl<T: Float> Var<'_, T> {
    /// The value inside a larger one filled with `value`: for each axis, the number of positions added before and after.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.pad(&[(1, 2)], 0.0).value()?.to_vec(), [0.0, 1.0, 2.0, 0.0, 0.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn pad(self, widths: &[(usize, usize)], value: f64) -> Self {
        self.tape().apply(Pad { widths: widths.to_vec(), value }, &[self])
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["concat", "stack"], Order::Second, |g, which| {
        let shape = g.shape(1..=3);
        let (axis, parts, stacked) = (g.axis(shape.len()), g.within(1..=3), which == 1);
        let along = normalize_axis("concat", axis, shape.len()).unwrap_or(0);
        let rest = shape.iter().product::<usize>() / shape[along].max(1);
        let mut x = Vec::new();
        for _ in 0..parts {
            let mut s = shape.clone();
            if !stacked {
                s[along] = g.beside(0..=2, rest);
            }
            x.push(g.tensor(&s, Domain::Real));
        }
        case!(x, [], |x| if stacked { x[0].tape().stack(x, axis) } else { x[0].tape().concat(x, axis) })
    })
}

pub(super) fn pad_spec() -> Spec {
    Spec::new("pad", Order::Second, |g| {
        let shape = g.shape(0..=3);
        let widths: Vec<(usize, usize)> = shape.iter().map(|_| (g.within(0..=2), g.within(0..=1))).collect();
        case!(vec![g.tensor(&shape, Domain::Real)], [widths], |x| x[0].pad(&widths, 1.5))
    })
}
