//! [`TrainingCheck`]: assertions about the steps of a training loop.

use crate::module::{GradsExt, Module};
use crate::optim::Optimizer;
use crate::state::{self, AnyTensor, Dict};
use std::fmt::Debug;
use std::marker::PhantomData;
use wengert_ops::{Element, Tensor, buffer, parallel};
use wengert_tape::{Float, Result, Tape, Var};

/// Assertions about a training loop: its steps are deterministic, can be resumed, and need no more memory from step to step.
///
/// `start` makes a model and its optimiser, always the same. `step` trains them by one step. It gets the number of the step, from
/// which it takes all that differs between steps: the batch, the seed of the tape.
///
/// ```
/// use wengert_nn::gradcheck::TrainingCheck;
/// use wengert_nn::optim::{Adam, Optimizer};
/// use wengert_nn::{Dropout, Layer, Linear, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// use wengert_tape::Tape;
/// let check = TrainingCheck::new(
///     || (Linear::<f32>::new(4, 2, &mut Rng::seed(0)), Adam::new(1e-2)),
///     |model, adam, step| {
///         let tape = Tape::train(step);
///         let x = tape.constant(Tensor::randn([8, 4], &mut Rng::seed(step))?);
///         let loss = loss::mse(model.forward(Dropout::new(0.1).forward(x)), Tensor::zeros([8, 2]));
///         adam.step(model, &loss.backward()?)
///     },
/// );
/// check.assert_deterministic();
/// check.assert_resumes();
/// check.assert_flat_memory();
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct TrainingCheck<T, S, F> {
    start: S,
    step: F,
    steps: u64,
    threads: Vec<usize>,
    element: PhantomData<T>,
}

/// What is compared: the parameters and buffers of the model, and the state of its optimiser.
type States = [(&'static str, Dict); 2];

impl<T, M, O, S, F> TrainingCheck<T, S, F>
where
    T: Float,
    M: Module,
    O: Optimizer<T>,
    S: Fn() -> (M, O) + Sync,
    F: Fn(&mut M, &mut O, u64) -> Result<()> + Sync,
{
    /// A check of four steps, on one, two, three and seven threads.
    pub fn new(start: S, step: F) -> Self {
        TrainingCheck { start, step, steps: 4, threads: vec![1, 2, 3, 7], element: PhantomData }
    }

    /// The number of steps, 4 by default; at least 2.
    #[must_use]
    pub fn steps(mut self, n: u64) -> Self {
        self.steps = n.max(2);
        self
    }

    /// The numbers of threads on which the loop is run.
    #[must_use]
    pub fn threads(mut self, threads: impl IntoIterator<Item = usize>) -> Self {
        self.threads = threads.into_iter().collect();
        self
    }

    /// Asserts that two runs, and runs on any number of threads, give the same bits: of all parameters and buffers, and of the
    /// optimiser's state. To make small tensors matter, work is split into pieces of a few elements.
    ///
    /// ```should_panic
    /// # use wengert_nn::{Linear, gradcheck::TrainingCheck, optim::{Optimizer, Sgd}};
    /// # use wengert_ops::random::Rng;
    /// # use wengert_tape::Tape;
    /// # use std::sync::atomic::{AtomicU32, Ordering};
    /// static CALLS: AtomicU32 = AtomicU32::new(0);
    /// TrainingCheck::new(
    ///     || (Linear::<f32>::new(4, 2, &mut Rng::seed(0)), Sgd::new(0.1)),
    ///     |model, sgd, _| {
    ///         let factor = CALLS.fetch_add(1, Ordering::Relaxed) as f32;      // differs from run to run
    ///         let grads = (Tape::new().param(&model.weight) * factor).sum().backward()?;
    ///         sgd.step(model, &grads)
    ///     },
    /// )
    /// .assert_deterministic();
    /// ```
    ///
    /// # Panics
    /// If bits differ, with the name of the tensor, the element, and both numbers; if a step fails.
    #[track_caller]
    pub fn assert_deterministic(&self) {
        let straight = succeeded("a run", parallel::in_small_pieces(1, || self.trained(self.steps)));
        let again = succeeded("a second run", parallel::in_small_pieces(1, || self.trained(self.steps)));
        self.same("one run", &straight, "another", &again);
        for &threads in &self.threads {
            let run = parallel::in_small_pieces(threads.max(1), || self.trained(self.steps));
            let what = format!("{threads} threads");
            self.same("one thread", &straight, &what, &succeeded(&what, run));
        }
    }

    /// Asserts that a run which is saved in the middle and continued from the file has the same bits in the end as one without an
    /// interruption. Model and optimiser are written as safetensors, in memory, and read into what `start` makes.
    ///
    /// # Panics
    /// If bits differ, with the name of the tensor, the element, and both numbers; if a step, saving or loading fails.
    #[track_caller]
    pub fn assert_resumes(&self) {
        let straight = succeeded("a run", self.trained(self.steps));
        let half = self.steps / 2;
        let saved = succeeded("the first half of a run", self.trained(half));
        let resumed = succeeded("a resumed run", self.resumed(&saved, half));
        self.same("without interruption", &straight, &format!("resumed after {half} steps"), &resumed);
    }

    /// Asserts that the memory of tensors does not grow from step to step. The memory is that of the whole process, buffers of less
    /// than 1 KiB excepted. Since other tests run in the same process, only growth in each of eight windows of steps, in each of
    /// three measurements, is a failure.
    ///
    /// # Panics
    /// If the memory grows, with the number of bytes; if a step fails.
    #[track_caller]
    pub fn assert_flat_memory(&self) {
        let (mut model, mut optimizer) = (self.start)();
        let mut number = 0;
        let mut advance = |steps: u64| {
            for _ in 0..steps {
                succeeded("a step", (self.step)(&mut model, &mut optimizer, number));
                number += 1;
            }
            buffer::stats().live_bytes
        };
        let mut grown = 0;
        for _ in 0..3 {
            // The first steps allocate what is kept, such as the state of the optimiser.
            let mut before = advance(2);
            let start = before;
            for _ in 0..8 {
                let after = advance(self.steps);
                if after <= before {
                    return;
                }
                before = after;
            }
            grown = before - start;
        }
        let steps = 8 * self.steps;
        panic!(
            "the memory of tensors grows in every step: by {grown} bytes in {steps} steps, {} per step",
            grown as u64 / steps
        );
    }

    /// The states after some steps.
    fn trained(&self, steps: u64) -> Result<States> {
        let (mut model, mut optimizer) = (self.start)();
        (0..steps).try_for_each(|i| (self.step)(&mut model, &mut optimizer, i))?;
        Ok(states(&model, &optimizer))
    }

    /// The states at the end of a run that is continued from saved states.
    fn resumed(&self, saved: &States, from: u64) -> std::result::Result<States, state::Error> {
        let [model_file, optimizer_file] = saved.each_ref().map(|(_, dict)| state::encode(dict, None));
        let (mut model, mut optimizer) = (self.start)();
        state::restore(&mut model, &state::decode(&model_file?, "the model's state")?.0)?;
        optimizer.load_state(&model, &state::decode(&optimizer_file?, "the optimiser's state")?.0)?;
        for i in from..self.steps {
            (self.step)(&mut model, &mut optimizer, i)?;
        }
        Ok(states(&model, &optimizer))
    }

    #[track_caller]
    fn same(&self, first: &str, a: &States, second: &str, b: &States) {
        for ((what, a), (_, b)) in a.iter().zip(b) {
            for (name, x) in a {
                let difference = match b.get(name) {
                    Some(y) => difference(x, y),
                    None => Some("which the other does not have".to_owned()),
                };
                if let Some(difference) = difference {
                    panic!("{what}, {name}: {difference} ({first}, {second}; {} steps)", self.steps);
                }
            }
            if let Some(name) = b.keys().find(|name| !a.contains_key(*name)) {
                panic!("{what}: {second} has {name}, and {first} does not");
            }
        }
    }
}

fn states<T: Float, O: Optimizer<T>>(model: &dyn Module, optimizer: &O) -> States {
    [("parameters and buffers", state::dict(model)), ("state of the optimiser", optimizer.state(model))]
}

#[track_caller]
fn succeeded<V, E: std::fmt::Display>(what: &str, result: std::result::Result<V, E>) -> V {
    result.unwrap_or_else(|e| panic!("{what} failed: {e}"))
}

/// The first element whose bits differ.
fn difference(a: &AnyTensor, b: &AnyTensor) -> Option<String> {
    fn first<E: Element + Debug, B: PartialEq>(
        a: &Tensor<E>,
        b: &Tensor<E>,
        bits: fn(&E) -> B,
    ) -> Option<String> {
        if a.shape() != b.shape() {
            return Some(format!("shape {} and {}", a.shape(), b.shape()));
        }
        let (a, b) = (a.to_vec(), b.to_vec());
        let k = a.iter().zip(&b).position(|(a, b)| bits(a) != bits(b))?;
        Some(format!("element {k} is {:?} and {:?}", a[k], b[k]))
    }
    match (a, b) {
        (AnyTensor::F32(a), AnyTensor::F32(b)) => first(a, b, |v| v.to_bits()),
        (AnyTensor::F64(a), AnyTensor::F64(b)) => first(a, b, |v| v.to_bits()),
        _ if a == b => None,
        _ => Some(format!("{a:?} and {b:?}")),
    }
}

/// Asserts that the gradient of a loss is right: for each parameter, in training and in evaluation, along random directions, and that no
/// parameter is without a gradient. For the second order, or other settings, see [`ModuleCheck`](super::ModuleCheck).
///
/// ```
/// use wengert_nn::{Activation, Layer, Linear, Sequential, gradcheck, loss};
/// use wengert_ops::{Tensor, random::Rng};
/// let mut rng = Rng::seed(0);
/// let mut model = Sequential::<f64>::new()
///     .push(Linear::new(3, 8, &mut rng))
///     .push(Activation::Relu)
///     .push(Linear::new(8, 2, &mut rng));
/// let (x, labels) = (Tensor::randn([5, 3], &mut rng)?, Tensor::from([0, 1, 1, 0, 1]));
/// gradcheck::assert_gradients(&mut model, |model, tape| {
///     loss::cross_entropy(model.forward(tape.constant(&x)), &labels)
/// });
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Panics
/// If a gradient is wrong, with the parameter, the element and both numbers; if a parameter has none; if the loss fails.
#[track_caller]
pub fn assert_gradients<M: Module>(model: &mut M, loss: impl for<'t> Fn(&M, &'t Tape<f64>) -> Var<'t, f64>) {
    let kind = model.kind();
    let report = succeeded("the loss", super::ModuleCheck::new(kind).first_order().run(model, loss));
    assert!(report.passed(), "{report}");
    let unused = report.unused;
    assert!(unused.is_empty(), "parameters without a gradient: {}", unused.join(", "));
}

/// Asserts that every trainable parameter gets a gradient from a loss on a training tape, in any element type: a faster check than
/// [`assert_gradients`], which does not compare numbers.
///
/// ```
/// use wengert_nn::{Layer, Linear, gradcheck};
/// use wengert_ops::{Tensor, random::Rng};
/// let model = Linear::<f32>::new(3, 2, &mut Rng::seed(0));
/// gradcheck::assert_no_unused_parameters(&model, |model, tape| {
///     model.forward(tape.constant(Tensor::ones([4, 3]))).square().sum()
/// });
/// ```
///
/// # Panics
/// If a parameter has no gradient, with the names of all such parameters; if the loss fails.
#[doc(alias = "find_unused_parameters")]
#[track_caller]
pub fn assert_no_unused_parameters<T: Float, M: Module>(
    model: &M,
    loss: impl for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
) {
    let tape = Tape::train(0);
    let grads = succeeded("the loss", loss(model, &tape).backward());
    let unused = grads.unused(model);
    assert!(unused.is_empty(), "parameters without a gradient: {}", unused.join(", "));
}
