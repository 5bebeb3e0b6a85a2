//! A trace from a value of a scalar tape that traces.

use crate::builder::Builder;
use crate::error::Error;
use crate::record::{Traceable, ancestors, number_among, source};
use crate::trace::{Kind, Node, Trace};
use crate::value::Value;
use wengert_tape::Float;
use wengert_tape::scalar::{NodeInfo, Number, Traced, Var};

/// The lines of the value's tape, and the position of the value among them.
fn lines<T: Float + Number>(of: Var<'_, Traced<T>>) -> Result<(Vec<NodeInfo<T>>, usize), Error> {
    match (of.tape(), of.id()) {
        (Some(tape), Some(place)) => Ok((tape.nodes(), place)),
        _ => Err(Error::Refused("the value is a constant: nothing was recorded of it".into())),
    }
}

fn wanted<T: Float>(all: &[NodeInfo<T>], output: usize) -> Vec<bool> {
    ancestors(all.len(), output, |i| all[i].inputs.clone())
}

impl<T: Float + Number> Traceable for Var<'_, Traced<T>> {
    fn number_of(self, other: Self) -> Result<usize, Error> {
        let tape = |x: Self| x.tape().map(std::ptr::from_ref);
        if tape(self) != tape(other) {
            return Err(Error::Refused("the two values are on different tapes".into()));
        }
        let ((all, output), (_, other)) = (lines(self)?, lines(other)?);
        number_among(&wanted(&all, output), other)
    }

    #[track_caller]
    fn trace(self) -> Result<Trace, Error> {
        let (all, output) = lines(self)?;
        if let Some(tape) = self.tape() {
            // Whatever makes a sweep fail is an error here too.
            tape.gradient(self)?;
        }
        let wanted = wanted(&all, output);
        let mut number = vec![usize::MAX; all.len()];
        let mut list = Builder::new(String::new());
        for (i, n) in all.iter().enumerate().filter(|(i, _)| wanted[*i]) {
            number[i] = list.push(line(n, n.inputs.iter().map(|&x| number[x]).collect()));
            let slopes: Vec<f64> = n.slopes.iter().map(|s| s.to_f64()).collect();
            list.slopes(number[i], &slopes);
            if let Some(equation) = &n.equation {
                list.equation(number[i], equation);
            }
        }
        let mut trace = list.finish(number[output])?;
        trace.title = trace.name(number[output], crate::Markup::Text);
        Ok(trace)
    }
}

/// A line of the list without its formula.
fn line<T: Float>(n: &NodeInfo<T>, inputs: Vec<usize>) -> Node {
    let kind = match n.op {
        Some(_) => Kind::Computed,
        None if n.is_constant => Kind::Constant,
        None => Kind::Input,
    };
    Node {
        name: n.name.clone(),
        kind,
        op: n.op.map(str::to_owned),
        inputs,
        value: Some(Value::number(n.value.to_f64())),
        source: source(n.location),
        module: n.module.clone(),
        ..Node::default()
    }
}
