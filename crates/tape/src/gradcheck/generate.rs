//! Inputs for property tests: shapes, layouts, and difficult values.

use crate::gradcheck::layout::LayoutKind;
use rand::{Rng as _, RngExt};
use wengert_ops::Tensor;
use wengert_ops::random::Key;

/// The numbers that an op accepts, away from its poles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// Any number: normal values, mixed with zeros, ones, ties and values of other sizes.
    Real,
    /// Any number, as `Real`, with the given points (kinks) mixed in.
    Kinks(&'static [f64]),
    /// Multiples of a quarter: ties are frequent, near ties impossible.
    Grid,
    /// Numbers between the two bounds, uniformly distributed.
    Between(f64, f64),
    /// Numbers of either sign whose absolute value is between the two bounds.
    Away(f64, f64),
}

impl From<std::ops::RangeInclusive<f64>> for Domain {
    /// Numbers between the two bounds.
    fn from(range: std::ops::RangeInclusive<f64>) -> Self {
        Domain::Between(*range.start(), *range.end())
    }
}

impl Domain {
    /// Positive numbers of moderate size.
    pub const POSITIVE: Domain = Domain::Between(0.2, 4.0);
    /// Numbers of either sign, away from zero.
    pub const NON_ZERO: Domain = Domain::Away(0.3, 3.0);

    /// Whether a named point may be used: it is accepted, and differences do not straddle a kink.
    fn takes(self, v: f64) -> bool {
        match self {
            Domain::Real => true,
            Domain::Kinks(points) => points.iter().all(|p| v == *p || (v - p).abs() >= 0.01),
            Domain::Grid => false,
            Domain::Between(a, b) => a <= v && v <= b,
            Domain::Away(a, b) => a <= v.abs() && v.abs() <= b,
        }
    }
}

/// The purpose of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Small tensors of moderate numbers: the full Jacobian is compared.
    Usual,
    /// A tensor without elements, if the op accepts one.
    Empty,
    /// Up to 10⁴ elements, in sizes around the block sizes of kernels; compared along random directions.
    Large,
    /// Values at the ends of the range: large common offsets, tiny and huge numbers, the points that the op names.
    Extreme,
    /// Offsets and scales at which a careless formula loses digits in single precision.
    Scaled,
}

impl Kind {
    /// The kind of the case with this seed.
    pub fn of(seed: u64) -> Self {
        match seed % 10 {
            4 => Kind::Empty,
            7 => Kind::Large,
            2 => Kind::Extreme,
            1 | 6 => Kind::Scaled,
            _ => Kind::Usual,
        }
    }
}

/// The transformation of the numbers of a case.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Transform {
    None,
    /// offset + scale · v.
    Affine {
        offset: f64,
        scale: f64,
    },
    /// One number in three is one of these, or one of those that the op names.
    Spikes(&'static [f64]),
}

/// The logarithms of the largest numbers of both precisions and numbers around them, underflow, subnormal numbers, both
/// zeros.
pub(crate) const SPIKES: &[f64] = &[
    709.0, 709.78, -709.0, -745.0, 88.0, 88.7, -87.0, -103.0, 40.0, -40.0, 1e8, -1e8, 1e-8, -1e-8, 1e-160,
    -1e-310, 5e-324, -0.0, 0.0,
];

/// Sizes around the blocks of kernels: lanes, tiles, stack buffers, blocks of sums.
const BLOCKS: &[usize] = &[
    7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1009, 1023,
    1024, 1025, 2047, 2049, 4095, 4096, 4097, 8191, 8193, 10_000,
];

/// A seeded source of test inputs.
pub struct Gen {
    rng: Box<dyn rand::Rng + Send>,
    pub(crate) kind: Kind,
    transform: Transform,
    /// Numbers that the op under test names as worth testing.
    pub(crate) points: &'static [f64],
    /// The number of tensors that have been drawn.
    drawn: usize,
    /// The number of the combination of listed values, of which [`each`](Gen::each) takes its part.
    turn: usize,
    /// Whether numbers near a kink are moved away from it.
    pub(crate) away: bool,
    /// The number of further axes of a large case that may be large.
    large_sizes: usize,
    /// Whether a large case is as large as [`SPLIT`].
    split: bool,
    /// What this case contains, for the statistics of a run.
    pub(crate) broadcast: bool,
    pub(crate) empty: bool,
    pub(crate) strided: bool,
    /// Whether the generator can make such cases at all.
    pub(crate) broadcasts: bool,
    pub(crate) empties: bool,
}

/// The largest number of elements of a tensor: the full Jacobian is computed.
const MOST: usize = 24;
/// The same for a large case.
const LARGEST: usize = 10_000;
/// The number of elements that are worth several threads, even for an addition.
const SPLIT: usize = 70_001;

impl Gen {
    /// The source with the given seed, for a case of kind `Usual`.
    pub fn seeded(seed: u64) -> Self {
        Self::of_kind(seed, Kind::Usual)
    }

    /// The source with the given seed, for a case of the given kind.
    pub fn of_kind(seed: u64, kind: Kind) -> Self {
        let rng = Box::new(Key { seed, stream: 0x6e6 }.generator());
        let mut g = Gen {
            rng,
            kind,
            transform: Transform::None,
            points: &[],
            drawn: 0,
            turn: (seed / 10) as usize,
            away: false,
            large_sizes: 2,
            split: false,
            broadcast: false,
            empty: false,
            strided: false,
            broadcasts: false,
            empties: false,
        };
        let sign = |g: &mut Gen| if g.once_in(2) { 1.0 } else { -1.0 };
        match kind {
            Kind::Extreme => {
                g.transform = match g.within(0..=2) {
                    0 => {
                        Transform::Affine { offset: g.pick(&[1e2, 1e4, 1e6, 1e8]) * sign(&mut g), scale: 1.0 }
                    }
                    1 => Transform::Affine { offset: 0.0, scale: g.pick(&[1e-8, 1e-4, 1e2, 1e4]) },
                    _ => Transform::Spikes(SPIKES),
                }
            }
            Kind::Scaled => {
                let offset = g.pick(&[0.0, 1e1, 1e2, 1e3, 1e4, 1e6]) * sign(&mut g);
                g.transform = Transform::Affine { offset, scale: g.pick(&[1e-3, 1.0, 1.0, 1e2]) };
            }
            _ => {}
        }
        g
    }

    /// The source with the given seed, for a large case whose work is split among threads.
    pub(crate) fn of_split_work(seed: u64) -> Self {
        Gen { split: true, ..Self::of_kind(seed, Kind::Large) }
    }

    /// An integer in the range.
    pub fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        self.rng.random_range(range)
    }

    /// True with probability 1/`n`.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.within(1..=n) == 1
    }

    /// One of the given values.
    pub fn pick<V: Copy>(&mut self, of: &[V]) -> V {
        let i = self.within(0..=of.len().saturating_sub(1));
        of[i]
    }

    /// Each of the listed values in turn: the ten cases of the seeds 10 i to 10 i + 9, one of every [`Kind`] and more, have the same
    /// value, the next ten have the next. If it is called several times in a case, all combinations of values have their turn.
    ///
    /// ```
    /// use wengert_tape::gradcheck::Gen;
    /// let pair = |seed| {
    ///     let mut g = Gen::seeded(seed);
    ///     (g.each([0, 1]), g.each(["valid", "same"]))
    /// };
    /// assert_eq!([pair(0), pair(10), pair(20), pair(30)], [(0, "valid"), (1, "valid"), (0, "same"), (1, "same")]);
    /// ```
    ///
    /// # Panics
    /// If the list is empty.
    pub fn each<V>(&mut self, of: impl IntoIterator<Item = V>) -> V {
        let values: Vec<V> = of.into_iter().collect();
        assert!(!values.is_empty(), "an argument has no value to run with: its list is empty");
        let n = values.len();
        let at = self.turn % n;
        self.turn /= n;
        values.into_iter().nth(at).expect("the remainder is less than the number of values")
    }

    /// A number in the range.
    pub fn number(&mut self, low: f64, high: f64) -> f64 {
        self.rng.random_range(low..=high)
    }

    /// The size of an axis: small, often one, never zero.
    pub fn size(&mut self) -> usize {
        self.pick(&[1, 1, 2, 2, 3, 3, 4, 5])
    }

    /// The size of an axis in the range; in a large case, for at most two axes, it can be a size around the blocks of
    /// kernels instead. For generators that do not draw whole shapes.
    pub fn dim(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        self.around(range, &BLOCKS[..12])
    }

    /// The same as [`dim`](Gen::dim), but the first call in a large case always returns a large size.
    pub fn axis_size(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        if self.is_large() && self.large_sizes == 2 {
            self.large_sizes -= 1;
            return self.pick(&BLOCKS[6..16]);
        }
        self.dim(range)
    }

    /// The same as [`dim`](Gen::dim), with the given sizes for a large case: those around the blocks of the op's own
    /// kernel.
    pub fn around(&mut self, range: std::ops::RangeInclusive<usize>, blocks: &[usize]) -> usize {
        if self.is_large() && self.large_sizes > 0 && self.once_in(2) {
            self.large_sizes -= 1;
            return self.pick(blocks);
        }
        self.within(range)
    }

    /// The same as [`dim`](Gen::dim), for a tensor whose other axes have `rest` elements together: in a large case, any
    /// size around the blocks of kernels that keeps the tensor moderate.
    pub fn beside(&mut self, range: std::ops::RangeInclusive<usize>, rest: usize) -> usize {
        if self.split && self.large_sizes > 0 && rest <= SPLIT {
            self.large_sizes -= 1;
            return (SPLIT / rest.max(1)).max(*range.end());
        }
        let fitting = BLOCKS.iter().take_while(|b| **b <= LARGEST / rest.max(1)).count();
        if fitting == 0 { self.within(range) } else { self.around(range, &BLOCKS[..fitting]) }
    }

    /// Whether this is a large case, for ops that are well conditioned only in small ones.
    pub fn is_large(&self) -> bool {
        self.kind == Kind::Large
    }

    /// Whether this is one of the cases without elements, if the op accepts them.
    pub(crate) fn is_empty(&self) -> bool {
        self.kind == Kind::Empty
    }

    /// A shape whose rank is in the range, with a moderate number of elements, sometimes with none.
    pub fn shape(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        self.empties |= *ranks.end() > 0;
        let must_be_empty = self.is_empty();
        let least = if must_be_empty { 1.min(*ranks.end()) } else { 0 };
        let mut shape = self.full_shape(least.max(*ranks.start())..=*ranks.end());
        if !shape.is_empty() && (must_be_empty || (self.kind != Kind::Large && self.once_in(12))) {
            let i = self.within(0..=shape.len() - 1);
            shape[i] = 0;
        }
        shape
    }

    /// The same as [`shape`](Gen::shape), but never empty.
    pub fn full_shape(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
        let large = self.kind == Kind::Large;
        let least = if large { 1.min(*ranks.end()) } else { 0 };
        let rank = self.within(least.max(*ranks.start())..=*ranks.end());
        let mut shape: Vec<usize> = (0..rank).map(|_| self.size()).collect();
        while shape.iter().product::<usize>() > MOST {
            let largest = (0..rank).max_by_key(|&i| shape[i]).unwrap_or(0);
            shape[largest] -= 1;
        }
        if large && rank > 0 && self.large_sizes > 0 {
            self.large_sizes -= 1;
            let axis = self.within(0..=rank - 1);
            shape[axis] = 1;
            let rest = shape.iter().product::<usize>();
            let fitting = BLOCKS.iter().take_while(|b| **b <= LARGEST / rest).count();
            shape[axis] = if self.split { SPLIT / rest } else { self.pick(&BLOCKS[..fitting]) };
        }
        shape
    }

    /// An axis of a tensor with the given rank, counted from either end.
    pub fn axis(&mut self, rank: usize) -> isize {
        let a = self.within(0..=rank.max(1) - 1) as isize;
        if self.once_in(2) { a - rank as isize } else { a }
    }

    /// Some of the axes, possibly none or all.
    pub fn axes(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.once_in(2)).collect()
    }

    /// A shape that broadcasts to `shape`: leading axes are dropped, sizes are set to one.
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
        if self.kind == Kind::Large && domain == Domain::Grid {
            // Along a direction through ties nothing can be compared: all values are different, in random order.
            // Tensors differ by a fraction of the spacing, and none contains a round number.
            let shift = 0.125 * (1 + self.drawn % 7) as f64 - (n / 2) as f64;
            return self.permutation(n).into_iter().map(|i| (i as f64 + shift) / 4096.0).collect();
        }
        if self.away && domain == Domain::Grid {
            let shift = 0.03125 * (1 + self.drawn % 7) as f64 - 0.125 * n as f64;
            return self.permutation(n).into_iter().map(|i| 0.25 * i as f64 + shift).collect();
        }
        let mut values: Vec<f64> = (0..n).map(|_| self.value(domain)).collect();
        if n > 1 && self.kind != Kind::Large && self.once_in(4) {
            // A tie.
            let (i, j) = (self.within(0..=n - 1), self.within(0..=n - 1));
            values[i] = values[j];
        }
        values
    }

    fn value(&mut self, domain: Domain) -> f64 {
        let transform = self.transform;
        if !self.points.is_empty() && self.kind != Kind::Large && self.once_in(8) {
            let named = self.pick(self.points);
            if domain.takes(named) {
                return named;
            }
        }
        match domain {
            Domain::Real | Domain::Kinks(_) => match transform {
                Transform::Affine { offset, scale } => {
                    let v = offset + scale * self.moderate(domain);
                    self.off_kinks(v, domain)
                }
                Transform::Spikes(spikes) if self.once_in(3) => {
                    let v = self.pick(spikes);
                    self.off_kinks(v, domain)
                }
                _ => self.moderate(domain),
            },
            Domain::Between(a, b) if self.kind == Kind::Extreme && self.once_in(3) => self.pick(&[a, b]),
            Domain::Away(a, b) if self.kind == Kind::Extreme && self.once_in(3) => self.pick(&[a, b, -a, -b]),
            _ => self.moderate(domain),
        }
    }

    /// A number of the domain, neither huge nor tiny.
    fn moderate(&mut self, domain: Domain) -> f64 {
        match domain {
            Domain::Between(a, b) => self.number(a, b),
            Domain::Away(a, b) => {
                let v = self.number(a, b);
                if self.once_in(2) { -v } else { v }
            }
            Domain::Grid => self.within(0..=12) as f64 * 0.25 - 1.5,
            Domain::Kinks(points) => {
                let v = if self.once_in(4) { self.pick(points) } else { self.moderate(Domain::Real) };
                self.off_kinks(v, domain)
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

    /// Differences straddle a kink that is near: a number near a kink is moved onto it. In a large case it is moved
    /// away from it, since a direction through many kinks has one-sided derivatives that bound nothing.
    fn off_kinks(&self, v: f64, domain: Domain) -> f64 {
        let Domain::Kinks(points) = domain else { return v };
        let near = points.iter().copied().find(|p| (v - p).abs() < 0.01);
        match near {
            Some(p) if self.kind == Kind::Large || self.away => p + 0.02,
            Some(p) => p,
            None => v,
        }
    }

    /// A tensor with values of a domain, in a random layout: contiguous, transposed, stepped, reversed, or a part of a
    /// larger tensor.
    pub fn tensor(&mut self, shape: &[usize], domain: Domain) -> Tensor<f64> {
        self.drawn += 1;
        if self.kind == Kind::Scaled && self.drawn > 1 {
            // One offset is enough to lose digits; a second one could hide the loss.
            self.transform = Transform::None;
        }
        let n = shape.iter().product();
        let dense =
            Tensor::from_vec(self.values(n, domain), shape).expect("the shape was made for these values");
        self.empty |= n == 0;
        let t = self.lay_out(&dense).expect("every layout fits");
        self.strided |= !t.is_contiguous();
        t
    }

    /// The same tensor in a random layout.
    fn lay_out(&mut self, dense: &Tensor<f64>) -> wengert_ops::Result<Tensor<f64>> {
        let rank = dense.rank();
        if rank == 0 {
            return Ok(dense.clone());
        }
        let axis = self.within(0..=rank - 1);
        let kind = match self.within(0..=5) {
            0 => LayoutKind::Transposed,
            1 => LayoutKind::Reversed,
            2 => LayoutKind::Stepped,
            3 => LayoutKind::Part,
            _ => LayoutKind::Dense,
        };
        kind.of(dense, axis)
    }

    /// Indices below `n` with the given shape; they may repeat.
    pub fn indices(&mut self, shape: &[usize], n: usize) -> Tensor<i64> {
        let values = (0..shape.iter().product()).map(|_| self.within(0..=n.max(1) - 1) as i64).collect();
        Tensor::from_vec(values, shape).expect("the shape was made for these values")
    }

    /// Booleans with the given shape.
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

    /// A seed for another generator.
    pub fn seed(&mut self) -> u64 {
        self.rng.next_u64()
    }
}
