//! Language models: their common trait, and how text is drawn from them.

use crate::dist::Categorical;
use crate::loss;
use crate::module::Module;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Error, ErrorKind, Float, Result, Tape, Var};

/// A model of sequences of ids, p(x₁, .., x_T) = Π p(x_t | x_1, .., x_{t-1}).
pub trait LanguageModel<T: Float>: Module {
    /// What the model keeps of the ids so far when it continues id by id.
    type Memory: Default;

    /// The number of ids in the vocabulary.
    fn vocabulary(&self) -> usize;

    /// The logits of the id after each step: ids `[n, steps]` → `[n, steps, vocabulary]`.
    #[track_caller]
    fn logits<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>) -> Var<'t, T>;

    /// The logits of the id after the last step, `[n, vocabulary]`, of sequences that continue the remembered ids with `ids`,
    /// `[n, steps]`.
    ///
    /// # Errors
    /// If an id is not in the vocabulary, or there is no step.
    fn go_on(&self, ids: &Tensor<i64>, memory: &mut Self::Memory) -> Result<Tensor<T>>;

    /// The mean of -log p(target), in nats per id; its exponential is the perplexity. `ids` and `targets`, the same ids
    /// one step later, are `[n, steps]`.
    #[track_caller]
    fn loss<'t>(&self, tape: &'t Tape<T>, ids: &Tensor<i64>, targets: &Tensor<i64>) -> Var<'t, T> {
        loss::cross_entropy(self.logits(tape, ids), targets)
    }
}

/// The options for drawing ids from logits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decoding {
    /// The divisor of the logits: near 0 the most probable id is drawn, at 1 the model's own distribution holds. Default: `1.0`.
    pub temperature: f64,
    /// The number of most probable ids from which to draw; `None` for all. Default: `None`.
    pub top_k: Option<usize>,
}

impl Default for Decoding {
    fn default() -> Self {
        Decoding { temperature: 1.0, top_k: None }
    }
}

/// The prompt and `n` more ids, each drawn from the model's distribution given those before it.
///
/// ```
/// use wengert_nn::zoo::{CharRnn, CharRnnConfig, Decoding, generate};
/// use wengert_ops::random::Rng;
/// let model = CharRnn::<f32>::with_config(&CharRnnConfig { vocabulary: 5, ..CharRnnConfig::default() }, &mut Rng::seed(0));
/// let ids = generate(&model, &[1, 2], 10, Decoding::default(), &mut Rng::seed(1))?;
/// assert_eq!((ids.len(), &ids[..2]), (12, &[1i64, 2][..]));
/// # Ok::<(), wengert_tape::Error>(())
/// ```
///
/// # Errors
/// If the prompt is empty or has an unknown id, if the temperature is not above 0, or if `top_k` is 0.
#[track_caller]
pub fn generate<T: Float, M: LanguageModel<T> + ?Sized>(
    model: &M,
    prompt: &[i64],
    n: usize,
    how: Decoding,
    rng: &mut Rng,
) -> Result<Vec<i64>> {
    how.check("generate")?;
    if prompt.is_empty() {
        return Err(refused("generate", "expected a prompt of at least one id".into()));
    }
    let mut memory = M::Memory::default();
    let mut ids = prompt.to_vec();
    let mut new = Tensor::from_slice(prompt, [1, prompt.len()])?;
    for _ in 0..n {
        let next = draw(&model.go_on(&new, &mut memory)?, how, rng)?;
        ids.push(next);
        new = Tensor::from([[next]]);
    }
    Ok(ids)
}

#[track_caller]
fn refused(op: &'static str, detail: String) -> Error {
    Error::new(ErrorKind::Op(wengert_ops::ErrorKind::Argument), op, detail).at(std::panic::Location::caller())
}

impl Decoding {
    /// Checks the options.
    #[track_caller]
    pub(super) fn check(self, op: &'static str) -> Result<()> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(refused(op, format!("expected a temperature above 0, found {}", self.temperature)));
        }
        if self.top_k == Some(0) {
            return Err(refused(op, "expected at least one id to draw from, found 0".into()));
        }
        Ok(())
    }
}

/// An id drawn from logits `[1, ids]`.
pub(super) fn draw<T: Float>(logits: &Tensor<T>, how: Decoding, rng: &mut Rng) -> Result<i64> {
    let mut logits = logits.scale(1.0 / how.temperature);
    if let Some(k) = how.top_k.filter(|&k| k < logits.numel()) {
        let mut sorted = logits.to_vec();
        sorted.sort_by(|a, b| b.to_f64().total_cmp(&a.to_f64()));
        // Ids as probable as the k-th one are kept too.
        let last = sorted[k - 1];
        logits = logits.map(|l| if l < last { T::from_f64(-1e30) } else { l });
    }
    let tape = Tape::<T>::eval();
    Ok(Categorical::new(tape.constant(logits)).sample_index(rng)?.item()?)
}
