//! Layer norm (Ba, Kiros and Hinton 2016), RMS norm (Zhang and Sennrich 2019) and group norm (Wu and He 2018), with
//! instance norm (Ulyanov et al. 2016) as a special case: y = x̂ w + b, x̂ = (x - mean)/√(variance + ε) within each group.
//! Cotangents, with h = g w: gx = (h - mean h - x̂ mean(h x̂))/√(variance + ε), gw = Σ g x̂, gb = Σ g.

use super::prelude::*;
use crate::error::{Error, ErrorKind};
use wengert_ops::kernel::normalize::Groups;

/// What is normalised together, and how weight and bias broadcast against x.
#[derive(Clone)]
struct Normalize {
    name: &'static str,
    of: Groups,
    /// The number of axes at the end of x that are normalised; the parameters have their shape. `None`: groups of channels,
    /// which are axis 1.
    last: Option<usize>,
    weighted: bool,
    biased: bool,
}

impl Normalize {
    /// Weight and bias among the inputs of the op.
    fn params<'a, V>(&self, x: &'a [V]) -> (Option<&'a V>, Option<&'a V>) {
        let w = if self.weighted { x.get(1) } else { None };
        (w, if self.biased { x.get(1 + usize::from(self.weighted)) } else { None })
    }

    /// The shape in which the parameters broadcast against x.
    fn beside(&self, x: &Shape) -> Vec<usize> {
        match self.last {
            Some(n) => x[x.len() - n..].to_vec(),
            None => (0..x.len().saturating_sub(1)).map(|a| if a == 0 { x[1] } else { 1 }).collect(),
        }
    }
}

impl<T: Float> Op<T> for Normalize {
    fn name(&self) -> &'static str {
        self.name
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (w, b) = self.params(x);
        let (y, stats) = x[0].normalize_groups(self.name, self.of, w.copied(), b.copied())?;
        Ok(ForwardOutput { outputs: [y].into_iter().collect(), saved: vec![stats] })
    }
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let (shape, n) = (x[0].raw_shape(), self.of.channels * self.of.inner);
        let rows = x[0].reshape([shape.numel() / n.max(1), n]);
        let centred = if self.of.centred { rows.centred(1) } else { rows };
        let scale = (centred.square().mean_keepdim(1) + self.of.eps).rsqrt();
        let mut y = (centred * scale).reshape(&shape);
        let (w, b) = self.params(x);
        if let Some(w) = w {
            y *= w.reshape(self.beside(&shape));
        }
        if let Some(b) = b {
            y += b.reshape(self.beside(&shape));
        }
        Some(vec![y])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let w = if self.weighted { Some(r.x(1)?) } else { None };
            let params = (1..r.inputs()).any(|i| r.needs(i));
            let [gx, gw, gb] =
                r.x(0)?.normalize_groups_adjoint(self.name, self.of, w, r.saved(0)?, r.gy()?, params)?;
            let mut out = cotangents([gx]);
            for (given, g) in [(self.weighted, gw), (self.biased, gb)] {
                if given {
                    let shape = r.shape(out.len());
                    out.push(match g {
                        Some(g) => Some(g.reshape(shape)?),
                        None => None,
                    });
                }
            }
            Ok(out)
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        // The bias is not read.
        Saves { inputs: 1 | u32::from(self.weighted) << 1, outputs: false }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Layer norm: the last axes, which have the shape `normalized`, are together shifted and scaled to mean 0 and variance
    /// 1, then multiplied by `weight` and shifted by `bias`, both of that shape. ε is added to the variance, which is that
    /// of the population; a mean that is large compared with the deviation costs no accuracy.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0], [1e9 + 1.0, 1e9 + 3.0]]));
    /// let bias = tape.var(Tensor::from([0.0, 10.0]));
    /// let y = x.layer_norm([2], None, Some(bias), 0.0);
    /// assert_eq!(y.value()?, Tensor::from([[-1.0, 11.0], [-1.0, 11.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn layer_norm(
        self,
        normalized: impl ToShape,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        eps: f64,
    ) -> Self {
        self.over_last_axes("layer_norm", normalized.to_shape("layer_norm"), weight, bias, (true, eps))
    }

    /// RMS norm: as [`layer_norm`](Var::layer_norm) without the shift: x/√(mean x² + ε) times `weight`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[4.0, 0.0, 0.0, 0.0]]));
    /// assert_eq!(x.rms_norm([4], None, 0.0).value()?, Tensor::from([[2.0, 0.0, 0.0, 0.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn rms_norm(self, normalized: impl ToShape, weight: Option<Var<'t, T>>, eps: f64) -> Self {
        self.over_last_axes("rms_norm", normalized.to_shape("rms_norm"), weight, None, (false, eps))
    }

    #[track_caller]
    fn over_last_axes(
        self,
        op: &'static str,
        normalized: wengert_ops::Result<Shape>,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        (centred, eps): (bool, f64),
    ) -> Self {
        if self.is_failed() {
            return self;
        }
        let normalized = match normalized {
            Ok(shape) => shape,
            Err(e) => return self.tape().failed(e.into()),
        };
        let shape = self.raw_shape();
        let checked = || -> Result<Normalize> {
            if normalized.is_empty() || !shape.ends_with(&normalized) {
                let detail =
                    format!("expected an input [.., {normalized}] with axes to normalize, found {shape}");
                return refused(op, detail);
            }
            for p in [weight, bias].into_iter().flatten().filter(|p| !p.is_failed()) {
                if p.raw_shape() != normalized {
                    let detail = format!("expected weight and bias {normalized}, found {}", p.shape());
                    return refused(op, detail);
                }
            }
            check_eps(op, eps)?;
            let of = Groups { groups: 1, channels: normalized.numel(), inner: 1, centred, eps };
            let last = Some(normalized.len());
            Ok(Normalize { name: op, of, last, weighted: weight.is_some(), biased: bias.is_some() })
        };
        self.standardized(checked(), weight, bias)
    }

    /// Group norm of a batch `[samples, channels, ..]`: in each sample, the channels are divided into `groups` of equal
    /// size and each group is normalised as in [`layer_norm`](Var::layer_norm); `weight` and `bias` are `[channels]`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 3.0, 10.0, 30.0]]));        // 4 channels of 1 element
    /// assert_eq!(x.group_norm(2, None, None, 0.0).value()?, Tensor::from([[-1.0, 1.0, -1.0, 1.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn group_norm(
        self,
        groups: usize,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        eps: f64,
    ) -> Self {
        self.over_channels("group_norm", Some(groups), weight, bias, eps)
    }

    /// Instance norm of a batch `[samples, channels, ..]`: every channel of every sample is normalised separately; `weight`
    /// and `bias` are `[channels]`. A channel of one element is an error, as in PyTorch: its x̂ would always be 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[[1.0, 3.0], [20.0, 10.0]]]));
    /// assert_eq!(x.instance_norm(None, None, 0.0).value()?, Tensor::from([[[-1.0, 1.0], [1.0, -1.0]]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn instance_norm(self, weight: Option<Var<'t, T>>, bias: Option<Var<'t, T>>, eps: f64) -> Self {
        self.over_channels("instance_norm", None, weight, bias, eps)
    }

    #[track_caller]
    fn over_channels(
        self,
        op: &'static str,
        groups: Option<usize>,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        eps: f64,
    ) -> Self {
        if self.is_failed() {
            return self;
        }
        let shape = self.raw_shape();
        let checked = || -> Result<Normalize> {
            let [_, channels, inner @ ..] = &shape[..] else {
                return refused(op, format!("expected [samples, channels, ..], found shape {shape}"));
            };
            let (channels, inner) = (*channels, inner.iter().product());
            let groups = groups.unwrap_or(channels);
            if groups == 0 || !channels.is_multiple_of(groups) {
                let detail =
                    format!("{channels} channels of shape {shape} cannot be divided into {groups} groups");
                return refused(op, detail);
            }
            if op == "instance_norm" && inner == 1 {
                let detail = format!("expected more than one element per channel, found shape {shape}");
                return refused(op, detail);
            }
            for p in [weight, bias].into_iter().flatten().filter(|p| !p.is_failed()) {
                if p.raw_shape() != [channels] {
                    let detail = format!("expected weight and bias [{channels}], found {}", p.shape());
                    return refused(op, detail);
                }
            }
            check_eps(op, eps)?;
            let of = Groups { groups, channels: channels / groups, inner, centred: true, eps };
            Ok(Normalize { name: op, of, last: None, weighted: weight.is_some(), biased: bias.is_some() })
        };
        self.standardized(checked(), weight, bias)
    }

    #[track_caller]
    fn standardized(
        self,
        op: Result<Normalize>,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
    ) -> Self {
        let mut x = vec![self];
        x.extend([weight, bias].into_iter().flatten());
        match op {
            Ok(op) => self.tape().apply(op, &x),
            Err(e) => self.tape().failed(e),
        }
    }
}

fn refused<V>(op: &'static str, detail: String) -> Result<V> {
    Err(Error::new(ErrorKind::Op(Kind::Shape), op, detail))
}

/// Checks ε, a small number that prevents division by a variance of zero.
pub(super) fn check_eps(op: &'static str, eps: f64) -> Result<()> {
    if eps >= 0.0 && eps.is_finite() {
        return Ok(());
    }
    let detail = format!("expected eps of zero or more, found {eps}");
    Err(Error::new(ErrorKind::Op(Kind::Argument), op, detail))
}

/// Weight and bias of the given shape, each of them optional.
pub(super) fn parameters(g: &mut crate::gradcheck::Gen, shape: &[usize]) -> (Vec<Tensor<f64>>, bool, bool) {
    let (weighted, biased) = (!g.once_in(4), !g.once_in(4));
    let n = usize::from(weighted) + usize::from(biased);
    ((0..n).map(|_| g.tensor(shape, Domain::Real)).collect(), weighted, biased)
}

/// Weight and bias among a case's inputs.
pub(super) fn given<V: Copy>(x: &[V], at: usize, weighted: bool, biased: bool) -> (Option<V>, Option<V>) {
    let w = if weighted { x.get(at).copied() } else { None };
    (w, if biased { x.get(at + usize::from(weighted)).copied() } else { None })
}

pub(super) fn spec() -> Vec<Spec> {
    Spec::family(&["layer_norm", "rms_norm"], Order::Second, |g, which| {
        let normalized = g.full_shape(1..=2);
        let lead = match g.is_large() {
            true => vec![g.beside(1..=3, normalized.iter().product())],
            false => g.shape(0..=1),
        };
        let shape: Vec<usize> = lead.iter().chain(&normalized).copied().collect();
        let (params, weighted, biased) = parameters(g, &normalized);
        let biased = biased && which == 0;
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        x.extend(params.into_iter().take(usize::from(weighted) + usize::from(biased)));
        case!(x, [normalized], |x| {
            let (w, b) = given(x, 1, weighted, biased);
            match which {
                0 => x[0].layer_norm(&normalized, w, b, 0.1),
                _ => x[0].rms_norm(&normalized, w, 0.1),
            }
        })
    })
}

pub(super) fn group_spec() -> Vec<Spec> {
    Spec::family(&["group_norm", "instance_norm"], Order::Second, |g, which| {
        let (groups, each) = (g.dim(1..=2), g.dim(1..=2));
        // A task takes at least eight samples.
        let mut shape = vec![g.dim(0..=2), groups * each];
        let rest = shape[0] * shape[1];
        for _ in 0..if which == 1 { 1 } else { g.within(0..=2) } {
            shape.push(g.beside(if which == 1 { 2..=3 } else { 1..=3 }, rest));
        }
        let (params, weighted, biased) = parameters(g, &shape[1..2]);
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        x.extend(params);
        case!(x, [], |x| {
            let (w, b) = given(x, 1, weighted, biased);
            match which {
                0 => x[0].group_norm(groups, w, b, 0.1),
                _ => x[0].instance_norm(w, b, 0.1),
            }
        })
    })
}
