//! Padding with elements of the value itself, as composites of `index_select`: mirrored, repeated, and from the opposite
//! end.

use super::prelude::*;

#[derive(Clone, Copy)]
enum Mode {
    Reflect,
    Replicate,
    Circular,
}

/// For each position of the padded axis, the position of the source element.
fn positions(mode: Mode, n: usize, (before, after): (usize, usize)) -> std::result::Result<Vec<i64>, String> {
    let most = before.max(after);
    let (fits, least) = match mode {
        Mode::Reflect => (most < n, "widths below the size of the axis"),
        Mode::Circular => (most <= n, "widths of at most the size of the axis"),
        Mode::Replicate => (n > 0, "an axis that is not empty"),
    };
    let len = n.checked_add(before).and_then(|m| m.checked_add(after));
    let Some(len) = len.filter(|&m| (fits || most == 0) && m <= u32::MAX as usize) else {
        return Err(format!("cannot pad {n} elements by ({before}, {after}): expected {least}"));
    };
    let (n, before) = (n as i64, before as i64);
    let at = |i: i64| match mode {
        Mode::Reflect if i < 0 => -i,
        Mode::Reflect if i >= n => 2 * (n - 1) - i,
        Mode::Reflect => i,
        Mode::Replicate => i.clamp(0, (n - 1).max(0)),
        Mode::Circular => i.rem_euclid(n.max(1)),
    };
    Ok((0..len as i64).map(|i| at(i - before)).collect())
}

#[track_caller]
fn padded<'t, T: Float>(
    x: Var<'t, T>,
    op: &'static str,
    mode: Mode,
    widths: &[(usize, usize)],
) -> Var<'t, T> {
    if x.is_failed() {
        return x;
    }
    let shape = x.raw_shape();
    if widths.len() != shape.len() {
        let detail = format!("expected {} pairs for shape {shape}, found {}", shape.len(), widths.len());
        return refuse(x, op, Kind::Argument, detail);
    }
    let mut all = Vec::with_capacity(widths.len());
    for (axis, (&n, &width)) in shape.iter().zip(widths).enumerate() {
        match positions(mode, n, width) {
            Ok(at) => all.push(at),
            Err(detail) => {
                let detail = format!("axis {axis} of shape {shape}: {detail}");
                return refuse(x, op, Kind::Argument, detail);
            }
        }
    }
    let mut x = x;
    for (axis, (at, &width)) in all.into_iter().zip(widths).enumerate() {
        if width != (0, 0) {
            x = x.index_select(axis as isize, &Tensor::from(at));
        }
    }
    x
}

impl<T: Float> Var<'_, T> {
    /// The value extended by its mirror image at the ends, without repeating the end element: for each axis, the number of
    /// positions added before and after, each less than the size of the axis.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// let y = x.pad_reflect(&[(2, 1)]);
    /// assert_eq!(y.value()?.to_vec(), [3.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [1.0, 3.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "pad")]
    #[track_caller]
    pub fn pad_reflect(self, widths: &[(usize, usize)]) -> Self {
        let _scope = self.tape().error_scope("pad_reflect");
        padded(self, "pad_reflect", Mode::Reflect, widths)
    }

    /// The value with its end elements repeated: for each axis, the number of positions added before and after.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0]));
    /// assert_eq!(x.pad_replicate(&[(2, 1)]).value()?.to_vec(), [1.0, 1.0, 1.0, 2.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "pad")]
    #[track_caller]
    pub fn pad_replicate(self, widths: &[(usize, usize)]) -> Self {
        let _scope = self.tape().error_scope("pad_replicate");
        padded(self, "pad_replicate", Mode::Replicate, widths)
    }

    /// The value extended periodically: for each axis, the number of positions added before and after, each at most the
    /// size of the axis.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    /// assert_eq!(x.pad_circular(&[(1, 2)]).value()?.to_vec(), [3.0, 1.0, 2.0, 3.0, 1.0, 2.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "pad")]
    #[track_caller]
    pub fn pad_circular(self, widths: &[(usize, usize)]) -> Self {
        let _scope = self.tape().error_scope("pad_circular");
        padded(self, "pad_circular", Mode::Circular, widths)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["pad_reflect", "pad_replicate", "pad_circular"], Order::Second, |g, which| {
        let mut shape = g.full_shape(0..=3);
        let mut widths = Vec::new();
        for &n in &shape {
            let most = if which == 0 { n - 1 } else { n };
            let widest = if g.is_large() { 65 } else { 2 };
            widths.push((g.within(0..=most.min(widest)), g.within(0..=most.min(widest - 1))));
        }
        if !shape.is_empty() && !g.is_large() && g.once_in(6) {
            (shape[0], widths[0]) = (0, (0, 0));
        }
        case!(vec![g.tensor(&shape, Domain::Real)], [widths], |x| match which {
            0 => x[0].pad_reflect(&widths),
            1 => x[0].pad_replicate(&widths),
            _ => x[0].pad_circular(&widths),
        })
    })
}
