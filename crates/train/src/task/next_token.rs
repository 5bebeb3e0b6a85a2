//! [`NextToken`]: language models.

use super::{Outcome, Task};
use crate::error::Result;
use crate::measures::MetricKind;
use wengert_data::TokenBatch;
use wengert_nn::zoo::LanguageModel;
use wengert_tape::Tape;

/// Language modelling: minimises the mean negative log-likelihood of the next token, in nats, and measures its exponential, the
/// perplexity, as well.
///
/// ```
/// use wengert_data::{Text, hamlet};
/// use wengert_nn::zoo::{CharRnn, CharRnnConfig};
/// use wengert_ops::random::Rng;
/// use wengert_train::{NextToken, evaluate};
/// let text = Text::characters(&hamlet()?[..2000]);
/// let n = text.vocabulary().len();
/// let config = CharRnnConfig { vocabulary: n, hidden: 8, ..CharRnnConfig::default() };
/// let model = CharRnn::with_config(&config, &mut Rng::seed(0));
/// let scores = evaluate(&model, &NextToken, &text.windows(20, 20)?, 32)?;
/// let perplexity = scores.get("perplexity").unwrap();
/// assert!((perplexity.ln() - scores.loss()).abs() < 1e-12);
/// assert!((perplexity / n as f64 - 1.0).abs() < 0.2);            // nothing learned yet
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NextToken;

impl<M: LanguageModel<f32> + ?Sized> Task<M, TokenBatch> for NextToken {
    fn outcome<'t>(&self, model: &M, batch: &TokenBatch, tape: &'t Tape<f32>) -> Result<Outcome<'t>> {
        let tokens = batch.targets.numel();
        let outcome =
            Outcome::weighted(model.loss(tape, &batch.inputs, &batch.targets), batch.indices.len(), tokens)?;
        let nats = outcome.measures.loss();
        Ok(outcome.measured(|m| m.with("perplexity", MetricKind::Exp, nats, tokens as f64)))
    }
}
