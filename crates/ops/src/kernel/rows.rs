//! The executor of functions of rows, such as a softmax, a norm or a running sum along the last axis.

use crate::buffer::Buffer;
use crate::dtype::Element;
use crate::error::Result;
use crate::parallel;
use crate::shape::ToShape;
use crate::simd;
use crate::tensor::Tensor;

/// A function of a row, the elements along the last axis.
///
/// `call` and everything that it calls must be `#[inline(always)]`; otherwise it loses the vector instruction set that
/// the executor chose.
pub trait RowKernel<T, U>: Sync {
    /// The cost of one element, in additions; it determines from which size on threads are used.
    const COST: usize = 8;

    /// Writes the output row; all of its elements must be written.
    fn call(&self, x: &[T], y: &mut [U]);
}

struct Rows<'a, T, U, K> {
    kernel: &'a K,
    x: &'a [T],
    y: &'a mut [U],
    widths: (usize, usize),
}

impl<T, U, K: RowKernel<T, U>> pulp::NullaryFnOnce for Rows<'_, T, U, K> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let (from, to) = self.widths;
        for (i, y) in self.y.chunks_exact_mut(to).enumerate() {
            self.kernel.call(&self.x[i * from..][..from], y);
        }
    }
}

/// Applies `kernel` to every row: `[.., n]` becomes `[.., width]`. A scalar is a row of one element.
///
/// ```
/// use wengert_ops::kernel::rows::{RowKernel, rows};
/// use wengert_ops::{Float, Tensor};
///
/// /// A running mean that forgets: y₀ = x₀, yᵢ = yᵢ₋₁ + (xᵢ - yᵢ₋₁) / 4.
/// struct Smooth;
///
/// impl<T: Float> RowKernel<T, T> for Smooth {
///     #[inline(always)]
///     fn call(&self, x: &[T], y: &mut [T]) {
///         let mut mean = x.first().copied().unwrap_or(T::ZERO);
///         for (y, &x) in y.iter_mut().zip(x) {
///             mean += (x - mean) * T::from_f64(0.25);
///             *y = mean;
///         }
///     }
/// }
/// let y = rows("smooth", &Tensor::from([[4.0, 8.0, 5.0], [0.0, 4.0, 1.0]]), 3, &Smooth)?;
/// assert_eq!(y, Tensor::from([[4.0, 5.0, 5.0], [0.0, 1.0, 1.0]]));
/// # Ok::<(), wengert_ops::Error>(())
/// ```
///
/// # Errors
/// If the result does not fit in memory.
pub fn rows<T: Element, U: Element, K: RowKernel<T, U>>(
    op: &'static str,
    x: &Tensor<T>,
    width: usize,
    kernel: &K,
) -> Result<Tensor<U>> {
    let mut shape = x.shape().clone();
    let from = shape.last().copied().unwrap_or(1);
    match shape.dims_mut().last_mut() {
        Some(last) => *last = width,
        None => shape.push(width),
    }
    let shape = shape.to_shape(op)?;
    let mut out = Buffer::unspecified(shape.numel());
    let x = x.contiguous();
    if let (false, Some(x)) = (out.is_empty(), x.as_slice()) {
        let step = parallel::rows(from.max(width), K::COST);
        parallel::chunks_mut(&mut out, step * width, K::COST, |start, y| {
            let x = &x[start / width * from..][..y.len() / width * from];
            simd::dispatch(Rows { kernel, x, y, widths: (from, width) });
        });
    }
    Ok(Tensor::from_buffer(out, shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Float;

    struct Ends;
    impl<T: Float> RowKernel<T, T> for Ends {
        #[inline(always)]
        fn call(&self, x: &[T], y: &mut [T]) {
            y[0] = x.first().copied().unwrap_or(T::NAN);
            y[1] = x.last().copied().unwrap_or(T::NAN).exp();
        }
    }

    #[test]
    fn rows_of_every_layout_and_size_are_met_once() {
        let ends = |x: &Tensor<f64>| rows("ends", x, 2, &Ends).unwrap();
        let x = Tensor::<f64>::steps(0.0, 1e-5, 60_000).reshape([300, 200]).unwrap();
        let y = ends(&x);
        assert_eq!(y.shape(), &[300, 2]);
        for i in [0, 1, 299] {
            assert_eq!(y.get(&[i, 0]).unwrap(), x.get(&[i, 0]).unwrap());
            let want = x.get(&[i, 199]).unwrap().exp();
            assert!((y.get(&[i, 1]).unwrap() - want).abs() < 1e-15 * want);
        }
        assert_eq!(ends(&x.transpose(0, 1).unwrap()).get(&[7, 0]).unwrap(), 7.0 * 1e-5);
        assert_eq!(ends(&Tensor::scalar(0.0)).to_vec(), [0.0, 1.0]);
        assert_eq!(ends(&Tensor::zeros([0, 3])).shape(), &[0, 2]);
        assert!(ends(&Tensor::zeros([2, 0])).to_vec().iter().all(|v| v.is_nan()));
    }
}
