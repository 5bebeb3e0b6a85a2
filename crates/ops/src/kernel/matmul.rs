//! Matrix products.
//!
//! Transposed and strided operands are used where they lie, or copied in the order in which they are needed. The order of
//! each sum depends on the sizes alone (`blocks.rs`, `vector.rs`), so that results have the same bits on every machine
//! with fused multiply-add, on any number of threads. Work is cut for threads in `multiply.rs`, and large products only,
//! since waking a thread costs more than a small one. A batch of products of a few elements is one loop over local copies.

mod blocks;
mod matrix;
mod multiply;
mod vector;

pub(crate) use blocks::Start;
pub use matrix::Matrix;
pub(crate) use matrix::{batch_offset, matrix};
pub use multiply::Gemm;
pub(crate) use multiply::{PER_ADDITION, Packed, add_product, add_product_in_blocks, product_and_bias};

use crate::buffer::Buffer;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::shape::{Shape, broadcast_shapes};
use crate::simd;
use crate::tensor::Tensor;

/// Products of a batch with at most this number of multiply-adds each, and short sums, are computed in one loop.
const TINY: usize = 64;
/// Products of a batch with at least this number of multiply-adds each are cut for threads one by one.
const LARGE: usize = 6_000_000;

/// The products of matrices of a few elements, from position `first` of the batch on.
struct Tiny<'a, T: Float> {
    a: &'a Tensor<T>,
    b: &'a Tensor<T>,
    first: usize,
    out: &'a mut [T],
}

impl<T: Float> pulp::NullaryFnOnce for Tiny<'_, T> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Tiny { a, b, first, out } = self;
        let (x, y) = (matrix(a, 0), matrix(b, 0));
        let (mut p, mut q) = ([T::ZERO; TINY], [T::ZERO; TINY]);
        for (i, out) in out.chunks_exact_mut(x.rows * y.columns).enumerate() {
            Matrix { offset: batch_offset(a, first + i), ..x }.copy_to(&mut p);
            Matrix { offset: batch_offset(b, first + i), ..y }.copy_to(&mut q);
            // Where the compiler knows the sizes, it unrolls the loops.
            match (x.rows, x.columns, y.columns) {
                (2, 2, 2) => multiply(2, 2, 2, &p, &q, out),
                (3, 3, 3) => multiply(3, 3, 3, &p, &q, out),
                (4, 4, 4) => multiply(4, 4, 4, &p, &q, out),
                (m, k, n) => multiply(m, k, n, &p, &q, out),
            }
        }
    }
}

/// The product of row-major matrices; as in larger ones, a chain of fused multiply-adds for each element.
#[inline(always)]
fn multiply<T: Float>(m: usize, k: usize, n: usize, a: &[T; TINY], b: &[T; TINY], out: &mut [T]) {
    let out = &mut out[..m * n];
    for i in 0..m {
        for j in 0..n {
            let mut sum = a[i * k] * b[j];
            for p in 1..k {
                sum = a[i * k + p].mul_add(b[p * n + j], sum);
            }
            out[i * n + j] = sum;
        }
    }
}

fn inner_mismatch<T: Float>(a: &Tensor<T>, b: &Tensor<T>, k: usize, l: usize) -> Error {
    let detail = format!("cannot multiply {} by {}: inner sizes are {k} and {l}", a.shape(), b.shape());
    Error::shape("matmul", detail)
}

impl<T: Float> Tensor<T> {
    /// The matrix product.
    ///
    /// `[.., m, k] · [.., k, n]` is `[.., m, n]`; leading axes broadcast. A vector on the left is a row, a vector on
    /// the right a column, and its axis is removed from the result. An empty inner axis gives zeros.
    ///
    /// # Errors
    /// If the inner sizes differ, the leading axes do not broadcast, or an operand has rank 0.
    pub fn matmul(&self, o: &Tensor<T>) -> Result<Tensor<T>> {
        let (a, b) = (self, o);
        if a.rank() == 0 || b.rank() == 0 {
            let detail =
                format!("cannot multiply {} by {}: a scalar has no inner axis", a.shape(), b.shape());
            return Err(Error::shape("matmul", detail));
        }
        let (row, column);
        let rows = if a.rank() == 1 {
            row = a.unsqueeze(0)?;
            &row
        } else {
            a
        };
        let columns = if b.rank() == 1 {
            column = b.unsqueeze(1)?;
            &column
        } else {
            b
        };
        let product = product(rows, columns).map_err(|e| match e {
            Misfit::Inner => {
                inner_mismatch(a, b, a.shape()[a.rank() - 1], b.shape()[b.rank().saturating_sub(2)])
            }
            Misfit::Batch(x, y) => {
                let (a, b) = (a.shape(), b.shape());
                let detail =
                    format!("cannot multiply {a} by {b}: their leading axes {x} and {y} do not broadcast");
                Error::shape("matmul", detail)
            }
            Misfit::Other(e) => e,
        })?;
        let product = if b.rank() == 1 { product.squeeze(-1)? } else { product };
        if a.rank() == 1 { product.squeeze(if b.rank() == 1 { -1 } else { -2 }) } else { Ok(product) }
    }

    /// `x wᵀ + b`: the affine map of a layer with weight `[out, in]` and bias `[out]`, for `x` `[.., in]`.
    ///
    /// The product is added to the bias, which needs no pass of its own.
    ///
    /// # Errors
    /// If the widths are not consistent.
    pub fn linear(&self, weight: &Tensor<T>, bias: Option<&Tensor<T>>) -> Result<Tensor<T>> {
        let wrong = |what: String| Error::shape("linear", what);
        let (Some(&features), &[out, k]) = (self.shape().last(), &weight.shape()[..]) else {
            return Err(wrong(format!(
                "expected x [.., in] and weight [out, in], found {} and {}",
                self.shape(),
                weight.shape()
            )));
        };
        if features != k {
            return Err(wrong(format!(
                "x {} has {features} features, weight {} expects {k}",
                self.shape(),
                weight.shape()
            )));
        }
        if let Some(b) = bias.filter(|b| *b.shape() != [out]) {
            return Err(wrong(format!(
                "bias {} does not fit weight {}, expected [{out}]",
                b.shape(),
                weight.shape()
            )));
        }
        let m: usize = self.shape()[..self.rank() - 1].iter().product();
        let mut shape = self.shape().clone();
        shape.dims_mut()[self.rank() - 1] = out;
        let flat;
        let x = if self.rank() == 2 {
            self
        } else {
            flat = self.reshape([m, k])?;
            &flat
        };
        let mut dst = Buffer::unspecified(m * out);
        let (a, b) = (Matrix::of(x), Matrix::of(weight).transposed());
        match bias {
            Some(bias) => {
                let dense;
                let bias = match bias.as_slice() {
                    Some(bias) => bias,
                    None => {
                        dense = bias.to_vec();
                        &dense
                    }
                };
                if m * out > 0 && k > 0 {
                    product_and_bias(&mut dst, a, b, bias);
                } else {
                    dst.chunks_exact_mut(out.max(1)).for_each(|row| row.copy_from_slice(bias));
                }
            }
            None => add_product(&mut dst, a, b, false, true),
        }
        Ok(Tensor::from_buffer(dst, shape))
    }
}

/// Why two tensors have no product.
enum Misfit {
    /// The inner sizes differ.
    Inner,
    /// The leading axes do not broadcast.
    Batch(Shape, Shape),
    Other(Error),
}

impl From<Error> for Misfit {
    fn from(e: Error) -> Self {
        Misfit::Other(e)
    }
}

/// The product of tensors of rank 2 or more.
#[inline(never)]
fn product<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Result<Tensor<T>, Misfit> {
    let (ra, rb) = (a.rank(), b.rank());
    let (m, k, n) = (a.shape()[ra - 2], a.shape()[ra - 1], b.shape()[rb - 1]);
    if b.shape()[rb - 2] != k {
        return Err(Misfit::Inner);
    }
    if ra == 2 && rb == 2 {
        let mut dst = Buffer::unspecified(m * n);
        add_product(&mut dst, matrix(a, a.layout.offset), matrix(b, b.layout.offset), false, true);
        return Ok(Tensor::from_buffer(dst, Shape::from([m, n])));
    }
    if rb == 2 {
        // One product for the whole batch, if the batch and row axes merge.
        let flat = a.reshape([a.numel() / k.max(1), k]);
        if let (Ok(flat), true) = (flat, k > 0) {
            let mut shape = a.shape().clone();
            shape.dims_mut()[ra - 1] = n;
            return Ok(product(&flat, b)?.with_layout(crate::shape::Layout::contiguous(shape)));
        }
    }
    let leading = |t: &Tensor<T>| Shape::from(&t.shape()[..t.rank() - 2]);
    let (x, y) = (leading(a), leading(b));
    let batch = broadcast_shapes("matmul", &x, &y).map_err(|_| Misfit::Batch(x, y))?;
    let with = |r: usize, c: usize| {
        let mut s = batch.clone();
        s.push(r);
        s.push(c);
        s
    };
    let (a, b) = (a.expand(with(m, k))?, b.expand(with(k, n))?);
    let shape = with(m, n);
    if shape.checked_numel().is_none() {
        let detail = format!("the result's shape {shape} has too many elements");
        return Err(Error::new("matmul", crate::ErrorKind::Overflow, detail).into());
    }
    let mut dst = Buffer::unspecified(shape.numel());
    if shape.numel() == 0 {
        return Ok(Tensor::from_buffer(dst, shape));
    }
    let work = m * n * k;
    if (1..=TINY).contains(&work) && k <= 8 {
        parallel::chunks_mut(&mut dst, parallel::rows(m * n, k + 8) * m * n, k + 8, |start, out| {
            simd::dispatch(Tiny { a: &a, b: &b, first: start / (m * n), out });
        });
    } else if work >= LARGE {
        for (i, d) in dst.chunks_exact_mut(m * n).enumerate() {
            add_product(d, matrix(&a, batch_offset(&a, i)), matrix(&b, batch_offset(&b, i)), false, true);
        }
    } else {
        // Small products: threads share the batch instead. 16 multiply-adds cost about as much as one unit of memory
        // traffic.
        parallel::chunks_mut(&mut dst, m * n, k / 16 + 1, |start, d| {
            let i = start / (m * n);
            add_product(d, matrix(&a, batch_offset(&a, i)), matrix(&b, batch_offset(&b, i)), false, false);
        });
    }
    Ok(Tensor::from_buffer(dst, shape))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Slice;

    fn values(shape: &[usize], seed: u64) -> Tensor<f64> {
        crate::random::uniform(shape, -1.0, 1.0, crate::random::Key { seed, stream: 0 }).unwrap()
    }

    fn naive(a: &Tensor<f64>, b: &Tensor<f64>) -> Vec<f64> {
        let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
        (0..m * n)
            .map(|i| (0..k).map(|p| a.get(&[i / n, p]).unwrap() * b.get(&[p, i % n]).unwrap()).sum())
            .collect()
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-11 * (1.0 + b.abs()))
    }

    #[test]
    fn what_cannot_be_multiplied_is_said_with_both_shapes() {
        let of = |a: &[usize], b: &[usize]| {
            let e = Tensor::<f64>::zeros(a).matmul(&Tensor::zeros(b)).unwrap_err();
            assert_eq!((e.op(), e.kind()), ("matmul", crate::ErrorKind::Shape));
            e.detail().to_owned()
        };
        for (a, b, words) in [
            (&[2, 3][..], &[4, 5][..], "[2, 3] by [4, 5]: inner sizes are 3 and 4"),
            (&[7, 2, 3], &[7, 4, 5], "[7, 2, 3] by [7, 4, 5]: inner sizes are 3 and 4"),
            (&[3], &[4], "[3] by [4]: inner sizes are 3 and 4"),
            (&[2, 3], &[4], "[2, 3] by [4]: inner sizes are 3 and 4"),
            (
                &[6, 2, 3],
                &[7, 3, 5],
                "[6, 2, 3] by [7, 3, 5]: their leading axes [6] and [7] do not broadcast",
            ),
            (
                &[2, 6, 2, 3],
                &[7, 3, 5],
                "[2, 6, 2, 3] by [7, 3, 5]: their leading axes [2, 6] and [7] do not broadcast",
            ),
            (&[], &[3], "[] by [3]: a scalar has no inner axis"),
        ] {
            assert_eq!(of(a, b), format!("cannot multiply {words}"));
        }
    }

    #[test]
    fn products_agree_with_loops_in_every_layout() {
        for (m, k, n) in
            [(0, 2, 3), (2, 0, 3), (1, 1, 1), (1, 7, 5), (3, 2, 1), (17, 19, 23), (64, 65, 63), (33, 300, 31)]
        {
            let (a, b) = (values(&[m, k], 1), values(&[k, n], 2));
            let at = values(&[k, m], 1).transpose(0, 1).unwrap();
            let bt = values(&[n, k], 3).transpose(0, 1).unwrap();
            let stepped = values(&[2 * m, k], 4).slice(0, Slice::all().step(-2)).unwrap();
            for x in [&a, &at, &stepped] {
                for y in [&b, &bt] {
                    assert!(close(&x.matmul(y).unwrap().to_vec(), &naive(x, y)), "{m} {k} {n}");
                }
            }
        }
    }

    /// A product in the order that the modules state: blocks of the inner axis, or lanes for a product with a vector.
    fn in_order<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Vec<T> {
        let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
        let products = |i: usize, p: usize| (a.get(&[i / n, p]).unwrap(), b.get(&[p, i % n]).unwrap());
        let chain = |i: usize, of: &mut dyn Iterator<Item = usize>| {
            of.fold(T::ZERO, |sum, p| {
                let (a, b) = products(i, p);
                a.mul_add(b, sum)
            })
        };
        let in_blocks = |i: usize| {
            let blocks = k.div_ceil(384).max(1);
            let length = k.div_ceil(blocks);
            (1..blocks).fold(chain(i, &mut (0..length.min(k))), |sum, block| {
                sum + chain(i, &mut (block * length..((block + 1) * length).min(k)))
            })
        };
        let in_lanes = |i: usize| {
            let lanes = 64 / size_of::<T>();
            let mut sums: Vec<T> = (0..lanes).map(|l| chain(i, &mut (l..k).step_by(lanes))).collect();
            while sums.len() > 1 {
                let half = sums.len() / 2;
                sums = (0..half).map(|l| sums[l] + sums[l + half]).collect();
            }
            sums[0]
        };
        let by_lanes = (m == 1 || n == 1) && k >= 32;
        simd::with_fma(|| (0..m * n).map(|i| if by_lanes { in_lanes(i) } else { in_blocks(i) }).collect())
    }

    /// Every path of the loops: whole and partial tiles, all strides, several blocks, packed operands and those in place,
    /// products with vectors; with the machine's vectors and with shorter ones, on several threads.
    #[test]
    fn sums_have_the_documented_order_in_every_layout_on_any_number_of_threads() {
        fn check<T: Float>() {
            let sizes = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50];
            let mut shapes: Vec<[usize; 3]> = Vec::new();
            for (i, &m) in sizes.iter().enumerate() {
                for (j, &n) in sizes.iter().enumerate() {
                    shapes.push([m, [1, 2, 5, 31, 32, 40][(i + j) % 6], n]);
                }
            }
            let long = [
                [3, 383, 5],
                [9, 384, 33],
                [2, 385, 70],
                [17, 769, 18],
                [1, 1000, 1],
                [1, 500, 70],
                [300, 129, 1],
            ];
            let large =
                [[401, 40, 35], [1, 37, 600], [600, 3, 65], [65, 512, 66], [70, 1024, 40], [40, 33, 700]];
            shapes.extend(long.iter().chain(&large));
            for [m, k, n] in shapes {
                let wave = |shape: [usize; 2], by: f64| {
                    let v = Tensor::<T>::steps(0.1, by, shape[0] * shape[1]).map(|v| v.sin());
                    v.reshape(shape).unwrap()
                };
                // The same values with other strides: columns contiguous, two apart, in reverse order.
                let turned = |t: &Tensor<T>| t.transpose(0, 1).unwrap().contiguous().transpose(0, 1).unwrap();
                let apart = |t: &Tensor<T>| {
                    let twice = Tensor::stack(&[t.clone(), t.clone()], 2).unwrap();
                    let wide = twice.reshape([t.shape()[0], 2 * t.shape()[1]]).unwrap();
                    wide.slice(1, Slice::all().step(2)).unwrap()
                };
                let back = |t: &Tensor<T>| t.slice(1, Slice::all().step(-1)).unwrap();
                let reversed = |t: &Tensor<T>| back(&back(t).contiguous());
                let (a, b) = (wave([m, k], 0.7), wave([k, n], 0.9));
                let want = in_order(&a, &b);
                let lefts = [a.clone(), turned(&a), apart(&a), reversed(&a)];
                let rights = [b.clone(), turned(&b), apart(&b), reversed(&b)];
                for (x, y) in lefts.iter().flat_map(|x| rights.iter().map(move |y| (x, y))) {
                    let got = x.matmul(y).unwrap().to_vec();
                    assert!(got == want, "{m} {k} {n} {:?} {:?}", x.strides(), y.strides());
                    for threads in [2, 3, 8] {
                        let got = parallel::in_small_pieces(threads, || x.matmul(y).unwrap().to_vec());
                        assert!(
                            got == want,
                            "{m} {k} {n} {:?} {:?}, {threads} threads",
                            x.strides(),
                            y.strides()
                        );
                    }
                }
            }
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn vectors_and_batches() {
        let (a, v) = (values(&[2, 3, 4], 1), values(&[4], 2));
        assert_eq!(*a.matmul(&v).unwrap().shape(), [2, 3]);
        assert_eq!(*v.matmul(&values(&[5, 4, 2], 3)).unwrap().shape(), [5, 2]);
        assert_eq!(*v.matmul(&v).unwrap().shape(), []);
        let b = values(&[5, 1, 4, 2], 4);
        let c = a.matmul(&b).unwrap();
        assert_eq!(*c.shape(), [5, 2, 3, 2]);
        for i in 0..5 {
            for j in 0..2 {
                let want = naive(&a.select(0, j).unwrap(), &b.select(0, i).unwrap().select(0, 0).unwrap());
                assert!(close(&c.select(0, i).unwrap().select(0, j).unwrap().to_vec(), &want));
            }
        }
        assert_eq!(values(&[3, 2, 0], 1).matmul(&values(&[0, 4], 1)).unwrap(), Tensor::zeros([3, 2, 4]));
        assert!(a.matmul(&values(&[3], 1)).is_err() && a.matmul(&Tensor::scalar(1.0)).is_err());
        assert!(values(&[2, 2, 2], 1).matmul(&values(&[3, 2, 2], 1)).is_err());
    }

    #[test]
    fn batches_of_tiny_products_agree_with_larger_ones() {
        fn agree<T: Float>() {
            let sizes =
                [[1, 1, 1], [2, 2, 2], [3, 3, 3], [4, 4, 4], [1, 7, 1], [2, 3, 5], [1, 64, 1], [8, 1, 8]];
            for ([m, k, n], batch) in sizes.iter().flat_map(|&s| [0, 1, 7, 999].map(|b| (s, b))) {
                let wave = |shape: [usize; 3], by: f64| {
                    Tensor::<T>::steps(0.1, by, shape.iter().product())
                        .map(|v| v.sin())
                        .reshape(shape)
                        .unwrap()
                };
                let (a, b) = (wave([batch, m, k], 0.7), wave([batch, k, n], 0.9));
                let turned = wave([batch, k, m], 0.7).transpose(1, 2).unwrap();
                for (a, b) in
                    [(&a, b.clone()), (&turned, b.clone()), (&a, b.slice(0, Slice::all().step(-1)).unwrap())]
                {
                    let got = a.matmul(&b).unwrap();
                    assert_eq!(got, parallel::in_small_pieces(3, || a.matmul(&b).unwrap()));
                    for i in 0..batch {
                        let one = a.select(0, i).unwrap().matmul(&b.select(0, i).unwrap()).unwrap();
                        let near = |(a, b): (T, T)| (a - b).abs().to_f64() <= 1e-6;
                        let got = got.select(0, i).unwrap().to_vec();
                        assert!(got.into_iter().zip(one.to_vec()).all(near), "{m} {k} {n}");
                    }
                }
            }
        }
        agree::<f32>();
        agree::<f64>();
    }

    #[test]
    fn linear_is_product_and_bias() {
        let (x, w, b) = (values(&[2, 3, 4], 1), values(&[5, 4], 2), values(&[5], 3));
        let want = x.matmul(&w.transpose(0, 1).unwrap()).unwrap().add(&b).unwrap();
        assert!(close(&x.linear(&w, Some(&b)).unwrap().to_vec(), &want.to_vec()));
        assert!(x.linear(&values(&[5, 3], 1), None).is_err() && x.linear(&w, Some(&x)).is_err());
    }
}
