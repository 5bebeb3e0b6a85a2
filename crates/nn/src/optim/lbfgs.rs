//! L-BFGS: a quasi-Newton method for full batches.

use super::options::{argument, not_negative, refused};
use super::refusal::{concerns, owed};
use super::saved::{find_count, find_number, find_tensor, join};
use crate::module::{Module, UpdatesExt, buffers_of, for_each_param, for_each_param_mut};
use crate::state::{AnyTensor, Dict};
use std::collections::VecDeque;
use wengert_ops::Tensor;
use wengert_tape::profile::{Pass, span, span_of};
use wengert_tape::{Float, Grads, Result, Tape, Var};

/// The options of [`Lbfgs`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LbfgsConfig {
    /// η: the length at which a line search begins, or the length of a step without a line search. Default: `1.0`.
    pub learning_rate: f64,
    /// The largest number of directions per step. Default: `20`.
    pub max_iter: usize,
    /// The largest number of evaluations of the loss per step, checked after each direction; `None` for 5/4 of `max_iter`.
    /// Default: `None`.
    pub max_eval: Option<usize>,
    /// A step ends when no element of the gradient is larger than this in absolute value. Default: `1e-7`.
    pub tolerance_grad: f64,
    /// A step ends when neither a parameter nor the loss changes by more than this. Default: `1e-9`.
    pub tolerance_change: f64,
    /// The number of pairs (s, y) that are kept. Default: `100`.
    pub history_size: usize,
    /// Whether a line search finds a length that satisfies the strong Wolfe conditions. Default: `true`.
    pub strong_wolfe: bool,
}

impl LbfgsConfig {
    fn evaluations(&self) -> usize {
        self.max_eval.unwrap_or(self.max_iter.saturating_add(self.max_iter / 4))
    }
}

impl Default for LbfgsConfig {
    fn default() -> Self {
        LbfgsConfig {
            learning_rate: 1.0,
            max_iter: 20,
            max_eval: None,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            strong_wolfe: true,
        }
    }
}

/// L-BFGS (Nocedal and Wright 2006, algorithms 7.4 and 7.5): directions -H ∇L, where H approximates the inverse Hessian from
/// the last changes s of the parameters and y of the gradient, with a line search for the strong Wolfe conditions (their
/// algorithms 3.5 and 3.6, c₁ = 10⁻⁴, c₂ = 0.9).
///
/// It evaluates the loss several times per step, so it takes the loss as a function. That must be the same function each time:
/// of all data, not of a minibatch. Within one step, random layers draw the same numbers. The steps are those of PyTorch, with
/// two differences: PyTorch's default has no line search, and PyTorch does not shorten a step whose loss overflows.
///
/// ```
/// use wengert_nn::optim::Lbfgs;
/// use wengert_ops::Tensor;
/// use wengert_tape::Param;
/// let mut p = Param::new(Tensor::from([-1.2f64, 1.0]));
/// let mut lbfgs = Lbfgs::new();
/// for _ in 0..3 {
///     lbfgs.step(&mut p, |p, tape| {                       // Rosenbrock's function
///         let (x, y) = (tape.param(p).select(0, 0), tape.param(p).select(0, 1));
///         (1.0 - x).square() + 100.0 * (y - x * x).square()
///     })?;
/// }
/// assert!(p.value().to_vec().iter().all(|v| (v - 1.0).abs() < 1e-4));     // within `tolerance_change`
/// # Ok::<(), wengert_tape::Error>(())
/// ```
#[doc(alias = "LBFGS")]
#[derive(Debug, Clone)]
pub struct Lbfgs<T: Float> {
    config: LbfgsConfig,
    steps: u64,
    directions: u64,
    evaluations: u64,
    last: Option<Last<T>>,
    pairs: VecDeque<Pair<T>>,
    /// γ: the initial H is γ times the identity.
    scale: f64,
}

/// The last direction, the step length along it, and the gradient before it.
#[derive(Debug, Clone)]
struct Last<T: Float> {
    direction: Tensor<T>,
    length: f64,
    gradient: Tensor<T>,
}

/// A stored change s of the parameters and y of the gradient.
#[derive(Debug, Clone)]
struct Pair<T: Float> {
    s: Tensor<T>,
    y: Tensor<T>,
    /// 1 / yᵀs.
    rho: f64,
}

/// A point on the line: length, loss, gradient, slope.
#[derive(Debug, Clone)]
struct Point<T: Float> {
    t: f64,
    loss: f64,
    gradient: Tensor<T>,
    slope: f64,
}

impl<T: Float> Default for Lbfgs<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Float> Lbfgs<T> {
    /// An optimiser with the default options.
    pub fn new() -> Self {
        Self::with_config(LbfgsConfig::default())
    }

    /// An optimiser with the given options.
    pub fn with_config(config: LbfgsConfig) -> Self {
        Lbfgs {
            config,
            steps: 0,
            directions: 0,
            evaluations: 0,
            last: None,
            pairs: VecDeque::new(),
            scale: 1.0,
        }
    }

    /// The options, to change between steps.
    pub fn config_mut(&mut self) -> &mut LbfgsConfig {
        &mut self.config
    }

    /// The number of evaluations of the loss so far.
    pub fn evaluations(&self) -> u64 {
        self.evaluations
    }

    /// Takes up to [`max_iter`](LbfgsConfig::max_iter) directions; returns the loss before them. Frozen parameters do not change.
    /// The step applies the changes of buffers that layers announce in its first evaluation, and no others: however often it
    /// evaluates the loss, it sees the data once.
    ///
    /// # Errors
    /// If the loss fails, is not a scalar, or is not finite at the start of the step; if it depends on no trainable parameter of
    /// the model, or changes buffers of another model; if the model is not that of the last step; or if an option is invalid.
    pub fn step<M: Module>(
        &mut self,
        model: &mut M,
        loss: impl for<'t> Fn(&M, &'t Tape<T>) -> Var<'t, T>,
    ) -> Result<f64> {
        let _span = span_of("lbfgs", Pass::Optimizer, || None);
        let c = self.config;
        not_negative("lbfgs", "learning_rate", c.learning_rate).map_err(refused)?;
        self.steps += 1;
        let seed = self.steps;
        let mut evaluations = 0;
        let mut look = |model: &M| -> Result<(f64, Grads<T>)> {
            evaluations += 1;
            let forward = span(Pass::Forward);
            let tape = Tape::train(seed);
            let loss = loss(model, &tape);
            let value = loss.item()?.to_f64();
            drop(forward);
            Ok((value, loss.backward()?))
        };
        let (first, grads) = look(model)?;
        concerns("lbfgs", model, &grads)?;
        let (updates, own) = (grads.updates().clone(), buffers_of(model));
        if let Some(owed) = owed(&updates, |id| own.contains(&id)) {
            let detail = format!(
                "{owed} come with the loss, and no step would apply them; combine both models into one"
            );
            return Err(argument("lbfgs", detail));
        }
        let gradient = flat(model, &grads)?;
        let mut evaluate = |model: &M| -> Result<(f64, Tensor<T>)> {
            let (loss, grads) = look(model)?;
            Ok((loss, flat(model, &grads)?))
        };
        if !(first.is_finite() && largest(&gradient)?.is_finite()) {
            return Err(argument(
                "lbfgs",
                format!("the step begins at a loss of {first}, or a gradient that is not finite"),
            ));
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.gradient.shape() != gradient.shape()) {
            let detail = format!(
                "the last step had {} parameters, this one {}",
                last.gradient.numel(),
                gradient.numel()
            );
            return Err(argument("lbfgs", detail));
        }
        let outcome = self.descend(model, first, gradient, &mut evaluate);
        self.evaluations += evaluations as u64;
        outcome?;
        updates.apply(model)?;
        Ok(first)
    }

    fn descend<M: Module>(
        &mut self,
        model: &mut M,
        first: f64,
        gradient: Tensor<T>,
        evaluate: &mut impl FnMut(&M) -> Result<(f64, Tensor<T>)>,
    ) -> Result<()> {
        let c = self.config;
        let (mut loss, mut gradient) = (first, gradient);
        if gradient.numel() == 0 || largest(&gradient)? <= c.tolerance_grad {
            return Ok(());
        }
        let mut evals = 1;
        for iteration in 1..=c.max_iter {
            self.directions += 1;
            let direction = self.direction(&gradient)?;
            let start = match self.directions {
                1 => (1.0 / total(&gradient)?).min(1.0) * c.learning_rate,
                _ => c.learning_rate,
            };
            let slope = dot(&gradient, &direction)?;
            let last = self.last.insert(Last { direction, length: start, gradient: gradient.clone() });
            if slope > -c.tolerance_change {
                break;
            }
            let before = loss;
            let origin = values(model)?;
            if c.strong_wolfe {
                let direction = last.direction.clone();
                let left = c.evaluations().saturating_sub(evals);
                let mut at = |t: f64| -> Result<Point<T>> {
                    put(model, &origin.add(direction.scale(t))?)?;
                    evals += 1;
                    let (loss, gradient) = evaluate(model)?;
                    let slope = dot(&gradient, &direction)?;
                    Ok(Point { t, loss, gradient, slope })
                };
                let zero = Point { t: 0.0, loss, gradient, slope };
                let found =
                    strong_wolfe(&mut at, start, &zero, largest(&last.direction)?, c.tolerance_change, left)?;
                (last.length, loss, gradient) = (found.t, found.loss, found.gradient);
                put(model, &origin.add(last.direction.scale(found.t))?)?;
            } else {
                put(model, &origin.add(last.direction.scale(start))?)?;
                if iteration != c.max_iter {
                    evals += 1;
                    (loss, gradient) = evaluate(model)?;
                }
            }
            let moved = largest(&last.direction)? * last.length.abs();
            if evals >= c.evaluations()
                || largest(&gradient)? <= c.tolerance_grad
                || moved <= c.tolerance_change
                || (loss - before).abs() < c.tolerance_change
            {
                break;
            }
        }
        Ok(())
    }

    /// -H ∇L, after the last change is stored.
    fn direction(&mut self, gradient: &Tensor<T>) -> Result<Tensor<T>> {
        let Some(last) = &self.last else { return Ok(gradient.scale(-1.0)) };
        let y = gradient.sub(&last.gradient)?;
        let s = last.direction.scale(last.length);
        let ys = dot(&y, &s)?;
        // A pair with a smaller yᵀs could make H indefinite.
        if ys > 1e-10 {
            if self.pairs.len() >= self.config.history_size.max(1) {
                self.pairs.pop_front();
            }
            self.scale = ys / dot(&y, &y)?;
            self.pairs.push_back(Pair { s, y, rho: 1.0 / ys });
        }
        let mut q = gradient.scale(-1.0);
        let mut weights = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = dot(&pair.s, &q)? * pair.rho;
            q = q.sub(pair.y.scale(alpha))?;
            weights.push(alpha);
        }
        let mut r = q.scale(self.scale);
        for (pair, alpha) in self.pairs.iter().zip(weights.into_iter().rev()) {
            let beta = dot(&pair.y, &r)? * pair.rho;
            r = r.add(pair.s.scale(alpha - beta))?;
        }
        Ok(r)
    }

    /// The stored tensors by the names of the parameters, and the stored numbers under `lbfgs`.
    ///
    /// # Errors
    /// If the model is not the one of the last step.
    pub fn state(&self, model: &dyn Module) -> Result<Dict> {
        let mut dict = Dict::new();
        let counts = [
            ("steps", self.steps),
            ("directions", self.directions),
            ("evaluations", self.evaluations),
            ("pairs", self.pairs.len() as u64),
        ];
        for (name, n) in counts {
            dict.insert(join("lbfgs", name), AnyTensor::I64(Tensor::scalar(n as i64)));
        }
        let length = self.last.as_ref().map_or(0.0, |last| last.length);
        for (name, x) in [("scale", self.scale), ("length", length)] {
            dict.insert(join("lbfgs", name), AnyTensor::F64(Tensor::scalar(x)));
        }
        let mut split = |slot: &str, t: &Tensor<T>| -> Result<()> {
            for (name, part) in parts(model, t)? {
                dict.insert(join(&name, slot), AnyTensor::of(&part));
            }
            Ok(())
        };
        if let Some(last) = &self.last {
            split("direction", &last.direction)?;
            split("gradient", &last.gradient)?;
        }
        for (i, pair) in self.pairs.iter().enumerate() {
            split(&format!("s{i}"), &pair.s)?;
            split(&format!("y{i}"), &pair.y)?;
        }
        Ok(dict)
    }

    /// Loads the state of a model with the same names and shapes.
    ///
    /// # Errors
    /// If a tensor is missing, or has another shape or element type; the error names it, and the state is then unchanged.
    pub fn load_state(&mut self, model: &dyn Module, state: &Dict) -> Result<()> {
        let count = |name: &str| find_count("lbfgs", state, &join("lbfgs", name));
        let number = |name: &str| find_number("lbfgs", state, &join("lbfgs", name));
        let join_all = |slot: &str| -> Result<Tensor<T>> {
            let (mut found, mut outcome) = (Vec::new(), Ok(()));
            for_each_param::<T>(model, &mut |path, p| {
                if p.is_trainable() && outcome.is_ok() {
                    match find_tensor("lbfgs", state, &join(path.as_str(), slot), p.value()) {
                        Ok(t) => found.push(t),
                        Err(e) => outcome = Err(e),
                    }
                }
            });
            outcome?;
            joined(&found)
        };
        let mut loaded = Lbfgs::with_config(self.config);
        (loaded.steps, loaded.directions) = (count("steps")?, count("directions")?);
        (loaded.evaluations, loaded.scale) = (count("evaluations")?, number("scale")?);
        if loaded.directions > 0 {
            let (direction, gradient) = (join_all("direction")?, join_all("gradient")?);
            loaded.last = Some(Last { direction, length: number("length")?, gradient });
        }
        for i in 0..count("pairs")? {
            let (s, y) = (join_all(&format!("s{i}"))?, join_all(&format!("y{i}"))?);
            let rho = 1.0 / dot(&y, &s)?;
            loaded.pairs.push_back(Pair { s, y, rho });
        }
        *self = loaded;
        Ok(())
    }
}

/// A point on the line that satisfies the strong Wolfe conditions, or the best one found.
fn strong_wolfe<T: Float>(
    at: &mut impl FnMut(f64) -> Result<Point<T>>,
    start: f64,
    zero: &Point<T>,
    size: f64,
    tolerance: f64,
    max: usize,
) -> Result<Point<T>> {
    let (c1, c2) = (1e-4, 0.9);
    // A loss that is not finite counts as higher than any other.
    let too_high = |p: &Point<T>| !p.loss.is_finite() || p.loss > zero.loss + c1 * p.t * zero.slope;
    let flat_enough = |p: &Point<T>| p.slope.abs() <= -c2 * zero.slope;
    let (mut before, mut now) = (zero.clone(), at(start)?);
    let mut tries = 0;
    // Search until two points enclose one that satisfies both conditions.
    let (mut low, mut high) = loop {
        if tries >= max {
            break (zero.clone(), now);
        }
        if too_high(&now) || (tries > 1 && now.loss >= before.loss) {
            break (before, now);
        }
        if flat_enough(&now) {
            return Ok(now);
        }
        if now.slope >= 0.0 {
            break (before, now);
        }
        let (least, most) = (now.t + 0.01 * (now.t - before.t), now.t * 10.0);
        let t = cubic(&before, &now, least, most);
        before = std::mem::replace(&mut now, at(t)?);
        tries += 1;
    };
    if higher(&low, &high) {
        std::mem::swap(&mut low, &mut high);
    }
    let mut slow = false;
    while tries < max && (high.t - low.t).abs() * size >= tolerance {
        let (left, right) = (low.t.min(high.t), low.t.max(high.t));
        let mut t = cubic(&low, &high, left, right);
        // A point near an end twice in a row would make no progress.
        let margin = 0.1 * (right - left);
        if (right - t).min(t - left) < margin {
            if slow || t >= right || t <= left {
                t = if (t - right).abs() < (t - left).abs() { right - margin } else { left + margin };
                slow = false;
            } else {
                slow = true;
            }
        } else {
            slow = false;
        }
        let now = at(t)?;
        tries += 1;
        if too_high(&now) || now.loss >= low.loss {
            high = now;
            if higher(&low, &high) {
                std::mem::swap(&mut low, &mut high);
            }
        } else {
            if flat_enough(&now) {
                return Ok(now);
            }
            if now.slope * (high.t - low.t) >= 0.0 {
                high = low;
            }
            low = now;
        }
    }
    Ok(low)
}

/// Whether `low` has a larger loss than `high`; NaN is larger than everything.
fn higher<T: Float>(low: &Point<T>, high: &Point<T>) -> bool {
    if low.loss.is_nan() { !high.loss.is_nan() } else { low.loss > high.loss }
}

/// The minimum of the cubic through two points with their slopes, within bounds (Nocedal and Wright 2006, equation 3.59);
/// the midpoint if there is none.
fn cubic<T: Float>(a: &Point<T>, b: &Point<T>, least: f64, most: f64) -> f64 {
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d1 * d1 - a.slope * b.slope;
    let d2 = square.sqrt();
    let t = if a.t <= b.t {
        b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2))
    } else {
        a.t - (a.t - b.t) * ((a.slope + d2 - d1) / (a.slope - b.slope + 2.0 * d2))
    };
    if square >= 0.0 && t.is_finite() { t.max(least).min(most) } else { (least + most) / 2.0 }
}

fn dot<T: Float>(a: &Tensor<T>, b: &Tensor<T>) -> Result<f64> {
    Ok(a.mul(b)?.sum().item()?.to_f64())
}

/// ‖x‖∞; NaN if an element is NaN.
fn largest<T: Float>(x: &Tensor<T>) -> Result<f64> {
    if x.numel() == 0 {
        return Ok(0.0);
    }
    Ok(x.map(wengert_ops::Float::abs).max_axes(0)?.item()?.to_f64())
}

/// ‖x‖₁.
fn total<T: Float>(x: &Tensor<T>) -> Result<f64> {
    Ok(x.map(wengert_ops::Float::abs).sum().item()?.to_f64())
}

fn joined<T: Float>(parts: &[Tensor<T>]) -> Result<Tensor<T>> {
    if parts.is_empty() {
        return Ok(Tensor::zeros([0]));
    }
    let lines: Vec<_> = parts.iter().map(|t| t.reshape([-1])).collect::<wengert_ops::Result<_>>()?;
    Ok(Tensor::concat(&lines, 0)?)
}

/// The gradients of all trainable parameters as one vector, with zeros for missing ones.
fn flat<T: Float>(model: &dyn Module, grads: &Grads<T>) -> Result<Tensor<T>> {
    let mut all = Vec::new();
    for_each_param::<T>(model, &mut |_, p| {
        if p.is_trainable() {
            let zeros = || Tensor::full_like(p.value(), T::ZERO);
            all.push(grads.get(p.id()).cloned().unwrap_or_else(zeros));
        }
    });
    joined(&all)
}

fn values<T: Float>(model: &dyn Module) -> Result<Tensor<T>> {
    let mut all = Vec::new();
    for_each_param::<T>(model, &mut |_, p| {
        if p.is_trainable() {
            all.push(p.value().clone());
        }
    });
    joined(&all)
}

/// A vector split into the shapes of the trainable parameters.
fn parts<T: Float>(model: &dyn Module, line: &Tensor<T>) -> Result<Vec<(String, Tensor<T>)>> {
    let (mut all, mut at, mut outcome) = (Vec::new(), 0isize, Ok(()));
    for_each_param::<T>(model, &mut |path, p| {
        if p.is_trainable() && outcome.is_ok() {
            let end = at + p.numel() as isize;
            match line.slice(0, at..end).and_then(|part| part.reshape(p.shape())) {
                Ok(part) => all.push((path.as_str().to_owned(), part)),
                Err(e) => outcome = Err(e),
            }
            at = end;
        }
    });
    outcome?;
    Ok(all)
}

/// Sets the trainable parameters to the values of a vector.
fn put<T: Float>(model: &mut dyn Module, line: &Tensor<T>) -> Result<()> {
    let mut parts = parts(model, line)?.into_iter();
    let mut outcome = Ok(());
    for_each_param_mut::<T>(model, &mut |_, p| {
        if p.is_trainable()
            && outcome.is_ok()
            && let Some((_, part)) = parts.next()
        {
            outcome = p.set(part);
        }
    });
    outcome
}

#[cfg(test)]
mod tests;
