//! [`Tensor`]: a shared buffer and a layout.

use crate::buffer::{Buffer, Shared};
use crate::dtype::{DType, Element};
use crate::error::{Error, ErrorKind, Result};
use crate::float::Float;
use crate::kernel::copy;
use crate::shape::{Layout, Shape, ToShape};

/// An n-dimensional array of `T` on the CPU.
///
/// Cloning shares the buffer; writing ([`data_mut`](Tensor::data_mut)) copies it first if it is shared. Views
/// (transposed, sliced, broadcast) share it too. The crate's page has an example.
#[derive(Clone)]
pub struct Tensor<T: Element> {
    pub(crate) buf: Shared<T>,
    pub(crate) layout: Layout,
}

impl<T: Element> Tensor<T> {
    pub(crate) fn from_buffer(buf: Buffer<T>, shape: Shape) -> Self {
        debug_assert_eq!(buf.len(), shape.numel());
        Tensor { buf: buf.into(), layout: Layout::contiguous(shape) }
    }

    pub(crate) fn with_layout(&self, layout: Layout) -> Self {
        Tensor { buf: self.buf.clone(), layout }
    }

    /// A tensor of the given shape from its elements in row-major order.
    ///
    /// # Errors
    /// If the number of elements is not that of the shape.
    #[doc(alias = "tensor")]
    pub fn from_vec(values: Vec<T>, shape: impl ToShape) -> Result<Self> {
        Self::from_slice(&values, shape)
    }

    /// Like [`from_vec`](Tensor::from_vec), copying a slice.
    #[doc(alias = "as_tensor")]
    #[doc(alias = "asarray")]
    #[doc(alias = "frombuffer")]
    pub fn from_slice(values: &[T], shape: impl ToShape) -> Result<Self> {
        let shape = shape.to_shape("from_vec")?;
        if shape.numel() != values.len() {
            let detail = format!("shape {shape} holds {} elements, found {}", shape.numel(), values.len());
            return Err(Error::shape("from_vec", detail));
        }
        Ok(Self::from_buffer(Buffer::from_slice(values), shape))
    }

    /// A rank-0 tensor.
    #[doc(alias = "scalar_tensor")]
    pub fn scalar(value: T) -> Self {
        Self::from_buffer(Buffer::filled(1, value), Shape::scalar())
    }

    /// A tensor of equal values.
    ///
    /// # Errors
    /// If a size is negative or the element count does not fit in memory.
    #[doc(alias = "new_zeros")]
    #[doc(alias = "new_ones")]
    #[doc(alias = "new_full")]
    #[doc(alias = "new_empty")]
    #[doc(alias = "new_tensor")]
    #[doc(alias = "full")]
    pub fn try_full(shape: impl ToShape, value: T) -> Result<Self> {
        let shape = shape.to_shape("full")?;
        Ok(Self::from_buffer(Buffer::filled(shape.numel(), value), shape))
    }

    /// A tensor of equal values, in the shape of `like`.
    pub fn full_like<U: Element>(like: &Tensor<U>, value: T) -> Self {
        Self::from_buffer(Buffer::filled(like.numel(), value), like.shape().clone())
    }

    /// The sizes of the axes.
    #[inline]
    pub fn shape(&self) -> &Shape {
        &self.layout.shape
    }

    /// The number of axes.
    #[doc(alias = "dim")]
    #[doc(alias = "ndim")]
    #[inline]
    pub fn rank(&self) -> usize {
        self.layout.shape.len()
    }

    /// The number of elements.
    #[inline]
    pub fn numel(&self) -> usize {
        self.layout.shape.numel()
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        T::DTYPE
    }

    /// The memory layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The distance between adjacent positions of each axis, in elements.
    #[doc(alias = "stride")]
    pub fn strides(&self) -> &[isize] {
        &self.layout.strides
    }

    /// Whether the elements are stored in row-major order without gaps.
    #[inline]
    pub fn is_contiguous(&self) -> bool {
        self.layout.is_contiguous()
    }

    /// The elements in row-major order, or `None` if they are not stored that way.
    #[doc(alias = "numpy")]
    #[inline]
    pub fn as_slice(&self) -> Option<&[T]> {
        if self.is_contiguous() {
            let n = self.numel();
            if n == 0 { Some(&[]) } else { Some(&self.buf[self.layout.offset..self.layout.offset + n]) }
        } else {
            None
        }
    }

    /// A contiguous tensor with the same elements: this tensor if it is contiguous already.
    pub fn contiguous(&self) -> Self {
        if self.is_contiguous() {
            self.clone()
        } else {
            Self::from_buffer(copy::gather(self), self.shape().clone())
        }
    }

    /// The elements in row-major order.
    #[doc(alias = "tolist")]
    pub fn to_vec(&self) -> Vec<T> {
        match self.as_slice() {
            Some(s) => s.to_vec(),
            None => copy::gather(self).to_vec(),
        }
    }

    /// The elements, to be changed in place. The buffer is copied first if it is shared, or if this tensor is a view of
    /// it.
    pub fn data_mut(&mut self) -> &mut [T] {
        let whole = self.is_contiguous() && self.layout.offset == 0 && self.buf.len() == self.numel();
        if !whole || self.buf.get_mut().is_none() {
            let buf = match self.as_slice() {
                Some(s) => Buffer::from_slice(s),
                None => copy::gather(self),
            };
            *self = Self::from_buffer(buf, self.shape().clone());
        }
        self.buf.get_mut().expect("the buffer was just made unique")
    }

    /// Whether two tensors share a buffer.
    #[doc(alias = "is_set_to")]
    pub fn shares_buffer(&self, o: &Self) -> bool {
        self.buf.address() == o.buf.address()
    }

    /// The address of the buffer: equal for tensors that share one.
    #[doc(alias = "data_ptr")]
    pub fn buffer_address(&self) -> usize {
        self.buf.address()
    }

    /// The number of tensors that share the buffer, including this one.
    pub fn buffer_owners(&self) -> usize {
        self.buf.owners()
    }

    /// The number of elements of the whole buffer, of which a view may show a part.
    pub fn buffer_len(&self) -> usize {
        self.buf.len()
    }

    /// The only element.
    ///
    /// # Errors
    /// If there is not exactly one element.
    pub fn item(&self) -> Result<T> {
        if self.numel() == 1 {
            Ok(self.buf[self.layout.offset])
        } else {
            Err(Error::shape("item", format!("expected one element, found shape {}", self.shape())))
        }
    }

    /// The element at an index with one entry per axis.
    ///
    /// # Errors
    /// If the number of entries is not the rank, or an entry is out of range.
    pub fn get(&self, index: &[usize]) -> Result<T> {
        if index.len() != self.rank() || index.iter().zip(self.shape().iter()).any(|(i, d)| i >= d) {
            let detail = format!("index {index:?} is out of range for shape {}", self.shape());
            return Err(Error::new("get", ErrorKind::Index, detail));
        }
        let at: isize = index.iter().zip(self.strides()).map(|(&i, &s)| i as isize * s).sum();
        Ok(self.buf[self.layout.offset.wrapping_add_signed(at)])
    }
}

impl<T: Float> Tensor<T> {
    /// A tensor of zeros.
    ///
    /// # Panics
    /// If a size is negative or the element count does not fit in memory. For shapes from outside the program, use
    /// [`try_full`](Tensor::try_full).
    pub fn zeros(shape: impl ToShape) -> Self {
        Self::try_full(shape, T::ZERO).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A tensor of ones. Panics as [`zeros`](Tensor::zeros) does.
    pub fn ones(shape: impl ToShape) -> Self {
        Self::try_full(shape, T::ONE).unwrap_or_else(|e| panic!("{e}"))
    }

    /// A tensor of equal values. Panics as [`zeros`](Tensor::zeros) does; [`try_full`](Tensor::try_full) does not, and
    /// accepts every element type.
    ///
    /// ```
    /// assert_eq!(wengert_ops::Tensor::<f32>::full([2], 0.5).to_vec(), [0.5, 0.5]);
    /// ```
    #[doc(alias = "new_full")]
    pub fn full(shape: impl ToShape, value: f64) -> Self {
        Self::try_full(shape, T::from_f64(value)).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The values `start, start + step, …` before `end`, as in PyTorch and NumPy.
    ///
    /// Rounding decides whether a value that should be `end` is still before it. With fractional steps, use
    /// [`linspace`](Tensor::linspace) or [`steps`](Tensor::steps), which take the number of values.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// assert_eq!(Tensor::<f64>::arange(0.0, 7.0, 2.0)?.to_vec(), [0.0, 2.0, 4.0, 6.0]);
    /// assert_eq!(Tensor::<f64>::arange(3.0, 0.0, -1.0)?.to_vec(), [3.0, 2.0, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the step is 0 or leads away from `end`, a number is not finite, or the values do not fit in memory.
    pub fn arange(start: f64, end: f64, step: f64) -> Result<Self> {
        let n = ((end - start) / step).ceil();
        // No comparison with NaN holds.
        if !(n >= 0.0 && step.abs() > 0.0 && start.is_finite() && end.is_finite() && step.is_finite()) {
            let detail =
                format!("expected finite numbers and a step from {start} towards {end}, found step {step}");
            return Err(Error::argument("arange", detail));
        }
        let shape = [n.min(isize::MAX as f64) as isize].to_shape("arange")?;
        Ok(Self::steps(start, step, shape[0]))
    }

    /// `n` values from `start` to `end`, both included, at equal distances; `start` alone for `n` = 1.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// assert_eq!(Tensor::<f64>::linspace(0.0, 1.0, 5)?.to_vec(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    /// # Ok::<(), wengert_ops::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the values do not fit in memory.
    pub fn linspace(start: f64, end: f64, n: usize) -> Result<Self> {
        let shape = [n].to_shape("linspace")?;
        let step = if n > 1 { (end - start) / (n - 1) as f64 } else { 0.0 };
        // From the nearer end, so that both ends are exact.
        let value = |i: usize| {
            if i < n.div_ceil(2) { start + step * i as f64 } else { end - step * (n - 1 - i) as f64 }
        };
        let mut b = Buffer::unspecified(n);
        b.iter_mut().enumerate().for_each(|(i, v)| *v = T::from_f64(value(i)));
        Ok(Self::from_buffer(b, shape))
    }

    /// `n` values: `start, start + step, …`.
    ///
    /// ```
    /// assert_eq!(wengert_ops::Tensor::<f64>::steps(1.0, 0.5, 3).to_vec(), [1.0, 1.5, 2.0]);
    /// ```
    #[doc(alias = "range")]
    pub fn steps(start: f64, step: f64, n: usize) -> Self {
        let mut b = Buffer::unspecified(n);
        for (i, v) in b.iter_mut().enumerate() {
            *v = T::from_f64(start + step * i as f64);
        }
        Self::from_buffer(b, Shape::from([n]))
    }

    /// The `n` × `n` identity matrix.
    ///
    /// # Errors
    /// If `n²` elements do not fit in memory.
    pub fn eye(n: usize) -> Result<Self> {
        let mut t = Self::try_full([n, n], T::ZERO)?;
        t.data_mut().iter_mut().step_by(n + 1).for_each(|v| *v = T::ONE);
        Ok(t)
    }

    /// The same values in another element type.
    ///
    /// ```
    /// let t = wengert_ops::Tensor::from([0.5f64, 2.0]).cast::<f32>();
    /// assert_eq!(t.to_vec(), [0.5f32, 2.0]);
    /// ```
    #[doc(alias = "double")]
    #[doc(alias = "float")]
    #[doc(alias = "to")]
    #[doc(alias = "type_as")]
    pub fn cast<U: Float>(&self) -> Tensor<U> {
        self.map(|v| U::from_f64(v.to_f64()))
    }

    /// Whether any element is NaN or infinite.
    pub fn has_non_finite(&self) -> bool {
        match self.as_slice() {
            Some(s) => s.iter().any(|v| !v.is_finite()),
            None => self.to_vec().iter().any(|v| !v.is_finite()),
        }
    }
}

impl<T: Element> From<T> for Tensor<T> {
    fn from(v: T) -> Self {
        Tensor::scalar(v)
    }
}

impl<T: Element, const N: usize> From<[T; N]> for Tensor<T> {
    fn from(v: [T; N]) -> Self {
        Tensor::from_buffer(Buffer::from_slice(&v), Shape::from([N]))
    }
}

impl<T: Element, const M: usize, const N: usize> From<[[T; N]; M]> for Tensor<T> {
    fn from(v: [[T; N]; M]) -> Self {
        Tensor::from_buffer(Buffer::from_slice(v.as_flattened()), Shape::from([M, N]))
    }
}

impl<T: Element, const L: usize, const M: usize, const N: usize> From<[[[T; N]; M]; L]> for Tensor<T> {
    fn from(v: [[[T; N]; M]; L]) -> Self {
        Tensor::from_buffer(Buffer::from_slice(v.as_flattened().as_flattened()), Shape::from([L, M, N]))
    }
}

impl<T: Element> From<Vec<T>> for Tensor<T> {
    fn from(v: Vec<T>) -> Self {
        let n = v.len();
        Tensor::from_buffer(Buffer::from_slice(&v), Shape::from([n]))
    }
}

/// Tensors are equal if their shapes and elements are, in any layout.
impl<T: Element> PartialEq for Tensor<T> {
    fn eq(&self, o: &Self) -> bool {
        self.shape() == o.shape()
            && match (self.as_slice(), o.as_slice()) {
                (Some(a), Some(b)) => a == b,
                _ => self.to_vec() == o.to_vec(),
            }
    }
}

/// An argument where a plain tensor is expected: a tensor, a reference to one, a number, or the result of an operation
/// (whose error is passed on).
pub trait IntoTensor<T: Element> {
    /// The tensor, or the error in its place.
    fn into_tensor(self) -> Result<Tensor<T>>;
}

impl<T: Element> IntoTensor<T> for Tensor<T> {
    fn into_tensor(self) -> Result<Tensor<T>> {
        Ok(self)
    }
}

impl<T: Element> IntoTensor<T> for &Tensor<T> {
    fn into_tensor(self) -> Result<Tensor<T>> {
        Ok(self.clone())
    }
}

impl<T: Element> IntoTensor<T> for Result<Tensor<T>> {
    fn into_tensor(self) -> Result<Tensor<T>> {
        self
    }
}

macro_rules! number {
    ($($t:ty)*) => {$(
        impl<T: Float> IntoTensor<T> for $t {
            fn into_tensor(self) -> Result<Tensor<T>> {
                Ok(Tensor::scalar(T::from_f64(f64::from(self))))
            }
        }
    )*};
}
number!(f64 f32 i32);

macro_rules! element {
    ($($t:ty)*) => {$(
        impl IntoTensor<$t> for $t {
            fn into_tensor(self) -> Result<Tensor<$t>> {
                Ok(Tensor::scalar(self))
            }
        }
    )*};
}
element!(i64 u8 bool);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_never_shows_through_another_handle() {
        let a = Tensor::from([1.0, 2.0, 3.0, 4.0]);
        let mut b = a.clone();
        b.data_mut()[0] = 9.0;
        assert_eq!((a.to_vec()[0], b.to_vec()[0]), (1.0, 9.0));
        let mut column = a.reshape([2, 2]).unwrap().transpose(0, 1).unwrap();
        column.data_mut()[1] = 7.0;
        assert_eq!(column.to_vec(), [1.0, 7.0, 2.0, 4.0]);
        assert_eq!(a.to_vec(), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn items_and_indices_are_checked() {
        let a = Tensor::from([[1.0, 2.0], [3.0, 4.0]]);
        assert_eq!(a.transpose(0, 1).unwrap().get(&[0, 1]).unwrap(), 3.0);
        assert!(a.get(&[0, 2]).is_err() && a.get(&[0]).is_err() && a.item().is_err());
        assert!(Tensor::from_vec(vec![1.0; 3], [2, 2]).is_err());
        assert_eq!(Tensor::<f64>::zeros([0, 3]).to_vec(), []);
    }

    #[test]
    fn ranges_end_where_pytorchs_end() {
        let arange = |a, b, c| Tensor::<f64>::arange(a, b, c);
        assert_eq!(arange(1.0, 2.5, 0.5).unwrap().to_vec(), [1.0, 1.5, 2.0]);
        assert_eq!(arange(0.0, 1.0, 0.3).unwrap().to_vec(), [0.0, 0.3, 0.6, 0.3 * 3.0]);
        assert_eq!(arange(2.0, 2.0, 1.0).unwrap().to_vec(), []);
        for (a, b, c) in [
            (0.0, 1.0, 0.0),
            (0.0, 1.0, -1.0),
            (1.0, 0.0, 1.0),
            (0.0, f64::NAN, 1.0),
            (0.0, 1.0, f64::INFINITY),
        ] {
            assert!(arange(a, b, c).is_err(), "{a} {b} {c}");
        }
        assert!(arange(0.0, f64::INFINITY, 1.0).is_err() && arange(0.0, 1e300, 1.0).is_err());
        let line = |a, b, n| Tensor::<f64>::linspace(a, b, n).unwrap().to_vec();
        assert_eq!(
            (line(3.0, 9.0, 0), line(3.0, 9.0, 1), line(3.0, 9.0, 2)),
            (vec![], vec![3.0], vec![3.0, 9.0])
        );
        let tenths = line(0.0, 1.0, 11);
        assert!(
            tenths[10] == 1.0 && tenths.iter().enumerate().all(|(i, v)| (v - i as f64 / 10.0).abs() < 1e-15)
        );
        assert!(Tensor::<f64>::linspace(0.0, 1.0, usize::MAX).is_err());
    }
}
