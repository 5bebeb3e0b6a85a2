//! Elements at other positions, as composites of views and joins: flip, roll, rot90, movedim, chunk, unbind, repeat, tile,
//! repeat_interleave.

use super::prelude::*;
use wengert_ops::{Slice, normalize_axis};

impl<'t, T: Float> Var<'t, T> {
    /// The order of elements reversed along some axes.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// assert_eq!(tape.var(Tensor::from([1.0, 2.0, 3.0])).flip(0).value()?.to_vec(), [3.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn flip(self, axes: impl Axes) -> Self {
        let _scope = self.tape().error_scope("flip");
        if self.is_failed() {
            return self;
        }
        match axes.resolve("flip", self.rank()) {
            Ok(axes) => {
                let mut x = self;
                for a in axes {
                    x = x.slice(a as isize, Slice::all().step(-1));
                }
                x
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// Elements shifted along an axis, or along several by one shift each; elements that leave at one end enter at the
    /// other.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.roll(0, 1).value()?.to_vec(), [3.0, 1.0, 2.0]);
    /// assert_eq!(x.roll(0, -4).value()?.to_vec(), [2.0, 3.0, 1.0]);
    /// let image = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]]));
    /// assert_eq!(image.roll([0, 1], [1, 1]).value()?.to_vec(), [4.0, 3.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn roll(self, axes: impl Axes, shifts: impl Axes) -> Self {
        let _scope = self.tape().error_scope("roll");
        if self.is_failed() {
            return self;
        }
        let (axes, shifts, shape) = (axes.list(), shifts.list(), self.raw_shape());
        if axes.len() != shifts.len() {
            let detail =
                format!("expected one shift for each axis, found {} for {}", shifts.len(), axes.len());
            return refuse(self, "roll", Kind::Argument, detail);
        }
        let mut x = self;
        for (&axis, shift) in axes.iter().zip(shifts) {
            match normalize_axis("roll", axis, shape.len()) {
                Ok(a) if shape[a] == 0 => {}
                Ok(a) => {
                    let n = shape[a] as isize;
                    let cut = (n - shift.rem_euclid(n)) % n;
                    x = self.tape().concat(&[x.slice(axis, cut..), x.slice(axis, 0..cut)], axis);
                }
                Err(e) => return self.tape().failed(e.into()),
            }
        }
        x
    }

    /// An axis moved to another position, or several axes to as many positions; the others keep their order.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::<f32>::zeros([2, 3, 4]));
    /// assert_eq!(x.movedim(0, -1).shape(), [3, 4, 2]);
    /// assert_eq!(x.movedim([0, 1], [-1, 0]).shape(), [3, 4, 2]);
    /// ```
    #[doc(alias = "moveaxis")]
    #[track_caller]
    pub fn movedim(self, from: impl Axes, to: impl Axes) -> Self {
        let _scope = self.tape().error_scope("movedim");
        if self.is_failed() {
            return self;
        }
        match wengert_ops::moved_order(self.rank(), from, to) {
            Ok(order) => self.permute(order),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// `n` parts along an axis, of equal size except for the last, which may be smaller; fewer parts if the axis is too
    /// short, as in PyTorch.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let parts = tape.var(Tensor::from([1.0, 2.0, 3.0, 4.0, 5.0])).chunk(0, 2);
    /// assert_eq!(parts[1].value()?.to_vec(), [4.0, 5.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn chunk(self, axis: isize, n: usize) -> Vec<Var<'t, T>> {
        let _scope = self.tape().error_scope("chunk");
        // A failed call returns enough parts for a program to destructure, within a limit that guards against a wrong
        // number.
        let failed = n.clamp(1, 1024);
        if self.is_failed() {
            return vec![self; failed];
        }
        let shape = self.raw_shape();
        let size = match normalize_axis("chunk", axis, shape.len()) {
            Ok(a) => shape[a],
            Err(e) => return vec![self.tape().failed(e.into()); failed],
        };
        if n == 0 {
            return vec![refuse(self, "chunk", Kind::Argument, "expected at least one part, found 0")];
        }
        let each = size.div_ceil(n).max(1);
        let mut parts = Vec::new();
        let mut at = 0;
        while at < size || parts.is_empty() {
            parts.push(self.slice(axis, at..(at + each).min(size)));
            at += each;
        }
        parts
    }

    /// The slices along an axis, which is removed.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let rows = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]])).unbind(0);
    /// assert_eq!(rows[1].value()?.to_vec(), [3.0, 4.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn unbind(self, axis: isize) -> Vec<Var<'t, T>> {
        let _scope = self.tape().error_scope("unbind");
        if self.is_failed() {
            return vec![self];
        }
        let shape = self.raw_shape();
        match normalize_axis("unbind", axis, shape.len()) {
            Ok(a) => {
                let mut slices = Vec::with_capacity(shape[a]);
                for i in 0..shape[a] {
                    slices.push(self.select(axis, i));
                }
                slices
            }
            Err(e) => vec![self.tape().failed(e.into())],
        }
    }

    /// The whole value repeated `times[i]` times along axis `i`; with more entries than axes, leading axes of size 1 are
    /// added first, as in PyTorch's `repeat`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0, 2.0])).repeat(&[2, 2]);
    /// assert_eq!(y.value()?, Tensor::from([[1.0, 2.0, 1.0, 2.0], [1.0, 2.0, 1.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn repeat(self, times: &[usize]) -> Self {
        let _scope = self.tape().error_scope("repeat");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let Some(lead) = times.len().checked_sub(shape.len()) else {
            let detail =
                format!("expected at least {} factors for shape {shape}, found {}", shape.len(), times.len());
            return refuse(self, "repeat", Kind::Argument, detail);
        };
        // [a, b] is viewed as [1, a, 1, b], expanded to [m, a, n, b], and reshaped to [m a, n b].
        let (mut split, mut wide, mut merged) = (Vec::new(), Vec::new(), Vec::new());
        for (i, &m) in times.iter().enumerate() {
            let n = if i < lead { 1 } else { shape[i - lead] };
            split.extend([1, n]);
            wide.extend([m, n]);
            merged.push(m.saturating_mul(n));
        }
        match merged.to_shape("repeat") {
            Ok(merged) => self.reshape(split).expand(wide).reshape(merged),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// The whole value repeated `times[i]` times along axis `i`, as [`repeat`](Var::repeat), but with fewer entries than
    /// axes the first axes are not repeated, as in NumPy.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([[1.0], [2.0]])).tile(&[2]);
    /// assert_eq!(y.value()?, Tensor::from([[1.0, 1.0], [2.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn tile(self, times: &[usize]) -> Self {
        let _scope = self.tape().error_scope("tile");
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let mut all = vec![1; shape.len().saturating_sub(times.len())];
        all.extend(times);
        let lead = all.len() - shape.len();
        let sizes = all.iter().enumerate();
        let tiled: Vec<usize> =
            sizes.map(|(i, &m)| if i < lead { m } else { m.saturating_mul(shape[i - lead]) }).collect();
        match tiled.to_shape("tile") {
            Ok(_) => self.repeat(&all),
            Err(e) => self.tape().failed(e.into()),
        }
    }

    /// The value rotated by `k` quarter turns in the plane of two axes, from the first axis towards the second; a negative
    /// `k` rotates the other way.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0]])).rot90(1, [0, 1]);
    /// assert_eq!(y.value()?, Tensor::from([[2.0, 4.0], [1.0, 3.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn rot90(self, k: isize, axes: [isize; 2]) -> Self {
        let _scope = self.tape().error_scope("rot90");
        if self.is_failed() {
            return self;
        }
        if let Err(e) = axes.resolve("rot90", self.rank()) {
            return self.tape().failed(e.into());
        }
        let [a, b] = axes;
        match k.rem_euclid(4) {
            0 => self,
            1 => self.flip(b).transpose(a, b),
            2 => self.flip(axes),
            _ => self.flip(a).transpose(a, b),
        }
    }

    /// Every slice along an axis repeated `times` times in a row.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let y = tape.var(Tensor::from([1.0, 2.0])).repeat_interleave(0, 3);
    /// assert_eq!(y.value()?.to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn repeat_interleave(self, axis: isize, times: usize) -> Self {
        let _scope = self.tape().error_scope("repeat_interleave");
        if self.is_failed() {
            return self;
        }
        let mut shape = self.raw_shape().to_vec();
        match normalize_axis("repeat_interleave", axis, shape.len()) {
            Ok(a) => {
                let mut wide = shape.clone();
                wide.insert(a + 1, times);
                shape[a] = shape[a].saturating_mul(times);
                match shape.to_shape("repeat_interleave") {
                    Ok(shape) => self.unsqueeze(a as isize + 1).expand(wide).reshape(shape),
                    Err(e) => self.tape().failed(e.into()),
                }
            }
            Err(e) => self.tape().failed(e.into()),
        }
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names =
        ["flip", "roll", "movedim", "chunk", "unbind", "repeat", "tile", "rot90", "repeat_interleave"];
    Spec::family(&names, Order::Second, |g, which| {
        let mut shape = g.full_shape(1..=3);
        let (axis, other) = (g.axis(shape.len()), g.axis(shape.len()));
        let (axes, shift, n) = (g.axes(shape.len()), g.within(0..=7) as isize - 3, g.within(1..=3));
        let times: Vec<usize> = (0..shape.len() + g.within(0..=1)).map(|_| g.within(0..=2)).collect();
        let fewer = times[g.within(0..=times.len())..].to_vec();
        let (turned, shifts, moved) = match shape.len() > 1 && g.once_in(2) {
            true => (vec![-1, 0], vec![shift, 1], vec![0, 1]),
            false => (vec![axis], vec![shift], vec![other]),
        };
        let plane = if shape.len() > 1 { [0, -1] } else { [0, 1] };
        if which == 7 && shape.len() == 1 {
            shape.push(2);
        }
        if which == 4 {
            // One output per position.
            let along = normalize_axis("unbind", axis, shape.len()).unwrap_or(0);
            shape[along] = shape[along].min(5);
        }
        case!(vec![g.tensor(&shape, Domain::Real)], [axes, times, fewer, turned, shifts, moved], |x| {
            match which {
                0 => vec![x[0].flip(&axes)],
                1 => vec![x[0].roll(&turned, &shifts)],
                2 => vec![x[0].movedim(&turned, &moved)],
                3 => x[0].chunk(axis, n),
                4 => x[0].unbind(axis),
                5 => vec![x[0].repeat(&times)],
                6 => vec![x[0].tile(&fewer)],
                7 => vec![x[0].rot90(shift, plane)],
                _ => vec![x[0].repeat_interleave(axis, n)],
            }
        })
    })
}
