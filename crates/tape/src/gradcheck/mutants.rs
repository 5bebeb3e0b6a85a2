//! Mutation testing of the gradient checks: an op whose rule is wrong on purpose must fail.
//!
//! [`run`] wraps an enrolled op in every [`Mutation`], one at a time, and runs the [suite] on the wrong op until a case
//! fails. A mutation that changes no number in any case (such as one of the second input for a function of one) has no
//! effect, and says nothing about the checks; a mutation that changes a number and is not noticed has survived.

use crate::gradcheck::generate::Kind;
use crate::gradcheck::report::Report;
use crate::gradcheck::spec::{Case, Order, Run, Spec};
use crate::gradcheck::suite;
use crate::number::Float;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use crate::tape::op::{BackwardContext, Cotangents, ForwardOutput, Op, VjpContext};
use crate::tape::var::Var;
use crate::{Error, ErrorKind, Result};
use std::any::TypeId;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use wengert_ops::{Slice, Tensor};

macro_rules! mutations {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// A way in which a rule can be wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutation {
            $($(#[doc = $doc])+ $name,)*
        }

        impl Mutation {
            /// All mutations.
            pub const ALL: &'static [Mutation] = &[$(Mutation::$name,)*];

            /// A short name, for tables.
            pub fn name(self) -> &'static str {
                match self {
                    $(Mutation::$name => $text,)*
                }
            }
        }
    };
}

mutations! {
    /// The gradient with the opposite sign.
    Sign = "sign",
    /// The gradient, too large by one part in 10⁴.
    Factor = "factor 1.0001",
    /// Twice the gradient.
    Doubled = "doubled",
    /// Zero for every input.
    Zero = "zero",
    /// The gradient plus 10⁻³, whatever the cotangent.
    Offset = "plus 0.001",
    /// The absolute value.
    Absolute = "absolute value",
    /// Clipped at ± 0.01.
    Clipped = "clipped",
    /// Zero for the first of several inputs.
    DropsFirst = "first input dropped",
    /// Zero for the last of several inputs.
    DropsLast = "last input dropped",
    /// The gradients of the first two inputs of equal shape are exchanged.
    Swapped = "inputs swapped",
    /// The mean over the broadcast axes instead of the sum.
    BroadcastMean = "broadcast averaged",
    /// Wrong in the last slice of the first axis.
    LastSlice = "last slice",
    /// Too large by one part in 10³ in the last element.
    LastElement = "last element",
    /// The last axis in reverse order.
    Reversed = "last axis reversed",
    /// Rows and columns of a square matrix are exchanged.
    Transposed = "square transposed",
    /// Wrong where the argument is negative.
    Negative = "x < 0",
    /// Wrong where the absolute value of the argument is above 3.
    Far = "|x| > 3",
    /// Wrong where the absolute value of the argument is below 10⁻³ and not zero; at zero there may be a kink.
    Near = "|x| < 0.001",
    /// Wrong where the absolute value of the argument is above 50.
    Huge = "|x| > 50",
    /// NaN where the argument is 0, 1 or -1.
    NanAtPoints = "NaN at 0 and ±1",
    /// Infinite in the last element.
    Infinite = "infinite element",
    /// Wrong for inputs that are not in row-major order.
    StridedInput = "strided input",
    /// Wrong for cotangents that are not in row-major order.
    StridedCotangent = "strided cotangent",
    /// Wrong for cotangents with a stride of 0, such as those of a sum.
    ExpandedCotangent = "expanded cotangent",
    /// Wrong when another input is a constant.
    ConstantInput = "another input constant",
    /// Wrong when another output has no cotangent.
    SomeOutputs = "another output unused",
    /// Wrong from the 65th element on.
    Large = "above 64 elements",
    /// Wrong for the elements after the last whole block of 32 elements.
    Tail = "tail of a block",
    /// Too large by one part in 10³ in single precision.
    Single = "f32 only",
    /// Only the fast kernel is too large, by one part in 10⁴.
    Swept = "swept only",
    /// Only the recorded rule is too large, by one part in 10⁴.
    Recorded = "recorded only",
    /// The inputs are constants in the recorded rule.
    DetachedInputs = "second order: inputs cut",
    /// The cotangent is a constant in the recorded rule.
    DetachedCotangent = "second order: cotangent cut",
    /// The derivative of the recorded rule is too large by one part in 10³.
    SecondOrder = "second order: factor 1.001",
    /// Every second sweep is wrong.
    Stale = "stale state",
    /// The value changes from one evaluation to the next.
    Random = "value not deterministic",
    /// The value is wrong for inputs that are not in row-major order.
    StridedValue = "value, strided input",
    /// The value is too large by one part in 10³ in single precision.
    SingleValue = "value, f32 only",
}

/// The result of a mutation of an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The case with this seed failed.
    Caught(u64),
    /// It changed numbers, but no case failed.
    Survived,
    /// It changed no number in any case, or only what the op is not checked for.
    NoEffect,
}

/// Runs the suite on an op once for each mutation, on up to `cases` cases drawn from `seed`, until one fails.
///
/// ```
/// use wengert_tape::gradcheck::mutants::{self, Fate, Mutation};
/// let table = wengert_tape::rules::table();
/// let tanh = table.iter().find(|spec| spec.name == "tanh").unwrap();
/// let fates = mutants::run(tanh, &[Mutation::Sign, Mutation::Recorded, Mutation::DropsLast], 0, 10);
/// assert!(matches!(fates[..], [Fate::Caught(_), Fate::Caught(_), Fate::NoEffect]));
/// ```
pub fn run(spec: &Spec, mutations: &[Mutation], seed: u64, cases: usize) -> Vec<Fate> {
    mutations.iter().map(|mutation| fate(spec, *mutation, seed, cases)).collect()
}

fn fate(spec: &Spec, mutation: Mutation, seed: u64, cases: usize) -> Fate {
    if mutation.is_of_second_order() && spec.order == Order::FirstOnly {
        return Fate::NoEffect;
    }
    let acted = Arc::new(AtomicBool::new(false));
    for seed in (0..cases as u64).map(|i| seed.wrapping_add(i)) {
        let (case, g) = spec.draw(seed);
        if !mutation.concerns(&case, g.kind) {
            continue;
        }
        let Ok(wrong) = wrap(case, mutation, &acted) else { continue };
        let mut report = Report::named(spec.name);
        suite::properties(spec, &wrong, g.kind, seed, None, &mut report, &mut None);
        if !report.passed() && acted.load(Ordering::Relaxed) {
            return Fate::Caught(seed);
        }
    }
    if acted.load(Ordering::Relaxed) { Fate::Survived } else { Fate::NoEffect }
}

impl Mutation {
    /// Whether only the second order is wrong, which an op may [leave out](Order::FirstOnly).
    fn is_of_second_order(self) -> bool {
        matches!(self, Mutation::DetachedInputs | Mutation::DetachedCotangent | Mutation::SecondOrder)
    }

    /// Whether the mutation can have an effect in a case; other cases are not evaluated.
    fn concerns(self, case: &Case, kind: Kind) -> bool {
        use Mutation::{
            BroadcastMean, ConstantInput, DropsFirst, DropsLast, Large, Single, SingleValue, StridedInput,
            StridedValue, Swapped, Tail,
        };
        let most = case.inputs.iter().map(Tensor::numel).max().unwrap_or(0);
        let some = |f: fn(f64) -> bool| case.inputs.iter().any(|x| x.to_vec().into_iter().any(f));
        match self {
            DropsFirst | DropsLast | Swapped | BroadcastMean | ConstantInput => case.inputs.len() > 1,
            StridedInput | StridedValue => case.inputs.iter().any(|x| !x.is_contiguous()),
            Large => most > 64,
            Tail => most > 32,
            Single | SingleValue => matches!(kind, Kind::Scaled | Kind::Usual | Kind::Large) && most > 0,
            Mutation::Negative => some(|x| x < 0.0),
            Mutation::Far => some(|x| x.abs() > 3.0),
            Mutation::Near => some(near),
            Mutation::Huge => some(|x| x.abs() > 50.0),
            Mutation::NanAtPoints => some(special),
            _ => most > 0,
        }
    }
}

fn near(x: f64) -> bool {
    x != 0.0 && x.abs() < 1e-3
}

fn special(x: f64) -> bool {
    x == 0.0 || x.abs() == 1.0
}

/// The case with a wrong op instead of the call.
fn wrap(case: Case, mutation: Mutation, acted: &Arc<AtomicBool>) -> Result<Case> {
    fn outputs<T: Float>(call: &Run<T>, inputs: &[Tensor<f64>]) -> usize {
        let tape = Tape::eval();
        let x: Vec<_> = inputs.iter().map(|t| tape.constant(t.cast::<T>())).collect();
        call(&x).len()
    }
    fn op<T: Float>(
        call: Run<T>,
        mutation: Mutation,
        inputs: &[Tensor<f64>],
        acted: &Arc<AtomicBool>,
    ) -> Run<T> {
        let outputs = outputs(&call, inputs);
        let calls = Arc::new(AtomicUsize::new(0));
        let wrong = Wrong { call: Arc::new(call), mutation, outputs, acted: Arc::clone(acted), calls };
        Box::new(move |x| {
            x.first().map_or(Vec::new(), |first| first.tape().apply_many(wrong.clone(), x, outputs))
        })
    }
    Ok(Case {
        double: case.double.map(|call| op(call, mutation, &case.inputs, acted)),
        single: case.single.map(|call| op(call, mutation, &case.inputs, acted)),
        ..case
    })
}

/// A call as an op whose gradient is that of the call, changed by a mutation.
struct Wrong<T: Float> {
    call: Arc<Run<T>>,
    mutation: Mutation,
    outputs: usize,
    acted: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

impl<T: Float> Clone for Wrong<T> {
    fn clone(&self) -> Self {
        Wrong {
            call: Arc::clone(&self.call),
            mutation: self.mutation,
            outputs: self.outputs,
            acted: Arc::clone(&self.acted),
            calls: Arc::clone(&self.calls),
        }
    }
}

/// What a wrong rule reads.
struct Situation<'a, T: Float> {
    x: &'a [Tensor<T>],
    cotangents: &'a [Option<Tensor<T>>],
    needs: &'a [bool],
    recorded: bool,
    call: usize,
}

impl<T: Float> Wrong<T> {
    fn act(&self) {
        self.acted.store(true, Ordering::Relaxed);
    }

    /// The factors of the gradient of input `i`, element by element.
    fn factors(&self, i: usize, g: &Tensor<T>, at: &Situation<'_, T>) -> Option<Vec<f64>> {
        use Mutation as M;
        let x: Vec<f64> = at.x[i].to_vec().into_iter().map(T::to_f64).collect();
        let n = x.len();
        let all = |factor: f64| Some(vec![factor; n]);
        let only = |wrong: &dyn Fn(usize) -> bool, factor: f64| {
            Some((0..n).map(|k| if wrong(k) { factor } else { 1.0 }).collect())
        };
        let when = |holds: bool, factor: f64| if holds { all(factor) } else { None };
        let values = || g.to_vec().into_iter().map(T::to_f64);
        let single = TypeId::of::<T>() == TypeId::of::<f32>();
        let given = at.cotangents.iter().flatten();
        match self.mutation {
            M::Sign => all(-1.0),
            M::Factor => all(1.0 + 1e-4),
            M::Doubled => all(2.0),
            M::Zero => all(0.0),
            M::Absolute => Some(values().map(|g| if g < 0.0 { -1.0 } else { 1.0 }).collect()),
            M::Clipped => Some(values().map(|g| if g.abs() > 0.01 { 0.01 / g.abs() } else { 1.0 }).collect()),
            M::DropsFirst => when(i == 0, 0.0),
            M::DropsLast => when(i + 1 == at.x.len(), 0.0),
            M::BroadcastMean => {
                let y = given.clone().map(Tensor::numel).max().unwrap_or(0);
                when(n > 0 && n < y && y % n == 0, n as f64 / y.max(1) as f64)
            }
            M::LastSlice => {
                let rows = at.x[i].shape().first().copied().unwrap_or(0);
                let row = n.checked_div(rows).unwrap_or(0);
                only(&|k| rows > 1 && k >= n - row, 1.5)
            }
            M::LastElement => only(&|k| k + 1 == n, 1.0 + 1e-3),
            M::Negative => only(&|k| x[k] < 0.0, 1.5),
            M::Far => only(&|k| x[k].abs() > 3.0, 1.5),
            M::Near => only(&|k| near(x[k]), 1.5),
            M::Huge => only(&|k| x[k].abs() > 50.0, 1.5),
            M::NanAtPoints => only(&|k| special(x[k]), f64::NAN),
            M::Infinite => only(&|k| k + 1 == n, f64::INFINITY),
            M::StridedInput => when(!at.x[i].is_contiguous(), 1.5),
            M::StridedCotangent => when(given.clone().any(|g| !g.is_contiguous()), 1.5),
            M::ExpandedCotangent => {
                let expanded =
                    |g: &Tensor<T>| g.strides().iter().zip(&g.shape()[..]).any(|(s, d)| *s == 0 && *d > 1);
                when(given.clone().any(expanded), 1.5)
            }
            M::ConstantInput => when(at.needs.iter().any(|n| !n), 1.5),
            M::SomeOutputs => when(at.cotangents.iter().any(Option::is_none), 1.5),
            M::Large => only(&|k| k >= 64, 1.5),
            M::Tail => only(&|k| n > 32 && k >= n - n % 32, 1.5),
            M::Single => when(single, 1.0 + 1e-3),
            M::Swept => when(!at.recorded, 1.0 + 1e-4),
            M::Recorded => when(at.recorded, 1.0 + 1e-4),
            M::Stale => when(at.call % 2 == 1, 1.5),
            _ => None,
        }
    }

    /// Moves elements of gradients, by operations that both tensors and values of a tape have.
    fn rearranged(&self, shapes: &[Vec<usize>]) -> Option<Rearranged> {
        match self.mutation {
            Mutation::Swapped => {
                let pairs = (0..shapes.len()).flat_map(|i| (i + 1..shapes.len()).map(move |j| (i, j)));
                pairs.into_iter().find(|(i, j)| shapes[*i] == shapes[*j]).map(|(i, j)| Rearranged::Swap(i, j))
            }
            Mutation::Reversed => Some(Rearranged::Reverse),
            Mutation::Transposed => Some(Rearranged::Transpose),
            _ => None,
        }
    }

    /// Notes whether the mutation changed the numbers enough to be noticeable among the others.
    fn note(&self, before: &[Option<Tensor<T>>], after: &[Option<Tensor<T>>]) {
        let numbers = |t: &Tensor<T>| t.to_vec().into_iter().map(T::to_f64).collect::<Vec<_>>();
        let differ = |a: &Tensor<T>, b: &Tensor<T>| {
            let (a, b) = (numbers(a), numbers(b));
            let size = a.iter().filter(|a| a.is_finite()).fold(0.0f64, |m, a| m.max(a.abs()));
            let seen = |(a, b): (&f64, &f64)| {
                let same = a == b || (a.is_nan() && b.is_nan());
                let far = (a - b).abs() > (1e-5 * size).max(1e-12);
                !same && (far || !b.is_finite() || self.mutation == Mutation::Random)
            };
            a.iter().zip(&b).any(seen)
        };
        if before.iter().flatten().zip(after.iter().flatten()).any(|(a, b)| differ(a, b)) {
            self.act();
        }
    }
}

#[derive(Clone, Copy)]
enum Rearranged {
    Swap(usize, usize),
    Reverse,
    Transpose,
}

fn is_square(shape: &[usize]) -> bool {
    matches!(shape, [.., a, b] if a == b)
}

impl<T: Float> Op<T> for Wrong<T> {
    fn name(&self) -> &'static str {
        "mutant"
    }

    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let plain = |e: Error| {
            let kind = match e.kind() {
                ErrorKind::Op(kind) => kind,
                _ => wengert_ops::ErrorKind::Argument,
            };
            wengert_ops::Error::new(e.op(), kind, e.detail())
        };
        let tape = Tape::eval();
        let inputs: Vec<_> = x.iter().map(|t| tape.constant(*t)).collect();
        let mut y =
            (self.call)(&inputs).iter().map(|y| y.value()).collect::<Result<Vec<_>>>().map_err(plain)?;
        let single = TypeId::of::<T>() == TypeId::of::<f32>();
        let factor = match self.mutation {
            Mutation::Random => 1.0 + 1e-9 * self.calls.fetch_add(1, Ordering::Relaxed) as f64,
            Mutation::StridedValue if x.iter().any(|x| !x.is_contiguous()) => 1.5,
            Mutation::SingleValue if single => 1.0 + 1e-3,
            _ => 1.0,
        };
        if factor != 1.0 {
            let before: Vec<_> = y.iter().cloned().map(Some).collect();
            y = y.iter().map(|y| y.scale(factor)).collect();
            self.note(&before, &y.iter().cloned().map(Some).collect::<Vec<_>>());
        }
        Ok(y.into())
    }

    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let sweep = || -> Result<Cotangents<Tensor<T>>> {
            let tape = Tape::new();
            let values: Vec<_> = (0..r.inputs()).map(|i| r.x(i).cloned()).collect::<Result<_>>()?;
            let needs: Vec<_> = (0..r.inputs()).map(|i| r.needs(i)).collect();
            let leaf = |(x, n): (&Tensor<T>, &bool)| if *n { tape.var(x) } else { tape.constant(x) };
            let x: Vec<_> = values.iter().zip(&needs).map(leaf).collect();
            let y = (self.call)(&x);
            let seeds = y.into_iter().zip(r.cotangents()).filter_map(|(y, g)| Some((y, g.clone()?)));
            let seeds: Vec<_> = seeds.filter(|(y, _)| y.kind().1).collect();
            let grads = tape.swept(&seeds, RetainGraph::Nothing, None)?;
            let mut right = Vec::new();
            for (x, needed) in x.iter().zip(&needs) {
                right.push(match grads.wrt(*x) {
                    _ if !needed => None,
                    Err(e) if e.kind() == ErrorKind::Unreached => {
                        Some(Tensor::try_full(x.raw_shape(), T::ZERO)?)
                    }
                    g => Some(g?),
                });
            }
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let at =
                Situation { x: &values, cotangents: r.cotangents(), needs: &needs, recorded: false, call };
            let mut wrong = right.clone();
            for (i, g) in wrong.iter_mut().enumerate() {
                let Some(g) = g else { continue };
                if let Some(factors) = self.factors(i, g, &at) {
                    let factors =
                        Tensor::from_vec(factors.into_iter().map(T::from_f64).collect(), g.shape())?;
                    *g = g.mul(&factors)?;
                }
                if self.mutation == Mutation::Offset {
                    *g = g.add(Tensor::full_like(g, T::from_f64(1e-3)))?;
                }
            }
            let shapes: Vec<_> = values.iter().map(|x| x.shape().to_vec()).collect();
            match self.rearranged(&shapes) {
                Some(Rearranged::Swap(i, j)) if needs[i] && needs[j] => wrong.swap(i, j),
                Some(Rearranged::Reverse) => {
                    for g in wrong.iter_mut().flatten().filter(|g| g.rank() > 0) {
                        *g = g.slice(-1, Slice::all().step(-1))?;
                    }
                }
                Some(Rearranged::Transpose) => {
                    for g in wrong.iter_mut().flatten().filter(|g| is_square(g.shape())) {
                        *g = g.transpose(-1, -2)?;
                    }
                }
                _ => {}
            }
            self.note(&right, &wrong);
            Ok(wrong.into_iter().collect())
        };
        Some(sweep())
    }

    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let tape = r.y().tape();
        self.recorded(tape, &r).unwrap_or_else(|e| {
            let failed = tape.failed(e);
            (0..r.inputs().len()).map(|_| Some(failed)).collect()
        })
    }
}

impl<T: Float> Wrong<T> {
    /// The gradients of the call with respect to inputs that may be detached from those of the op.
    fn pulled_back<'s>(
        &self,
        tape: &'s Tape<T>,
        r: &VjpContext<'_, 's, T>,
        cut: bool,
        cotangent: impl Fn(Var<'s, T>) -> Var<'s, T>,
    ) -> Result<Vec<Option<Var<'s, T>>>> {
        let needs: Vec<_> = (0..r.inputs().len()).map(|i| r.needs(i)).collect();
        let mut x = Vec::new();
        for (v, needed) in r.inputs().iter().zip(&needs) {
            x.push(match (needed, cut) {
                (true, true) => tape.var(v.value()?),
                (true, false) => *v,
                (false, _) => v.detach(),
            });
        }
        let y = (self.call)(&x);
        let pairs = y.into_iter().zip(r.cotangents()).filter_map(|(y, g)| Some((y, cotangent((*g)?))));
        let pairs: Vec<_> = pairs.filter(|(y, _)| y.kind().1).collect();
        let wanted: Vec<_> = x.iter().zip(&needs).filter(|(_, n)| **n).map(|(x, _)| *x).collect();
        let mut gradients = tape.grad(&pairs, &wanted)?.into_iter();
        Ok(needs.iter().map(|n| if *n { gradients.next() } else { None }).collect())
    }

    fn recorded<'s>(&self, tape: &'s Tape<T>, r: &VjpContext<'_, 's, T>) -> Result<Cotangents<Var<'s, T>>> {
        let cut = self.mutation == Mutation::DetachedInputs;
        let blind = self.mutation == Mutation::DetachedCotangent;
        let right = self.pulled_back(tape, r, cut, |g| if blind { g.detach() } else { g })?;
        let values = |of: &[Option<Var<'s, T>>]| {
            of.iter().map(|g| g.map(|g| g.value()).transpose()).collect::<Result<Vec<_>>>()
        };
        let before = values(&right)?;
        if blind && before.iter().flatten().any(|g| g.to_vec().iter().any(|v| *v != T::ZERO)) {
            self.act();
        }
        let mut wrong = right.clone();
        if matches!(self.mutation, Mutation::SecondOrder | Mutation::DetachedInputs) {
            // Whether there is a second derivative at all.
            let apart = self.pulled_back(tape, r, false, |g| g)?;
            let seeds = apart.iter().flatten().filter(|g| g.kind().1).map(|g| (*g, g.ones_like()));
            let inputs = r.inputs().iter().enumerate().filter(|(i, _)| r.needs(*i)).map(|(_, x)| *x);
            for h in tape.grad(&seeds.collect::<Vec<_>>(), &inputs.collect::<Vec<_>>())? {
                if h.value()?.to_vec().iter().any(|v| v.to_f64().abs() > 1e-9) {
                    self.act();
                }
            }
        }
        if self.mutation == Mutation::SecondOrder {
            // The same value, but its dependence on the inputs is a thousandth larger.
            let constant = self.pulled_back(tape, r, true, |g| g)?;
            for (g, c) in wrong.iter_mut().zip(constant) {
                if let (Some(g), Some(c)) = (g, c) {
                    *g = *g + (*g - c) * 1e-3;
                }
            }
        }
        let x = r.inputs().iter().map(|x| x.value()).collect::<Result<Vec<_>>>()?;
        let cotangents = values(r.cotangents())?;
        let needs: Vec<_> = (0..x.len()).map(|i| r.needs(i)).collect();
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let at = Situation { x: &x, cotangents: &cotangents, needs: &needs, recorded: true, call };
        for (i, (g, value)) in wrong.iter_mut().zip(&before).enumerate() {
            let (Some(g), Some(value)) = (g, value) else { continue };
            if let Some(factors) = self.factors(i, value, &at) {
                let factors = factors.into_iter().map(T::from_f64).collect();
                *g *= tape.constant(Tensor::from_vec(factors, value.shape()));
            }
            if self.mutation == Mutation::Offset {
                *g += 1e-3;
            }
        }
        let shapes: Vec<_> = x.iter().map(|x| x.shape().to_vec()).collect();
        match self.rearranged(&shapes) {
            Some(Rearranged::Swap(i, j)) if needs[i] && needs[j] => wrong.swap(i, j),
            Some(Rearranged::Reverse) => {
                for g in wrong.iter_mut().flatten().filter(|g| g.rank() > 0) {
                    *g = g.slice(-1, Slice::all().step(-1));
                }
            }
            Some(Rearranged::Transpose) => {
                for g in wrong.iter_mut().flatten().filter(|g| is_square(&g.raw_shape())) {
                    *g = g.t();
                }
            }
            _ => {}
        }
        self.note(&before, &values(&wrong)?);
        Ok(wrong.into_iter().collect())
    }
}
