//! Losses of similarity: cosines that should be large or small, and pairs to be found among many rows.

use super::{Reduction, TARGET, alike, each, option, refused, rows};
use crate::domain::Domain;
use wengert_ops::{ErrorKind as OpErrorKind, Tensor};
use wengert_tape::{Float, Operand, Var};

/// 1 - cos(x, other) where the target is 1, max(0, cos(x, other) - margin) where it is -1, for rows `[.., d]` and targets
/// `[..]`. As in PyTorch, 10⁻¹² is added to the squared lengths, so that a row of zeros has cosine 0. At the margin itself the
/// derivative is 0.
///
/// ```
/// use wengert_nn::loss::CosineEmbedding;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let x = tape.var(Tensor::from([[1.0, 0.0], [1.0, 0.0]]));
/// let y = Tensor::from([[0.0, 2.0], [2.0, 0.0]]);
/// let loss = CosineEmbedding { margin: 0.25, ..Default::default() };
/// assert!((loss.of(x, y, Tensor::from([1.0, -1.0])).item()? - (1.0 + 0.75) / 2.0).abs() < 1e-9);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "CosineEmbeddingLoss")]
#[doc(alias = "cosine_embedding_loss")]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CosineEmbedding {
    /// The cosine up to which the loss is 0 where the target is -1, from -1 to 1. Default: `0.0`.
    pub margin: f64,
    /// How the rows' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl CosineEmbedding {
    /// The loss of two values of rows `[.., d]`, and targets `[..]`.
    ///
    /// # Errors
    /// If a target is neither 1 nor -1, or the margin is not a cosine, from -1 to 1.
    #[track_caller]
    pub fn of<'t, T: Float>(
        &self,
        x: Var<'t, T>,
        other: impl Operand<'t, T>,
        target: impl Operand<'t, T>,
    ) -> Var<'t, T> {
        const OP: &str = "cosine_embedding";
        let (other, target) = (other.into_var(x.tape()), target.into_var(x.tape()));
        let _scope = x.tape().error_scope(OP);
        let other = alike(OP, ("x", x), "other", other);
        let x = rows(OP, x, "d");
        let x = option(OP, x, (-1.0..=1.0).contains(&self.margin), "a margin from -1 to 1", self.margin);
        let dot = (x * other).sum_axes(-1);
        let lengths = (x.square().sum_axes(-1) + 1e-12) * (other.square().sum_axes(-1) + 1e-12);
        let cosine = dot * lengths.rsqrt();
        if cosine.is_failed() || target.is_failed() {
            return if cosine.is_failed() { cosine } else { target };
        }
        if cosine.shape() != target.shape() {
            let detail = format!(
                "expected a target for each row of a prediction {}, found {}",
                x.shape(),
                target.shape()
            );
            return refused(x, OP, OpErrorKind::Shape, detail);
        }
        let target = each(OP, TARGET, target, Domain::Sign);
        match target.gt(0.0) {
            Ok(alike) => self.reduction.of((1.0 - cosine).where_cond(&alike, (cosine - self.margin).relu())),
            Err(e) => x.tape().failed(e),
        }
    }
}

/// InfoNCE (van den Oord et al. 2018), symmetrical as in CLIP (Radford et al. 2021): row i of `x` and row i of `other`, both `[n,
/// d]`, are a pair. With cosine similarities divided by the temperature as logits `[n, n]`, the loss of a pair is half the sum of
/// the cross-entropies along its row and along its column.
///
/// ```
/// use wengert_nn::loss::InfoNce;
/// use wengert_ops::Tensor;
/// let tape = wengert_tape::Tape::<f64>::new();
/// let x = tape.var(Tensor::from([[1.0, 0.0], [0.0, 3.0]]));
/// // The cosine is 1 within a pair and 0 otherwise.
/// let loss = InfoNce { temperature: 0.5, ..Default::default() }.of(x, Tensor::from([[2.0, 0.0], [0.0, 1.0]]));
/// assert!((loss.item()? - (1.0 + (-2f64).exp()).ln()).abs() < 1e-9);
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InfoNce {
    /// The divisor of the similarities. The default is the initial value in CLIP's training. Default: `0.07`.
    pub temperature: f64,
    /// How the pairs' losses are reduced. Default: `Mean`.
    pub reduction: Reduction,
}

impl Default for InfoNce {
    fn default() -> Self {
        InfoNce { temperature: 0.07, reduction: Reduction::Mean }
    }
}

impl InfoNce {
    /// The loss of two values of rows, both `[n, d]`; with [`Reduction::None`], of shape `[n]`.
    ///
    /// # Errors
    /// If the temperature is not positive and finite.
    #[track_caller]
    pub fn of<'t, T: Float>(&self, x: Var<'t, T>, other: impl Operand<'t, T>) -> Var<'t, T> {
        const OP: &str = "info_nce";
        let other = other.into_var(x.tape());
        let _scope = x.tape().error_scope(OP);
        let other = alike(OP, ("x", x), "other", other);
        if x.is_failed() || other.is_failed() {
            return if x.is_failed() { x } else { other };
        }
        let dims = x.shape();
        let [n, _] = dims.as_shape()[..] else {
            return refused(x, OP, OpErrorKind::Shape, format!("expected rows [n, d], found {dims}"));
        };
        let temperature = self.temperature;
        let good = temperature > 0.0 && temperature.is_finite();
        let x = option(OP, x, good, "a positive temperature", temperature);
        if x.is_failed() {
            return x;
        }
        let logits = unit(x).matmul(unit(other).t()) / temperature; // [n, n]
        let own = Tensor::from((0..n as i64).collect::<Vec<_>>());
        let (along_rows, along_columns) = (logits.cross_entropy(&own), logits.t().cross_entropy(&own));
        (self.reduction.of(along_rows) + self.reduction.of(along_columns)) * 0.5
    }
}

/// Rows normalised to length 1; as in [`CosineEmbedding`], rows of zeros stay zeros.
#[track_caller]
fn unit<T: Float>(v: Var<'_, T>) -> Var<'_, T> {
    v * (v.square().sum_keepdim(-1) + 1e-12).rsqrt()
}
