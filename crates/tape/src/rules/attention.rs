//! Scaled dot-product attention (Vaswani et al. 2017), fused: y = p v, p = softmax(scale q kᵀ + mask), without ever storing
//! p. Cotangents: gv = pᵀ g; with gs = p (g vᵀ - Σ g y), gq = scale gs k, gk = scale gsᵀ q, and gs is that of an added
//! mask.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use crate::rules::IntoMask;
use wengert_ops::broadcast_shapes;
use wengert_ops::kernel::attention::Scores;

const OP: &str = "scaled_dot_product_attention";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Causal {
    No,
    BottomRight,
    TopLeft,
}

/// Options of [`scaled_dot_product_attention`](Var::scaled_dot_product_attention): which keys each query sees, the scale,
/// and dropout.
///
/// ```
/// # use wengert_ops::Tensor;
/// use wengert_tape::rules::Attention;
/// let tape = wengert_tape::Tape::new();
/// let q = tape.var(Tensor::from([[0.0], [0.0]]));                  // all scores are equal
/// let v = tape.var(Tensor::from([[1.0], [3.0]]));
/// let y = q.scaled_dot_product_attention(q, v, Attention::new().causal());
/// assert_eq!(y.value()?.to_vec(), [1.0, 2.0]);                     // the first query sees the first key only
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Attention<'t, T: Float> {
    causal: Causal,
    mask: Option<Result<Tensor<bool>>>,
    added: Option<Var<'t, T>>,
    scale: Option<f64>,
    dropout: f64,
}

impl<T: Float> Default for Attention<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'t, T: Float> Attention<'t, T> {
    /// Every query sees every key; scores are divided by √d.
    pub fn new() -> Self {
        Attention { causal: Causal::No, mask: None, added: None, scale: None, dropout: 0.0 }
    }

    /// A query does not see later keys, where the last query is aligned with the last key: of t queries and s keys, query i
    /// sees key j if j ≤ i + s - t. This is right for queries that continue after cached keys. Default: `No`.
    pub fn causal(mut self) -> Self {
        self.causal = Causal::BottomRight;
        self
    }

    /// As [`causal`](Attention::causal), but the first query is aligned with the first key: j ≤ i, PyTorch's `is_causal`.
    /// The two differ only if t ≠ s.
    pub fn causal_top_left(mut self) -> Self {
        self.causal = Causal::TopLeft;
        self
    }

    /// A query sees a key only where `mask`, which broadcasts to `[.., t, s]`, is **true**. Default: `None`.
    pub fn mask(mut self, mask: impl IntoMask) -> Self {
        self.mask = Some(mask.into_mask());
        self
    }

    /// `added`, which broadcasts to `[.., t, s]`, is added to the scores after scaling: a bias, or -∞ where a query must
    /// not see a key. It gets a gradient. Default: `None`.
    pub fn bias(mut self, added: Var<'t, T>) -> Self {
        self.added = Some(added);
        self
    }

    /// Scores are multiplied by `scale`. Default: `None`, which is 1/√d.
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = Some(scale);
        self
    }

    /// On a training tape, each probability is dropped with probability `p` and the others are divided by 1 - p. The matrix
    /// of all probabilities is then held in memory. Default: `0`.
    pub fn dropout(mut self, p: f64) -> Self {
        self.dropout = p;
        self
    }
}

/// The size of an axis, counted from the last, which is 1.
fn extent(shape: &Shape, from_last: usize) -> usize {
    shape.len().checked_sub(from_last).map_or(1, |axis| shape[axis])
}

/// Inputs q, k, v with the same leading axes, and the added mask, if there is one, in its full shape.
#[derive(Clone)]
struct Attend {
    scale: f64,
    diagonal: Option<isize>,
    seen: Option<Tensor<bool>>,
}

impl Attend {
    fn scores<T: Float>(&self, added: Option<&Tensor<T>>) -> Scores<T> {
        Scores { scale: self.scale, diagonal: self.diagonal, seen: self.seen.clone(), added: added.cloned() }
    }

    /// Which keys each query sees, including the -∞ of an added mask; `None` if every query sees every key.
    fn visible<T: Float>(
        &self,
        t: usize,
        s: usize,
        added: Option<Var<'_, T>>,
    ) -> Result<Option<Tensor<bool>>> {
        let mut all = self.seen.clone();
        let mut and = |more: Tensor<bool>| -> Result<()> {
            all = Some(match &all {
                Some(m) => m.logical_and(&more)?,
                None => more,
            });
            Ok(())
        };
        if let Some(d) = self.diagonal {
            let sees = |i: usize| (0..s).map(move |j| j as isize <= (i as isize).saturating_add(d));
            and(Tensor::from_vec((0..t).flat_map(sees).collect(), [t, s])?)?;
        }
        if let Some(a) = added {
            and(a.ne(f64::NEG_INFINITY)?)?;
        }
        Ok(all)
    }

    /// The same function in other ops, with dropout.
    #[track_caller]
    fn composed<'t, T: Float>(&self, x: &[Var<'t, T>], dropout: f64) -> Var<'t, T> {
        let (q, k, v, added) = (x[0], x[1], x[2], x.get(3).copied());
        let (t, s) = (q.dim(-2), k.dim(-2));
        let seen = match self.visible(t, s, added) {
            Ok(seen) => seen,
            Err(e) => return q.tape().failed(e),
        };
        let mut scores = q.matmul(k.transpose(-1, -2)) * self.scale; // [.., t, s]
        if let Some(a) = added {
            scores += a.masked_fill(a.eq(f64::NEG_INFINITY), 0.0);
        }
        let Some(seen) = seen else {
            return scores.softmax(-1).dropout(dropout).matmul(v);
        };
        let hidden = seen.logical_not();
        // A query that sees no key has scores of 0 here, and its probabilities are set to 0 below.
        let blind = seen.to_float::<T>().sum_keepdim(-1).and_then(|n| n.eq(Tensor::scalar(T::ZERO)));
        let scores = scores.masked_fill(&hidden, f64::NEG_INFINITY).masked_fill(blind, 0.0);
        scores.softmax(-1).masked_fill(&hidden, 0.0).dropout(dropout).matmul(v)
    }
}

impl<T: Float> Op<T> for Attend {
    fn name(&self) -> &'static str {
        OP
    }
    fn arguments(&self) -> Option<String> {
        let causal = if self.diagonal.is_some() { "causal, " } else { "" };
        Some(format!("{causal}scale {:.4}", self.scale))
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (y, stats) = x[0].attention(x[1], x[2], &self.scores(x.get(3).copied()))?;
        Ok(ForwardOutput { outputs: [y].into_iter().collect(), saved: vec![stats] })
    }
    /// The two products, also of the scores that a mask hides.
    fn flops(&self, inputs: &[&Shape], outputs: &[&Shape]) -> u64 {
        let keys = extent(inputs[1], 2);
        2 * (inputs[0].numel() * keys + outputs[0].numel() * keys) as u64
    }
    /// Five products: the scores again, and the cotangents of probabilities, values, queries and keys.
    fn backward_flops(&self, inputs: &[&Shape], outputs: &[&Shape], needs: &[bool]) -> u64 {
        let _ = needs;
        let keys = extent(inputs[1], 2);
        6 * (inputs[0].numel() * keys) as u64 + 4 * (outputs[0].numel() * keys) as u64
    }
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        Some(vec![self.composed(x, 0.0)])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let masked = r.inputs() == 4;
            let scores = self.scores(if masked { Some(r.x(3)?) } else { None });
            let past = (r.y()?, r.saved(0)?);
            let wanted = masked && r.needs(3);
            let g = r.x(0)?.attention_adjoint(r.x(1)?, r.x(2)?, &scores, past, r.gy()?, wanted)?;
            Ok(g.into_iter().take(r.inputs()).collect())
        };
        Some(adjoint())
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// softmax(q kᵀ/√d + mask) v for queries `[.., t, d]` (this value), keys `[.., s, d]` and values `[.., s, e]`, as
    /// `[.., t, e]`; leading axes (samples, heads) broadcast. [`Attention`] has the masks and other options.
    ///
    /// The t × s scores are never stored: the memory is that of the operands, whatever the lengths. For a query that sees
    /// no key, the result and the gradient are zero (as in PyTorch; a softmax over no elements would be NaN).
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// use wengert_tape::rules::Attention;
    /// let tape = wengert_tape::Tape::new();
    /// let q = tape.var(Tensor::from([[1.0, 0.0]]));
    /// let k = tape.var(Tensor::from([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]));
    /// let v = tape.var(Tensor::from([[1.0], [0.0], [f64::MAX]]));
    /// let seen = Tensor::from([[true, true, false]]);
    /// let y = q.scaled_dot_product_attention(k, v, Attention::new().mask(&seen).scale(1.0));
    /// assert!((y.item()? - 1.0 / (1.0 + (-1f64).exp())).abs() < 1e-15);
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn scaled_dot_product_attention(
        self,
        k: impl Operand<'t, T>,
        v: impl Operand<'t, T>,
        options: Attention<'t, T>,
    ) -> Self {
        let _scope = self.tape().error_scope("scaled_dot_product_attention");
        let (k, v) = (k.into_var(self.tape()), v.into_var(self.tape()));
        let mut x = vec![self, k, v];
        x.extend(options.added);
        if let Some(failed) = x.iter().find(|x| x.is_failed()) {
            return *failed;
        }
        let (op, shapes) = match plan(&x, &options) {
            Ok(plan) => plan,
            Err(e) => return self.tape().failed(e),
        };
        for (x, shape) in x.iter_mut().zip(shapes) {
            if x.raw_shape() != shape {
                *x = x.expand(shape);
            }
        }
        if options.dropout > 0.0 && self.tape().is_training() {
            return op.composed(&x, options.dropout);
        }
        self.tape().apply(op, &x)
    }
}

/// The op, and the required shape of each of its inputs.
fn plan<T: Float>(x: &[Var<'_, T>], options: &Attention<'_, T>) -> Result<(Attend, Vec<Shape>)> {
    let refused = |kind, detail| Err(Error::new(ErrorKind::Op(kind), OP, detail));
    let shapes: Vec<Shape> = x.iter().map(|x| x.raw_shape()).collect();
    let wrong = || {
        let detail = format!(
            "expected q [.., t, d], k [.., s, d] and v [.., s, e], found {}, {} and {}",
            shapes[0], shapes[1], shapes[2]
        );
        refused(Kind::Shape, detail)
    };
    let (Some((lead, &[t, d])), Some((lead_k, &[s, dk])), Some((lead_v, &[sv, e]))) =
        (shapes[0].split_last_chunk(), shapes[1].split_last_chunk(), shapes[2].split_last_chunk())
    else {
        return wrong();
    };
    if d != dk || s != sv {
        return wrong();
    }
    if !(0.0..=1.0).contains(&options.dropout) {
        let detail = format!("expected a probability of dropout, found {}", options.dropout);
        return refused(Kind::Argument, detail);
    }
    if let Some(scale) = options.scale.filter(|s| !s.is_finite()) {
        let detail = format!("expected a finite scale, found {scale}");
        return refused(Kind::Argument, detail);
    }
    let named = |e: wengert_ops::Error| Error::new(ErrorKind::Op(e.kind()), OP, e.detail());
    let mut lead = broadcast_shapes(OP, &Shape::from(lead), &Shape::from(lead_k))
        .and_then(|l| broadcast_shapes(OP, &l, &Shape::from(lead_v)))
        .map_err(named)?;
    let mask = match &options.mask {
        Some(mask) => Some(mask.clone()?),
        None => None,
    };
    // A mask may have more leading axes than the operands.
    for m in mask.iter().map(Tensor::shape).chain(shapes.get(3)) {
        let n = m.len().saturating_sub(2);
        lead = broadcast_shapes(OP, &lead, &Shape::from(&m[..n])).map_err(named)?;
    }
    let full = |rows: usize, columns: usize| -> Shape {
        lead.iter().copied().chain([rows, columns]).collect::<Vec<_>>().into()
    };
    let seen = match mask {
        Some(m) => Some(m.expand(full(t, s)).map_err(named)?),
        None => None,
    };
    if let Some(added) = shapes.get(3)
        && broadcast_shapes(OP, added, &full(t, s)).map_err(named)? != full(t, s)
    {
        let detail = format!("expected an added mask that broadcasts to {}, found {added}", full(t, s));
        return refused(Kind::Shape, detail);
    }
    let scale = options.scale.unwrap_or(1.0 / (d.max(1) as f64).sqrt());
    let diagonal = match options.causal {
        Causal::No => None,
        Causal::BottomRight => Some(s as isize - t as isize),
        Causal::TopLeft => Some(0),
    };
    let mut wanted = vec![full(t, d), full(s, d), full(s, e)];
    wanted.extend(shapes.get(3).map(|_| full(t, s)));
    Ok((Attend { scale, diagonal, seen }, wanted))
}

pub(super) fn spec() -> Spec {
    Spec::new("scaled_dot_product_attention", Order::Second, |g| {
        // Sizes around the blocks of 64 queries and 256 keys; from 8 heads on the adjoint is divided differently, and there
        // are at most 64 tasks.
        let lead = vec![g.around(1..=2, &[7, 8, 9, 64, 65]); g.within(0..=1)];
        let (t, s) = (g.around(0..=3, &[63, 64, 65, 129]), g.around(0..=3, &[63, 65, 255, 256, 257]));
        let (d, e) = (g.dim(1..=2), g.dim(1..=2));
        let of = |g: &mut crate::gradcheck::Gen, rows: usize, columns: usize, lead: &[usize]| {
            let shape: Vec<usize> = lead.iter().copied().chain([rows, columns]).collect();
            g.tensor(&shape, Domain::Between(-2.0, 2.0))
        };
        let narrow = g.broadcastable(&lead);
        let mut x = vec![of(g, t, d, &lead), of(g, s, d, &narrow), of(g, s, e, &lead)];
        let (causal, masked, added) = (g.within(0..=2), g.once_in(2), g.once_in(2));
        let mask = g.mask(&[t, s]);
        if added {
            let lead = g.broadcastable(&lead);
            x.push(of(g, t, s, &lead));
        }
        case!(x, [mask], |x| {
            let mut options = match causal {
                0 => Attention::new(),
                1 => Attention::new().causal(),
                _ => Attention::new().causal_top_left().scale(0.7),
            };
            if masked {
                options = options.mask(&mask);
            }
            if let Some(a) = x.get(3) {
                options = options.bias(*a);
            }
            x[0].scaled_dot_product_attention(x[1], x[2], options)
        })
    })
}
