//! Slices along an axis. The cotangent of a slice is added where the slice was taken from.

use super::prelude::*;
use wengert_ops::{Slice as Range, normalize_axis};

struct Slice {
    axis: isize,
    range: Range,
}

impl<T: Float> Op<T> for Slice {
    fn name(&self) -> &'static str {
        "slice"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("axis {}, {}", self.axis, self.range))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].slice(self.axis, self.range)?.into())
    }
    fn selection(&self) -> Option<&dyn Selection<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Selection<T> for Slice {
    fn scatter_add(&self, gy: &Tensor<T>, into: Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        into.into_slice_add(self.axis, self.range, gy)
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Some positions of one axis: a range, or one with a step, which may be negative (see
    /// [`Slice`](wengert_ops::Slice)).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.slice(0, 1..).sum().backward()?.wrt(x)?.to_vec(), [0.0, 1.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn slice(self, axis: isize, range: impl Into<Range>) -> Self {
        self.tape().apply(Slice { axis, range: range.into() }, &[self])
    }

    /// One position of an axis, which is removed.
    #[track_caller]
    pub fn select(self, axis: isize, position: usize) -> Self {
        let _scope = self.tape().error_scope("select");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let refused = match normalize_axis("select", axis, shape.len()) {
            Ok(a) if position < shape[a] => return self.slice(axis, position..position + 1).squeeze(axis),
            Ok(_) => {
                let detail = format!("position {position} is out of range for axis {axis} of shape {shape}");
                let kind = crate::ErrorKind::Op(Kind::Index);
                crate::Error::new(kind, "select", detail)
            }
            Err(e) => e.into(),
        };
        self.tape().failed(refused)
    }

    /// `length` positions of an axis from `start` on. Unlike in [`slice`](Var::slice), positions beyond the axis are an
    /// error.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.narrow(0, 1, 2).value()?.to_vec(), [2.0, 3.0]);
    /// assert!(x.narrow(0, 2, 2).is_failed());
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn narrow(self, axis: isize, start: usize, length: usize) -> Self {
        let _scope = self.tape().error_scope("narrow");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let end = start.saturating_add(length);
        let refused = match normalize_axis("narrow", axis, shape.len()) {
            Ok(a) if end <= shape[a] => return self.slice(axis, start..end),
            Ok(a) => {
                let detail =
                    format!("{length} positions from {start} on are not in axis {a} of shape {shape}");
                let kind = crate::ErrorKind::Op(Kind::Index);
                crate::Error::new(kind, "narrow", detail)
            }
            Err(e) => e.into(),
        };
        self.tape().failed(refused)
    }

    /// Consecutive parts of `size` positions along an axis, of which the last may be smaller: PyTorch's `split` with one
    /// number. An empty axis has one empty part.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let parts = tape.var(Tensor::from([1.0, 2.0, 3.0])).split_every(0, 2);
    /// assert_eq!((parts.len(), parts[1].value()?.to_vec()), (2, vec![3.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "split")]
    #[track_caller]
    pub fn split_every(self, axis: isize, size: usize) -> Vec<Var<'t, T>> {
        let _scope = self.tape().error_scope("split_every");
        if self.is_failed() {
            return vec![self];
        }
        let shape = self.raw_shape();
        let refused = match normalize_axis("split_every", axis, shape.len()) {
            Ok(a) if size > 0 => {
                let mut sizes = vec![size; shape[a] / size];
                if sizes.is_empty() || !shape[a].is_multiple_of(size) {
                    sizes.push(shape[a] % size);
                }
                return self.split(axis, &sizes);
            }
            Ok(_) => {
                let kind = crate::ErrorKind::Op(Kind::Argument);
                crate::Error::new(kind, "split_every", "expected parts of at least one position, found 0")
            }
            Err(e) => e.into(),
        };
        vec![self.tape().failed(refused)]
    }

    /// Consecutive parts of the given sizes along an axis.
    ///
    /// # Errors
    /// If the sizes do not add up to the axis: then each part is a failed value on the tape.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let parts = x.split(0, &[1, 2]);
    /// assert_eq!(parts[1].value()?.to_vec(), [2.0, 3.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn split(self, axis: isize, sizes: &[usize]) -> Vec<Var<'t, T>> {
        let _scope = self.tape().error_scope("split");
        if self.is_failed() {
            return vec![self; sizes.len()];
        }
        let shape = self.raw_shape();
        let total = sizes.iter().fold(0usize, |a, &b| a.saturating_add(b));
        let refused = match normalize_axis("split", axis, shape.len()) {
            Ok(a) if shape[a] == total => None,
            Ok(_) => {
                let detail = format!("sizes {sizes:?} do not add up to axis {axis} of shape {shape}");
                let kind = crate::ErrorKind::Op(Kind::Argument);
                Some(crate::Error::new(kind, "split", detail))
            }
            Err(e) => Some(e.into()),
        };
        if let Some(e) = refused {
            return vec![self.tape().failed(e); sizes.len()];
        }
        let mut parts = Vec::with_capacity(sizes.len());
        let mut at = 0;
        for &size in sizes {
            parts.push(self.slice(axis, at..at + size));
            at += size;
        }
        parts
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["select", "split", "narrow", "split_every", "slice"], Order::Second, |g, which| {
        let shape = g.full_shape(1..=3);
        let axis = g.axis(shape.len());
        let n = normalize_axis("slice", axis, shape.len()).map_or(1, |a| shape[a]);
        let (a, b, step) = (g.within(0..=n - 1), g.within(0..=n), g.pick(&[1isize, 2, -1, -2]));
        let (second, each) = (g.within(0..=n - a), n.div_ceil(4).max(a + 1));
        let range = if step > 0 { Range::from(a..b).step(step) } else { Range::all().step(step) };
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => vec![x[0].select(axis, a)],
            1 => x[0].split(axis, &[a, second, n - a - second]),
            2 => vec![x[0].narrow(axis, a, n - a)],
            3 => x[0].split_every(axis, each),
            _ => vec![x[0].slice(axis, range)],
        })
    })
}
