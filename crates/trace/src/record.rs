//! A trace from a value of the tensor tape: the sweep is that of the tape, and so is every number. [`Traceable`] is
//! implemented here and in `scalar.rs`.

use crate::builder::Builder;
use crate::error::Error;
use crate::file::readable;
use crate::math::Math;
use crate::structure;
use crate::trace::{Contribution, Kind, Node, Trace};
use crate::value::Value;
use std::panic::Location;
use wengert_ops::Tensor;
use wengert_tape::{Float, NodeInfo, Var};

/// A value of a tape from which [`Trace::of`] makes a trace: a value of the tensor tape, or of a scalar tape that
/// traces ([`Traced`](wengert_tape::scalar::Traced)).
pub trait Traceable: Copy {
    /// See [`Trace::of`].
    ///
    /// # Errors
    /// As [`Trace::of`].
    fn trace(self) -> Result<Trace, Error>;

    /// The number of the node of another value in the trace of this value.
    ///
    /// # Errors
    /// If this value was not computed from the other.
    fn number_of(self, other: Self) -> Result<usize, Error>;
}

impl Trace {
    /// The trace of everything that `output` was computed from, and of the reverse sweep from it with a seed of ones.
    /// The tape is not changed.
    ///
    /// ```
    /// use wengert_tape::Elementary;
    /// use wengert_tape::scalar::{Tape, Traced};
    /// use wengert_trace::Trace;
    ///
    /// fn f<R: Elementary>(x: R) -> R {
    ///     x.sin() * x
    /// }
    /// let tensors = wengert_tape::Tape::<f64>::new();
    /// let numbers = Tape::<Traced>::default();
    /// let of_tensors = Trace::of(f(tensors.var(2.0).named("x")).named("y"))?;
    /// let of_numbers = Trace::of(f(numbers.var(Traced(2.0)).named("x")).named("y"))?;
    /// assert_eq!(of_tensors.steps(), of_numbers.steps());
    /// assert_eq!(of_tensors.nodes[0].gradient, of_numbers.nodes[0].gradient);
    /// # Ok::<(), wengert_trace::Error>(())
    /// ```
    ///
    /// # Errors
    /// As the sweep of the tape, [`Tape::backward`](wengert_tape::Tape::backward) or
    /// [`Tape::gradient`](wengert_tape::scalar::Tape::gradient): for example, if the value has failed.
    #[track_caller]
    pub fn of(output: impl Traceable) -> Result<Trace, Error> {
        output.trace()
    }
}

/// Which of `count` nodes are in the trace of `output`; `inputs` returns the inputs of a node.
pub(crate) fn ancestors(count: usize, output: usize, inputs: impl Fn(usize) -> Vec<usize>) -> Vec<bool> {
    let mut wanted = vec![false; count];
    wanted[output] = true;
    for i in (0..=output).rev() {
        if wanted[i] {
            inputs(i).into_iter().for_each(|x| wanted[x] = true);
        }
    }
    wanted
}

/// The number of a node among the wanted ones.
pub(crate) fn number_among(wanted: &[bool], node: usize) -> Result<usize, Error> {
    match wanted.get(node) {
        Some(true) => Ok(wanted[..node].iter().filter(|w| **w).count()),
        _ => Err(Error::Refused("the output was not computed from this value".into())),
    }
}

/// The line of the program; `None` for lines in Rust's own library.
pub(crate) fn source(at: &Location<'_>) -> Option<String> {
    let inside = at.file().starts_with("/rustc/");
    (!inside).then(|| format!("{}:{}:{}", at.file(), at.line(), at.column()))
}

fn wanted<T: Float>(all: &[NodeInfo<T>], output: Var<'_, T>) -> Vec<bool> {
    let inputs = |i: usize| all[i].inputs.iter().map(|&x| x as usize).collect();
    ancestors(all.len(), output.id() as usize, inputs)
}

impl<T: Float> Traceable for Var<'_, T> {
    fn number_of(self, other: Self) -> Result<usize, Error> {
        if !std::ptr::eq(self.tape(), other.tape()) {
            return Err(Error::Refused("the two values are on different tapes".into()));
        }
        number_among(&wanted(&self.tape().nodes(), self), other.id() as usize)
    }

    #[track_caller]
    fn trace(self) -> Result<Trace, Error> {
        let (output, tape) = (self, self.tape());
        let steps = tape.sweep_steps(output)?;
        let all = tape.nodes();
        let wanted = wanted(&all, output);
        // A sweep starts at the first output of an operation with several outputs.
        let mut number = vec![usize::MAX; all.len()];
        let mut list = Builder::new(String::new());
        for (i, n) in all.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            let inputs: Vec<usize> = n.inputs.iter().map(|&x| number[x as usize]).collect();
            number[i] = list.push(line(n, inputs.clone()));
            if let Some(equation) = &n.equation {
                list.equation(number[i], equation);
            } else if let Some(formula) =
                structure::formula(n.op.unwrap_or(""), &inputs, n.arguments.as_deref(), list.nodes())
            {
                list.formula(number[i], formula);
            }
        }
        let mut cotangents: Vec<Option<Tensor<T>>> = vec![None; list.nodes().len()];
        let at = number[output.id() as usize];
        cotangents[at] = Some(Tensor::full_like(&output.value()?, T::ONE));
        for step in &steps {
            let (first, count) = all[step.node as usize].outputs;
            let of_outputs = (first..first + count).zip(&step.cotangents);
            let mut reached = of_outputs.filter_map(|(o, g)| Some((number[o as usize], g.as_ref()?)));
            let Some((from, g)) = reached.find(|(from, _)| *from != usize::MAX) else { continue };
            let inputs = &all[step.node as usize].inputs;
            let needed = inputs.iter().enumerate().filter(|(_, x)| all[**x as usize].needs_gradient);
            for (k, ((input, _), (to, adds))) in needed.zip(&step.given).enumerate() {
                let to = number[*to as usize];
                let sum = match cotangents[to].take() {
                    Some(sum) => sum.add(adds).map_err(wengert_tape::Error::from)?,
                    None => adds.clone(),
                };
                let derivative = list.derivative(from, input).cloned();
                let by = contribution(&list, from, to, input, derivative.as_ref());
                list.given(Contribution {
                    from,
                    to,
                    input,
                    cotangent: Value::of(g),
                    derivative,
                    // The local derivative of a broadcast operand is a sum, for which there is no formula here.
                    slope: step.slopes.get(k).filter(|s| s.shape() == g.shape()).map(Value::of),
                    by,
                    adds: Value::of(adds),
                    sum: Value::of(&sum),
                });
                cotangents[to] = Some(sum);
            }
        }
        for (node, g) in cotangents.iter().enumerate() {
            if let Some(g) = g {
                list.gradient(node, Value::of(g));
            }
        }
        let mut trace = list.finish(at)?;
        trace.title = trace.name(at, crate::Markup::Text);
        Ok(trace)
    }
}

/// A line of the list without its formula.
fn line<T: Float>(n: &NodeInfo<T>, inputs: Vec<usize>) -> Node {
    let kind = match n.op {
        Some(_) => Kind::Computed,
        None if !n.needs_gradient => Kind::Constant,
        None if n.is_param => Kind::Parameter,
        None => Kind::Input,
    };
    Node {
        name: n.name.clone(),
        cotangent_name: None,
        kind,
        op: n.op.map(str::to_owned),
        inputs,
        shape: n.shape.to_vec(),
        value: n.value.as_ref().map(Value::of),
        source: source(n.location),
        module: n.path.clone(),
        formula: None,
        gradient: None,
    }
}

/// The formula of what a node adds to the cotangent of an input.
fn contribution(list: &Builder, from: usize, to: usize, input: usize, derivative: Option<&Math>) -> Math {
    let (nodes, g) = (list.nodes(), Math::Cotangent(from));
    let (shape, target) = (&nodes[from].shape, &nodes[to].shape);
    if let Some(derivative) = derivative {
        let product = g.times(derivative.clone(), !shape.is_empty());
        // If the operand was broadcast, the added axes are summed over.
        return if shape == target { product } else { Math::Sum(Box::new(product)) };
    }
    let op = nodes[from].op.as_deref().unwrap_or("");
    structure::contribution(op, from, input, nodes).and_then(readable).unwrap_or_else(|| {
        Math::Product(Box::new(Math::Transpose(Box::new(Math::Slope(from, to)))), Box::new(g))
    })
}
