//! [`Op`]: what the tape records. A custom op can do everything that a built-in one can.

use crate::error::{Error, ErrorKind, Result};
use crate::number::Float;
use crate::tape::node::Node;
use crate::tape::slot::Slot;
use crate::tape::var::Var;
use crate::term::Equation;
use smallvec::SmallVec;
use std::sync::{Arc, LazyLock};
use wengert_ops::{Shape, Tensor};

/// The outputs of an op.
pub type Outputs<T> = SmallVec<[Tensor<T>; 1]>;

/// One entry per input of an op: its cotangent, or `None` where there is none.
pub type Cotangents<V> = SmallVec<[Option<V>; 3]>;

/// The cotangents of an op's inputs, in order.
pub fn cotangents<V, const N: usize>(each: [Option<V>; N]) -> Cotangents<V> {
    let mut all = Cotangents::new();
    for cotangent in each {
        all.push(cotangent);
    }
    all
}

/// The values that a rule needs kept until the reverse sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saves {
    /// Bit `i`: the value of input `i`.
    pub inputs: u32,
    /// The values of the outputs.
    pub outputs: bool,
}

impl Saves {
    /// All inputs and outputs.
    pub const ALL: Saves = Saves { inputs: u32::MAX, outputs: true };
    /// No values, only shapes.
    pub const NOTHING: Saves = Saves { inputs: 0, outputs: false };
    /// All inputs.
    pub const INPUTS: Saves = Saves { inputs: u32::MAX, outputs: false };
    /// The outputs.
    pub const OUTPUTS: Saves = Saves { inputs: 0, outputs: true };
}

/// What [`Op::forward`] returns: the outputs, and results for its first-order kernel.
pub struct ForwardOutput<T: Float> {
    /// The outputs.
    pub outputs: Outputs<T>,
    /// Auxiliary results for [`Op::backward`]. Higher orders never see them: they would be constants there, and the second
    /// derivative would be silently wrong.
    pub saved: Vec<Tensor<T>>,
}

impl<T: Float> From<Tensor<T>> for ForwardOutput<T> {
    fn from(y: Tensor<T>) -> Self {
        ForwardOutput { outputs: SmallVec::from_buf([y]), saved: Vec::new() }
    }
}

impl<T: Float> From<Vec<Tensor<T>>> for ForwardOutput<T> {
    fn from(y: Vec<Tensor<T>>) -> Self {
        ForwardOutput { outputs: y.into_iter().collect(), saved: Vec::new() }
    }
}

/// A differentiable operation on tensors.
///
/// An op is written once as [`forward`](Op::forward) and one of
/// - [`vjp`](Op::vjp), the rule: the cotangents of the inputs from those of the outputs, in operations on [`Var`]. The
///   first-order sweep runs it without recording, `grad` records it, so one rule is enough for every order;
/// - [`composite`](Op::composite), the same function in other ops, for a fused op that has its own
///   [`backward`](Op::backward) and needs no second rule;
/// - [`selection`](Op::selection), for an op whose output consists of elements of its only input: it says where their
///   cotangents are added.
///
/// A rule returns one cotangent per input, of the input's shape; only the sweep adds them up. `examples/custom_op.rs` shows
/// a whole op with its gradient check.
#[doc(alias = "Function")]
pub trait Op<T: Float>: Send + Sync + 'static {
    /// The name in messages and traces.
    fn name(&self) -> &'static str;

    /// Computes the outputs from the inputs; deterministic, so that it can be run again.
    ///
    /// # Errors
    /// If the inputs are not valid for the op; the tape adds location and module path. A panic, for example on a missing
    /// input, also becomes an error, of kind [`Rule`](ErrorKind::Rule), and so does one in any other function of the op. (A
    /// panic in a description, [`arguments`](Op::arguments) or [`equation`](Op::equation), makes no value fail.)
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>>;

    /// The cotangents of the inputs.
    #[doc(alias = "backward")]
    fn vjp<'s>(&self, rule: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let _ = rule;
        Cotangents::new()
    }

    /// A faster first-order form of the rule, on plain tensors; `None` where there is none.
    fn backward(&self, rule: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let _ = rule;
        None
    }

    /// The same function in other ops, for the higher orders of a fused op.
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let _ = x;
        None
    }

    /// How to add the cotangent of the output to that of the input, for an op whose output consists of elements of its only
    /// input. This is the whole rule: the sweeps add the cotangents of all parts of a tensor into one buffer, so that
    /// taking many parts costs no more than their elements, at every order.
    fn selection(&self) -> Option<&dyn Selection<T>> {
        None
    }

    /// The op's arguments other than its inputs, as text for tools that show the tape: `axis 2, 0..3`.
    fn arguments(&self) -> Option<String> {
        None
    }

    /// The function and its derivatives as formulas, for an elementwise op.
    fn equation(&self) -> Option<Equation> {
        None
    }

    /// The number of floating-point operations of [`forward`](Op::forward) for inputs and outputs of these shapes, for the
    /// [profiler](crate::profile). By default one per element of the largest of them, and none for a
    /// [selection](Op::selection). A product of `[m, k]` and `[k, n]` has 2 m k n.
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        if self.selection().is_some() {
            return 0;
        }
        largest(inputs, outputs)
    }

    /// The same for the cotangents of the inputs that need one. By default [`flops`](Op::flops) for each of them, which is right for a
    /// product.
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        self.flops(inputs, outputs).saturating_mul(number_of(needs))
    }

    /// The op as loops over slices, if it is elementwise: then it is computed together with its neighbours, block by block, and
    /// intermediate results are not written to memory; see [`Tape::eager`](crate::Tape::eager). `forward` and the rule stay the
    /// definition; the loops must give the same bits.
    fn elementwise(&self) -> Option<&dyn ElementwiseOp<T>> {
        None
    }

    /// The axes of a sum over an input of this shape, if the op is one; it can end a chain of elementwise ops.
    #[doc(hidden)]
    fn summed(&self, input: &Shape) -> Option<Summed> {
        let _ = input;
        None
    }

    /// The values that the rule will read, given which inputs need a cotangent. Values that no rule reads are freed early.
    #[doc(alias = "save_for_backward")]
    fn saves(&self, needs: &[bool]) -> Saves {
        let _ = needs;
        Saves::ALL
    }
}

// Not parts of the defaults above, which are compiled for each op.

/// The number of elements of the largest tensor.
fn largest(inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
    inputs.iter().chain(outputs).map(|shape| shape.numel() as u64).max().unwrap_or(0)
}

fn number_of(needs: &[bool]) -> u64 {
    needs.iter().filter(|needed| **needed).count() as u64
}

/// An elementwise op with one output, as loops over slices. Its output has the shape to which the inputs broadcast.
///
/// The loops are given blocks of all operands, of equal length: the inputs, then what [`prepare`](ElementwiseOp::prepare) returned,
/// then the [mask](ElementwiseOp::mask) as ones and zeros.
pub trait ElementwiseOp<T: Float>: Sync {
    /// The cost of one element, in additions.
    fn cost(&self) -> usize;

    /// Computes outputs.
    fn value(&self, x: &[&[T]], y: &mut [T]);

    /// The cotangent of input `i`, before it is summed over the axes along which the input was broadcast. `x` and `y` may be any
    /// numbers where [`reads`](ElementwiseOp::reads) does not name them.
    fn adjoint(&self, i: usize, g: &[T], x: &[&[T]], y: &[T], gx: &mut [T]);

    /// What [`adjoint`](ElementwiseOp::adjoint) of input `i` reads.
    fn reads(&self, i: usize) -> Saves;

    /// The derivative with respect to input `i`, if it is the same number everywhere. Then it multiplies the sum of the
    /// cotangents, and `adjoint` is not called.
    fn slope(&self, i: usize) -> Option<f64> {
        let _ = i;
        None
    }

    /// A mask that belongs to the op.
    fn mask(&self) -> Option<&Tensor<bool>> {
        None
    }

    /// Tensors that are computed when the op is recorded, for an output of this shape; the node keeps them as
    /// [`saved`](ForwardOutput::saved) results.
    ///
    /// # Errors
    /// As [`Op::forward`].
    fn prepare(&self, output: &Shape) -> wengert_ops::Result<Vec<Tensor<T>>> {
        let _ = output;
        Ok(Vec::new())
    }
}

/// A sum over axes (sorted), which are kept with size 1 or removed, multiplied by a factor.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Summed {
    pub axes: SmallVec<[usize; 4]>,
    pub keepdim: bool,
    pub factor: Option<f64>,
}

/// An op whose output consists of elements of its only input, in any order; an element may be taken more than once. So the
/// op is linear, and it maps second-order cotangents by its own [`forward`](Op::forward).
pub trait Selection<T: Float> {
    /// Returns `into`, which has the shape of the input, with each element of `gy` added to the element that it was taken
    /// from. A buffer that is not shared is written in place (see [`Tensor::into_slice_add`], [`Tensor::into_index_add`]).
    ///
    /// # Errors
    /// If the shapes are not those of output and input.
    fn scatter_add(&self, gy: &Tensor<T>, into: Tensor<T>) -> wengert_ops::Result<Tensor<T>>;
}

/// The inputs, outputs and cotangents that a rule reads, as values of a tape.
pub struct VjpContext<'r, 's, T: Float> {
    pub(crate) inputs: &'r [Var<'s, T>],
    pub(crate) outputs: &'r [Var<'s, T>],
    pub(crate) cotangents: &'r [Option<Var<'s, T>>],
    pub(crate) needs: &'r [bool],
}

impl<'s, T: Float> VjpContext<'_, 's, T> {
    /// Input `i`; a failed value if there is none.
    #[track_caller]
    pub fn x(&self, i: usize) -> Var<'s, T> {
        match self.inputs.get(i) {
            Some(x) => *x,
            None => self.outputs[0].tape.failed(absent("rule", "input", i, self.inputs.len())),
        }
    }

    /// All inputs.
    pub fn inputs(&self) -> &[Var<'s, T>] {
        self.inputs
    }

    /// Output 0.
    pub fn y(&self) -> Var<'s, T> {
        self.outputs[0]
    }

    /// All outputs.
    pub fn outputs(&self) -> &[Var<'s, T>] {
        self.outputs
    }

    /// The cotangent of output 0. The rule of an op with one output runs only if there is one.
    pub fn gy(&self) -> Var<'s, T> {
        self.gy_of(0)
    }

    /// The cotangent of output `i`, zeros if nothing depends on that output; a failed value if there is no such output.
    #[track_caller]
    pub fn gy_of(&self, i: usize) -> Var<'s, T> {
        match (self.cotangents.get(i), self.outputs.get(i)) {
            (Some(Some(g)), _) => *g,
            (_, Some(y)) => y.zeros_like(),
            _ => self.outputs[0].tape.failed(absent("rule", "output", i, self.outputs.len())),
        }
    }

    /// The cotangents of the outputs, `None` where nothing depends on one.
    pub fn cotangents(&self) -> &[Option<Var<'s, T>>] {
        self.cotangents
    }

    /// Whether the cotangent of input `i` is needed; computing it otherwise is wasted work.
    #[doc(alias = "needs_input_grad")]
    pub fn needs(&self, i: usize) -> bool {
        self.needs.get(i).is_some_and(|needs| *needs)
    }

    /// `f()` if the cotangent of input `i` is needed.
    pub fn when<V>(&self, i: usize, f: impl FnOnce() -> V) -> Option<V> {
        self.needs(i).then(f)
    }
}

/// The error of a rule that reads an input or output that its op does not have.
fn absent(op: &'static str, what: &str, i: usize, of: usize) -> Error {
    Error::new(ErrorKind::Rule, op, format!("there is no {what} {i}: the op has {of}"))
}

/// The inputs, outputs and cotangents that a first-order kernel reads, as plain tensors.
pub struct BackwardContext<'r, T: Float> {
    pub(crate) op: &'r OpRef<T>,
    pub(crate) nodes: &'r [Node<T>],
    pub(crate) inputs: &'r [u32],
    pub(crate) outputs: &'r [Node<T>],
    pub(crate) cotangents: &'r [Option<Tensor<T>>],
    pub(crate) saved: &'r [Tensor<T>],
    pub(crate) needs: &'r [bool],
}

impl<'r, T: Float> BackwardContext<'r, T> {
    /// Input `i`.
    ///
    /// # Errors
    /// If the value was freed, because [`Op::saves`] does not name it or an earlier sweep consumed it; if there is no such
    /// input.
    pub fn x(&self, i: usize) -> Result<&'r Tensor<T>> {
        match self.inputs.get(i) {
            Some(&x) => match &self.nodes[x as usize].value {
                Slot::Ready(x) => Ok(x),
                other => other.ready(self.op.name()),
            },
            None => Err(absent(self.op.name(), "input", i, self.inputs.len())),
        }
    }

    /// Output 0.
    ///
    /// # Errors
    /// As [`x`](BackwardContext::x).
    pub fn y(&self) -> Result<&'r Tensor<T>> {
        match &self.outputs[0].value {
            Slot::Ready(y) => Ok(y),
            other => other.ready(self.op.name()),
        }
    }

    /// The inputs, or why they are gone.
    pub(crate) fn input_slots(&self) -> impl Iterator<Item = &'r Slot<T>> + Clone + use<'r, T> {
        let nodes = self.nodes;
        self.inputs.iter().map(move |&x| &nodes[x as usize].value)
    }

    /// The outputs, or why they are gone.
    pub(crate) fn output_slots(&self) -> impl Iterator<Item = &'r Slot<T>> + Clone + use<'r, T> {
        self.outputs.iter().map(|y| &y.value)
    }

    /// The shapes of the inputs.
    pub(crate) fn input_shapes(&self) -> impl Iterator<Item = &'r Shape> + use<'r, T> {
        self.input_slots().map(Slot::shape)
    }

    /// The shape of input `i`, which is known even after its value was freed; that of a scalar if there is no such input.
    pub fn shape(&self, i: usize) -> &'r Shape {
        static SCALAR: LazyLock<Shape> = LazyLock::new(Shape::scalar);
        self.inputs.get(i).map_or(&*SCALAR, |&x| self.nodes[x as usize].value.shape())
    }

    /// The cotangent of output 0.
    ///
    /// # Errors
    /// If the op has several outputs and nothing depends on this one.
    pub fn gy(&self) -> Result<&'r Tensor<T>> {
        self.cotangents[0]
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::Rule, self.op.name(), "output 0 has no cotangent"))
    }

    /// The cotangents of all outputs.
    pub fn cotangents(&self) -> &'r [Option<Tensor<T>>] {
        self.cotangents
    }

    /// Entry `i` of what `forward` saved.
    ///
    /// # Errors
    /// If there is no such entry, or an earlier sweep consumed it.
    pub fn saved(&self, i: usize) -> Result<&'r Tensor<T>> {
        self.saved.get(i).ok_or_else(|| {
            let detail = format!(
                "saved result {i} is gone: an earlier backward() consumed it; use backward_retaining()"
            );
            Error::new(ErrorKind::Freed, self.op.name(), detail)
        })
    }

    /// Whether the cotangent of input `i` is needed.
    pub fn needs(&self, i: usize) -> bool {
        self.needs.get(i).is_some_and(|needs| *needs)
    }

    /// The number of inputs.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }
}

/// An op in a node: stateless ops are constants, which are recorded without an allocation.
pub(crate) enum OpRef<T: Float> {
    Static(&'static dyn Op<T>),
    Shared(Arc<dyn Op<T>>),
}

impl<T: Float> OpRef<T> {
    /// Runs a method of the op. A panic in it, for example in an op that was given fewer inputs than it reads, becomes an
    /// error.
    #[inline(always)]
    pub(crate) fn guarded<'s, R>(
        &self,
        function: &'static str,
        inputs: impl Iterator<Item = &'s Shape>,
        run: impl FnOnce() -> R,
    ) -> Result<R> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).map_err(|payload| {
            let said = payload.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
            let shapes: Vec<_> = inputs.map(Shape::to_string).collect();
            let detail = match &shapes[..] {
                [] => format!("{function} of the op panicked, given no inputs: {said}"),
                [one] => format!("{function} of the op panicked, given one input of shape {one}: {said}"),
                many => {
                    format!(
                        "{function} of the op panicked, given inputs of shapes {}: {said}",
                        many.join(", ")
                    )
                }
            };
            Error::new(ErrorKind::Rule, self.name(), detail)
        })
    }

    /// [`Op::saves`], for inputs of the given shapes.
    pub(crate) fn saves_guarded<'s>(
        &self,
        needs: &[bool],
        inputs: impl Iterator<Item = &'s Shape>,
    ) -> Result<Saves> {
        self.guarded("saves", inputs, || self.saves(needs))
    }

    /// [`Op::selection`], for inputs of the given shapes.
    #[inline(always)]
    pub(crate) fn selection_guarded<'s>(
        &self,
        inputs: impl Iterator<Item = &'s Shape>,
    ) -> Result<Option<&dyn Selection<T>>> {
        self.guarded("selection", inputs, || self.selection())
    }
}

impl<T: Float> Clone for OpRef<T> {
    fn clone(&self) -> Self {
        match self {
            OpRef::Static(op) => OpRef::Static(*op),
            OpRef::Shared(op) => OpRef::Shared(Arc::clone(op)),
        }
    }
}

impl<T: Float> std::ops::Deref for OpRef<T> {
    type Target = dyn Op<T>;
    fn deref(&self) -> &dyn Op<T> {
        match self {
            OpRef::Static(op) => *op,
            OpRef::Shared(op) => &**op,
        }
    }
}
