//! [`AttentionMask`]: which keys the queries of a batch may see.

use wengert_ops::Tensor;
use wengert_tape::rules::{Attention, IntoMask};
use wengert_tape::{Float, Result, Var};

/// Which keys each query of an attention layer may see: all of them, by default. Masks are combined by "and".
///
/// Boolean masks are **true** where a key is seen, as in
/// [`scaled_dot_product_attention`](Var::scaled_dot_product_attention); those of PyTorch's `MultiheadAttention` and
/// `Transformer` are true where it is not.
///
/// ```
/// use wengert_nn::{AttentionMask, MultiHeadAttention};
/// use wengert_ops::{Tensor, random::Rng};
/// let layer = MultiHeadAttention::<f64>::new(4, 2, &mut Rng::seed(0));
/// let tape = wengert_tape::Tape::new();
/// let x = tape.constant(Tensor::randn([2, 3, 4], &mut Rng::seed(1))?);
/// let mask = AttentionMask::new().causal().lengths(&Tensor::from([3, 2]));
/// let p = layer.weights(x, x, &mask).value()?;                        // [batch, heads, queries, keys]
/// assert_eq!(p.get(&[0, 0, 1, 2])?, 0.0);                             // no weight on later keys
/// assert_eq!(p.get(&[1, 0, 2, 2])?, 0.0);                             // no weight on padding
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct AttentionMask<'t, T: Float> {
    causal: bool,
    keys: Option<Result<Tensor<bool>>>,
    lengths: Option<Tensor<i64>>,
    pairs: Option<Result<Tensor<bool>>>,
    bias: Option<Var<'t, T>>,
}

impl<T: Float> Default for AttentionMask<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'t, T: Float> AttentionMask<'t, T> {
    /// Every query sees every key.
    pub fn new() -> Self {
        AttentionMask { causal: false, keys: None, lengths: None, pairs: None, bias: None }
    }

    /// No query sees a key after it; the last query is at the position of the last key.
    pub fn causal(mut self) -> Self {
        self.causal = true;
        self
    }

    /// Which keys are present, `[batch, keys]`: false for padding.
    pub fn keys(mut self, keys: impl IntoMask) -> Self {
        self.keys = Some(keys.into_mask());
        self
    }

    /// The number of keys of each sequence, `[batch]`; keys after that are padding.
    pub fn lengths(mut self, lengths: &Tensor<i64>) -> Self {
        self.lengths = Some(lengths.clone());
        self
    }

    /// Which query sees which key, `[queries, keys]`, `[batch, queries, keys]` or `[batch, heads, queries, keys]`, or a shape
    /// that broadcasts to one of them.
    pub fn pairs(mut self, pairs: impl IntoMask) -> Self {
        self.pairs = Some(pairs.into_mask());
        self
    }

    /// A term that is added to the scores, of a shape as in [`pairs`](AttentionMask::pairs): a bias by distance, for example, or
    /// -∞ where a key must not be seen. It receives a gradient.
    pub fn bias(mut self, bias: Var<'t, T>) -> Self {
        self.bias = Some(bias);
        self
    }

    /// The attention options for queries `[batch, heads, queries, ..]` and keys `[batch, heads, keys, ..]`.
    #[track_caller]
    pub(super) fn options(&self, op: &'static str, full: [usize; 4]) -> Result<Attention<'t, T>> {
        let [batch, _, _, keys] = full;
        let refused = |detail: String| {
            let kind = wengert_tape::ErrorKind::Op(wengert_ops::ErrorKind::Shape);
            wengert_tape::Error::new(kind, op, detail)
        };
        let mut options = Attention::new();
        if self.causal {
            options = options.causal();
        }
        let mut all: Vec<Tensor<bool>> = Vec::new();
        if let Some(mask) = &self.keys {
            let mask = mask.clone()?;
            if *mask.shape() != [batch, keys] {
                let detail = format!("expected a mask of keys [{batch}, {keys}], found {}", mask.shape());
                return Err(refused(detail));
            }
            all.push(mask.reshape([batch, 1, 1, keys])?);
        }
        if let Some(lengths) = &self.lengths {
            if *lengths.shape() != [batch] {
                return Err(refused(format!("expected lengths [{batch}], found {}", lengths.shape())));
            }
            let lengths = lengths.to_vec();
            if let Some(n) = lengths.iter().find(|&&n| usize::try_from(n).map_or(true, |n| n > keys)) {
                return Err(refused(format!("length {n} is out of range for {keys} keys")));
            }
            let seen = lengths.iter().flat_map(|&n| (0..keys as i64).map(move |j| j < n)).collect();
            all.push(Tensor::from_vec(seen, [batch, 1, 1, keys])?);
        }
        if let Some(mask) = &self.pairs {
            let mut mask = mask.clone()?;
            if mask.rank() == 3 {
                mask = mask.unsqueeze(1)?;
            }
            if mask.expand(full).is_err() {
                let (found, [b, h, t, s]) = (mask.shape(), full);
                return Err(refused(format!(
                    "expected a mask of pairs [{t}, {s}], [{b}, {t}, {s}] or [{b}, {h}, {t}, {s}], found {found}"
                )));
            }
            all.push(mask);
        }
        if let Some(mut bias) = self.bias {
            if bias.rank() == 3 {
                bias = bias.unsqueeze(1);
            }
            let fits = |(&n, &full): (&usize, &usize)| n == 1 || n == full;
            let shape = bias.shape();
            let sizes = shape.as_shape();
            if !bias.is_failed() && (sizes.len() > 4 || !sizes.iter().rev().zip(full.iter().rev()).all(fits))
            {
                let [b, h, t, s] = full;
                return Err(refused(format!(
                    "expected a bias [{t}, {s}], [{b}, {t}, {s}] or [{b}, {h}, {t}, {s}], found {shape}"
                )));
            }
            options = options.bias(bias);
        }
        let mut seen: Option<Tensor<bool>> = None;
        for mask in all {
            seen = Some(match seen {
                Some(seen) => seen.logical_and(&mask)?,
                None => mask,
            });
        }
        Ok(match seen {
            Some(seen) => options.mask(seen),
            None => options,
        })
    }
}
