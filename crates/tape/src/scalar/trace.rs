//! [`Traced`]: numbers with which a tape records every operation, so that it can be shown step by step.
//!
//! The tape gives every result to its number type, in [`Number::note`], with a closure that describes the operation.
//! For every type but `Traced` this does nothing, and the compiler removes it. For `Traced`, the result becomes a node
//! of its own, so that its cotangent can be read, and a line is added to the tape's log.

use super::number::Number;
use super::tape::Tape;
use super::var::{NOWHERE, Stands, Var};
use crate::number::{Float, Real};
use crate::number::{Pointwise, Pointwise2};
use crate::term::{Equation, Term};
use std::cmp::Ordering;
use std::fmt;
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::panic::Location;
use std::sync::Arc;

/// A number with which a tape traces: every operation is a node with its name, its operands, its local derivatives, its
/// equation and the line of the program. Nothing is fused or carried in a handle.
///
/// Any program over [`Number`] or [`Real`] runs on it. Values and gradients are the same as without it, up to rounding;
/// time and memory are not: a line takes about a hundred bytes.
///
/// ```
/// use wengert_tape::Elementary;
/// use wengert_tape::scalar::{Number, Tape, Traced, Var};
///
/// fn neuron<'t, T: Number>(w: Var<'t, T>, x: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
///     let z = (w * x + b).named("z");                     // costs nothing where nothing is traced
///     z.tanh()
/// }
///
/// let tape = Tape::<Traced>::default();
/// let [w, x, b] = [2.0, -1.0, 0.5].map(|c| tape.var(Traced(c)));
/// let y = neuron(w.named("w"), x.named("x"), b.named("b"));
///
/// let nodes = tape.nodes();
/// assert_eq!(nodes.iter().filter_map(|n| n.op).collect::<Vec<_>>(), ["mul", "add", "tanh"]);
/// assert_eq!((nodes[4].name.as_deref(), &nodes[4].inputs[..]), (Some("z"), &[3, 2][..]));
/// assert_eq!(nodes[5].equation.as_ref().unwrap().slopes[0].text(&["z"], "y"), "1 - y²");
/// assert_eq!(tape.gradient(y)?.wrt(y)?, 1.0);             // every value is a node
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Traced<T = f64>(pub T);

/// A node of a tape that traces.
#[derive(Debug, Clone)]
pub struct NodeInfo<T: Float> {
    /// The name of its operation; `None` for a leaf.
    pub op: Option<&'static str>,
    /// The nodes that the operation read, by their positions in the list.
    pub inputs: Vec<usize>,
    /// The derivative with respect to each of them.
    pub slopes: Vec<T>,
    /// The value.
    pub value: T,
    /// The name that the user gave it; see [`Var::named`].
    pub name: Option<String>,
    /// The part of the program in which it was made; see [`Tape::module`].
    pub module: Option<String>,
    /// Whether it is a leaf without a derivative, made by [`Tape::constant`].
    pub is_constant: bool,
    /// The line of the user's program.
    pub location: &'static Location<'static>,
    /// The equation of the operation; `None` if it is not known, as for a [`block`](super::block).
    pub equation: Option<Equation>,
}

/// A line of the log: a [`NodeInfo`] whose inputs are still indices of the tape.
pub(super) struct Line<T> {
    index: u32,
    op: Option<&'static str>,
    inputs: Vec<u32>,
    slopes: Vec<T>,
    value: T,
    name: Option<String>,
    module: Option<Arc<str>>,
    is_constant: bool,
    location: &'static Location<'static>,
    equation: Option<Equation>,
}

/// The lines of the log and their state.
pub(super) struct Lines<T> {
    pub(super) all: Vec<Line<T>>,
    /// The path of the running part of the program.
    module: Option<Arc<str>>,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Lines { all: Vec::new(), module: None }
    }
}

impl<T> Lines<T> {
    /// Removes the lines of all nodes from an index on.
    pub(super) fn go_back(&mut self, index: u32) {
        while self.all.last().is_some_and(|line| line.index >= index) {
            self.all.pop();
        }
    }

    fn place(&self, index: u32) -> Option<usize> {
        self.all.binary_search_by_key(&index, |line| line.index).ok()
    }
}

/// How an operation is written with these operands.
type Written = Box<dyn FnOnce(&[Term]) -> Option<Equation>>;

/// The description of an operation for [`Number::note`].
pub struct Operation<'t, T: Number> {
    name: Option<&'static str>,
    operands: Vec<Var<'t, T>>,
    /// The derivatives with respect to the operands, unless the handle of the result has them.
    slopes: Option<Vec<T>>,
    written: Written,
}

impl<'t, T: Number> Operation<'t, T> {
    /// No operation: a variable, or a constant that is shown.
    pub(super) fn leaf() -> Self {
        Operation { name: None, operands: Vec::new(), slopes: None, written: Box::new(|_| None) }
    }

    pub(super) fn unary<P: Pointwise>(p: P, x: Var<'t, T>) -> Self {
        let written = move |x: &[Term]| crate::rules::pointwise::equation(&p, x[0].clone());
        Operation { name: Some(P::NAME), operands: vec![x], slopes: None, written: Box::new(written) }
    }

    pub(super) fn binary<P: Pointwise2>(p: P, a: Var<'t, T>, b: Var<'t, T>) -> Self {
        let written =
            move |x: &[Term]| crate::rules::pointwise::equation_of_two(&p, x[0].clone(), x[1].clone());
        Operation { name: Some(P::NAME), operands: vec![a, b], slopes: None, written: Box::new(written) }
    }

    /// a + b, or a - b.
    pub(super) fn sum_of_two(sign: f64, a: Var<'t, T>, b: Var<'t, T>) -> Self {
        let written = move |x: &[Term]| {
            let (a, b) = (x[0].clone(), x[1].clone());
            let value = if sign > 0.0 { a.plus(b) } else { a.minus(b) };
            Some(Equation { value, slopes: vec![Term::Number(1.0), Term::Number(sign)] })
        };
        let name = if sign > 0.0 { "add" } else { "sub" };
        Operation { name: Some(name), operands: vec![a, b], slopes: None, written: Box::new(written) }
    }

    /// Σ aᵢ bᵢ, plus the others.
    pub(super) fn products(
        name: &'static str,
        pairs: &[(Var<'t, T>, Var<'t, T>)],
        more: &[Var<'t, T>],
    ) -> Self {
        let mut operands: Vec<Var<'t, T>> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        let mut slopes: Vec<T> = pairs.iter().flat_map(|(a, b)| [b.value, a.value]).collect();
        operands.extend(more);
        slopes.resize(operands.len(), T::of(1.0));
        let paired = 2 * pairs.len();
        let written = move |x: &[Term]| {
            let (pairs, more) = x.split_at(paired);
            let products = pairs.chunks_exact(2).map(|p| p[0].clone().times(p[1].clone()));
            let value = products.chain(more.iter().cloned()).reduce(Term::plus)?;
            let slope = |i: usize| if i < paired { x[i ^ 1].clone() } else { Term::Number(1.0) };
            Some(Equation { value, slopes: (0..x.len()).map(slope).collect() })
        };
        Operation { name: Some(name), operands, slopes: Some(slopes), written: Box::new(written) }
    }

    /// Σ cᵢ xᵢ.
    pub(super) fn weighted(c: &[f64], x: &[Var<'t, T>]) -> Self {
        let slopes = c.iter().map(|&c| T::of(c)).collect();
        let c = c.to_vec();
        let written = move |x: &[Term]| {
            let terms = x.iter().zip(&c).map(|(x, &c)| x.clone().times(Term::Number(c)));
            let slopes = c.iter().map(|&c| Term::Number(c)).collect();
            Some(Equation { value: terms.reduce(Term::plus)?, slopes })
        };
        let (name, operands) = (Some("weighted_sum"), x.to_vec());
        Operation { name, operands, slopes: Some(slopes), written: Box::new(written) }
    }

    /// An operation of which only the derivatives are known.
    pub(super) fn opaque(name: &'static str, operands: &[Var<'t, T>], slopes: &[T]) -> Self {
        let slopes = Some(slopes.to_vec());
        Operation { name: Some(name), operands: operands.to_vec(), slopes, written: Box::new(|_| None) }
    }
}

impl<T: Number> Tape<T> {
    /// Runs a part of a program under a name. On a tape that traces ([`Traced`]), this is the module of the nodes that
    /// are made in it. Parts nest: the name of the outer part comes first, followed by a dot.
    ///
    /// ```
    /// use wengert_tape::scalar::{Tape, Traced};
    /// let tape = Tape::<Traced>::default();
    /// let x = tape.var(Traced(3.0));
    /// let y = tape.module("decoder", || tape.module("head", || x * x));
    /// assert_eq!(tape.nodes()[1].module.as_deref(), Some("decoder.head"));
    /// # assert_eq!(y.value(), 9.0);
    /// ```
    pub fn module<R>(&self, name: &str, f: impl FnOnce() -> R) -> R {
        if !T::TRACED {
            return f();
        }
        let outer = self.log.borrow().lines.module.clone();
        let path = outer.as_ref().map_or_else(|| name.into(), |outer| format!("{outer}.{name}").into());
        self.log.borrow_mut().lines.module = Some(path);
        let result = f();
        self.log.borrow_mut().lines.module = outer;
        result
    }

    /// Makes a node of a result, and records its operation.
    fn note<'t>(
        &'t self,
        y: Var<'t, T>,
        at: &'static Location<'static>,
        op: Operation<'t, T>,
        number: fn(T) -> f64,
    ) -> Var<'t, T> {
        let active = |x: &&Var<'t, T>| x.index() != NOWHERE;
        let slopes = match op.slopes {
            Some(all) => all,
            // Two active operands have made a record; one active operand is in the handle.
            None if op.operands.iter().filter(active).count() == 2 => {
                let (_, records) = self.records.slice_ending(self.records.len());
                records.last().map_or_else(Vec::new, |r| vec![r.da, r.db])
            }
            None => vec![y.partial; op.operands.len()],
        };
        let y = y.keep();
        let mut count = 0;
        let terms = op.operands.iter().map(|x| {
            if x.index() == NOWHERE {
                return Term::Number(number(x.value));
            }
            count += 1;
            Term::Input(count - 1)
        });
        let terms: Vec<Term> = terms.collect();
        let keep = |i: usize| op.operands[i].index() != NOWHERE;
        let equation = (op.written)(&terms).map(|e| Equation {
            slopes: e.slopes.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, s)| s).collect(),
            ..e
        });
        let mut log = self.log.borrow_mut();
        let line = Line {
            index: y.index(),
            op: op.name,
            inputs: op.operands.iter().filter(active).map(|x| x.index()).collect(),
            slopes: slopes.into_iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, s)| s).collect(),
            value: y.value,
            name: None,
            module: log.lines.module.clone(),
            is_constant: y.stands() == Stands::ForConstant,
            location: at,
            equation,
        };
        log.lines.all.push(line);
        y
    }
}

impl<T: Float + Number> Tape<Traced<T>> {
    /// Every node, from the first to the last.
    ///
    /// ```
    /// use wengert_tape::scalar::{Tape, Traced};
    /// let tape = Tape::<Traced>::default();
    /// let x = tape.var(Traced(3.0)).named("x");
    /// let y = x * x * 0.5;
    /// let nodes = tape.nodes();
    /// assert_eq!((nodes.len(), nodes[1].op, nodes[2].value), (3, Some("mul"), 4.5));
    /// assert_eq!((nodes[1].inputs.clone(), nodes[1].slopes.clone()), (vec![0, 0], vec![3.0, 3.0]));
    /// assert_eq!(nodes[2].equation.as_ref().unwrap().value.text(&["v"], "y"), "0.5 · v");
    /// assert!(nodes[2].location.file().ends_with(".rs"));
    /// # let _ = y;
    /// ```
    pub fn nodes(&self) -> Vec<NodeInfo<T>> {
        let log = self.log.borrow();
        let info = |line: &Line<Traced<T>>| NodeInfo {
            op: line.op,
            inputs: line.inputs.iter().filter_map(|&x| log.lines.place(x)).collect(),
            slopes: line.slopes.iter().map(|s| s.0).collect(),
            value: line.value.0,
            name: line.name.clone(),
            module: line.module.as_deref().map(str::to_owned),
            is_constant: line.is_constant,
            location: line.location,
            equation: line.equation.clone(),
        };
        log.lines.all.iter().map(info).collect()
    }
}

impl<'t, T: Number> Var<'t, T> {
    /// Gives the value a name, for traces of the tape; it has an effect only if the tape traces ([`Traced`]).
    ///
    /// ```
    /// use wengert_tape::scalar::{Tape, Traced};
    /// let tape = Tape::<Traced>::default();
    /// let w = tape.var(Traced(3.0)).named("w");
    /// assert_eq!(tape.nodes()[w.id().unwrap()].name.as_deref(), Some("w"));
    /// ```
    #[inline(always)]
    pub fn named(self, name: impl Into<String>) -> Self {
        if T::TRACED
            && let Some(tape) = self.tape
        {
            let lines = &mut tape.log.borrow_mut().lines;
            if let Some(place) = lines.place(self.index()) {
                lines.all[place].name = Some(name.into());
            }
        }
        self
    }

    /// The tape of the value; `None` for a constant.
    pub fn tape(self) -> Option<&'t Tape<T>> {
        self.tape
    }
}

impl<T: Float + Number> Var<'_, Traced<T>> {
    /// The position among the [`nodes`](Tape::nodes); `None` for a constant that is not a node.
    pub fn id(self) -> Option<usize> {
        self.tape?.log.borrow().lines.place(self.index())
    }
}

macro_rules! operators {
    ($($trait:ident $method:ident)*) => {$(
        impl<T: Float> $trait for Traced<T> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, o: Self) -> Self {
                Traced($trait::$method(self.0, o.0))
            }
        }
    )*};
}
operators!(Add add Sub sub Mul mul Div div);

impl<T: Float> Neg for Traced<T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Traced(-self.0)
    }
}

impl<T: Float> Real for Traced<T> {
    type Mask = bool;

    #[inline(always)]
    fn like(self, c: f64) -> Self {
        Traced(self.0.like(c))
    }
    #[inline(always)]
    fn scale(self, c: f64) -> Self {
        Traced(self.0.scale(c))
    }
    #[inline(always)]
    fn apply<P: Pointwise>(self, p: P) -> Self {
        Traced(self.0.apply(p))
    }
    #[inline(always)]
    fn apply2<P: Pointwise2>(self, o: Self, p: P) -> Self {
        Traced(self.0.apply2(o.0, p))
    }
    #[inline(always)]
    fn lt(self, o: Self) -> bool {
        self.0 < o.0
    }
    #[inline(always)]
    fn le(self, o: Self) -> bool {
        self.0 <= o.0
    }
    #[inline(always)]
    fn equals(self, o: Self) -> bool {
        self.0 == o.0
    }
    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }
}

impl<T: Float + Number> Number for Traced<T> {
    const TRACED: bool = true;

    #[inline(always)]
    fn of(c: f64) -> Self {
        Traced(T::from_f64(c))
    }
    #[inline(always)]
    fn is_zero(self) -> bool {
        Number::is_zero(self.0)
    }
    #[inline(always)]
    fn agree(mask: &bool) -> Option<bool> {
        Some(*mask)
    }
    #[inline(always)]
    fn value_and_slope<P: Pointwise>(self, p: &P) -> (Self, Self) {
        let (y, slope) = self.0.value_and_slope(p);
        (Traced(y), Traced(slope))
    }
    #[inline(always)]
    fn value_of_two<P: Pointwise2>(self, o: Self, p: &P) -> Self {
        Traced(self.0.value_of_two(o.0, p))
    }
    fn note<'t>(
        y: Var<'t, Self>,
        at: &'static Location<'static>,
        op: impl FnOnce() -> Operation<'t, Self>,
    ) -> Var<'t, Self> {
        match y.tape {
            Some(tape) if y.index() != NOWHERE => tape.note(y, at, op(), number),
            _ => y,
        }
    }
}

/// A function of its own, not a closure: a closure would be another type for every operation, and [`Tape::note`] would be
/// compiled for each.
fn number<T: Float>(c: Traced<T>) -> f64 {
    c.0.to_f64()
}

impl<T: Float> From<f64> for Traced<T> {
    fn from(c: f64) -> Self {
        Traced(T::from_f64(c))
    }
}

impl<T: Float> PartialEq<f64> for Traced<T> {
    fn eq(&self, o: &f64) -> bool {
        self.0.to_f64() == *o
    }
}

impl<T: Float> PartialOrd<f64> for Traced<T> {
    fn partial_cmp(&self, o: &f64) -> Option<Ordering> {
        self.0.to_f64().partial_cmp(o)
    }
}

impl<T: fmt::Display> fmt::Display for Traced<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
