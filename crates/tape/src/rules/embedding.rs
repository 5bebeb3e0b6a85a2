//! embedding: rows of a table by id. The cotangent of each row is the sum of the cotangents of its uses.

use super::prelude::*;

struct Embedding {
    op: &'static str,
    ids: Tensor<i64>,
    /// The ids as one axis, for index_select and its adjoint.
    flat: Tensor<i64>,
    padding: Option<usize>,
}

impl<T: Float> Op<T> for Embedding {
    fn name(&self) -> &'static str {
        self.op
    }
    fn arguments(&self) -> Option<String> {
        Some(format!("ids {}", listed(&self.flat)))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let rows = x[0].index_select(0, &self.flat).map_err(|e| e.in_op(self.op))?;
        let shape: Shape = self.ids.shape().iter().chain(&rows.shape()[1..]).copied().collect();
        Ok(rows.reshape(shape)?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let table = r.x(0);
        let mut g = r.gy().reshape([self.flat.numel(), table.dim(1)]);
        if let Some(p) = self.padding {
            g = g.masked_fill(self.flat.map(|i| i == p as i64).unsqueeze(1), 0.0);
        }
        cotangents([Some(table.zeros_like().index_add(0, &self.flat, g))])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let add_up = || -> Result<_> {
            let gx = r.gy()?.embedding_adjoint(&self.ids, r.shape(0)[0], self.padding)?;
            Ok(cotangents([Some(gx)]))
        };
        Some(add_up())
    }
    /// With a row that gets no gradient, the adjoint does not cover all elements that were taken.
    fn selection(&self) -> Option<&dyn Selection<T>> {
        self.padding.is_none().then_some(self)
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

impl<T: Float> Selection<T> for Embedding {
    fn scatter_add(&self, gy: &Tensor<T>, into: Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        into.into_embedding_add(&self.ids, gy, None)
    }
}

impl<T: Float> Var<'_, T> {
    /// The rows of this table `[n, d]` with the given ids, of any shape: `[ids.., d]`. An id that is negative or not below
    /// n is an error that names it.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let table = tape.var(Tensor::from([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]));
    /// let y = table.embedding(&Tensor::from([2, 0, 2]));
    /// assert_eq!(y.value()?, Tensor::from([[5.0, 6.0], [1.0, 2.0], [5.0, 6.0]]));
    /// let g = y.sum().backward()?.wrt(table)?;
    /// assert_eq!(g, Tensor::from([[1.0, 1.0], [0.0, 0.0], [2.0, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn embedding(self, ids: &Tensor<i64>) -> Self {
        self.look_up("embedding", ids, None)
    }

    /// As [`embedding`](Var::embedding), but row `padding` gets no gradient, so that it keeps its value, usually zeros.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let table = tape.var(Tensor::from([[0.0], [3.0]]));
    /// let y = table.embedding_padded(&Tensor::from([1, 0, 0]), 0);
    /// assert_eq!(y.sum().backward()?.wrt(table)?, Tensor::from([[0.0], [1.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn embedding_padded(self, ids: &Tensor<i64>, padding: usize) -> Self {
        self.look_up("embedding_padded", ids, Some(padding))
    }

    #[track_caller]
    fn look_up(self, op: &'static str, ids: &Tensor<i64>, padding: Option<usize>) -> Self {
        if self.is_failed() {
            return self;
        }
        let (kind, detail) = match self.raw_shape()[..] {
            [n, _] => match (padding, ids.reshape([ids.numel()])) {
                (Some(p), _) if p >= n => {
                    let detail = format!("padding index {p} is out of range for a table of {n} rows");
                    (Kind::Index, detail)
                }
                (_, Ok(flat)) => {
                    return self.tape().apply(Embedding { op, ids: ids.clone(), flat, padding }, &[self]);
                }
                (_, Err(e)) => return self.tape().failed(e.in_op(op).into()),
            },
            _ => {
                let detail = format!("expected a table of rank 2, found shape {}", self.shape());
                (Kind::Shape, detail)
            }
        };
        refuse(self, op, kind, detail)
    }
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["embedding", "embedding_padded"], Order::Second, |g, which| {
        let (n, d) = (g.dim(1..=4), g.dim(0..=3));
        let places = if g.is_large() { vec![g.beside(1..=3, d)] } else { g.shape(0..=2) };
        let (ids, padding) = (g.indices(&places, n), g.within(0..=n - 1));
        let table = g.tensor(&[n, d], Domain::Real);
        if which == 0 {
            return case!(vec![table], [ids], |x| x[0].embedding(&ids));
        }
        // A finite difference would see the padding row, so the row enters as a constant.
        let table = table.index_select(
            0,
            &Tensor::from((0..n as i64).filter(|&i| i != padding as i64).collect::<Vec<_>>()),
        );
        case!(vec![table.unwrap_or_else(|_| Tensor::zeros([0, d]))], [ids], |x| {
            let below = x[0].slice(0, 0..padding);
            let row = x[0].tape().constant(Tensor::ones([1, d]));
            let table = x[0].tape().concat(&[below, row, x[0].slice(0, padding..)], 0);
            table.embedding_padded(&ids, padding)
        })
    })
}
