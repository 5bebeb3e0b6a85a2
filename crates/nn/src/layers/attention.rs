//! [`MultiHeadAttention`]: attention by several heads, each of which compares other features.

use crate::Module;
use crate::init::{self, Gain, Scheme};
use crate::layers::{AttentionMask, KvCache, Layer, Linear, Rotary, optional, refused};
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::{Float, Param, Tape, Var};

pub(super) const OP: &str = "multi_head_attention";

/// The shape of a [`MultiHeadAttention`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttentionConfig {
    /// The number of features of queries and of the output.
    pub width: usize,
    /// The number of heads, which divides the width.
    pub heads: usize,
    /// The number of features of the input from which keys are computed. Default: the width.
    pub keys: usize,
    /// The number of features of the input from which values are computed. Default: the width.
    pub values: usize,
    /// The probability with which a query's attention to a key is dropped in training. Default: `0.0`.
    pub dropout: f64,
    /// Whether the projections have biases. Default: `true`.
    pub bias: bool,
    /// How queries and keys are rotated by their positions; `None` for no rotation. Default: `None`.
    pub rotary: Option<Rotary>,
}

impl AttentionConfig {
    /// Keys and values as wide as queries, with biases, without dropout and rotation.
    pub fn new(width: usize, heads: usize) -> Self {
        AttentionConfig { width, heads, keys: width, values: width, dropout: 0.0, bias: true, rotary: None }
    }
}

/// Multi-head attention, concat(head₁, ..) Wᴼ with headᵢ = softmax(q Wᵢ^Q (k Wᵢ^K)ᵀ / √dᵢ) v Wᵢ^V. (Vaswani et al. 2017,
/// section 3.2.2.) Sequences come batch first: queries `[batch, t, width]`, keys `[batch, s, keys]` and values
/// `[batch, s, values]` → `[batch, t, width]`.
///
/// Weights have PyTorch's names and memory layouts: one `in_proj_weight` with the rows for queries, keys and values in this
/// order, or `q_proj_weight`, `k_proj_weight` and `v_proj_weight` if their inputs differ in width; `in_proj_bias`,
/// `out_proj.weight` and `out_proj.bias`.
///
/// ```
/// use wengert_nn::{AttentionMask, Layer, Module, MultiHeadAttention};
/// use wengert_ops::{Tensor, random::Rng};
/// let layer = MultiHeadAttention::<f64>::new(8, 2, &mut Rng::seed(0));
/// assert_eq!(layer.param_names(), ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]);
/// let tape = wengert_tape::Tape::new();
/// let mut rng = Rng::seed(1);
/// let (x, memory) = (tape.constant(Tensor::randn([2, 3, 8], &mut rng)?), tape.constant(Tensor::randn([2, 5, 8], &mut rng)?));
/// assert_eq!(layer.forward(x).shape(), [2, 3, 8]);                            // self-attention of x
/// assert_eq!(layer.attend(x, memory, memory, &AttentionMask::new()).shape(), [2, 3, 8]);
/// let p = layer.weights(x, memory, &AttentionMask::new());
/// assert_eq!(p.shape(), [2, 2, 3, 5]);                                        // weights to plot
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "MultiheadAttention")]
#[derive(Debug, Clone, Module)]
pub struct MultiHeadAttention<T: Float> {
    /// The projections of queries, keys and values, `[3 width, width]`, if their inputs have one width; `None` otherwise.
    pub in_proj_weight: Option<Param<T>>,
    /// The projection of queries, `[width, width]`, if there is no `in_proj_weight`.
    pub q_proj_weight: Option<Param<T>>,
    /// The projection of keys, `[width, keys]`, if there is no `in_proj_weight`.
    pub k_proj_weight: Option<Param<T>>,
    /// The projection of values, `[width, values]`, if there is no `in_proj_weight`.
    pub v_proj_weight: Option<Param<T>>,
    /// The biases of queries, keys and values, `[3 width]`.
    pub in_proj_bias: Option<Param<T>>,
    /// The projection of the concatenated heads to the output, `[.., width]` → `[.., width]`.
    pub out_proj: Linear<T>,
    /// The number of heads, which divides the width.
    pub heads: usize,
    /// The probability with which a query's attention to a key is dropped in training.
    pub dropout: f64,
    /// How queries and keys are rotated by their positions; `None` for no rotation.
    #[module(skip)]
    pub rotary: Option<Rotary>,
}

impl<T: Float> MultiHeadAttention<T> {
    /// A layer of `heads` heads for queries, keys and values of one width; see [`with_config`](MultiHeadAttention::with_config).
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn new(width: usize, heads: usize, rng: &mut Rng) -> Self {
        Self::with_config(&AttentionConfig::new(width, heads), rng)
    }

    /// A layer with Xavier-uniform input projections, an output projection uniform on ±1/√width, and zero biases, PyTorch's
    /// default.
    ///
    /// # Panics
    /// If a weight does not fit in memory.
    pub fn with_config(config: &AttentionConfig, rng: &mut Rng) -> Self {
        let AttentionConfig { width, heads, dropout, rotary, .. } = *config;
        let mut draw = |rows: usize, columns: usize| {
            Some(Param::new(Scheme::XavierUniform(Gain::Unit).sample(&[rows, columns].into(), rng)))
        };
        let (mut joint, mut q, mut k, mut v) = (None, None, None, None);
        if config.keys == width && config.values == width {
            joint = draw(width.saturating_mul(3), width);
        } else {
            (q, k, v) = (draw(width, width), draw(width, config.keys), draw(width, config.values));
        }
        let mut out_proj = Linear::new(width, width, rng);
        out_proj.bias = if config.bias { Some(Param::new(init::zeros(&[width]))) } else { None };
        let in_proj_bias =
            if config.bias { Some(Param::new(init::zeros(&[width.saturating_mul(3)]))) } else { None };
        MultiHeadAttention {
            in_proj_weight: joint,
            q_proj_weight: q,
            k_proj_weight: k,
            v_proj_weight: v,
            in_proj_bias,
            out_proj,
            heads,
            dropout,
            rotary,
        }
    }

    /// Attention of queries `[batch, t, width]` to keys `[batch, s, keys]` with values `[batch, s, values]`:
    /// `[batch, t, width]`.
    #[track_caller]
    pub fn attend<'t>(
        &self,
        q: Var<'t, T>,
        k: Var<'t, T>,
        v: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
    ) -> Var<'t, T> {
        let scope = q.tape().open_scope();
        let [q, k, v] = self.project([Some(q), Some(k), Some(v)]);
        let [q, k] = self.rotated(q, k, 0);
        scope.close(self.output([q, k, v], mask))
    }

    /// Self-attention of `x`, `[batch, t, width]` into the same shape.
    #[track_caller]
    pub fn attend_self<'t>(&self, x: Var<'t, T>, mask: &AttentionMask<'t, T>) -> Var<'t, T> {
        self.own(x, mask, None)
    }

    /// Causal attention of `x`, `[batch, t, width]`, to the steps in `cache` and to itself. The result is that of
    /// [`attend_self`](MultiHeadAttention::attend_self) with a causal mask on the whole sequence. The steps of `x` are added to
    /// the cache.
    ///
    /// If the mask says more than causal, it covers all keys, the cached ones first.
    ///
    /// ```
    /// use wengert_nn::{AttentionMask, KvCache, MultiHeadAttention};
    /// use wengert_ops::{Tensor, random::Rng};
    /// let layer = MultiHeadAttention::<f64>::new(4, 2, &mut Rng::seed(0));
    /// let tape = wengert_tape::Tape::eval();
    /// let x = tape.constant(Tensor::randn([1, 3, 4], &mut Rng::seed(1))?);
    /// let whole = layer.attend_self(x, &AttentionMask::new().causal()).value()?;
    /// let mut cache = KvCache::new();
    /// for t in 0..3 {
    ///     let y = layer.attend_cached(x.slice(1, t..t + 1), &AttentionMask::new(), &mut cache).value()?;
    ///     let apart = y.sub(&whole.slice(1, t..t + 1)?)?;
    ///     assert!(apart.to_vec().iter().all(|d| d.abs() < 1e-15));
    /// }
    /// assert_eq!(cache.len(), 3);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn attend_cached<'t>(
        &self,
        x: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        cache: &mut KvCache<T>,
    ) -> Var<'t, T> {
        self.own(x, &mask.clone().causal(), Some(cache))
    }

    /// Attention of `x`, `[batch, t, width]`, to a memory `[batch, s, keys]`. The memory's keys and values are computed when the
    /// cache is empty, and read from the cache afterwards. A layer with rotary positions is refused, since the position of `x` is
    /// not known.
    #[track_caller]
    pub fn attend_memory<'t>(
        &self,
        x: Var<'t, T>,
        memory: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        cache: &mut KvCache<T>,
    ) -> Var<'t, T> {
        let tape = x.tape();
        if self.rotary.is_some() {
            return refused(tape, OP, "expected no rotation in attention to a memory".into());
        }
        let scope = tape.open_scope();
        let (q, k, v) = match cache.kept() {
            Some([k, v]) => {
                let [q, _, _] = self.project([Some(x), None, None]);
                (q, tape.constant(k), tape.constant(v))
            }
            None => {
                let [q, k, v] = self.project([Some(x), Some(memory), Some(memory)]);
                let [k, v] = cache.extend(k, v);
                (q, k, v)
            }
        };
        scope.close(self.output([q, k, v], mask))
    }

    /// The weight of each key for each query, `[batch, heads, t, s]`. Each row sums to one, or to zero for a query that sees
    /// no key. Use it for inspection; [`attend`](MultiHeadAttention::attend) does not compute this tensor.
    #[track_caller]
    pub fn weights<'t>(&self, q: Var<'t, T>, k: Var<'t, T>, mask: &AttentionMask<'t, T>) -> Var<'t, T> {
        let scope = q.tape().open_scope();
        let [q, k, _] = self.project([Some(q), Some(k), None]);
        let [q, k] = self.rotated(q, k, 0);
        // If the values are the rows of the identity, attention returns the weights themselves.
        let rows = match Tensor::eye(k.dim(2)) {
            Ok(rows) => q.tape().constant(rows),
            Err(e) => return q.tape().failed(e.into()),
        };
        scope.close(self.scored([q, k, rows], mask, 0.0))
    }

    #[track_caller]
    fn own<'t>(
        &self,
        x: Var<'t, T>,
        mask: &AttentionMask<'t, T>,
        cache: Option<&mut KvCache<T>>,
    ) -> Var<'t, T> {
        let scope = x.tape().open_scope();
        let [q, k, v] = self.project_self(x);
        let [q, k] = self.rotated(q, k, cache.as_ref().map_or(0, |c| c.len()));
        let [k, v] = match cache {
            Some(cache) => cache.extend(k, v),
            None => [k, v],
        };
        scope.close(self.output([q, k, v], mask))
    }

    fn width(&self) -> usize {
        self.out_proj.weight.shape().first().copied().unwrap_or(0)
    }

    /// Why the layer is invalid; `None` if it is valid.
    fn flaw(&self) -> Option<String> {
        let width = self.width();
        if self.heads == 0 || !width.is_multiple_of(self.heads) {
            return Some(format!("expected heads that share a width of {width}, found {}", self.heads));
        }
        let separate = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight];
        if self.in_proj_weight.is_none() && separate.iter().any(|w| w.is_none()) {
            return Some("expected in_proj_weight, or all of q_, k_ and v_proj_weight".into());
        }
        None
    }

    /// Queries, keys and values of one input, computed by one product if there is one weight.
    #[track_caller]
    fn project_self<'t>(&self, x: Var<'t, T>) -> [Var<'t, T>; 3] {
        let (Some(weight), None, 3) = (&self.in_proj_weight, self.flaw(), x.rank()) else {
            return self.project([Some(x); 3]);
        };
        let (tape, width) = (x.tape(), self.width());
        if x.is_failed() || x.dim(2) != width {
            return self.project([Some(x); 3]);
        }
        let all = x.linear(tape.param(weight), optional(tape, &self.in_proj_bias)); // [batch, t, 3 width]
        let all = all.unflatten(-1, [3, self.heads, width / self.heads]); // [batch, t, 3, heads, width / heads]
        let mut parts = [all; 3];
        for (i, part) in parts.iter_mut().enumerate() {
            *part = all.select(2, i).transpose(1, 2); // [batch, heads, t, width / heads]
        }
        parts
    }

    /// Queries, keys and values of the given inputs, `[batch, heads, steps, width / heads]`; where an input is `None`, the result
    /// has a copy of another one's handle.
    #[track_caller]
    fn project<'t>(&self, inputs: [Option<Var<'t, T>>; 3]) -> [Var<'t, T>; 3] {
        let [Some(x), _, _] = inputs else { unreachable!("queries are always given") };
        let tape = x.tape();
        if let Some(detail) = self.flaw() {
            return [refused(tape, OP, detail); 3];
        }
        let (width, mut batch, mut steps) = (self.width(), None, None);
        let mut parts = [x; 3];
        for (i, input) in inputs.into_iter().enumerate() {
            let Some(x) = input else { continue };
            if x.is_failed() {
                return [x; 3];
            }
            let weight = self.weight(tape, i);
            let (what, wanted) = (["queries", "keys", "values"][i], weight.dim(1));
            if x.rank() != 3 || x.dim(2) != wanted {
                let detail = format!("expected {what} [batch, steps, {wanted}], found {}", x.shape());
                return [refused(tape, OP, detail); 3];
            }
            let n = *batch.get_or_insert(x.dim(0));
            let s = if i == 0 { x.dim(1) } else { *steps.get_or_insert(x.dim(1)) };
            if (x.dim(0), x.dim(1)) != (n, s) {
                let detail = format!("expected {what} [{n}, {s}, {wanted}], found {}", x.shape());
                return [refused(tape, OP, detail); 3];
            }
            let mut bias = None;
            if let Some(b) = &self.in_proj_bias {
                bias = Some(tape.param(b).narrow(0, i * width, width));
            }
            let heads = [self.heads, width / self.heads];
            parts[i] = x.linear(weight, bias).unflatten(-1, heads).transpose(1, 2);
        }
        parts
    }

    /// The projection weight of queries (0), keys (1) or values (2).
    #[track_caller]
    fn weight<'t>(&self, tape: &'t Tape<T>, i: usize) -> Var<'t, T> {
        let separate = [&self.q_proj_weight, &self.k_proj_weight, &self.v_proj_weight][i];
        match (&self.in_proj_weight, separate) {
            (Some(joint), _) => tape.param(joint).narrow(0, i * self.width(), self.width()),
            (None, Some(weight)) => tape.param(weight),
            (None, None) => unreachable!("flaw() has looked"),
        }
    }

    /// Queries and keys, rotated by their positions if the layer has a rotation; both begin at position `offset`.
    #[track_caller]
    fn rotated<'t>(&self, q: Var<'t, T>, k: Var<'t, T>, offset: usize) -> [Var<'t, T>; 2] {
        match &self.rotary {
            Some(rotary) => [rotary.rotate(q, offset), rotary.rotate(k, offset)],
            None => [q, k],
        }
    }

    #[track_caller]
    fn scored<'t>(
        &self,
        [q, k, v]: [Var<'t, T>; 3],
        mask: &AttentionMask<'t, T>,
        dropout: f64,
    ) -> Var<'t, T> {
        for x in [q, k, v] {
            if x.is_failed() {
                return x;
            }
        }
        match mask.options(OP, [q.dim(0), self.heads, q.dim(2), k.dim(2)]) {
            Ok(options) => q.scaled_dot_product_attention(k, v, options.dropout(dropout)),
            Err(e) => q.tape().failed(e),
        }
    }

    #[track_caller]
    fn output<'t>(&self, qkv: [Var<'t, T>; 3], mask: &AttentionMask<'t, T>) -> Var<'t, T> {
        let heads = self.scored(qkv, mask, self.dropout); // [batch, heads, t, width / heads]
        if heads.is_failed() {
            return heads;
        }
        self.out_proj.forward(heads.transpose(1, 2).flatten_axes(-2, -1)) // [batch, t, width]
    }
}

/// Self-attention without a mask: `[batch, steps, width]` into the same shape.
impl<T: Float> Layer<T> for MultiHeadAttention<T> {
    fn forward<'t>(&self, x: Var<'t, T>) -> Var<'t, T> {
        self.attend_self(x, &AttentionMask::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradcheck;
    use crate::layers::RotaryLayout;

    fn random(shape: [usize; 3], seed: u64) -> Tensor<f64> {
        Tensor::randn(shape, &mut Rng::seed(seed)).unwrap()
    }

    fn config() -> AttentionConfig {
        AttentionConfig { rotary: Some(Rotary::default()), dropout: 0.2, ..AttentionConfig::new(4, 2) }
    }

    #[track_caller]
    fn close(a: &Tensor<f64>, b: &Tensor<f64>) {
        assert_eq!(a.shape(), b.shape());
        assert!(a.to_vec().iter().zip(b.to_vec()).all(|(a, b)| (a - b).abs() < 1e-12), "{a}\n{b}");
    }

    #[test]
    fn gradients_are_right_of_self_and_cross_attention() {
        let (x, k, v) = (random([2, 3, 4], 0), random([2, 2, 3], 1), random([2, 2, 5], 2));
        let mut own = MultiHeadAttention::<f64>::with_config(&config(), &mut Rng::seed(3));
        let report = gradcheck::check(
            &mut own,
            |layer, tape| {
                let mask = AttentionMask::new().causal().lengths(&Tensor::from([3, 1]));
                layer.attend_self(tape.constant(&x), &mask).square().sum()
            },
            3,
        )
        .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
        let config = AttentionConfig { keys: 3, values: 5, ..config() };
        let mut cross = MultiHeadAttention::<f64>::with_config(&config, &mut Rng::seed(3));
        assert_eq!(cross.param_names()[..3], ["q_proj_weight", "k_proj_weight", "v_proj_weight"]);
        let report = gradcheck::check(
            &mut cross,
            |layer, tape| {
                let [x, k, v] = [&x, &k, &v].map(|t| tape.constant(t));
                layer.attend(x, k, v, &AttentionMask::new()).square().sum()
            },
            3,
        )
        .unwrap();
        assert!(report.worst() < 1e-6 && report.unused.is_empty(), "{report:?}");
    }

    #[test]
    fn one_product_gives_what_three_do() {
        let layer = MultiHeadAttention::<f64>::with_config(&config(), &mut Rng::seed(3));
        let (x, tape, mask) = (random([2, 3, 4], 0), Tape::new(), AttentionMask::new().causal());
        let x = tape.constant(&x);
        close(&layer.attend_self(x, &mask).value().unwrap(), &layer.attend(x, x, x, &mask).value().unwrap());
    }

    #[test]
    fn cached_steps_give_the_numbers_of_the_whole() {
        for pairing in [RotaryLayout::Neighbours, RotaryLayout::Halves] {
            let rotary = Some(Rotary { pairing, ..Rotary::default() });
            let layer = MultiHeadAttention::<f64>::with_config(
                &AttentionConfig { rotary, ..config() },
                &mut Rng::seed(3),
            );
            let (x, tape) = (random([2, 6, 4], 0), Tape::eval());
            let x = tape.constant(&x);
            let keys = Tensor::from([[true, true, false, true, true, true], [true; 6]]);
            let whole = layer.attend_self(x, &AttentionMask::new().causal().keys(&keys));
            let mut cache = KvCache::new();
            let mut parts = Vec::new();
            for (from, to) in [(0, 3), (3, 4), (4, 6)] {
                let mask = AttentionMask::new().keys(keys.slice(1, ..to));
                parts.push(layer.attend_cached(x.slice(1, from..to), &mask, &mut cache));
                assert_eq!(cache.len(), to as usize);
            }
            close(&tape.concat(&parts, 1).value().unwrap(), &whole.value().unwrap());
            // The cache is truncated, and only the second sequence continues.
            cache.truncate(4);
            cache.select(&Tensor::from([1])).unwrap();
            let y = layer.attend_cached(x.slice(0, 1..).slice(1, 4..), &AttentionMask::new(), &mut cache);
            close(&y.value().unwrap(), &whole.slice(0, 1..).slice(1, 4..).value().unwrap());
            assert!(cache.select(&Tensor::from([1])).is_err() && cache.len() == 6);
            let e = layer.attend_cached(x, &AttentionMask::new(), &mut cache).value().unwrap_err();
            assert!(e.op() == OP && cache.len() == 6, "{e}");
            cache.clear();
            assert!(cache.is_empty());
        }
    }

    #[test]
    fn a_memory_is_projected_once() {
        let config = AttentionConfig { keys: 3, values: 3, rotary: None, ..config() };
        let layer = MultiHeadAttention::<f64>::with_config(&config, &mut Rng::seed(3));
        let (tape, mut cache) = (Tape::eval(), KvCache::new());
        let (x, memory) = (tape.constant(random([2, 3, 4], 0)), tape.constant(random([2, 5, 3], 1)));
        let mask = AttentionMask::new().lengths(&Tensor::from([5, 2]));
        let whole = layer.attend(x, memory, memory, &mask).value().unwrap();
        for t in 0..3 {
            let y = layer.attend_memory(x.slice(1, t..t + 1), memory, &mask, &mut cache).value().unwrap();
            close(&y, &whole.slice(1, t..t + 1).unwrap());
        }
        assert_eq!(cache.len(), 5);
        let turned = MultiHeadAttention { rotary: Some(Rotary::default()), ..layer };
        let e = turned.attend_memory(x, memory, &mask, &mut cache).value().unwrap_err();
        assert!(e.to_string().contains("no rotation"), "{e}");
    }

    #[test]
    fn masks_say_the_same_in_every_form() {
        let layer = MultiHeadAttention::<f64>::new(4, 2, &mut Rng::seed(3));
        let (x, tape) = (random([2, 3, 4], 0), Tape::new());
        let x = tape.constant(&x);
        let weights = |mask: AttentionMask<'_, f64>| layer.weights(x, x, &mask).value().unwrap();
        let lower = Tensor::from([[true, false, false], [true, true, false], [true, true, true]]);
        let added = lower.map(|seen| if seen { 0.0 } else { f64::NEG_INFINITY });
        let causal = weights(AttentionMask::new().causal());
        close(&causal, &weights(AttentionMask::new().pairs(&lower)));
        close(&causal, &weights(AttentionMask::new().bias(tape.constant(&added))));
        let each = lower.unsqueeze(0).unwrap().expand([2, 3, 3]).unwrap();
        close(&causal, &weights(AttentionMask::new().pairs(&each)));
        let keys = Tensor::from([[true, true, false], [false, false, false]]);
        let p = weights(AttentionMask::new().keys(&keys));
        close(&p, &weights(AttentionMask::new().lengths(&Tensor::from([2, 0]))));
        assert_eq!(p.select(0, 1).unwrap().to_vec(), [0.0; 18], "a query that sees nothing");
        let sums = p.select(0, 0).unwrap().sum_axes(-1).unwrap().to_vec();
        assert!(sums.iter().all(|s| (s - 1.0).abs() < 1e-15));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let layer = MultiHeadAttention::<f64>::new(4, 2, &mut Rng::seed(3));
        let tape = Tape::new();
        let x = tape.constant(random([2, 3, 4], 0));
        let says = |y: Var<'_, f64>, words: &str| {
            let e = y.value().unwrap_err();
            assert!(e.op() == OP && e.to_string().contains(words), "{e}");
            assert_eq!(e.location().map(|at| at.file()), Some(file!()));
        };
        let none = AttentionMask::new();
        says(layer.forward(x.select(0, 0)), "expected queries [batch, steps, 4], found [3, 4]");
        says(layer.forward(x.slice(2, ..3)), "found [2, 3, 3]");
        let short = x.slice(1, ..2);
        says(layer.attend(x, x, short, &none), "expected values [2, 3, 4], found [2, 2, 4]");
        says(layer.attend(x, x.slice(0, ..1), short, &none), "expected keys [2, 3, 4], found [1, 3, 4]");
        let keys = AttentionMask::new().keys(Tensor::from([[true, true, true]]));
        says(layer.attend_self(x, &keys), "mask of keys [2, 3], found [1, 3]");
        let pairs = AttentionMask::new().pairs(Tensor::from([[true, true]]));
        says(layer.attend_self(x, &pairs), "mask of pairs [3, 3], [2, 3, 3] or [2, 2, 3, 3], found [1, 2]");
        let bias = AttentionMask::new().bias(x);
        says(layer.attend_self(x, &bias), "expected a bias [3, 3]");
        let long = AttentionMask::new().lengths(&Tensor::from([3, 4]));
        says(layer.attend_self(x, &long), "length 4 is out of range for 3 keys");
        says(layer.attend_self(x, &AttentionMask::new().lengths(&Tensor::from([3]))), "lengths [2]");
        let uneven = MultiHeadAttention { heads: 3, ..layer.clone() };
        says(uneven.forward(x), "heads that share a width of 4, found 3");
        says(MultiHeadAttention { in_proj_weight: None, ..layer }.forward(x), "all of q_, k_ and v_");
    }
}
