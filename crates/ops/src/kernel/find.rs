//! Positions from masks and index tensors: nonzero, counts, and the positions in row-major order to which indices
//! refer.

use super::index::{Places, checked};
use crate::buffer::Buffer;
use crate::error::{Error, ErrorKind, Result};
use crate::shape::{Shape, ToShape, broadcast_shapes};
use crate::tensor::Tensor;

impl Tensor<bool> {
    /// The indices of all true elements in row-major order, one per row: shape `[count, rank]`.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let mask = Tensor::from([[false, true], [true, true]]);
    /// assert_eq!(mask.nonzero(), Tensor::from([[0i64, 1], [1, 0], [1, 1]]));
    /// ```
    #[doc(alias = "where")]
    #[must_use]
    #[doc(alias = "argwhere")]
    pub fn nonzero(&self) -> Tensor<i64> {
        let flat = self.flat_nonzero();
        let rank = self.rank();
        let mut out = Buffer::unspecified(flat.len() * rank);
        for (k, &at) in flat.iter().enumerate() {
            let mut rest = at;
            for (a, &d) in self.shape().iter().enumerate().rev() {
                out[k * rank + a] = (rest % d) as i64;
                rest /= d;
            }
        }
        Tensor::from_buffer(out, Shape::from([flat.len(), rank]))
    }

    /// The positions in row-major order of all true elements.
    pub fn flat_nonzero(&self) -> Vec<usize> {
        self.to_vec().iter().enumerate().filter_map(|(i, &m)| m.then_some(i)).collect()
    }
}

impl Tensor<i64> {
    /// The number of occurrences of each of 0, 1, ..: counts up to the largest element, and at least `length` of them.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let t = Tensor::from([3i64, 0, 3]);
    /// assert_eq!(t.bincount(0)?.to_vec(), [1, 0, 0, 2]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an element is negative, or so large that the counts would not fit in memory.
    pub fn bincount(&self, length: usize) -> Result<Tensor<i64>> {
        const OP: &str = "bincount";
        let values = self.to_vec();
        if let Some(bad) = values.iter().find(|&&v| v < 0) {
            let detail = format!("expected elements of at least 0, found {bad}");
            return Err(Error::new(OP, ErrorKind::Argument, detail));
        }
        let largest = values.iter().max().map_or(0, |&v| v as usize + 1);
        let mut counts = Tensor::try_full(&[largest.max(length)][..].to_shape(OP)?, 0i64)?;
        let to = counts.data_mut();
        for v in values {
            to[v as usize] += 1;
        }
        Ok(counts)
    }
}

/// The positions of the elements to which several index tensors, which broadcast together, refer. Entry i is the
/// position in row-major order, among the first axes of `shape`, of the element at (i₀, i₁, ..), with one coordinate
/// from each index. The second result is the shape that the index tensors broadcast to.
///
/// # Errors
/// If there are no index tensors or more than axes, they do not broadcast, or an index is out of range.
pub fn positions(op: &'static str, shape: &Shape, indices: &[Tensor<i64>]) -> Result<(Tensor<i64>, Shape)> {
    if indices.is_empty() || indices.len() > shape.len() {
        let detail =
            format!("expected 1 to {} index tensors for shape {shape}, found {}", shape.len(), indices.len());
        return Err(Error::argument(op, detail));
    }
    let indexed = Shape::from(&shape[..indices.len()]);
    if indexed.checked_numel().is_none() {
        return Err(Error::new(op, ErrorKind::Overflow, format!("{indexed} has too many positions")));
    }
    let mut common = indices[0].shape().clone();
    for index in &indices[1..] {
        common = broadcast_shapes(op, &common, index.shape())?;
    }
    if let [index] = indices {
        return Ok((Tensor::from(flat_of(checked(op, index, shape[0])?)), common));
    }
    let mut flat = vec![0usize; common.numel()];
    for (axis, index) in indices.iter().enumerate() {
        // An index that is out of range is an error, even where broadcasting leaves no element of it.
        checked(op, index, shape[axis])?;
        let wide = index.expand(&common)?;
        for (to, i) in flat.iter_mut().zip(wide.to_vec()) {
            *to = *to * shape[axis] + i as usize;
        }
    }
    Ok((Tensor::from(flat_of(flat)), common))
}

fn flat_of(at: Vec<usize>) -> Vec<i64> {
    at.into_iter().map(|i| i as i64).collect()
}

/// The positions in row-major order of the elements that [`gather`](Tensor::gather) reads, one for each element of
/// `index`.
///
/// # Errors
/// Those of `gather`.
pub fn gather_positions(
    op: &'static str,
    shape: &Shape,
    axis: isize,
    index: &Tensor<i64>,
) -> Result<Tensor<i64>> {
    let places = Places::new(op, shape, axis, index)?;
    let mut flat = Vec::with_capacity(index.numel());
    places.each(0..places.rows(), |_, at| flat.push(at as i64));
    Ok(Tensor::from(flat))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    #[test]
    fn nonzero_in_every_layout() {
        let mask = Tensor::from([[true, false, true], [false, false, true]]);
        let views = [
            mask.clone(),
            mask.transpose(0, 1).unwrap(),
            mask.slice(1, Slice::all().step(-2)).unwrap(),
            mask.slice(0, 0..0).unwrap(),
            Tensor::scalar(true).expand([2, 2]).unwrap(),
        ];
        for v in &views {
            let found = v.nonzero();
            let mut want = Vec::new();
            for i in 0..v.shape()[0] {
                for j in 0..v.shape()[1] {
                    if v.get(&[i, j]).unwrap() {
                        want.extend([i as i64, j as i64]);
                    }
                }
            }
            assert_eq!(found.to_vec(), want);
            assert_eq!(*found.shape(), [want.len() / 2, 2]);
        }
        assert_eq!(*Tensor::scalar(true).nonzero().shape(), [1, 0]);
        assert_eq!(*Tensor::scalar(false).nonzero().shape(), [0, 0]);
    }

    #[test]
    fn counting() {
        assert_eq!(Tensor::<i64>::from(vec![]).bincount(2).unwrap().to_vec(), [0, 0]);
        assert!(Tensor::from([1i64, -1]).bincount(0).unwrap_err().to_string().contains("-1"));
        assert!(Tensor::from([i64::MAX]).bincount(0).is_err());
        assert!(Tensor::from([0i64]).bincount(usize::MAX).is_err());
    }

    #[test]
    fn positions_broadcast_and_are_checked() {
        let shape = Shape::from([2, 3, 4]);
        let (rows, columns) = (Tensor::from([[0i64], [1]]), Tensor::from([2i64, 0]));
        let (at, common) = positions("p", &shape, &[rows.clone(), columns]).unwrap();
        assert_eq!((at.to_vec(), &common[..]), (vec![2, 0, 5, 3], &[2, 2][..]));
        assert!(positions("p", &shape, &[]).is_err());
        assert!(positions("p", &Shape::scalar(), std::slice::from_ref(&rows)).is_err());
        let empty = Tensor::<i64>::from(vec![]);
        let e = positions("p", &shape, &[Tensor::from([9i64]), empty]).unwrap_err();
        assert!(e.to_string().contains("index 9") && e.to_string().contains("size 2"), "{e}");
        assert!(positions("p", &shape, &[rows, Tensor::from([0i64, 0, 0, 3])]).is_err());
    }
}
