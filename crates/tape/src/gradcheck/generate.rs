//! Inputs for property tests: shapes, layouts, and values that are meant to hurt.

use rand::{Rng as _, RngExt};
use wengert_ops::random::Key;
use wengert_ops::{Slice, Tensor};

/// Which numbers an op accepts, away from its poles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// Any number: normal values, mixed with zeros, ones, ties and values of other sizes.
    Real,
    /// Any number, as `Real`, with the given points (kinks) mixed in.
    Kinks(&'static [f64]),
    /// Multiples of a quarter: ties are frequent, near ties impossible.
    Grid,
    /// Numbers between the two bounds, drawn evenly.
    Between(f64, f64),
    /// Numbers of either sign whose size is between the two bounds.
    Away(f64, f64),
}

impl Domain {
    /// Positive numbers of moderate size.
    pub const POSITIVE: Domain = Domain::Between(0.2, 4.0);
    /// Numbers of either sign, away from zero.
    pub const NON_ZERO: Domain = Domain::Away(0.3, 3.0);
}

/// A seeded source of test inputs.
pub struct Gen {
    rng: Box<dyn rand::Rng + Send>,
    /// What this case has in it, for the statistics of a run.
    pub(crate) broadcast: bool,
    pub(crate) empty: bool,
    pub(crate) strided: bool,
    /// Whether the generator can make such cases at all.
    pub(crate) broadcasts: bool,
    pub(crate) empties: bool,
    /// Whether a shape that may be empty has to be.
    pub(crate) must_be_empty: bool,
}

/// At most this many elements a tensor: the full Jacobian is computed.
const MOST: usize = 24;

impl Gen {
    /// The source with the given seed.
    pub fn seeded(seed: u64) -> Self {
        let rng = Box::new(Key { seed, stream: 0x6e6 }.generator());
        Gen {
            rng,
            broadcast: false,
            empty: false,
            strided: false,
            broadcasts: false,
            empties: false,
            must_be_empty: false,
        }
    }

    /// A whole number in the range.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        self.rng.random_range(range)
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.within(1..=n) == 1
    }

    /// One of the given things.
    pub fn pick<V: Copy>(&mut self, of: &[V]) -> V {
        let i = self.within(0..=of.len().saturating_sub(1));
        of[i]
    }

    /// A number in the range.
    pub fn number(&mut self, low: f64, high: f64) -> f64 {
        self.rng.random_range(low..=high)
    }

    /// The size of an axis: small, often one, never zero.
    pub fn size(&mut self) -> usize {
        self.pick(&[1, 1, 2, 2, 3, 3, 4, 5])
    }

    /// A shape of a rank in the range, of moderate element count, sometimes with none.
    pub fn shape(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        self.empties |= *ranks.end() > 0;
        let least = if self.must_be_empty { 1.min(*ranks.end()) } else { 0 };
        let mut shape = self.full_shape(least.max(*ranks.start())..=*ranks.end());
        if !shape.is_empty() && (self.must_be_empty || self.once_in(12)) {
            let i = self.within(0..=shape.len() - 1);
            shape[i] = 0;
        }
        shape
    }

    /// As [`shape`](Gen::shape), never empty.
    pub fn full_shape(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        let rank = self.within(ranks);
        let mut shape: Vec<usize> = (0..rank).map(|_| self.size()).collect();
        while shape.iter().product::<usize>() > MOST {
            let largest = (0..rank).max_by_key(|&i| shape[i]).unwrap_or(0);
            shape[largest] -= 1;
        }
        shape
    }

    /// An axis of a tensor of the given rank, counted from either end.
    pub fn axis(&mut self, rank: usize) -> isize {
        let a = self.within(0..=rank.max(1) - 1) as isize;
        if self.once_in(2) { a - rank as isize } else { a }
    }

    /// Some of the axes, possibly none, possibly all.
    pub fn axes(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.once_in(2)).collect()
    }

    /// A shape that broadcasts to `shape`: leading axes dropped, sizes set to one.
    pub fn broadcastable(&mut self, shape: &[usize]) -> Vec<usize> {
        let skip = if self.once_in(3) { self.within(0..=shape.len()) } else { 0 };
        let out: Vec<usize> = shape[skip..].iter().map(|&d| if self.once_in(4) { 1 } else { d }).collect();
        self.broadcasts = true;
        self.broadcast |= out != shape;
        out
    }

    /// A pair of shapes that broadcast together.
    pub fn pair(&mut self) -> (Vec<usize>, Vec<usize>) {
        let shape = self.shape(0..=3);
        let (a, b) = (self.broadcastable(&shape), shape);
        if self.once_in(2) { (a, b) } else { (b, a) }
    }

    /// Values of a domain.
    pub fn values(&mut self, n: usize, domain: Domain) -> Vec<f64> {
        let mut values: Vec<f64> = (0..n).map(|_| self.value(domain)).collect();
        if n > 1 && self.once_in(4) {
            // A tie.
            let (i, j) = (self.within(0..=n - 1), self.within(0..=n - 1));
            values[i] = values[j];
        }
        values
    }

    fn value(&mut self, domain: Domain) -> f64 {
        match domain {
            Domain::Between(a, b) => self.number(a, b),
            Domain::Away(a, b) => {
                let v = self.number(a, b);
                if self.once_in(2) { -v } else { v }
            }
            Domain::Grid => self.within(0..=12) as f64 * 0.25 - 1.5,
            Domain::Kinks(points) => {
                // Near a kink, but not on it, finite differences straddle it.
                let v = if self.once_in(4) { self.pick(points) } else { self.value(Domain::Real) };
                points.iter().copied().find(|p| (v - p).abs() < 0.01).unwrap_or(v)
            }
            Domain::Real => match self.within(0..=15) {
                0 => 0.0,
                1 => self.pick(&[1.0, -1.0]),
                2 => self.number(-1e-3, 1e-3),
                3 => self.number(-12.0, 12.0),
                _ => self.number(-2.5, 2.5),
            },
        }
    }

    /// A tensor with values of a domain, in a layout drawn at random: dense, transposed, stepped, reversed, a part of
    /// a larger one.
    pub fn tensor(&mut self, shape: &[usize], domain: Domain) -> Tensor<f64> {
        let n = shape.iter().product();
        let dense =
            Tensor::from_vec(self.values(n, domain), shape).expect("the shape was made for these values");
        self.empty |= n == 0;
        let t = self.lay_out(&dense).expect("every layout fits");
        self.strided |= !t.is_contiguous();
        t
    }

    /// The same tensor in a layout drawn at random.
    fn lay_out(&mut self, dense: &Tensor<f64>) -> wengert_ops::Result<Tensor<f64>> {
        let rank = dense.rank();
        if rank == 0 {
            return Ok(dense.clone());
        }
        let axis = self.within(0..=rank - 1) as isize;
        match self.within(0..=5) {
            0 if rank > 1 => {
                let other = self.within(0..=rank - 1) as isize;
                dense.transpose(axis, other)?.contiguous().transpose(axis, other)
            }
            1 => dense.slice(axis, Slice::all().step(-1))?.contiguous().slice(axis, Slice::all().step(-1)),
            2 => {
                // Every second place of a tensor twice as long.
                let twice = Tensor::stack(&[dense.clone(), dense.scale(3.0)], axis + 1)?;
                let mut shape = dense.shape().to_vec();
                shape[axis as usize] *= 2;
                twice.reshape(shape)?.slice(axis, Slice::all().step(2))
            }
            3 => {
                // What lies before is different, so that a forgotten offset shows.
                let wide = Tensor::concat(&[dense.scale(3.0), dense.clone()], axis)?;
                let n = dense.shape()[axis as usize];
                wide.slice(axis, n..)
            }
            _ => Ok(dense.clone()),
        }
    }

    /// Indices below `n`, duplicates included, of the given shape.
    pub fn indices(&mut self, shape: &[usize], n: usize) -> Tensor<i64> {
        let values = (0..shape.iter().product()).map(|_| self.within(0..=n.max(1) - 1) as i64).collect();
        Tensor::from_vec(values, shape).expect("the shape was made for these values")
    }

    /// Booleans of the given shape.
    pub fn mask(&mut self, shape: &[usize]) -> Tensor<bool> {
        let values = (0..shape.iter().product()).map(|_| self.once_in(2)).collect();
        Tensor::from_vec(values, shape).expect("the shape was made for these values")
    }

    /// A permutation of `0..n`.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            let j = self.within(0..=i);
            order.swap(i, j);
        }
        order
    }

    /// A seed for something else.
    pub fn seed(&mut self) -> u64 {
        self.rng.next_u64()
    }
}
