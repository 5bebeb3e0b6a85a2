//! [`Expr`]: the number with which a closure is traced.

use super::Formula;
use crate::number::{Float, Real};
use crate::number::{Pointwise, Pointwise2, Value, Value2};
use crate::rules::scalar::{AddScalar, DivScalar, MulScalar, RDivScalar, RSubScalar};
use crate::term::Term;
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::Arc;
use wengert_ops::kernel::pointwise::{Elementwise, SliceKernel};

/// A number inside a formula: an input, a constant, or something computed from them.
///
/// Arithmetic with other `Expr`s and with `f64` works as with numbers; [`Elementary`](super::Elementary) has the
/// functions, [`select`](Expr::select) the branches. An `Expr` has no value: the closure that gets it runs once,
/// whatever the number of elements.
pub struct Expr<'e, T: Float> {
    trace: &'e Trace<T>,
    id: u32,
}

impl<T: Float> Clone for Expr<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T: Float> Copy for Expr<'_, T> {}

/// The steps so far.
pub(super) struct Trace<T: Float> {
    steps: RefCell<Vec<Step<T>>>,
}

/// One step of a formula; operands are numbers of earlier steps.
pub(super) enum Step<T: Float> {
    Input(usize),
    Constant(T),
    Unary(Arc<dyn Unary<T>>, u32),
    Binary(Arc<dyn Binary<T>>, [u32; 2]),
    /// Arithmetic, whose derivatives need no function.
    Arithmetic(Arithmetic, [u32; 2]),
    /// 1 if the comparison holds, otherwise 0.
    Compare(Comparison, [u32; 2]),
    /// The second if the first is not 0, otherwise the third.
    Select([u32; 3]),
}

impl<T: Float> Clone for Step<T> {
    fn clone(&self) -> Self {
        match self {
            Step::Input(i) => Step::Input(*i),
            Step::Constant(c) => Step::Constant(*c),
            Step::Unary(p, x) => Step::Unary(Arc::clone(p), *x),
            Step::Binary(p, x) => Step::Binary(Arc::clone(p), *x),
            Step::Arithmetic(op, x) => Step::Arithmetic(*op, *x),
            Step::Compare(c, x) => Step::Compare(*c, *x),
            Step::Select(x) => Step::Select(*x),
        }
    }
}

impl<T: Float> Step<T> {
    /// The steps that this one reads.
    pub(super) fn operands(&self) -> &[u32] {
        match self {
            Step::Input(_) | Step::Constant(_) => &[],
            Step::Unary(_, x) => std::slice::from_ref(x),
            Step::Binary(_, x) | Step::Arithmetic(_, x) | Step::Compare(_, x) => x,
            Step::Select(x) => x,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
}

/// A function of one number without its type: its loop, and its derivative in another formula.
pub(super) trait Unary<T: Float>: Send + Sync {
    fn loops(&self) -> &dyn SliceKernel<1, T, T>;
    fn written(&self, x: Term) -> Term;
    fn slope<'e>(&self, x: Expr<'e, T>, y: Expr<'e, T>) -> Expr<'e, T>;
}

impl<T: Float, P: Pointwise> Unary<T> for Elementwise<Value<P>> {
    fn loops(&self) -> &dyn SliceKernel<1, T, T> {
        self
    }
    fn written(&self, x: Term) -> Term {
        self.0.0.written(x)
    }
    fn slope<'e>(&self, x: Expr<'e, T>, y: Expr<'e, T>) -> Expr<'e, T> {
        self.0.0.df(x, y)
    }
}

/// A function of two numbers without its type.
pub(super) trait Binary<T: Float>: Send + Sync {
    fn loops(&self) -> &dyn SliceKernel<2, T, T>;
    fn written(&self, a: Term, b: Term) -> Term;
    fn slopes<'e>(&self, a: Expr<'e, T>, b: Expr<'e, T>, y: Expr<'e, T>) -> [Expr<'e, T>; 2];
}

impl<T: Float, P: Pointwise2> Binary<T> for Elementwise<Value2<P>> {
    fn loops(&self) -> &dyn SliceKernel<2, T, T> {
        self
    }
    fn written(&self, a: Term, b: Term) -> Term {
        self.0.0.written(a, b)
    }
    fn slopes<'e>(&self, a: Expr<'e, T>, b: Expr<'e, T>, y: Expr<'e, T>) -> [Expr<'e, T>; 2] {
        [self.0.0.da(a, b, y), self.0.0.db(a, b, y)]
    }
}

impl<T: Float> Formula<T> {
    /// The formula of a closure of `N` numbers.
    pub(crate) fn trace<const N: usize>(f: impl for<'e> Fn([Expr<'e, T>; N]) -> Expr<'e, T>) -> Self {
        let trace = Trace { steps: RefCell::new((0..N).map(Step::Input).collect()) };
        let output = f(std::array::from_fn(|i| Expr { trace: &trace, id: i as u32 })).id;
        Formula::new(N, trace.steps.into_inner(), output)
    }
}

impl<T: Float> Formula<T> {
    /// The formula in written form with these inputs; `None` if it is too long to be read. (A step that is computed
    /// once and used twice is written twice, so the length may double with every step.)
    pub(crate) fn term(&self, inputs: &[Term]) -> Option<Term> {
        const LONGEST: usize = 500;
        let mut all: Vec<Term> = Vec::with_capacity(self.steps.len());
        let mut lengths: Vec<usize> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let length = 1 + step.operands().iter().map(|&i| lengths[i as usize]).sum::<usize>();
            if length > LONGEST {
                return None;
            }
            lengths.push(length);
            let at = |i: &u32| all[*i as usize].clone();
            let term = match step {
                Step::Input(i) => inputs[*i].clone(),
                Step::Constant(c) => Term::Number(c.to_f64()),
                Step::Unary(p, x) => p.written(at(x)),
                Step::Binary(p, [a, b]) => p.written(at(a), at(b)),
                Step::Arithmetic(op, [a, b]) => match op {
                    Arithmetic::Add => at(a).plus(at(b)),
                    Arithmetic::Sub => at(a).minus(at(b)),
                    Arithmetic::Mul => at(a).times(at(b)),
                    Arithmetic::Div => at(a).over(at(b)),
                },
                Step::Compare(c, [a, b]) => {
                    let sign = match c {
                        Comparison::Less => "<",
                        Comparison::LessOrEqual => "≤",
                        Comparison::Equal => "=",
                    };
                    Term::Compare(sign, Box::new(at(a)), Box::new(at(b)))
                }
                Step::Select([c, a, b]) => Term::Select(Box::new(at(c)), Box::new(at(a)), Box::new(at(b))),
            };
            all.push(term);
        }
        Some(all.swap_remove(self.output as usize))
    }
}

/// Steps that continue those of a formula: its derivative is appended to them.
pub(super) fn continued<T: Float>(
    steps: &[Step<T>],
    more: impl for<'e> FnOnce(&dyn Fn(u32) -> Expr<'e, T>) -> Expr<'e, T>,
) -> (Vec<Step<T>>, u32) {
    let trace = Trace { steps: RefCell::new(steps.to_vec()) };
    let output = more(&|id| Expr { trace: &trace, id }).id;
    (trace.steps.into_inner(), output)
}

impl<'e, T: Float> Expr<'e, T> {
    pub(super) fn push(self, step: Step<T>) -> Self {
        let mut steps = self.trace.steps.borrow_mut();
        steps.push(step);
        Expr { trace: self.trace, id: (steps.len() - 1) as u32 }
    }

    pub(super) fn id(self) -> u32 {
        self.id
    }

    fn is_one(self) -> bool {
        matches!(self.trace.steps.borrow()[self.id as usize], Step::Constant(c) if c == T::ONE)
    }

    fn arithmetic(self, op: Arithmetic, o: Self) -> Self {
        self.push(Step::Arithmetic(op, [self.id, o.id]))
    }

    fn compare(self, c: Comparison, o: Self) -> Condition<'e, T> {
        Condition(self.push(Step::Compare(c, [self.id, o.id])))
    }

    /// `yes` if the condition holds, otherwise `no`. The branch that is not taken has no influence on the value or on
    /// any derivative, even if it is NaN or infinite.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Elementary, Expr, Real, Tape};
    /// let tape = Tape::new();
    /// let x = tape.var(Tensor::from([-4.0, 0.0, 4.0]));
    /// let y = x.map(|s| Expr::select(s.less(0.0), -s, s.sqrt()));
    /// assert_eq!(y.value()?.to_vec(), [4.0, 0.0, 2.0]);
    /// assert_eq!(y.sum().backward()?.wrt(x)?.to_vec(), [-1.0, f64::INFINITY, 0.25]);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    pub fn select(condition: Condition<'e, T>, yes: Self, no: Self) -> Self {
        condition.0.push(Step::Select([condition.0.id, yes.id, no.id]))
    }

    /// The condition that this is less than another number.
    pub fn less(self, o: impl Into<Bound<'e, T>>) -> Condition<'e, T> {
        let o = self.bound(o.into());
        self.compare(Comparison::Less, o)
    }

    /// The condition that this is greater than another number.
    pub fn greater(self, o: impl Into<Bound<'e, T>>) -> Condition<'e, T> {
        self.bound(o.into()).compare(Comparison::Less, self)
    }

    fn bound(self, o: Bound<'e, T>) -> Self {
        match o {
            Bound::Number(c) => self.like(c),
            Bound::Expr(e) => e,
        }
    }
}

/// What an [`Expr`] can be compared with: another `Expr`, or a number.
pub enum Bound<'e, T: Float> {
    /// A number.
    Number(f64),
    /// An expression.
    Expr(Expr<'e, T>),
}

impl<T: Float> From<f64> for Bound<'_, T> {
    fn from(c: f64) -> Self {
        Bound::Number(c)
    }
}

impl<'e, T: Float> From<Expr<'e, T>> for Bound<'e, T> {
    fn from(e: Expr<'e, T>) -> Self {
        Bound::Expr(e)
    }
}

/// The result of a comparison inside a formula.
#[derive(Clone, Copy)]
pub struct Condition<'e, T: Float>(Expr<'e, T>);

macro_rules! operator {
    ($($trait:ident $method:ident, |$x:ident, $c:ident| $right:expr, $left:path;)*) => {$(
        impl<'e, T: Float> $trait for Expr<'e, T> {
            type Output = Self;
            fn $method(self, o: Self) -> Self {
                match Arithmetic::$trait {
                    // Derivatives contain many factors of 1.
                    Arithmetic::Mul if self.is_one() => o,
                    Arithmetic::Mul | Arithmetic::Div if o.is_one() => self,
                    op => self.arithmetic(op, o),
                }
            }
        }
        impl<'e, T: Float> $trait<f64> for Expr<'e, T> {
            type Output = Self;
            fn $method(self, $c: f64) -> Self {
                let $x = self;
                $right
            }
        }
        impl<'e, T: Float> $trait<Expr<'e, T>> for f64 {
            type Output = Expr<'e, T>;
            fn $method(self, o: Expr<'e, T>) -> Expr<'e, T> {
                o.apply($left(self))
            }
        }
    )*};
}
operator! {
    Add add, |x, c| x.apply(AddScalar(c)), AddScalar;
    Sub sub, |x, c| x.apply(AddScalar(-c)), RSubScalar;
    Mul mul, |x, c| x.scale(c), MulScalar;
    Div div, |x, c| x.apply(DivScalar(c)), RDivScalar;
}

impl<T: Float> Neg for Expr<'_, T> {
    type Output = Self;
    fn neg(self) -> Self {
        self.apply(crate::rules::neg::Negate)
    }
}

impl<'e, T: Float> Real for Expr<'e, T> {
    type Mask = Condition<'e, T>;

    fn like(self, c: f64) -> Self {
        self.push(Step::Constant(T::from_f64(c)))
    }
    fn scale(self, c: f64) -> Self {
        if c == 1.0 { self } else { self.apply(MulScalar(c)) }
    }
    fn apply<P: Pointwise>(self, p: P) -> Self {
        self.push(Step::Unary(Arc::new(Elementwise(Value(p))), self.id))
    }
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        self.push(Step::Binary(Arc::new(Elementwise(Value2(p))), [self.id, o.id]))
    }
    fn lt(self, o: Self) -> Condition<'e, T> {
        self.compare(Comparison::Less, o)
    }
    fn le(self, o: Self) -> Condition<'e, T> {
        self.compare(Comparison::LessOrEqual, o)
    }
    fn equals(self, o: Self) -> Condition<'e, T> {
        self.compare(Comparison::Equal, o)
    }
    fn select(mask: Condition<'e, T>, yes: Self, no: Self) -> Self {
        Expr::select(mask, yes, no)
    }
}
