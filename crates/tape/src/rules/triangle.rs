//! Triangles and diagonals of matrices: tril, triu, diagonal, trace, diag_embed.

use super::prelude::*;
use crate::error::{Error, ErrorKind};

/// The number of rows and of columns: the last two axes.
#[track_caller]
fn matrix<T: Float>(x: Var<'_, T>, op: &'static str) -> Result<(usize, usize)> {
    match x.raw_shape()[..] {
        [.., rows, columns] => Ok((rows, columns)),
        _ => {
            let detail = format!("expected a matrix or a batch of them, found shape {}", x.shape());
            Err(Error::new(ErrorKind::Op(Kind::Shape), op, detail))
        }
    }
}

/// The positions of a diagonal in a row-major matrix: element (i, i + offset).
fn positions(rows: usize, columns: usize, offset: isize) -> Tensor<i64> {
    let cells = (0..rows as isize).filter_map(|i| {
        let j = i.checked_add(offset)?;
        (0..columns as isize).contains(&j).then(|| (i * columns as isize + j) as i64)
    });
    Tensor::from(cells.collect::<Vec<_>>())
}

impl<T: Float> Var<'_, T> {
    #[track_caller]
    fn outside_zero(self, op: &'static str, drop: impl Fn(isize, isize) -> bool) -> Self {
        if self.is_failed() {
            return self;
        }
        let (rows, columns) = match matrix(self, op) {
            Ok(sizes) => sizes,
            Err(e) => return self.tape().failed(e),
        };
        let mut cells = Vec::with_capacity(rows * columns);
        for i in 0..rows as isize {
            cells.extend((0..columns as isize).map(|j| drop(i, j)));
        }
        let mask = Tensor::from_vec(cells, [rows, columns]);
        self.masked_fill(mask, 0.0)
    }

    /// Matrices `[.., n, m]` with everything above diagonal `offset` set to zero: element (i, j) is kept where j ≤ i +
    /// offset.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.tril(0).value()?, Tensor::from([[1.0, 0.0, 0.0], [4.0, 5.0, 0.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn tril(self, offset: isize) -> Self {
        let _scope = self.tape().error_scope("tril");
        self.outside_zero("tril", |i, j| j > i.saturating_add(offset))
    }

    /// Matrices `[.., n, m]` with everything below diagonal `offset` set to zero: element (i, j) is kept where j ≥ i +
    /// offset.
    #[track_caller]
    pub fn triu(self, offset: isize) -> Self {
        let _scope = self.tape().error_scope("triu");
        self.outside_zero("triu", |i, j| j < i.saturating_add(offset))
    }

    /// The elements (i, i + offset) of matrices `[.., n, m]`, as `[.., k]`; empty if the diagonal is outside the matrix.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    /// assert_eq!(x.diagonal(1).value()?.to_vec(), [2.0, 6.0]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "diag")]
    #[track_caller]
    pub fn diagonal(self, offset: isize) -> Self {
        let _scope = self.tape().error_scope("diagonal");
        if self.is_failed() {
            return self;
        }
        match matrix(self, "diagonal") {
            Ok((rows, columns)) => {
                let at = positions(rows, columns, offset);
                let count = Shape::from([at.numel()]);
                self.select_merged("diagonal", (self.rank() - 2, 2), at, count)
            }
            Err(e) => self.tape().failed(e),
        }
    }

    /// The sum of the diagonal of matrices `[.., n, m]`, square or not, as `[..]`.
    #[track_caller]
    pub fn trace(self) -> Self {
        let _scope = self.tape().error_scope("trace");
        self.diagonal(0).sum_axes(-1)
    }

    /// Square matrices `[.., m, m]` with the elements of this value `[.., n]` at (i, i + offset), m = n +
    /// |offset|, and zeros elsewhere.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([2.0, 3.0]));
    /// assert_eq!(x.diag_embed(0).value()?, Tensor::from([[2.0, 0.0], [0.0, 3.0]]));
    /// let below = Tensor::from([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 3.0, 0.0]]);
    /// assert_eq!(x.diag_embed(-1).value()?, below);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[doc(alias = "diag")]
    #[track_caller]
    pub fn diag_embed(self, offset: isize) -> Self {
        let _scope = self.tape().error_scope("diag_embed");
        const OP: &str = "diag_embed";
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let Some((&n, lead)) = shape.split_last() else {
            let detail = "expected at least one axis, found a scalar";
            return refuse(self, OP, Kind::Shape, detail);
        };
        let m = n.saturating_add(offset.unsigned_abs());
        let (mut matrices, mut cells) = (lead.to_vec(), lead.to_vec());
        matrices.extend([m, m]);
        if [Shape::from([m, m]), Shape::from(&matrices[..])].iter().any(|s| s.checked_numel().is_none()) {
            let detail = format!("offset {offset} gives matrices {matrices:?}: too many elements");
            return refuse(self, OP, Kind::Overflow, detail);
        }
        cells.push(m * m);
        let zeros = self.tape().constant(Tensor::try_full(cells, T::ZERO));
        zeros.index_add(-1, &positions(m, m, offset), self).reshape(matrices)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["tril", "triu", "diagonal", "trace", "diag_embed"];
    Spec::family(&names, Order::Second, |g, which| {
        let mut shape = g.shape(2..=3);
        if g.is_large() {
            // The embedded matrix is the square of this size.
            shape = [vec![g.within(1..=3)], vec![g.dim(1..=3), g.dim(1..=3)]][g.within(0..=1)..].concat();
        }
        let offset = g.within(0..=4) as isize - 2;
        case!(vec![g.tensor(&shape, Domain::Real)], [], |x| match which {
            0 => x[0].tril(offset),
            1 => x[0].triu(offset),
            2 => x[0].diagonal(offset),
            3 => x[0].trace(),
            _ => x[0].diag_embed(offset),
        })
    })
}
