//! Encodings of a step's position in its sequence: [`SinusoidalPositions`] and [`LearnedPositions`] are added to the input,
//! [`Rotary`] rotates queries and keys.

use crate::Module;
use crate::init::Scheme;
use crate::layers::{Layer, refused};
use wengert_ops::Tensor;
use wengert_ops::math::portable;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Param, Tape, Var};

/// Adds sines and cosines of the position to `[.., steps, width]`:
/// PE(p, 2i) = sin(p / 10000^(2i/width)), PE(p, 2i+1) = cos(p / 10000^(2i/width)). (Vaswani et al. 2017, section 3.5.)
///
/// ```
/// use wengert_nn::{Layer, SinusoidalPositions};
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::eval();
/// let y = SinusoidalPositions.forward(tape.constant(Tensor::zeros([2, 4]))).value()?;
/// assert_eq!(y.select(0, 0)?.to_vec(), [0.0, 1.0, 0.0, 1.0]);
/// assert_eq!(y.select(0, 1)?.to_vec(), [1f64.sin(), 1f64.cos(), 0.01f64.sin(), 0.01f64.cos()]);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Module)]
pub struct SinusoidalPositions;

impl SinusoidalPositions {
    /// The encodings of `steps` positions from `offset` on, `[steps, width]`.
    ///
    /// # Errors
    /// If they do not fit in memory.
    pub fn table<T: Float>(offset: usize, steps: usize, width: usize) -> wengert_ops::Result<Tensor<T>> {
        let mut table = Tensor::try_full([steps, width], T::ZERO)?;
        let rates = rates(width, 10000.0);
        for (p, row) in table.data_mut().chunks_mut(width.max(1)).enumerate() {
            for (pair, rate) in row.chunks_mut(2).zip(&rates) {
                let (sin, cos) = portable::sin_cos((offset as f64 + p as f64) * rate);
                for (to, value) in pair.iter_mut().zip([sin, cos]) {
                    *to = T::from_f64(value);
                }
            }
        }
        Ok(table)
    }

    /// The output for an `x` whose first step is at position `offset`, as in decoding step by step.
    #[track_caller]
    pub fn forward_at<'t, T: Float>(&self, x: Var<'t, T>, offset: usize) -> Var<'t, T> {
        match steps_and_width(x, "sinusoidal_positions") {
            Ok((steps, width)) => x + x.tape().constant(Self::table(offset, steps, width)),
            Err(failed) => failed,
        }
    }
}

impl<T: Float> Layer<T> for SinusoidalPositions {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.forward_at(x, 0)
    }
}

/// The angular rates base^(-2i/width), one per pair of features.
fn rates(width: usize, base: f64) -> Vec<f64> {
    (0..width.div_ceil(2)).map(|i| portable::powf(base, -(2.0 * i as f64) / width as f64)).collect()
}

/// The last two sizes of `[.., steps, width]`, or the failed value to return.
#[track_caller]
fn steps_and_width<'t, T: Float>(x: Var<'t, T>, op: &'static str) -> Result<(usize, usize), Var<'t, T>> {
    if x.is_failed() {
        return Err(x);
    }
    if x.rank() < 2 {
        return Err(refused(x.tape(), op, format!("expected x [.., steps, width], found {}", x.shape())));
    }
    Ok((x.dim(-2), x.dim(-1)))
}

/// Adds a learned vector for each position to `[.., steps, width]`, as GPT and BERT do.
///
/// ```
/// use wengert_nn::{Layer, LearnedPositions};
/// use wengert_ops::{Tensor, random::Rng};
/// let positions = LearnedPositions::<f32>::new(16, 4, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::eval();
/// let y = positions.forward_at(tape.constant(Tensor::zeros([2, 3, 4])), 5);
/// assert_eq!(y.select(0, 1).value()?, positions.weight.value().slice(0, 5..8)?);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Module)]
pub struct LearnedPositions<T: Float> {
    /// One vector per position, `[longest, width]`.
    pub weight: Param<T>,
}

impl<T: Float> LearnedPositions<T> {
    /// Vectors for sequences of up to `longest` steps, drawn from a normal distribution with standard deviation 0.02, as
    /// in GPT-2.
    ///
    /// # Panics
    /// If they do not fit in memory.
    pub fn new(longest: usize, width: usize, rng: &mut Rng) -> Self {
        LearnedPositions { weight: Param::new(Scheme::Normal(0.02).sample(&[longest, width].into(), rng)) }
    }

    /// The output for an `x` whose first step is at position `offset`. A sequence that continues after the last position is
    /// refused.
    #[track_caller]
    pub fn forward_at<'t>(&self, x: Var<'t, T>, offset: usize) -> Var<'t, T> {
        const OP: &str = "learned_positions";
        let (steps, width) = match steps_and_width(x, OP) {
            Ok(sizes) => sizes,
            Err(failed) => return failed,
        };
        let (shape, end) = (self.weight.shape(), offset.saturating_add(steps));
        if shape.len() != 2 || shape[1] != width || end > shape[0] {
            let detail = format!(
                "expected positions below the {shape} known, found {offset} to {end} of width {width}"
            );
            return refused(x.tape(), OP, detail);
        }
        x + x.tape().param(&self.weight).narrow(0, offset, steps)
    }
}

impl<T: Float> Layer<T> for LearnedPositions<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.forward_at(x, 0)
    }
}

/// The pairs of features that a [`Rotary`] rotates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Module)]
pub enum RotaryLayout {
    /// Features 2i and 2i + 1, as in the paper.
    #[default]
    Neighbours,
    /// Features i and i + width/2, as in GPT-NeoX and Llama.
    Halves,
}

/// Rotary position embedding (Su et al. 2021): pair i of the features of a query or key at position p is rotated by the
/// angle p / base^(2i/width), so that products of queries and keys depend only on the distance between them.
///
/// ```
/// use wengert_nn::Rotary;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::eval();
/// let q = tape.constant(Tensor::from([[1.0, 0.0], [1.0, 0.0]]));
/// let y = Rotary::default().rotate(q, 0).value()?;                    // positions 0 and 1
/// assert_eq!(y, Tensor::from([[1.0, 0.0], [1f64.cos(), 1f64.sin()]]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Module)]
pub struct Rotary {
    /// The base of the angles; larger bases suit longer contexts. Default: `10000.0`.
    pub base: f64,
    /// The pairs of features that are rotated. Default: `Neighbours`.
    pub pairing: RotaryLayout,
}

impl Default for Rotary {
    fn default() -> Self {
        Rotary { base: 10000.0, pairing: RotaryLayout::Neighbours }
    }
}

impl Rotary {
    /// `x`, `[.., steps, width]` with an even width, rotated; its first step is at position `offset`.
    #[track_caller]
    pub fn rotate<'t, T: Float>(&self, x: Var<'t, T>, offset: usize) -> Var<'t, T> {
        const OP: &str = "rotary";
        let (steps, width) = match steps_and_width(x, OP) {
            Ok(sizes) => sizes,
            Err(failed) => return failed,
        };
        if !width.is_multiple_of(2) {
            return refused(x.tape(), OP, format!("expected an even number of features, found {width}"));
        }
        if self.base.is_nan() || self.base <= 0.0 {
            return refused(x.tape(), OP, format!("expected a positive base, found {}", self.base));
        }
        let half = width / 2;
        let [cos, sin] = match self.angles(x.tape(), offset, [steps, half]) {
            Ok(angles) => angles,
            Err(e) => return x.tape().failed(e.into()),
        };
        let (a, b) = match self.pairing {
            RotaryLayout::Neighbours => {
                let pairs = x.unflatten(-1, [half, 2]); // [.., steps, half, 2]
                (pairs.select(-1, 0), pairs.select(-1, 1))
            }
            RotaryLayout::Halves => (x.narrow(-1, 0, half), x.narrow(-1, half, half)),
        };
        let turned = [a * cos - b * sin, a * sin + b * cos];
        match self.pairing {
            RotaryLayout::Neighbours => x.tape().stack(&turned, -1).flatten_axes(-2, -1),
            RotaryLayout::Halves => x.tape().concat(&turned, -1),
        }
    }

    /// The cosines and sines of the angles, `[steps, pairs]` each.
    fn angles<'t, T: Float>(
        &self,
        tape: &'t Tape<T>,
        offset: usize,
        shape: [usize; 2],
    ) -> wengert_ops::Result<[Var<'t, T>; 2]> {
        let mut tables = [Tensor::try_full(shape, T::ZERO)?, Tensor::try_full(shape, T::ZERO)?];
        let rates = rates(2 * shape[1], self.base);
        let [cos, sin] = &mut tables;
        let places = cos.data_mut().iter_mut().zip(sin.data_mut());
        for (i, (cos, sin)) in places.enumerate() {
            let angle = (offset as f64 + (i / shape[1]) as f64) * rates[i % shape[1]];
            let (at_sin, at_cos) = portable::sin_cos(angle);
            (*cos, *sin) = (T::from_f64(at_cos), T::from_f64(at_sin));
        }
        Ok(tables.map(|t| tape.constant(t)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;

    fn random(shape: [usize; 3], seed: u64) -> Tensor<f64> {
        Tensor::randn(shape, &mut Rng::seed(seed)).unwrap()
    }

    fn close(a: &Tensor<f64>, b: &Tensor<f64>) {
        assert_eq!(a.shape(), b.shape());
        assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-12), "{a}\n{b}");
    }

    #[test]
    fn a_later_part_of_a_sequence_is_encoded_as_in_the_whole() {
        let (x, tape) = (random([2, 7, 6], 0), Tape::eval());
        let learned = LearnedPositions::<f64>::new(9, 6, &mut Rng::seed(1));
        let halves = Rotary { pairing: RotaryLayout::Halves, ..Rotary::default() };
        type Encode<'a> = &'a dyn for<'t> Fn(Var<'t, f64>, usize) -> Var<'t, f64>;
        let all: [Encode<'_>; 4] = [
            &|x, at| SinusoidalPositions.forward_at(x, at),
            &|x, at| learned.forward_at(x, at),
            &|x, at| Rotary::default().rotate(x, at),
            &|x, at| halves.rotate(x, at),
        ];
        for encode in all {
            let x = tape.constant(&x);
            let parts = [encode(x.slice(1, ..3), 0), encode(x.slice(1, 3..), 3)];
            close(&tape.concat(&parts, 1).value().unwrap(), &encode(x, 0).value().unwrap());
        }
    }

    #[test]
    fn products_of_turned_vectors_depend_on_their_distance_only() {
        let (q, k, tape) = (random([1, 1, 8], 2), random([1, 1, 8], 3), Tape::eval());
        for pairing in [RotaryLayout::Neighbours, RotaryLayout::Halves] {
            let rotary = Rotary { base: 100.0, pairing };
            let product = |m: usize, n: usize| {
                let (q, k) = (rotary.rotate(tape.constant(&q), m), rotary.rotate(tape.constant(&k), n));
                (q * k).sum().item().unwrap()
            };
            for (m, n) in [(0, 0), (5, 2), (2, 5), (40, 1)] {
                for shift in [1, 17, 300] {
                    assert!((product(m, n) - product(m + shift, n + shift)).abs() < 1e-12);
                }
            }
            assert!((product(5, 2) - product(6, 2)).abs() > 1e-3);
            let turned = rotary.rotate(tape.constant(&q), 77).square().sum().item().unwrap();
            assert!((turned - tape.constant(&q).square().sum().item().unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn gradients_are_right() {
        let mut learned = LearnedPositions::<f64>::new(5, 4, &mut Rng::seed(1));
        let x = random([2, 5, 4], 0);
        let report =
            gradcheck::check(&mut learned, |l, tape| l.forward(tape.constant(&x)).tanh().sum(), 4).unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        for pairing in [RotaryLayout::Neighbours, RotaryLayout::Halves] {
            let rotary = Rotary { pairing, ..Rotary::default() };
            let report = wengert_tape::gradcheck::Check::new("rotary")
                .run(|x| rotary.rotate(x[0], 3).sin().sum(), std::slice::from_ref(&x));
            assert!(report.passed(), "{report}");
        }
    }

    #[test]
    fn odd_widths_and_late_positions() {
        let tape = Tape::<f64>::eval();
        let x = tape.constant(Tensor::zeros([2, 3]));
        let y = SinusoidalPositions.forward_at(x, 1).value().unwrap();
        assert_eq!(y.get(&[0, 2]).unwrap(), (1.0 / 10000f64.powf(2.0 / 3.0)).sin());
        let learned = LearnedPositions::<f64>::new(5, 3, &mut Rng::seed(1));
        let says = |y: Var<'_, f64>, op: &str, words: &str| {
            let e = y.value().unwrap_err();
            assert!(e.op() == op && e.to_string().contains(words), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()));
        };
        says(learned.forward_at(x, 4), "learned_positions", "found 4 to 6 of width 3");
        says(learned.forward_at(x, usize::MAX), "learned_positions", "of width 3");
        says(Rotary::default().rotate(x, 0), "rotary", "even number of features, found 3");
        says(Rotary::default().rotate(x.select(0, 0), 0), "rotary", "[.., steps, width], found [3]");
        says(SinusoidalPositions.forward(x.select(0, 0)), "sinusoidal_positions", "[.., steps, width]");
        let none = Rotary { base: 0.0, ..Rotary::default() };
        says(none.rotate(tape.constant(Tensor::zeros([2, 2])), 0), "rotary", "positive base");
    }
}
