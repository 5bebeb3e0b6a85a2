//! [`Embedding`]: a learned vector for each id.

use crate::Module;
use crate::init::Scheme;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Param, Tape, Var};

/// A table of vectors, looked up by id: ids `[..]` → `[.., width]`.
///
/// The weight is `[ids, width]`, as in PyTorch. The same table can be the output projection of a language model (Press and
/// Wolf 2017): [`project`](Embedding::project) returns the logits of every id, and the table's gradient is the sum over both
/// uses.
///
/// ```
/// use wengert_nn::{Embedding, Module};
/// use wengert_ops::{Tensor, random::Rng};
/// let table = Embedding::<f64>::new(10, 4, &mut Rng::seed(0)).padding(0);
/// let tape = wengert_tape::Tape::new();
/// let x = table.forward(&tape, &Tensor::from([[3, 1, 0], [7, 0, 0]]));
/// assert_eq!(x.shape(), [2, 3, 4]);
/// assert_eq!(x.select(0, 1).slice(0, 1..).value()?.to_vec(), [0.0; 8]);        // padding is zeros
/// let logits = table.project(x);                                            // tied weights
/// assert_eq!((logits.shape().to_string(), table.num_params()), ("[2, 3, 10]".into(), 40));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct Embedding<T: Float> {
    /// The table of vectors, `[ids, width]`.
    pub weight: Param<T>,
    /// The id whose vector is initially zero and gets no gradient from look-ups.
    #[module(skip)]
    pub padding: Option<usize>,
}

impl<T: Float> Embedding<T> {
    /// A table for ids below `ids`, drawn from the standard normal distribution, PyTorch's default.
    ///
    /// # Panics
    /// If the table does not fit in memory.
    pub fn new(ids: usize, width: usize, rng: &mut Rng) -> Self {
        Self::from_table(Scheme::Normal(1.0).sample(&[ids, width].into(), rng))
    }

    /// A layer with the given table, `[ids, width]`, such as one that was trained elsewhere.
    pub fn from_table(table: Tensor<T>) -> Self {
        Embedding { weight: Param::new(table), padding: None }
    }

    /// The layer with its table drawn from `scheme`; the vector of the padding id remains zero.
    #[must_use]
    pub fn init(self, scheme: Scheme, rng: &mut Rng) -> Self {
        let fresh = Self::from_table(scheme.sample(self.weight.shape(), rng));
        match self.padding {
            Some(id) => fresh.padding(id),
            None => fresh,
        }
    }

    /// The layer with `id` for padding: its vector becomes zero and remains so. An id that is not in the table is refused
    /// when the layer is used.
    #[must_use]
    pub fn padding(mut self, id: usize) -> Self {
        self.padding = Some(id);
        let width = self.weight.shape().get(1).copied().unwrap_or(0);
        self.weight.update(|t| {
            t.data_mut().iter_mut().skip(id.saturating_mul(width)).take(width).for_each(|v| *v = T::ZERO);
        });
        self
    }

    /// The vectors of `ids`, `[..]` → `[.., width]`. An id that is not in the table is an error that names it.
    #[track_caller]
    pub fn forward<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>) -> Var<'t, T> {
        let table = tape.param(&self.weight);
        match self.padding {
            Some(id) => table.embedding_padded(ids, id),
            None => table.embedding(ids),
        }
    }

    /// The products of `x` with every vector of the table, `[.., width]` → `[.., ids]`.
    #[track_caller]
    pub fn project<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        x.linear(x.tape().param(&self.weight), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Optimizer, Sgd};
    use crate::{gradcheck, loss};

    #[test]
    fn the_gradient_of_a_tied_table_is_right() {
        let mut table = Embedding::<f64>::new(5, 3, &mut Rng::seed(0));
        let (ids, next) = (Tensor::from([[0, 3, 3], [4, 1, 2]]), Tensor::from([3, 3, 1, 1, 2, 0]));
        let report = gradcheck::check(
            &mut table,
            |table, tape| {
                let x = table.forward(tape, &ids);
                loss::cross_entropy(table.project(x).reshape([6, 5]), &next)
            },
            4,
        )
        .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn padding_stays_zero_in_training() {
        let mut table = Embedding::<f64>::new(4, 2, &mut Rng::seed(0)).padding(2);
        let ids = Tensor::from([2, 1, 2, 3]);
        let mut optimizer = Sgd::new(0.5);
        let before = table.weight.value().clone();
        let tape = Tape::new();
        let grads = table.forward(&tape, &ids).sum().backward().unwrap();
        optimizer.step(&mut table, &grads).unwrap();
        let (before, after) = (before.to_vec(), table.weight.value().to_vec());
        assert_eq!((&after[4..6], &after[..2]), (&[0.0, 0.0][..], &before[..2]));
        assert!(after[2] != before[2] && after[7] != before[7]);
        let again = table.init(Scheme::Ones, &mut Rng::seed(0));
        assert_eq!(again.weight.value().to_vec(), [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn ids_out_of_range_are_named() {
        let table = Embedding::<f64>::new(4, 2, &mut Rng::seed(0));
        let tape = Tape::new();
        for id in [4, -1] {
            let e = table.forward(&tape, &Tensor::from([id])).value().unwrap_err();
            assert!(e.op() == "embedding" && e.to_string().contains(&id.to_string()), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()));
        }
        let e = table.padding(9).forward(&tape, &Tensor::from([0])).value().unwrap_err();
        assert!(e.to_string().contains("padding index 9"), "{e}");
    }
}
