//! Triangles and diagonals of matrices: tril, triu, diagonal, trace, diag_embed.

use super::prelude::*;
use wengert_ops::Slice;

/// The elements on one side of a diagonal, and zeros on the other. The function is its own adjoint.
struct Triangle {
    upper: bool,
    offset: isize,
}

impl<T: Float> Op<T> for Triangle {
    fn name(&self) -> &'static str {
        if self.upper { "triu" } else { "tril" }
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("offset {}", self.offset))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(if self.upper { x[0].triu(self.offset) } else { x[0].tril(self.offset) }?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let g = r.gy();
        cotangents([Some(if self.upper { g.triu(self.offset) } else { g.tril(self.offset) })])
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// A diagonal, as a view.
struct Diagonal {
    offset: isize,
}

impl<T: Float> Op<T> for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("offset {}", self.offset))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(x[0].diagonal(self.offset)?.into())
    }
    fn selection(&self) -> Option<&dyn Selection<T>> {
        Some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Selection<T> for Diagonal {
    fn scatter_add(&self, gy: &Tensor<T>, mut into: Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        let shape = into.shape().clone();
        let (n, count) = (shape[shape.len() - 1], gy.shape().last().copied().unwrap_or(0));
        if count == 0 {
            return Ok(into);
        }
        // In a row-major matrix, neighbours on a diagonal are one row and one column apart.
        let first = self.offset.min(0).unsigned_abs() * n + self.offset.max(0) as usize;
        let cells = Slice::from(first..first + (count - 1) * (n + 1) + 1).step(n as isize + 1);
        // In row-major order a reshape does not copy, and then the buffer is not shared.
        into.data_mut();
        let lead = &shape[..shape.len() - 2];
        let flat = into.reshape([lead.iter().product(), shape[shape.len() - 2] * n])?;
        drop(into);
        flat.into_slice_add(1, cells, &gy.reshape([lead.iter().product(), count])?)?.reshape(&shape)
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
        self.tape().apply(Triangle { upper: false, offset }, &[self])
    }

    /// Matrices `[.., n, m]` with everything below diagonal `offset` set to zero: element (i, j) is kept where j ≥ i +
    /// offset.
    #[track_caller]
    pub fn triu(self, offset: isize) -> Self {
        self.tape().apply(Triangle { upper: true, offset }, &[self])
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
        self.tape().apply(Diagonal { offset }, &[self])
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
