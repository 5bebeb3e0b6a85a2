//! Random arguments, valid and invalid.
//!
//! A third of all calls are tame: every argument is valid in shape and type, but its values may be NaN, its layout strided, its
//! sizes zero. In the others, each argument may be wrong: a shape, an axis out of range, a size of 2⁶³, a value that was freed
//! or belongs to another tape. An argument that depends on another, such as an axis, is drawn for the tensor drawn last.

mod shapes;

use std::fmt::Debug;
use wengert::Tape;
use wengert::ops::random::{Key, Rng};
use wengert::ops::{Element, Slice, Tensor};
use wengert::tape::{Error, ErrorKind, Float, Operand, Param, Var};

/// The arguments of one call.
pub(crate) struct Arguments<'t, T: Float> {
    state: u64,
    wild: bool,
    pub(crate) tape: &'t Tape<T>,
    other: &'t Tape<T>,
    /// The shape of the tensor drawn last; `axis` is the axis drawn last.
    pub(crate) shape: Vec<usize>,
    axis: usize,
    /// The values with respect to which gradients can be computed.
    pub(crate) leaves: Vec<Var<'t, T>>,
    /// The arguments drawn, for a report.
    pub(crate) log: Option<Vec<String>>,
}

/// The largest number of elements of a tensor.
const MOST: usize = 256;

/// Sizes that no tensor can have.
const HUGE: [usize; 6] = [usize::MAX, usize::MAX / 2, usize::MAX / 2 + 1, 1 << 62, 1 << 40, (1 << 37) + 1];

/// An operand: a value, a tensor, a number, or the error of an operation.
pub(crate) enum Given<'t, T: Float> {
    Var(Var<'t, T>),
    Tensor(Tensor<T>),
    Number(f64),
    Refused(wengert::ops::Error),
}

impl<'t, T: Float> Operand<'t, T> for Given<'t, T> {
    #[track_caller]
    fn into_var(self, tape: &'t Tape<T>) -> Var<'t, T> {
        match self {
            Given::Var(v) => v.into_var(tape),
            Given::Tensor(t) => t.into_var(tape),
            Given::Number(c) => c.into_var(tape),
            Given::Refused(e) => Err::<Tensor<T>, _>(e).into_var(tape),
        }
    }

    fn as_number(&self) -> Option<f64> {
        if let Given::Number(c) = self { Some(*c) } else { None }
    }
}

impl<'t, T: Float> Arguments<'t, T> {
    pub(crate) fn new(seed: u64, tape: &'t Tape<T>, other: &'t Tape<T>) -> Self {
        let mut a = Arguments {
            state: seed,
            wild: false,
            tape,
            other,
            shape: Vec::new(),
            axis: 0,
            leaves: Vec::new(),
            log: None,
        };
        a.wild = !a.once_in(3);
        a
    }

    /// Makes all further arguments valid: for functions that are documented to panic on invalid ones.
    pub(crate) fn tame(&mut self) -> &mut Self {
        self.wild = false;
        self
    }

    fn noted<V: Debug>(&mut self, what: &str, v: V) -> V {
        if let Some(log) = &mut self.log {
            log.push(format!("{what} {v:?}"));
        }
        v
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    pub(crate) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.bits() % n.max(1) as u64) as usize
    }

    pub(crate) fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<V: Clone>(&mut self, of: &[V]) -> V {
        of[self.below(of.len())].clone()
    }

    /// Whether the next argument is to be wrong.
    fn slip(&mut self) -> bool {
        self.wild && self.once_in(4)
    }

    /// A random boolean.
    pub(crate) fn flag(&mut self) -> bool {
        let flag = self.once_in(2);
        self.noted("flag", flag)
    }

    // Numbers.

    /// A number, often a special one such as NaN or an infinity.
    pub(crate) fn number(&mut self) -> f64 {
        let special =
            [0.0, -0.0, 1.0, -1.0, 0.5, f64::NAN, f64::INFINITY, -f64::INFINITY, 1e300, -1e300, 5e-324];
        let v = if self.once_in(3) { self.pick(&special) } else { self.within(-3.0, 3.0) };
        self.noted("number", v)
    }

    /// A number between two others.
    pub(crate) fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.bits() >> 11) as f64 * 2f64.powi(-53))
    }

    /// A number in [0, 1], or sometimes any number.
    pub(crate) fn probability(&mut self) -> f64 {
        let v = match self.below(4) {
            _ if self.slip() => return self.number(),
            0 => self.pick(&[0.0, 1.0]),
            _ => self.within(0.0, 1.0),
        };
        self.noted("probability", v)
    }

    /// A number above 0, or sometimes any number.
    pub(crate) fn positive(&mut self) -> f64 {
        if self.slip() {
            return self.number();
        }
        let v = self.within(0.01, 4.0);
        self.noted("positive", v)
    }

    /// A count in the range, or sometimes 0, a larger one, or a huge one.
    pub(crate) fn count(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        let (low, high) = range.into_inner();
        let wrong = [0, low.saturating_sub(1), high.saturating_add(1), self.pick(&HUGE)];
        let n = if self.slip() { self.pick(&wrong) } else { low + self.below(high.saturating_sub(low) + 1) };
        self.noted("count", n)
    }

    /// A signed offset, small or sometimes huge.
    pub(crate) fn offset(&mut self) -> isize {
        let n = match self.slip() {
            true => self.pick(&[isize::MIN, isize::MAX, isize::MIN + 1, 1 << 40, -(1 << 40)]),
            false => self.below(9) as isize - 4,
        };
        self.noted("offset", n)
    }

    // Tensors.

    /// A tensor of a shape, in a random memory layout.
    fn elements<U: Element>(&mut self, shape: &[usize], mut value: impl FnMut(&mut Self) -> U) -> Tensor<U> {
        let mut dense = |a: &mut Self, shape: &[usize]| {
            let values = (0..shape.iter().product()).map(|_| value(a)).collect();
            Tensor::from_vec(values, shape).expect("as many values as the shape has")
        };
        let rank = shape.len();
        if rank == 0 {
            return dense(self, shape);
        }
        let (axis, other) = (self.below(rank), self.below(rank));
        let mut larger = shape.to_vec();
        let t = match self.below(9) {
            0 | 1 => {
                larger.swap(axis, other);
                dense(self, &larger).transpose(axis as isize, other as isize)
            }
            2 => {
                larger[axis] = (2 * shape[axis]).saturating_sub(self.below(2));
                dense(self, &larger).slice(axis as isize, Slice::all().step(2))
            }
            3 => dense(self, shape).slice(axis as isize, Slice::all().step(-1)),
            4 => {
                larger[axis] += 2;
                dense(self, &larger).slice(axis as isize, 1..1 + shape[axis])
            }
            5 if shape[axis] > 0 => {
                larger[axis] = 1;
                dense(self, &larger).expand(shape)
            }
            _ => Ok(dense(self, shape)),
        };
        t.expect("every layout fits")
    }

    fn drawn<U: Element>(&mut self, shape: &[usize], value: impl FnMut(&mut Self) -> U) -> Tensor<U> {
        let t = self.elements(shape, value);
        if let Some(log) = &mut self.log {
            log.push(format!("{} {} strides {:?}: {:?}", t.dtype(), t.shape(), t.strides(), t.to_vec()));
        }
        t
    }

    fn values(&mut self, shape: &[usize]) -> Tensor<T> {
        let kind = self.below(10);
        self.drawn(shape, |a| {
            T::from_f64(match kind {
                0 if a.once_in(3) => {
                    a.pick(&[f64::NAN, f64::INFINITY, -f64::INFINITY, 0.0, -0.0, 1e300, -1e-310])
                }
                1 => a.below(13) as f64 * 0.25 - 1.5,
                2 => a.within(0.01, 4.0),
                3 => 0.0,
                _ => a.within(-2.5, 2.5),
            })
        })
    }

    /// A tensor of any shape.
    pub(crate) fn tensor(&mut self) -> Tensor<T> {
        let shape = self.dims(0..=5);
        self.tensor_of(&shape)
    }

    /// A tensor of a rank in the range, or sometimes of another rank.
    pub(crate) fn ranked(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Tensor<T> {
        let shape = self.dims(ranks);
        self.tensor_of(&shape)
    }

    /// A tensor of the given shape, or sometimes of another. Axes are then drawn for it.
    pub(crate) fn tensor_of(&mut self, shape: &[usize]) -> Tensor<T> {
        let t = self.like(shape);
        self.shape = t.shape().to_vec();
        t
    }

    /// A tensor of the given shape, or sometimes of another. Axes are still drawn for the previous one.
    pub(crate) fn like(&mut self, shape: &[usize]) -> Tensor<T> {
        let shape = if self.slip() { self.wrong(shape) } else { shape.to_vec() };
        self.values(&shape)
    }

    /// A tensor that broadcasts with the last one, or sometimes does not.
    pub(crate) fn beside_tensor(&mut self) -> Tensor<T> {
        let shape = self.shape.clone();
        let shape = self.fewer(&shape);
        self.like(&shape)
    }

    /// Several tensors that differ only along the axis `axis`, or sometimes along others.
    pub(crate) fn tensors(&mut self) -> Vec<Tensor<T>> {
        let n = if self.slip() { 0 } else { 1 + self.below(3) };
        let shape = self.dims(1..=3);
        self.axis = self.below(shape.len());
        self.shape = shape.clone();
        (0..n).map(|_| self.like(&shape)).collect()
    }

    /// Indices below `n` of the given shape, or sometimes others.
    pub(crate) fn index_of(&mut self, shape: &[usize], n: usize) -> Tensor<i64> {
        let shape = if self.slip() { self.wrong(shape) } else { shape.to_vec() };
        let slip = self.slip();
        self.drawn(&shape, |a| match slip && a.once_in(3) {
            true => a.pick(&[-1, n as i64, i64::MIN, i64::MAX, 1 << 40, -(n as i64) - 1]),
            false => a.below(n) as i64,
        })
    }

    /// Indices below `n` of any shape; there are none if `n` is 0.
    pub(crate) fn index(&mut self, n: usize) -> Tensor<i64> {
        let mut shape = self.dims(if n == 0 { 1..=2 } else { 0..=2 });
        if n == 0 {
            shape[0] = 0;
        }
        self.index_of(&shape, n)
    }

    /// A vector of positions along the last axis.
    pub(crate) fn along_axis(&mut self) -> Tensor<i64> {
        let n = self.along();
        let length = if n == 0 { 0 } else { self.size() };
        self.index_of(&[length], n)
    }

    /// Positions along the last axis, one per element of a tensor of the same rank.
    pub(crate) fn gathered(&mut self) -> Tensor<i64> {
        let (n, mut shape) = (self.along(), self.shape.clone());
        if let Some(d) = shape.get_mut(self.axis) {
            *d = if n == 0 { 0 } else { self.size() };
        }
        self.index_of(&shape, n)
    }

    /// Index tensors for some of the first axes of the last tensor.
    pub(crate) fn indices(&mut self) -> Vec<Tensor<i64>> {
        let shape = self.shape.clone();
        let n = if self.slip() {
            self.below(shape.len() + 3)
        } else {
            (1 + self.below(shape.len())).min(shape.len())
        };
        let common = self.dims(0..=2);
        (0..n)
            .map(|i| {
                let size = shape.get(i).copied().unwrap_or(2);
                let of = self.fewer(&common);
                self.index_of(if size == 0 { &[0] } else { &of }, size)
            })
            .collect()
    }

    /// Booleans of the given shape, or sometimes of another.
    pub(crate) fn mask_of(&mut self, shape: &[usize]) -> Tensor<bool> {
        let shape = if self.slip() { self.wrong(shape) } else { shape.to_vec() };
        self.drawn(&shape, |a| a.once_in(2))
    }

    /// Booleans of any shape.
    pub(crate) fn booleans(&mut self) -> Tensor<bool> {
        self.shape = self.dims(0..=4);
        let shape = self.shape.clone();
        self.mask_of(&shape)
    }

    /// A mask that broadcasts with the last tensor, sometimes one that does not, or an error.
    pub(crate) fn mask(&mut self) -> wengert::ops::Result<Tensor<bool>> {
        if self.slip() && self.once_in(3) {
            return Err(refusal());
        }
        let shape = self.shape.clone();
        let shape = self.fewer(&shape);
        Ok(self.mask_of(&shape))
    }

    // Values on the tape.

    /// A value of any shape.
    pub(crate) fn var(&mut self) -> Var<'t, T> {
        let shape = self.dims(0..=5);
        self.of(&shape)
    }

    /// A value of a rank in the range, or sometimes of another rank.
    pub(crate) fn var_ranked(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Var<'t, T> {
        let shape = self.dims(ranks);
        self.of(&shape)
    }

    /// A value of the given shape, or sometimes of another. Axes are then drawn for it.
    pub(crate) fn of(&mut self, shape: &[usize]) -> Var<'t, T> {
        let t = self.tensor_of(shape);
        self.on_tape(t)
    }

    /// A value of the given shape, or sometimes of another. Axes are still drawn for the previous one.
    pub(crate) fn more(&mut self, shape: &[usize]) -> Var<'t, T> {
        let t = self.like(shape);
        self.on_tape(t)
    }

    /// A value of the last tensor's shape.
    pub(crate) fn same(&mut self) -> Var<'t, T> {
        let shape = self.shape.clone();
        self.more(&shape)
    }

    /// Several values that can be concatenated along one axis.
    pub(crate) fn vars(&mut self) -> Vec<Var<'t, T>> {
        self.tensors().into_iter().map(|t| self.on_tape(t)).collect()
    }

    /// Several values of a rank in the range.
    pub(crate) fn vars_ranked(&mut self, ranks: std::ops::RangeInclusive<usize>) -> Vec<Var<'t, T>> {
        (0..1 + self.below(3)).map(|_| self.var_ranked(ranks.clone())).collect()
    }

    fn on_tape(&mut self, t: Tensor<T>) -> Var<'t, T> {
        if self.wild && self.once_in(8) {
            return self.unusable(t);
        }
        let v = match self.below(12) {
            0 => self.tape.constant(t),
            1 | 2 => self.tape.var(t) * 1.0,
            3 => {
                let mut p = Param::new(t);
                p.set_trainable(self.flag());
                self.tape.param(&p)
            }
            _ => self.tape.var(t),
        };
        let v = if self.once_in(16) { v.keep() } else { v };
        self.leaves.push(v);
        v
    }

    /// A value that failed, was freed, or is on another tape.
    fn unusable(&mut self, t: Tensor<T>) -> Var<'t, T> {
        let kind = self.below(4);
        self.noted("unusable", ["failed", "on another tape", "freed by a scope", "freed by a sweep"][kind]);
        match kind {
            0 => self.tape.failed(Error::new(
                ErrorKind::Op(wengert::ops::ErrorKind::Argument),
                "fuzz",
                "refused",
            )),
            1 => self.other.var(t),
            2 => {
                let x = self.tape.var(t);
                let mut inside = x;
                let _ = self.tape.scope(|| {
                    inside = x + 1.0;
                    inside * 2.0
                });
                inside
            }
            _ => {
                let y = self.tape.var(t) + 1.0;
                let _ = y.sum().backward();
                y
            }
        }
    }

    /// An operand of the given shape, sometimes of another, or an error.
    pub(crate) fn operand(&mut self, shape: &[usize]) -> Given<'t, T> {
        match self.below(4) {
            0 => Given::Tensor(self.like(shape)),
            1 if self.slip() && self.once_in(3) => Given::Refused(refusal()),
            _ => Given::Var(self.more(shape)),
        }
    }

    /// An operand that broadcasts with the last tensor, or sometimes does not.
    pub(crate) fn beside(&mut self) -> Given<'t, T> {
        if self.once_in(6) {
            return Given::Number(self.number());
        }
        let shape = self.shape.clone();
        let shape = self.fewer(&shape);
        self.operand(&shape)
    }

    /// A parameter, trainable or frozen.
    pub(crate) fn param(&mut self) -> Param<T> {
        let mut p = Param::new(self.tensor());
        p.set_trainable(self.flag());
        p
    }

    // Randomness.

    pub(crate) fn key(&mut self) -> Key {
        let stream = if self.once_in(8) { u64::MAX } else { self.bits() };
        Key { seed: self.bits(), stream }
    }

    pub(crate) fn rng(&mut self) -> Rng {
        Rng::at(self.key())
    }
}

fn refusal() -> wengert::ops::Error {
    wengert::ops::Error::new("fuzz", wengert::ops::ErrorKind::Argument, "refused")
}
