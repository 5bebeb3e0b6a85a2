//! Inspection of a tape: its nodes one by one, and what a reverse sweep does at each.

use crate::error::Result;
use crate::number::Float;
use crate::sweep::{RetainGraph, SweepStep};
use crate::tape::Tape;
use crate::tape::node::Paths;
use crate::tape::op::OpRef;
use crate::tape::slot::Slot;
use crate::tape::var::Var;
use crate::term::Equation;
use std::panic::Location;
use wengert_ops::{Shape, Tensor};

/// What the tape records about a node.
#[doc(alias = "Node")]
#[derive(Debug, Clone)]
pub struct NodeInfo<T: Float> {
    /// Its number: nodes are in the order in which they were computed.
    pub id: u32,
    /// The operation that made it; `None` for a leaf.
    pub op: Option<&'static str>,
    /// The nodes that the operation read.
    pub inputs: Vec<u32>,
    /// The first output of the operation, and the number of its outputs.
    pub outputs: (u32, u32),
    /// The sizes of the axes.
    pub shape: Shape,
    /// The value, unless it was freed or has failed.
    pub value: Option<Tensor<T>>,
    /// The name that the user gave it ([`Var::named`]), or the path of the parameter that it is.
    pub name: Option<String>,
    /// Whether it is a parameter.
    pub is_param: bool,
    /// Whether a gradient flows through it.
    pub needs_gradient: bool,
    /// The line of the user's program.
    pub location: &'static Location<'static>,
    /// The module whose parameters were involved.
    pub path: Option<String>,
    /// The operation's arguments other than its inputs, as text; see [`Op::arguments`](crate::Op::arguments).
    pub arguments: Option<String>,
    /// The formulas of the operation, if it is elementwise.
    pub equation: Option<Equation>,
}

impl<'t, T: Float> Var<'t, T> {
    /// The number of the node: nodes are in the order in which they were computed.
    pub fn id(self) -> u32 {
        self.id
    }

    /// Names the value, for tools that show the tape.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(2.0).named("x");
    /// let y = (x * x).named("y");
    /// assert_eq!(tape.nodes()[y.id() as usize].name.as_deref(), Some("y"));
    /// ```
    pub fn named(self, name: impl Into<String>) -> Self {
        self.tape.state.borrow_mut().names.insert(self.id, name.into());
        self
    }
}

impl<T: Float> Tape<T> {
    /// Every node, from the first to the last.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f64>::new();
    /// let x = tape.var(2.0);
    /// let y = x.tanh();
    /// let nodes = tape.nodes();
    /// assert_eq!((nodes.len(), nodes[1].op, &nodes[1].inputs[..]), (2, Some("tanh"), &[x.id()][..]));
    /// let equation = nodes[1].equation.as_ref().unwrap();
    /// assert_eq!(equation.slopes[0].text(&["x"], "y"), "1 - y²");
    /// # let _ = y;
    /// ```
    #[doc(alias = "grad_fn")]
    #[doc(alias = "is_leaf")]
    pub fn nodes(&self) -> Vec<NodeInfo<T>> {
        self.compute_all();
        let state = self.state.borrow();
        let nodes = &state.nodes;
        let paths = Paths::default().all(nodes);
        let info = |(id, node): (usize, &crate::tape::node::Node<T>)| {
            let first = &nodes[node.first as usize];
            let own = node.param.as_ref().and_then(|p| p.name.as_deref());
            let inputs = || first.inputs.iter().map(|&i| nodes[i as usize].value.shape());
            // Nothing fails since an op cannot describe itself.
            let arguments = |op: &OpRef<T>| {
                let described = op.guarded("arguments", inputs(), || op.arguments());
                described.unwrap_or_else(|e| Some(e.detail().to_owned()))
            };
            let equation = |op: &OpRef<T>| op.guarded("equation", inputs(), || op.equation()).ok().flatten();
            NodeInfo {
                id: id as u32,
                op: first.op.as_ref().map(|op| op.name()),
                inputs: first.inputs.to_vec(),
                outputs: (node.first, first.outputs),
                shape: node.value.shape().clone(),
                value: if let Slot::Ready(t) = &node.value { Some(t.clone()) } else { None },
                name: state.names.get(&(id as u32)).cloned().or_else(|| own.map(str::to_owned)),
                is_param: node.param.is_some(),
                needs_gradient: node.needs,
                location: node.at,
                path: paths[id].map(str::to_owned),
                arguments: first.op.as_ref().and_then(arguments),
                equation: first.op.as_ref().and_then(equation),
            }
        };
        nodes.iter().enumerate().map(info).collect()
    }

    /// The steps of a reverse sweep from `output` with a seed of ones. Every value stays.
    ///
    /// ```
    /// use wengert_tape::Tape;
    /// let tape = Tape::<f64>::new();
    /// let x = tape.var(3.0);
    /// let y = x * x;                                   // used twice: two contributions in one step
    /// let steps = tape.sweep_steps(y)?;
    /// let given: Vec<_> = steps[0].given.iter().map(|(input, g)| (*input, g.item().unwrap())).collect();
    /// assert_eq!(given, [(x.id(), 3.0), (x.id(), 3.0)]);
    /// assert_eq!(steps[0].slopes[0].item()?, 3.0);     // ∂(x x)/∂x with respect to the first factor
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Tape::backward`].
    #[track_caller]
    pub fn sweep_steps(&self, output: Var<'_, T>) -> Result<Vec<SweepStep<T>>> {
        let seed = Tensor::full_like(&output.value()?, T::ONE);
        let mut steps = Vec::new();
        self.swept(&[(output, seed)], RetainGraph::Values, Some(&mut steps))?;
        Ok(steps)
    }
}
