//! Values arranged in a grid or block: meshgrid, block_diag, as composites of views, padding and joins.

use super::prelude::*;
use crate::error::{Error, ErrorKind};

impl<T: Float> Tape<T> {
    /// The coordinates of the points of a grid, given those along each of its axes (vectors, or scalars for one point):
    /// value i of the result varies along axis i and is repeated, without copying, along the others.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (a, b) = (tape.var(Tensor::from([1.0, 2.0])), tape.var(Tensor::from([5.0, 6.0, 7.0])));
    /// let grid = tape.meshgrid(&[a, b]);
    /// assert_eq!(grid[0].value()?, Tensor::from([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]]));
    /// assert_eq!(grid[1].value()?, Tensor::from([[5.0, 6.0, 7.0], [5.0, 6.0, 7.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn meshgrid<'t>(&'t self, axes: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        self.grid("meshgrid", axes, false)
    }

    /// As [`meshgrid`](Tape::meshgrid) with the first two axes exchanged, as in plots: the first coordinate
    /// varies along the columns, the second along the rows.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (x, y) = (tape.var(Tensor::from([1.0, 2.0])), tape.var(Tensor::from([5.0, 6.0, 7.0])));
    /// assert_eq!(tape.meshgrid_xy(&[x, y])[0].value()?, Tensor::from([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn meshgrid_xy<'t>(&'t self, axes: &[Var<'t, T>]) -> Vec<Var<'t, T>> {
        self.grid("meshgrid_xy", axes, true)
    }

    #[track_caller]
    fn grid<'t>(&'t self, op: &'static str, axes: &[Var<'t, T>], exchanged: bool) -> Vec<Var<'t, T>> {
        let place = |i: usize| if exchanged && axes.len() > 1 && i < 2 { 1 - i } else { i };
        let mut sizes = vec![1; axes.len()];
        for (i, &x) in axes.iter().enumerate() {
            let x = x.into_var(self);
            if x.is_failed() {
                return vec![x; axes.len()];
            }
            if x.rank() > 1 {
                let kind = ErrorKind::Op(Kind::Shape);
                let detail = format!("expected vectors or scalars, found shape {}", x.shape());
                return vec![self.failed(Error::new(kind, op, detail)); axes.len()];
            }
            sizes[place(i)] = x.numel();
        }
        if let Err(e) = sizes.to_shape(op) {
            return vec![self.failed(e.into()); axes.len()];
        }
        let mut grid = Vec::with_capacity(axes.len());
        for (i, &x) in axes.iter().enumerate() {
            let mut along = vec![1; axes.len()];
            along[place(i)] = x.numel();
            grid.push(x.reshape(along).expand(&sizes));
        }
        grid
    }

    /// A large matrix with the given matrices along its diagonal and zeros elsewhere. A vector is a matrix of one row, a
    /// scalar a matrix of one element.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let (a, b) = (tape.var(Tensor::from([[1.0], [2.0]])), tape.var(Tensor::from([3.0, 4.0])));
    /// let y = tape.block_diag(&[a, b]);
    /// assert_eq!(y.value()?, Tensor::from([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 4.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn block_diag<'t>(&'t self, blocks: &[Var<'t, T>]) -> Var<'t, T> {
        const OP: &str = "block_diag";
        let refuse = |detail: String| Error::new(ErrorKind::Op(Kind::Shape), OP, detail);
        let (mut rows, mut columns) = (0usize, 0usize);
        for &x in blocks {
            let x = x.into_var(self);
            if x.is_failed() {
                return x;
            }
            let (r, c) = match x.raw_shape()[..] {
                [] => (1, 1),
                [c] => (1, c),
                [r, c] => (r, c),
                _ => {
                    let found = x.shape();
                    return self
                        .failed(refuse(format!("expected matrices, vectors or scalars, found {found}")));
                }
            };
            (rows, columns) = (rows.saturating_add(r), columns.saturating_add(c));
        }
        if blocks.is_empty() {
            return self.failed(refuse("expected at least one matrix, found none".into()));
        }
        if let Err(e) = [rows, columns].to_shape(OP) {
            return self.failed(e.into());
        }
        let mut bands = Vec::with_capacity(blocks.len());
        let mut before = 0;
        for &x in blocks {
            let c = x.raw_shape().last().copied().unwrap_or(1);
            let matrix = if x.rank() == 2 { x } else { x.reshape([1, c]) };
            bands.push(matrix.pad(&[(0, 0), (before, columns - before - c)], 0.0));
            before += c;
        }
        self.concat(&bands, 0)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["meshgrid", "meshgrid_xy", "block_diag"], Order::Second, |g, which| {
        let mut x = Vec::new();
        for _ in 0..g.within(1..=3) {
            let rank = if which == 2 { 2 } else { 1 };
            let shape: Vec<usize> = (0..g.within(0..=rank)).map(|_| g.dim(0..=2)).collect();
            x.push(g.tensor(&shape, Domain::Real));
        }
        case!(x, [], |x| {
            let tape = x[0].tape();
            match which {
                0 => tape.meshgrid(x),
                1 => tape.meshgrid_xy(x),
                _ => vec![tape.block_diag(x)],
            }
        })
    })
}
