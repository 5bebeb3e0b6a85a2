//! The adjoint of a table look-up: rows added up by id.

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::index::checked;
use crate::parallel;
use crate::shape::ToShape;
use crate::tensor::Tensor;

impl<T: Float> Tensor<T> {
    /// The gradient of a table of `n` rows from that of the rows looked up in it: for each row of the table,
    /// the sum of the rows `[ids.., d]` of this tensor whose id it is, added in their order; zeros for row
    /// `skip`.
    ///
    /// The ids are sorted once, so each row of the table is written once, whichever thread does it.
    ///
    /// # Errors
    /// If this tensor is not of shape `[ids.., d]`, an id is not below `n`, or the table does not fit in memory.
    pub fn embedding_adjoint(&self, ids: &Tensor<i64>, n: usize, skip: Option<usize>) -> Result<Tensor<T>> {
        const OP: &str = "embedding";
        let at = checked(OP, ids, n)?;
        let d = match self.shape().split_last() {
            Some((&d, lead)) if *lead == ids.shape()[..] => d,
            _ => {
                let detail = format!("expected shape {} and a row axis, found {}", ids.shape(), self.shape());
                return Err(Error::shape(OP, detail));
            }
        };
        let shape = [n, d].to_shape(OP)?;
        if d == 0 {
            return Tensor::try_full(shape, T::ZERO);
        }
        // Counting sort: the places of row i are order[starts[i]..starts[i + 1]].
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
        let g = self.contiguous();
        let g = g.as_slice().unwrap_or_default();
        let mut out = Buffer::unspecified(shape.numel());
        let piece = parallel::rows(d, 1) * d;
        parallel::chunks_mut(&mut out, piece, 1, |start, rows| {
            for (r, row) in rows.chunks_mut(d).enumerate() {
                let i = start / d + r;
                row.fill(T::ZERO);
                if Some(i) == skip {
                    continue;
                }
                for &k in &order[starts[i]..starts[i + 1]] {
                    for (to, &v) in row.iter_mut().zip(&g[k * d..(k + 1) * d]) {
                        *to += v;
                    }
                }
            }
        });
        Ok(Tensor::from_buffer(out, shape))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Slice, Tensor};

    #[test]
    fn rows_are_added_up_in_every_layout() {
        let ids = Tensor::from([[3i64, 0, 3], [1, 3, 1]]);
        let g = Tensor::<f64>::arange(1.0, 1.0, 24).reshape([2, 3, 4]).unwrap();
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
