//! Batch norm (Ioffe and Szegedy 2015) of `[samples, channels, ..]`: y = x̂ w + b, x̂ = (x - mean)/√(variance + ε). In
//! training, mean and variance are those of each channel over the batch, and the gradient flows through them; in evaluation
//! they are given. Cotangents: gx = w (g - mean g - x̂ mean(g x̂))/√(variance + ε), gw = Σ g x̂, gb = Σ g.

use super::layer_norm::{check_eps, given, parameters};
use super::prelude::*;
use crate::error::{Error, ErrorKind};
use wengert_ops::kernel::normalize::ThroughMoments;

/// With the statistics of the batch, which are also outputs: y, mean, variance.
#[derive(Clone, Copy)]
struct BatchNorm {
    weighted: bool,
    biased: bool,
    eps: f64,
}

/// Channels are axis 1: takes `[channels]` as `[channels, 1, ..]`.
fn beside(rank: usize) -> Vec<isize> {
    (0..rank.saturating_sub(1)).map(|a| if a == 0 { -1 } else { 1 }).collect()
}

/// All axes except the channels'.
fn others(rank: usize) -> Vec<usize> {
    (0..rank).filter(|&a| a != 1).collect()
}

impl<T: Float> Op<T> for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let [mean, variance, stats] = x[0].channel_moments("batch_norm", self.eps)?;
        let (w, b) = given(x, 1, self.weighted, self.biased);
        let y = x[0].normalize_channels("batch_norm", &stats, w, b)?;
        Ok(ForwardOutput { outputs: [y, mean, variance].into_iter().collect(), saved: vec![stats] })
    }
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let (rank, axes) = (x[0].rank(), others(x[0].rank()));
        let mean = x[0].mean_keepdim(&axes);
        let centred = x[0].centred(&axes);
        let variance = centred.square().mean_keepdim(&axes);
        let y =
            scaled(centred * (variance + self.eps).rsqrt(), given(x, 1, self.weighted, self.biased), rank);
        Some(vec![y, mean.squeeze(&axes), variance.squeeze(&axes)])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let (x, stats) = (r.x(0)?, r.saved(0)?);
            let zeros;
            let g = match &r.cotangents()[0] {
                Some(g) => g,
                None => {
                    zeros = Tensor::full_like(x, T::ZERO);
                    &zeros
                }
            };
            let w = if self.weighted { Some(r.x(1)?) } else { None };
            let sums = x.channel_sums("batch_norm", stats, g)?;
            let mut out = cotangents([None]);
            if r.needs(0) {
                let (mean, variance) = (r.cotangents()[1].as_ref(), r.cotangents()[2].as_ref());
                let through = ThroughMoments { sums: &sums, mean, variance };
                out[0] = Some(x.normalize_channels_adjoint("batch_norm", stats, w, g, Some(through))?);
            }
            for (given, row) in [(self.weighted, 1), (self.biased, 0)] {
                if given {
                    out.push(Some(sums.select(0, row)?));
                }
            }
            Ok(out)
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves { inputs: 1 | u32::from(self.weighted) << 1, outputs: false }
    }
}

/// x̂ w + b per channel.
#[track_caller]
fn scaled<'t, T: Float>(
    standard: Var<'t, T>,
    (w, b): (Option<Var<'t, T>>, Option<Var<'t, T>>),
    rank: usize,
) -> Var<'t, T> {
    let mut y = standard;
    if let Some(w) = w {
        y *= w.reshape(beside(rank));
    }
    if let Some(b) = b {
        y += b.reshape(beside(rank));
    }
    y
}

/// With given statistics: inputs x, mean, variance, and weight and bias.
#[derive(Clone, Copy)]
struct BatchNormEval {
    weighted: bool,
    biased: bool,
    eps: f64,
}

const EVAL: &str = "batch_norm_eval";

impl BatchNormEval {
    /// The statistics in the form that the kernels read: mean, the mean's rounding error (here 0), and 1/√(variance + ε).
    fn stats<T: Float>(&self, mean: &Tensor<T>, variance: &Tensor<T>) -> wengert_ops::Result<Tensor<T>> {
        let scale = variance.map(|v| T::from_f64(1.0 / (v.to_f64() + self.eps).sqrt()));
        Tensor::stack(&[mean.clone(), Tensor::full_like(mean, T::ZERO), scale], 1)
    }
}

impl<T: Float> Op<T> for BatchNormEval {
    fn name(&self) -> &'static str {
        EVAL
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let (w, b) = given(x, 3, self.weighted, self.biased);
        Ok(x[0].normalize_channels(EVAL, &self.stats(x[1], x[2])?, w, b)?.into())
    }
    fn composite<'t>(&self, x: &[Var<'t, T>]) -> Option<Vec<Var<'t, T>>> {
        let rank = x[0].rank();
        let (mean, variance) = (x[1].reshape(beside(rank)), x[2].reshape(beside(rank)));
        let standard = (x[0] - mean) * (variance + self.eps).rsqrt();
        Some(vec![scaled(standard, given(x, 3, self.weighted, self.biased), rank)])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let adjoint = || -> Result<_> {
            let (x, g, stats) = (r.x(0)?, r.gy()?, self.stats(r.x(1)?, r.x(2)?)?);
            let w = if self.weighted { Some(r.x(3)?) } else { None };
            let mut out = cotangents([None, None, None]);
            if r.needs(0) {
                out[0] = Some(x.normalize_channels_adjoint(EVAL, &stats, w, g, None)?);
            }
            if (1..r.inputs()).any(|i| r.needs(i)) {
                let sums = x.channel_sums(EVAL, &stats, g)?;
                let (sum, product) = (sums.select(0, 0)?, sums.select(0, 1)?);
                let mut scale = stats.select(1, 2)?;
                let inverse = scale.clone();
                if let Some(w) = w {
                    scale = scale.mul(w)?;
                }
                // y = w (x - mean) s + b with s = (variance + ε)^-½: ds/dvariance = -s³/2.
                out[1] = Some(sum.mul(&scale)?.scale(-1.0));
                out[2] = Some(product.mul(&scale)?.mul(&inverse)?.scale(-0.5));
                for (given, g) in [(self.weighted, product), (self.biased, sum)] {
                    if given {
                        out.push(Some(g));
                    }
                }
            } else {
                out.resize(r.inputs(), None);
            }
            Ok(out)
        };
        Some(adjoint())
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves { inputs: 0b111 | u32::from(self.weighted) << 3, outputs: false }
    }
}

impl<'t, T: Float> Var<'t, T> {
    /// Batch norm in training, for `[samples, channels, ..]`: each channel is shifted and scaled to mean 0 and variance 1
    /// over all other axes, then multiplied by `weight` and shifted by `bias`, both `[channels]`. The gradient flows
    /// through mean and variance. ε is added to the variance, which is that of the population.
    ///
    /// A single element per channel is an error, as in PyTorch: its x̂ would always be 0.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 18.0], [3.0, 10.0]]));
    /// let y = x.batch_norm(None, None, 0.0);
    /// assert_eq!(y.value()?, Tensor::from([[-1.0, 1.0], [1.0, -1.0]]));
    /// let g = (y * y).sum().backward()?.wrt(x)?;                       // Σy² is constant
    /// assert_eq!(g, Tensor::zeros([2, 2]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn batch_norm(self, weight: Option<Var<'t, T>>, bias: Option<Var<'t, T>>, eps: f64) -> Self {
        let [y, ..] = self.batch_norm_with_moments(weight, bias, eps);
        y
    }

    /// As [`batch_norm`](Var::batch_norm), and also returns mean and variance (of the population) of each channel,
    /// `[channels]` each, from which running statistics are computed. Gradients flow through them too.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 20.0], [3.0, 10.0]]));
    /// let [_, mean, variance] = x.batch_norm_with_moments(None, None, 1e-5);
    /// assert_eq!((mean.value()?.to_vec(), variance.value()?.to_vec()), (vec![2.0, 15.0], vec![1.0, 25.0]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn batch_norm_with_moments(
        self,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        eps: f64,
    ) -> [Self; 3] {
        if self.is_failed() {
            return [self; 3];
        }
        let shape = self.raw_shape();
        let per_channel: usize = others(shape.len()).iter().map(|&a| shape[a]).product();
        let checked = check("batch_norm", &shape, &[weight, bias], eps);
        let checked = match checked {
            Ok(()) if per_channel < 2 => {
                let detail =
                    format!("expected more than one value per channel when training, found shape {shape}");
                Err(Error::new(ErrorKind::Op(Kind::Shape), "batch_norm", detail))
            }
            other => other,
        };
        if let Err(e) = checked {
            return [self.tape().failed(e); 3];
        }
        let op = BatchNorm { weighted: weight.is_some(), biased: bias.is_some(), eps };
        let mut x = vec![self];
        x.extend([weight, bias].into_iter().flatten());
        let all = self.tape().apply_many(op, &x, 3);
        [all[0], all[1], all[2]]
    }

    /// Batch norm in evaluation, for `[samples, channels, ..]`, with given mean and variance of each channel: (x -
    /// mean)/√(variance + ε) · weight + bias. All four are `[channels]`.
    ///
    /// ```
    /// # use wengert_ops::Tensor;
    /// let tape = wengert_tape::Tape::new();
    /// let x = tape.var(Tensor::from([[1.0, 20.0]]));
    /// let y = x.batch_norm_eval(Tensor::from([0.0, 10.0]), Tensor::from([4.0, 25.0]), None, None, 0.0);
    /// assert_eq!(y.value()?, Tensor::from([[0.5, 2.0]]));
    /// # Ok::<(), wengert_tape::Error>(())
    /// ```
    #[track_caller]
    pub fn batch_norm_eval(
        self,
        mean: impl Operand<'t, T>,
        variance: impl Operand<'t, T>,
        weight: Option<Var<'t, T>>,
        bias: Option<Var<'t, T>>,
        eps: f64,
    ) -> Self {
        if self.is_failed() {
            return self;
        }
        let (mean, variance) = (mean.into_var(self.tape()), variance.into_var(self.tape()));
        let parameters = [Some(mean), Some(variance), weight, bias];
        if let Err(e) = check(EVAL, &self.raw_shape(), &parameters, eps) {
            return self.tape().failed(e);
        }
        let op = BatchNormEval { weighted: weight.is_some(), biased: bias.is_some(), eps };
        let mut x = vec![self];
        x.extend(parameters.into_iter().flatten());
        self.tape().apply(op, &x)
    }
}

fn check<T: Float>(
    op: &'static str,
    shape: &Shape,
    parameters: &[Option<Var<'_, T>>],
    eps: f64,
) -> Result<()> {
    let refused = |detail| Err(Error::new(ErrorKind::Op(Kind::Shape), op, detail));
    let [_, channels, ..] = shape[..] else {
        return refused(format!("expected [samples, channels, ..], found shape {shape}"));
    };
    for p in parameters.iter().flatten().filter(|p| !p.is_failed()) {
        if p.raw_shape() != [channels] {
            return refused(format!(
                "expected one number for each channel of {shape}, [{channels}], found {}",
                p.shape()
            ));
        }
    }
    check_eps(op, eps)
}

pub(super) fn spec() -> Vec<Spec> {
    let names = ["batch_norm", "batch_norm_with_moments", "batch_norm_eval"];
    let specs = Spec::family(&names, Order::Second, |g, which| {
        let mut shape = vec![g.dim(1..=3), g.dim(1..=3)];
        // Channels are processed in blocks of 4096; an inner axis below 16 is first merged with the outer one.
        let few = shape[0] * shape[1] < 16;
        let inner: &[usize] = if few { &[15, 16, 17, 4095, 4096, 4097] } else { &[15, 16, 17, 31, 33] };
        for _ in 0..g.within(0..=2) {
            shape.push(g.around(1..=2, inner));
        }
        if which < 2 && shape.iter().product::<usize>() == shape[1] {
            shape[0] = 2;
        }
        let channels = [shape[1]];
        let mut x = vec![g.tensor(&shape, Domain::Real)];
        if which == 2 {
            x.push(g.tensor(&channels, Domain::Real));
            x.push(g.tensor(&channels, Domain::POSITIVE));
        }
        let (params, weighted, biased) = parameters(g, &channels);
        x.extend(params);
        case!(x, [], |x| {
            let (w, b) = given(x, if which == 2 { 3 } else { 1 }, weighted, biased);
            match which {
                0 => vec![x[0].batch_norm(w, b, 0.1)],
                1 => x[0].batch_norm_with_moments(w, b, 0.1).to_vec(),
                _ => vec![x[0].batch_norm_eval(x[1], x[2], w, b, 0.1)],
            }
        })
    });
    // The gradient of a channel of two numbers is the remainder of three terms of the size of w/σ.
    specs.into_iter().map(|spec| spec.accurate_to(4.0, 16.0)).collect()
}
