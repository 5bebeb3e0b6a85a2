//! The patches under a window as columns (im2col), and columns added up to planes (col2im). Each is the adjoint of the
//! other; both are composites of views and indexing.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use wengert_ops::{Slice, Window};

/// For each axis, the positions in the padded input that the window's elements read, for one window position after the
/// other.
type Positions = [Vec<i64>; 2];

/// The positions `[element of the window, position of the window]`, and the number of window positions along each axis.
fn positions(
    op: &'static str,
    shape: &Shape,
    sizes: [usize; 2],
    window: Window<2>,
) -> Result<(Positions, [usize; 2])> {
    let wrong = |detail: String| Err(Error::new(ErrorKind::Op(Kind::Argument), op, detail));
    let (mut positions, mut places) = ([Vec::new(), Vec::new()], [0; 2]);
    for i in 0..2 {
        let (k, s, d, p) = (window.size[i], window.stride[i], window.dilation[i], window.padding[i]);
        if k == 0 || s == 0 || d == 0 || window.ceil {
            return wrong(format!(
                "expected a window with size, stride and dilation of at least 1, not rounded up, \
                 found {window:?}"
            ));
        }
        let reach = (k - 1).checked_mul(d).and_then(|n| n.checked_add(1));
        let padded =
            p.checked_mul(2).and_then(|p| p.checked_add(sizes[i])).filter(|&n| n <= isize::MAX as usize);
        let (Some(reach), Some(padded)) = (reach, padded) else {
            return wrong(format!("window {window:?} is too large"));
        };
        if reach > padded {
            return wrong(format!(
                "a window that reaches over {reach} places does not fit sizes {sizes:?} with padding {p}, \
                 shape {shape}"
            ));
        }
        places[i] = (padded - reach) / s + 1;
        if places[i].saturating_mul(k) > u32::MAX as usize {
            return wrong(format!("window {window:?} is too large for sizes {sizes:?}"));
        }
        positions[i] = (0..k).flat_map(|e| (0..places[i]).map(move |o| (o * s + e * d) as i64)).collect();
    }
    Ok((positions, places))
}

impl<T: Float> Var<'_, T> {
    /// The patches under a window in `[batch, channels, height, width]`, as the columns of
    /// `[batch, channels · elements of the window, positions]`. Padding is zeros. A convolution is the product of its
    /// flattened weight with these columns.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 2.0, 3.0, 4.0]]]).unsqueeze(0)?);
    /// let columns = x.im2col([1, 2]);
    /// assert_eq!(columns.value()?, Tensor::from([[[1.0, 3.0], [2.0, 4.0]]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "unfold")]
    #[track_caller]
    pub fn im2col(self, window: impl Into<Window<2>>) -> Self {
        let _scope = self.tape().error_scope("im2col");
        let window = window.into();
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let &[n, c, h, w] = &shape[..] else {
            let detail = format!("expected [batch, channels, height, width], found {shape}");
            return refuse(self, "im2col", Kind::Shape, detail);
        };
        let ([down, along], [rows, columns]) = match positions("im2col", &shape, [h, w], window) {
            Ok(found) => found,
            Err(e) => return self.tape().failed(e),
        };
        let ([p, q], [k, l]) = (window.padding, window.size);
        let Some(elements) = c.checked_mul(k.saturating_mul(l)) else {
            let detail = format!("window {window:?} is too large for shape {shape}");
            return refuse(self, "im2col", Kind::Argument, detail);
        };
        let padded = if [p, q] == [0, 0] { self } else { self.pad(&[(0, 0), (0, 0), (p, p), (q, q)], 0.0) };
        padded
            .index_select(2, &Tensor::from(down))
            .index_select(3, &Tensor::from(along))
            .reshape([n, c, k, rows, l, columns])
            .permute([0, 1, 2, 4, 3, 5])
            .reshape([n, elements, rows * columns])
    }

    /// Columns `[batch, channels · elements of the window, positions]` added up at the elements that the window reads, as
    /// `[batch, channels, height, width]`: the adjoint of [`im2col`](Var::im2col).
    ///
    /// ```
    /// # use wengert_ops::{Tensor, Window};
    /// let tape = wengert_tape::Tape::new();
    /// let columns = tape.var(Tensor::from([[[1.0, 2.0], [10.0, 20.0]]]));
    /// let x = columns.col2im([1, 3], Window::new([1, 2]).stride(1));
    /// assert_eq!(x.value()?.to_vec(), [1.0, 12.0, 20.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "fold")]
    #[track_caller]
    pub fn col2im(self, sizes: [usize; 2], window: impl Into<Window<2>>) -> Self {
        let _scope = self.tape().error_scope("col2im");
        let window = window.into();
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let ([down, along], [rows, columns]) = match positions("col2im", &shape, sizes, window) {
            Ok(found) => found,
            Err(e) => return self.tape().failed(e),
        };
        let ([p, q], [k, l], [h, w]) = (window.padding, window.size, sizes);
        let (elements, places) = (k.saturating_mul(l), rows.saturating_mul(columns));
        let fits = shape.len() == 3 && shape[1].is_multiple_of(elements) && shape[2] == places;
        if !fits {
            let detail = format!(
                "expected [batch, channels · {elements}, {places}] for sizes {sizes:?}, found {shape}"
            );
            return refuse(self, "col2im", Kind::Shape, detail);
        }
        let (n, c) = (shape[0], shape[1] / elements);
        let flat = self.reshape([n, c, k, l, rows, columns]).permute([0, 1, 2, 4, 3, 5]).reshape([
            n,
            c,
            k * rows,
            l * columns,
        ]);
        let tape = self.tape();
        let wide = tape.constant(Tensor::try_full([n, c, k * rows, w + 2 * q], T::ZERO));
        let tall = tape.constant(Tensor::try_full([n, c, h + 2 * p, w + 2 * q], T::ZERO));
        let flat = wide.index_add(3, &Tensor::from(along), flat);
        let whole = tall.index_add(2, &Tensor::from(down), flat);
        if [p, q] == [0, 0] {
            return whole;
        }
        whole.slice(2, Slice::from(p..p + h)).slice(3, Slice::from(q..q + w))
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["im2col", "col2im"], Order::Second, |g, which| {
        let mut window = Window::<2>::new(1);
        let (mut sizes, mut places) = ([0; 2], [0; 2]);
        for i in 0..2 {
            let (k, s) = (g.within(1..=2), g.within(1..=3));
            let (d, p) = (g.within(1..=2), g.within(0..=1));
            (window.size[i], window.stride[i], window.dilation[i], window.padding[i]) = (k, s, d, p);
            let reach = (k - 1) * d + 1;
            sizes[i] = g.dim(reach.saturating_sub(2 * p).max(1)..=3);
            places[i] = (sizes[i] + 2 * p - reach) / s + 1;
        }
        let (n, c) = (g.pick(&[0, 1, 1]), g.around(1..=2, &[7, 8, 9, 17]));
        let elements = window.size[0] * window.size[1];
        let shape = if which == 0 {
            vec![n, c, sizes[0], sizes[1]]
        } else {
            vec![n, c * elements, places[0] * places[1]]
        };
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].im2col(window),
            _ => x[0].col2im(sizes, window),
        })
    })
}
