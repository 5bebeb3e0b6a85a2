//! The adjoint of a table look-up: rows summed by id.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::index::checked;
use crate::parallel;
use crate::shape::ToShape;
use crate::tensor::Tensor;

const OP: &str = "embedding";

impl<T: Float> Tensor<T> {
    /// The gradient of a table of `n` rows from the gradient of the rows looked up in it: for each row of the table,
    /// the sum of the rows `[ids.., d]` of this tensor that have its id, added in their order; zeros for row `skip`.
    ///
    /// Many ids are sorted once, so that each row of the table is written once, by one thread.
    ///
    /// # Errors
    /// If this tensor is not of shape `[ids.., d]`, an id is not below `n`, or the table does not fit in memory.
    pub fn embedding_adjoint(&self, ids: &Tensor<i64>, n: usize, skip: Option<usize>) -> Result<Tensor<T>> {
        let d = self.shape().last().copied().unwrap_or(0);
        Tensor::try_full([n, d].to_shape(OP)?, T::ZERO)?.into_embedding_add(ids, self, skip)
    }

    /// This table `[n, d]` with the rows `[ids.., d]` of `rows` added to the rows of their ids, in their order, except
    /// to row `skip`. It works in this tensor's own buffer if that is not shared.
    ///
    /// # Errors
    /// Those of [`embedding_adjoint`](Tensor::embedding_adjoint).
    pub fn into_embedding_add(
        mut self,
        ids: &Tensor<i64>,
        rows: &Tensor<T>,
        skip: Option<usize>,
    ) -> Result<Tensor<T>> {
        let [n, d] = self.shape()[..] else {
            return Err(Error::shape(OP, format!("expected a table of rank 2, found {}", self.shape())));
        };
        let at = checked(OP, ids, n)?;
        if !matches!(rows.shape().split_last(), Some((&row, lead)) if row == d && *lead == ids.shape()[..]) {
            let detail = format!("expected shape {} and a row axis, found {}", ids.shape(), rows.shape());
            return Err(Error::shape(OP, detail));
        }
        if d == 0 {
            return Ok(self);
        }
        let g = rows.contiguous();
        let g = g.as_slice().unwrap_or_default();
        let add = |row: &mut [T], k: usize| {
            for (to, &v) in row.iter_mut().zip(&g[k * d..(k + 1) * d]) {
                *to += v;
            }
        };
        let out = self.data_mut();
        if !parallel::worth(g.len()) {
            for (k, &i) in at.iter().enumerate().filter(|(_, i)| Some(**i) != skip) {
                add(&mut out[i * d..(i + 1) * d], k);
            }
            return Ok(self);
        }
        // Counting sort: the positions of row i are order[starts[i]..starts[i + 1]].
        let mut starts = vec![0usize; n + 1];
        for &i in &at {
            starts[i + 1] += 1;
        }
        for i in 0..n {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut order = vec![0usize; at.len()];
        for (k, &i) in at.iter().enumerate() {
            order[next[i]] = k;
            next[i] += 1;
        }
        let piece = parallel::rows(d, 1) * d;
        parallel::chunks_mut(out, piece, 1, |start, rows| {
            for (r, row) in rows.chunks_mut(d).enumerate() {
                let i = start / d + r;
                if Some(i) != skip {
                    order[starts[i]..starts[i + 1]].iter().for_each(|&k| add(row, k));
                }
            }
        });
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Slice, Tensor};

    #[test]
    fn rows_are_added_up_in_every_layout() {
        let ids = Tensor::from([[3i64, 0, 3], [1, 3, 1]]);
        let g = Tensor::<f64>::steps(1.0, 1.0, 24).reshape([2, 3, 4]).unwrap();
        let views = [
            g.clone(),
            g.permute([0, 2, 1]).unwrap().contiguous().permute([0, 2, 1]).unwrap(),
            g.slice(2, Slice::all().step(-1)).unwrap(),
            Tensor::scalar(1.0).expand([2, 3, 4]).unwrap(),
            g.slice(2, 0..0).unwrap(),
        ];
        for (skip, g) in [None, Some(3), Some(0)].into_iter().flat_map(|s| views.iter().map(move |g| (s, g)))
        {
            let d = g.shape()[2];
            let sum = g.embedding_adjoint(&ids, 5, skip).unwrap();
            assert_eq!(*sum.shape(), [5, d]);
            for (i, c) in (0..5).flat_map(|i| (0..d).map(move |c| (i, c))) {
                let places = (0..6).filter(|k| ids.to_vec()[*k] == i as i64 && skip != Some(i));
                let want: f64 = places.map(|k| g.get(&[k / 3, k % 3, c]).unwrap()).sum();
                assert_eq!(sum.get(&[i, c]).unwrap(), want);
            }
        }
        assert!(g.embedding_adjoint(&ids, 3, None).is_err(), "id 3 of 3 rows");
        assert!(g.embedding_adjoint(&Tensor::from([0i64]), 3, None).is_err());
        assert!(Tensor::scalar(1.0).embedding_adjoint(&Tensor::scalar(0i64), 3, None).is_err());
    }

    #[test]
    fn a_table_that_nothing_can_hold_is_refused() {
        let (g, ids) = (Tensor::<f64>::ones([2, 3]), Tensor::from([0i64, 1]));
        for n in [usize::MAX, 1 << 62, 1 << 40] {
            let e = g.embedding_adjoint(&ids, n, None).unwrap_err();
            assert_eq!(e.op(), "embedding");
        }
        let rows_of_nothing = Tensor::<f64>::ones([2, 0]).embedding_adjoint(&ids, 1 << 35, None).unwrap();
        assert_eq!(*rows_of_nothing.shape(), [1 << 35, 0]);
    }
}
