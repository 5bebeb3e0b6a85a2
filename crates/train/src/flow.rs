//! [`GradientFlow`]: which parameters receive gradients, and how large these are.

use crate::observer::{Gradients, Observer};
use std::fmt;
use wengert_nn::for_each_param;

/// An [`Observer`] of the norms of the gradients, one per parameter: it shows which are missing, vanish or explode.
///
/// ```
/// use wengert_data::{Loader, digits};
/// use wengert_nn::{Activation, Linear, Sequential, optim::Sgd};
/// use wengert_ops::random::Rng;
/// use wengert_train::{Classify, FitConfig, Flow, GradientFlow, Minimize, NoValidation, fit};
///
/// // Ten sigmoids in a row: what reaches the first layers is next to nothing.
/// let mut rng = Rng::seed(0);
/// let mut model = Sequential::new().push(Linear::new(64, 16, &mut rng));
/// for _ in 0..10 {
///     model = model.push(Activation::Sigmoid).push(Linear::new(16, 16, &mut rng));
/// }
/// let mut sgd = Sgd::new(0.1);
/// let mut flow = GradientFlow::new();
/// let config = FitConfig { epochs: 1, ..FitConfig::default() };
/// let mut learner = Minimize::new(&mut model, &mut sgd, Classify);
/// fit(&mut learner, &Loader::new(&digits()?, 256, 0)?, &NoValidation, &config, &mut flow)?;
/// let report = flow.report();
/// assert_eq!((&report[0].parameter[..], report[0].flow), ("0.weight", Flow::Vanishing));
/// assert_eq!(report.last().unwrap().flow, Flow::Fine);
/// assert!(flow.to_string().contains("vanishing"));
/// # Ok::<(), wengert_train::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct GradientFlow {
    vanishing: f64,
    exploding: f64,
    layers: Vec<Layer>,
}

#[derive(Debug, Clone)]
struct Layer {
    name: String,
    trainable: bool,
    numel: usize,
    steps: u64,
    with: u64,
    squares: f64,
    least: f64,
    largest: f64,
}

/// How the gradients of a parameter flow.
///
/// ```
/// assert_ne!(wengert_train::Flow::Fine, wengert_train::Flow::None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The gradients are unremarkable.
    Fine,
    /// The parameter is frozen, so it has no gradients.
    Frozen,
    /// The parameter never had a gradient: the loss does not depend on it.
    None,
    /// The gradients are so much smaller than the largest of any parameter that the parameter hardly learns.
    Vanishing,
    /// The gradients are very large, or not finite.
    Exploding,
}

/// The statistics of the gradients of one parameter. See [`GradientFlow`] for an example.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowLine {
    /// The name of the parameter, after that of the learner's part if that is not `model`.
    pub parameter: String,
    /// The share of the steps in which the parameter had a gradient, from 0 to 1.
    pub present: f64,
    /// The root mean square of the elements, over all steps; NaN if there was no gradient.
    pub rms: f64,
    /// The smallest norm in a step; NaN if there was no gradient.
    pub least_norm: f64,
    /// The largest norm in a step; NaN if there was no gradient.
    pub largest_norm: f64,
    /// The verdict on the gradients.
    pub flow: Flow,
}

impl Default for GradientFlow {
    fn default() -> Self {
        GradientFlow::new()
    }
}

impl GradientFlow {
    /// A root mean square below 10⁻⁴ of the largest of any parameter counts as vanishing, and a norm above 10³ as exploding. See
    /// [`GradientFlow`] for an example.
    pub fn new() -> Self {
        GradientFlow { vanishing: 1e-4, exploding: 1e3, layers: Vec::new() }
    }

    /// The same with other bounds.
    ///
    /// ```
    /// let flow = wengert_train::GradientFlow::new().bounds(1e-6, 100.0);
    /// assert!(flow.report().is_empty());
    /// ```
    #[must_use]
    pub fn bounds(mut self, vanishing: f64, exploding: f64) -> Self {
        (self.vanishing, self.exploding) = (vanishing, exploding);
        self
    }

    /// One line per parameter, in the model's order. See [`GradientFlow`] for an example.
    pub fn report(&self) -> Vec<FlowLine> {
        let rms = |l: &Layer| (l.squares / (l.with as f64 * l.numel as f64)).sqrt();
        let largest = self.layers.iter().map(rms).filter(|r| r.is_finite()).fold(0.0, f64::max);
        let line = |l: &Layer| {
            let rms = rms(l);
            let flow = match (l.trainable, l.with) {
                (false, _) => Flow::Frozen,
                (true, 0) => Flow::None,
                _ if !rms.is_finite() || l.largest > self.exploding => Flow::Exploding,
                _ if rms < self.vanishing * largest || largest == 0.0 => Flow::Vanishing,
                _ => Flow::Fine,
            };
            let known = |v: f64| if l.with == 0 { f64::NAN } else { v };
            FlowLine {
                parameter: l.name.clone(),
                present: l.with as f64 / l.steps.max(1) as f64,
                rms,
                least_norm: known(l.least),
                largest_norm: known(l.largest),
                flow,
            }
        };
        self.layers.iter().map(line).collect()
    }
}

impl Observer for GradientFlow {
    fn gradients(&mut self, gradients: &Gradients<'_>) {
        for_each_param::<f32>(gradients.model, &mut |path, p| {
            let name = match gradients.part {
                "model" => path.as_str().to_owned(),
                part => format!("{part}/{}", path.as_str()),
            };
            let i = self.layers.iter().position(|l| l.name == name).unwrap_or_else(|| {
                self.layers.push(Layer {
                    name,
                    trainable: true,
                    numel: p.numel(),
                    steps: 0,
                    with: 0,
                    squares: 0.0,
                    least: f64::INFINITY,
                    largest: 0.0,
                });
                self.layers.len() - 1
            });
            let layer = &mut self.layers[i];
            layer.trainable = p.is_trainable();
            layer.steps += 1;
            if let Some(g) = gradients.grads.get(p.id()) {
                // In double precision, since the square of an exploding gradient overflows in single precision.
                let squares: f64 = g.to_vec().iter().map(|v| f64::from(*v).powi(2)).sum();
                layer.with += 1;
                layer.squares += squares;
                layer.least = layer.least.min(squares.sqrt());
                layer.largest =
                    layer.largest.max(if squares.is_nan() { f64::INFINITY } else { squares.sqrt() });
            }
        });
    }
}

/// The report as a table.
impl fmt::Display for GradientFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.report();
        let width = report.iter().map(|l| l.parameter.len()).max().unwrap_or(0).max("parameter".len());
        writeln!(f, "{:width$}  present        rms  least norm  largest norm", "parameter")?;
        for l in &report {
            let word = match l.flow {
                Flow::Fine => "",
                Flow::Frozen => "frozen",
                Flow::None => "no gradient",
                Flow::Vanishing => "vanishing",
                Flow::Exploding => "exploding",
            };
            let (present, rms) = (100.0 * l.present, l.rms);
            let row = format!(
                "{:width$}  {present:>5.0} %  {rms:>9.2e}  {:>10.2e}  {:>12.2e}  {word}",
                l.parameter, l.least_norm, l.largest_norm
            );
            writeln!(f, "{}", row.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wengert_ops::Tensor;
    use wengert_tape::{Param, Tape};

    #[test]
    fn every_kind_is_told_apart() {
        let mut model: Vec<Param<f32>> = (0..5).map(|_| Param::new(Tensor::from([1.0, 1.0]))).collect();
        model[1].set_trainable(false);
        let mut flow = GradientFlow::new();
        for step in 1..=4 {
            let tape = Tape::new();
            let factors = [1.0, 1.0, 1e-6, 1e30];
            let mut loss = tape.param(&model[0]).sum();
            for (p, factor) in model.iter().zip(factors).skip(1) {
                if step % 2 == 0 || factor != 1e30 {
                    loss += tape.param(p).sum() * factor;
                }
            }
            let grads = loss.backward().unwrap();
            flow.gradients(&Gradients { epoch: 1, step, part: "model", model: &model, grads: &grads });
        }
        // Compared with the exploding gradient, the small ones count as vanishing.
        let found: Vec<Flow> = flow.report().into_iter().map(|l| l.flow).collect();
        assert_eq!(found, [Flow::Vanishing, Flow::Frozen, Flow::Vanishing, Flow::Exploding, Flow::None]);
        assert_eq!(flow.report()[3].present, 0.5);
        let table = flow.to_string();
        assert_eq!(table.lines().count(), 6);
        assert!(["no gradient", "frozen", "exploding"].iter().all(|w| table.contains(w)), "{table}");
    }
}
