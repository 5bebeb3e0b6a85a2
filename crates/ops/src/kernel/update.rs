//! Updates in place: one pass over a parameter, its gradient, and the state that an optimiser keeps for it.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::parallel;
use crate::simd;
use crate::tensor::Tensor;

/// New values of `N` state elements from their old values and the gradient's element; must be `#[inline(always)]`.
pub trait Update<const N: usize, T>: Sync {
    /// The update of one element.
    fn call(&self, state: [T; N], gradient: T) -> [T; N];
}

/// A gradient as a tensor times a factor. An [`update`] multiplies while it reads, with the rounding of [`Tensor::scale`], so that
/// clipping needs no pass of its own. A tensor alone has the factor 1.
///
/// ```
/// use wengert_ops::{Tensor, kernel::update::{Gradient, Update, update}};
/// struct Descent;
/// impl Update<1, f64> for Descent {
///     fn call(&self, [p]: [f64; 1], g: f64) -> [f64; 1] {
///         [p - g]
///     }
/// }
/// let (mut p, g) = (Tensor::from([5.0, 5.0]), Tensor::from([2.0, 4.0]));
/// update("descent", [&mut p], Gradient { values: &g, factor: 0.5 }, &Descent)?;
/// assert_eq!(p.to_vec(), [4.0, 3.0]);
/// # Ok::<(), wengert_ops::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Gradient<'a, T: Float> {
    /// The tensor.
    pub values: &'a Tensor<T>,
    /// By what every element is multiplied.
    pub factor: T,
}

impl<'a, T: Float> From<&'a Tensor<T>> for Gradient<'a, T> {
    fn from(values: &'a Tensor<T>) -> Self {
        Gradient { values, factor: T::ONE }
    }
}

struct Loop<'a, const N: usize, T, K> {
    kernel: &'a K,
    factor: T,
    state: [&'a mut [T]; N],
    gradient: &'a [T],
}

impl<const N: usize, T: Float, K: Update<N, T>> pulp::NullaryFnOnce for Loop<'_, N, T, K> {
    type Output = ();
    #[inline(always)]
    fn call(self) {
        let Loop { kernel, factor, mut state, gradient } = self;
        let n = gradient.len();
        assert!(state.iter().all(|s| s.len() == n));
        // The last block is filled up with zeros, so that the function is compiled once, for a known number of elements.
        let (mut last, mut last_gradient) = ([[T::ZERO; BLOCK]; N], [T::ZERO; BLOCK]);
        for start in (0..n).step_by(BLOCK) {
            let range = start..n.min(start + BLOCK);
            let mut g = filled(&gradient[range.clone()], &mut last_gradient);
            let product;
            if factor != T::ONE {
                product = times(g, factor);
                g = &product;
            }
            let mut all = last.iter_mut().zip(&state).map(|(last, s)| filled(&s[range.clone()], last));
            let new = block(kernel, std::array::from_fn(|_| all.next().expect("N states")), g);
            for (state, new) in state.iter_mut().zip(&new) {
                match state[range.clone()].first_chunk_mut() {
                    Some(state) => *state = *new,
                    None => state[range.clone()].copy_from_slice(&new[..range.len()]),
                }
            }
        }
    }
}

/// The number of elements whose new values are written to local arrays before they are written to the state.
const BLOCK: usize = 64;

/// The elements as a block; if they are too few, a copy of them in `last`.
#[inline(always)]
fn filled<'a, T: Float>(elements: &'a [T], last: &'a mut [T; BLOCK]) -> &'a [T; BLOCK] {
    match elements.first_chunk() {
        Some(block) => block,
        None => {
            last[..elements.len()].copy_from_slice(elements);
            last
        }
    }
}

/// A block times a factor.
#[inline(always)]
fn times<T: Float>(g: &[T; BLOCK], factor: T) -> [T; BLOCK] {
    let mut product = *g;
    for p in &mut product {
        *p *= factor;
    }
    product
}

/// The new values of a block. The compiler knows that local arrays overlap neither the state nor the numbers in the kernel; with the
/// state itself it reads these numbers again for every element, and the loop is not vectorised.
#[inline(always)]
fn block<const N: usize, T: Float, K: Update<N, T>>(
    kernel: &K,
    old: [&[T; BLOCK]; N],
    gradient: &[T; BLOCK],
) -> [[T; BLOCK]; N] {
    let mut new = [[T::ZERO; BLOCK]; N];
    for i in 0..BLOCK {
        let mut x = [T::ZERO; N];
        for j in 0..N {
            x[j] = old[j][i];
        }
        let x = kernel.call(x, gradient[i]);
        for j in 0..N {
            new[j][i] = x[j];
        }
    }
    new
}

/// The loop of an [`Update`]: only this is compiled for each kind of update.
trait SliceUpdate<const N: usize, T>: Sync {
    fn run(&self, state: [&mut [T]; N], gradient: &[T], factor: T);
}

impl<const N: usize, T: Float, K: Update<N, T>> SliceUpdate<N, T> for K {
    fn run(&self, state: [&mut [T]; N], gradient: &[T], factor: T) {
        simd::dispatch(Loop { kernel: self, factor, state, gradient });
    }
}

/// Applies `kernel` to every element of `state` (changed in place) and `gradient`.
///
/// # Errors
/// If the shapes differ; nothing is changed then.
pub fn update<'a, const N: usize, T: Float, K: Update<N, T>>(
    op: &'static str,
    state: [&mut Tensor<T>; N],
    gradient: impl Into<Gradient<'a, T>>,
    kernel: &K,
) -> Result<()> {
    update_by(op, state, gradient.into(), kernel)
}

/// Takes the loop as a `dyn`, so that this is compiled once for each number and type of state elements.
fn update_by<const N: usize, T: Float>(
    op: &'static str,
    state: [&mut Tensor<T>; N],
    Gradient { values: gradient, factor }: Gradient<'_, T>,
    kernel: &dyn SliceUpdate<N, T>,
) -> Result<()> {
    if let Some(s) = state.iter().find(|s| s.shape() != gradient.shape()) {
        let detail = format!("state has shape {}, gradient {}", s.shape(), gradient.shape());
        return Err(Error::shape(op, detail));
    }
    let dense;
    let g = match gradient.as_slice() {
        Some(g) => g,
        None => {
            dense = gradient.contiguous();
            dense.as_slice().expect("contiguous")
        }
    };
    let state = state.map(|s| s.data_mut());
    let grain = parallel::grain() / 2;
    if g.len() > grain && parallel::worth(g.len() * 2 * N) {
        parallel::each(split(state, g, grain), |(state, gradient)| {
            kernel.run(state, gradient, factor);
        });
    } else {
        kernel.run(state, g, factor);
    }
    Ok(())
}

type Piece<'a, const N: usize, T> = ([&'a mut [T]; N], &'a [T]);

fn split<'a, const N: usize, T>(
    mut state: [&'a mut [T]; N],
    mut g: &'a [T],
    grain: usize,
) -> Vec<Piece<'a, N, T>> {
    let mut pieces = Vec::with_capacity(g.len().div_ceil(grain));
    while !g.is_empty() {
        let n = grain.min(g.len());
        let (g0, g1) = g.split_at(n);
        let mut rest: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
        let mut piece: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
        for ((s, r), p) in state.into_iter().zip(&mut rest).zip(&mut piece) {
            let (a, b) = s.split_at_mut(n);
            (*p, *r) = (a, b);
        }
        pieces.push((piece, g0));
        (state, g) = (rest, g1);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Momentum;
    impl Update<2, f32> for Momentum {
        #[inline(always)]
        fn call(&self, [p, m]: [f32; 2], g: f32) -> [f32; 2] {
            let m = 0.5 * m + g;
            [p - m, m]
        }
    }

    #[test]
    fn small_and_large_states_take_the_same_step() {
        for n in [0, 1, 100, 70_001] {
            let mut p = Tensor::<f32>::ones([n]);
            let mut m = Tensor::try_full([n], 2.0f32).unwrap();
            update("test", [&mut p, &mut m], &Tensor::steps(0.0, 1.0, n), &Momentum).unwrap();
            assert!(p.to_vec().iter().enumerate().all(|(i, &v)| v == -(i as f32)), "{n}");
            assert!(m.to_vec().iter().enumerate().all(|(i, &v)| v == 1.0 + i as f32));
        }
        for n in [1, 64, 100, 70_001] {
            let (g, state) = (Tensor::<f32>::steps(0.1, 0.7, n), Tensor::<f32>::ones([n]));
            let step = |g: Gradient<'_, f32>| {
                let (mut p, mut m) = (state.clone(), state.clone());
                update("test", [&mut p, &mut m], g, &Momentum).unwrap();
                (p, m)
            };
            assert_eq!(step(Gradient { values: &g, factor: 0.3 }), step((&g.scale(0.3)).into()), "{n}");
        }
        let mut short = Tensor::<f32>::ones([2]);
        let mut m = short.clone();
        assert!(update("test", [&mut short, &mut m], &Tensor::ones([3]), &Momentum).is_err());
    }
}
