//! A multilayer perceptron in the notation of textbooks: scalar (w_ji, z_j, h_j, δ_j, every number a node) and vector
//! (W, z, h, δ).
//!
//! z_j⁽ˡ⁾ = Σ_i w_ji⁽ˡ⁾ h_i⁽ˡ⁻¹⁾ + b_j⁽ˡ⁾ and h_j⁽ˡ⁾ = σ(z_j⁽ˡ⁾), with a linear output layer and the loss L = Σ_k
//! (z_k⁽ᴸ⁾ - y_k)². In the reverse sweep δ_j⁽ˡ⁾ = ∂L/∂z_j⁽ˡ⁾ = σ′(z_j⁽ˡ⁾) Σ_k w_kj⁽ˡ⁺¹⁾ δ_k⁽ˡ⁺¹⁾, ∂L/∂w_ji⁽ˡ⁾ = δ_j⁽ˡ⁾
//! h_i⁽ˡ⁻¹⁾, ∂L/∂b_j⁽ˡ⁾ = δ_j⁽ˡ⁾.

use crate::error::Error;
use crate::trace::{Kind, Trace};
use wengert_ops::Tensor;
use wengert_tape::scalar::{self, Traced, affine};
use wengert_tape::{Elementary, Tape, Var};

/// A network with its weights, its input, and its target.
///
/// ```
/// use wengert_ops::Tensor;
/// use wengert_tape::Elementary;
/// use wengert_trace::{Markup, network::Network};
/// let net = Network {
///     weights: vec![Tensor::from([[0.5, -0.2], [0.3, 0.8]]), Tensor::from([[1.0, -1.5]])],
///     biases: vec![Tensor::from([0.1, 0.0]), Tensor::from([0.2])],
///     input: Tensor::from([1.0, -1.0]),
///     target: Tensor::from([0.5]),
/// };
/// let scalar = net.scalar(&|z| z.tanh())?;
/// let vector = net.vector(&|z| z.tanh())?;
/// // δ₁⁽¹⁾ as a node's cotangent, and as an element of a vector's: the same number.
/// let z = scalar.find("z_1^(1)")?;
/// assert_eq!(scalar.cotangent_name(z, Markup::Text), "δ₁⁽¹⁾");
/// let delta = scalar.nodes[z].gradient.clone().unwrap().numbers[0];
/// let same = vector.nodes[vector.find("z^(1)")?].gradient.clone().unwrap().numbers[0];
/// assert!((delta - same).abs() < 1e-15);
/// # Ok::<(), wengert_trace::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Network {
    /// W⁽ˡ⁾, `[to, from]`, from the first layer to the last.
    pub weights: Vec<Tensor<f64>>,
    /// b⁽ˡ⁾, `[to]`.
    pub biases: Vec<Tensor<f64>>,
    /// h⁽⁰⁾, `[from]` of the first layer.
    pub input: Tensor<f64>,
    /// y, `[to]` of the last layer.
    pub target: Tensor<f64>,
}

/// σ, as a function of tensors.
pub type OnTensors<'a> = dyn for<'t> Fn(Var<'t, f64>) -> Var<'t, f64> + 'a;

/// σ, as a function of numbers.
pub type OnNumbers<'a> = dyn for<'t> Fn(scalar::Var<'t, Traced>) -> scalar::Var<'t, Traced> + 'a;

impl Network {
    /// Checks that the shapes are consistent.
    fn check(&self) -> Result<(), Error> {
        let mut width = self.input.shape().to_vec();
        let wrong = |what: &str, l: usize, found: &[usize], expected: &[usize]| {
            Err(Error::Refused(format!("layer {l}: {what} has shape {found:?}, expected {expected:?}")))
        };
        if self.weights.is_empty() || self.weights.len() != self.biases.len() || width.len() != 1 {
            return Err(Error::Refused(
                "a network has layers of weights and biases, and an input vector".into(),
            ));
        }
        for (l, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            let to = b.shape().to_vec();
            if to.len() != 1 {
                return wrong("the bias", l + 1, &to, &[w.shape().first().copied().unwrap_or(0)]);
            }
            if w.shape().to_vec() != [to[0], width[0]] {
                return wrong("the weight", l + 1, w.shape(), &[to[0], width[0]]);
            }
            width = to;
        }
        if self.target.shape().to_vec() != width {
            return wrong("the target", self.weights.len(), self.target.shape(), &width);
        }
        Ok(())
    }

    fn title(&self, form: &str) -> String {
        let mut widths = vec![self.input.numel()];
        widths.extend(self.biases.iter().map(Tensor::numel));
        let widths: Vec<String> = widths.iter().map(usize::to_string).collect();
        format!("multilayer perceptron {}, {form} form", widths.join("-"))
    }

    /// The trace on the scalar tape, in scalar notation: every weight, bias, pre-activation and activation is a node,
    /// and the cotangent of z_j⁽ˡ⁾ is named δ_j⁽ˡ⁾.
    ///
    /// # Errors
    /// If the shapes are inconsistent.
    pub fn scalar(&self, activation: &OnNumbers<'_>) -> Result<Trace, Error> {
        self.check()?;
        let tape = scalar::Tape::<Traced>::default();
        let numbered = |name: &str, j: usize, l: usize| format!("{name}_{}^({l})", j + 1);
        let mut h: Vec<scalar::Var<'_, Traced>> = Vec::new();
        for (i, x) in self.input.to_vec().into_iter().enumerate() {
            h.push(tape.constant(Traced(x)).named(numbered("h", i, 0)));
        }
        for (l, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            let (layer, from) = (l + 1, h.len());
            // All leaves of a layer come before the values that are computed from them.
            let mut weights = Vec::new();
            for (at, w) in w.to_vec().into_iter().enumerate() {
                let (j, i) = (at / from + 1, at % from + 1);
                // Indices above nine need a comma.
                let comma = if from > 9 || b.numel() > 9 { "," } else { "" };
                weights.push(tape.var(Traced(w)).named(format!("w_{j}{comma}{i}^({layer})")));
            }
            let mut biases = Vec::new();
            for (j, b) in b.to_vec().into_iter().enumerate() {
                biases.push(tape.var(Traced(b)).named(numbered("b", j, layer)));
            }
            let mut z = Vec::new();
            for (j, b) in biases.into_iter().enumerate() {
                let w = &weights[j * from..(j + 1) * from];
                z.push(affine(b, w, &h).named(numbered("z", j, layer)));
            }
            h = z;
            if layer < self.weights.len() {
                h.iter_mut()
                    .enumerate()
                    .for_each(|(j, h)| *h = activation(*h).named(numbered("h", j, layer)));
            }
        }
        let mut squares = Vec::new();
        for (k, (z, y)) in h.iter().zip(self.target.to_vec()).enumerate() {
            let y = tape.constant(Traced(y)).named(format!("y_{}", k + 1));
            let error = (*z - y).named(format!("e_{}", k + 1));
            squares.push(error.square().named(format!("q_{}", k + 1)));
        }
        // A single square needs no sum.
        let loss = match squares[..] {
            [only] => only,
            _ => squares.iter().sum(),
        };
        let mut trace = Trace::of(loss.named("L"))?;
        trace.title = self.title("scalar");
        notation(&mut trace);
        Ok(trace)
    }

    /// The trace on the tensor tape, in vector notation: W⁽ˡ⁾, b⁽ˡ⁾, z⁽ˡ⁾ = W⁽ˡ⁾ h⁽ˡ⁻¹⁾ + b⁽ˡ⁾, h⁽ˡ⁾ = σ(z⁽ˡ⁾), and
    /// δ⁽ˡ⁾ for the cotangent of z⁽ˡ⁾.
    ///
    /// # Errors
    /// If the shapes are inconsistent.
    pub fn vector(&self, activation: &OnTensors<'_>) -> Result<Trace, Error> {
        self.check()?;
        let tape = Tape::<f64>::new();
        let mut h = tape.constant(&self.input).named("h^(0)");
        for (l, (w, b)) in self.weights.iter().zip(&self.biases).enumerate() {
            let layer = l + 1;
            let (w, b) =
                (tape.var(w).named(format!("W^({layer})")), tape.var(b).named(format!("b^({layer})")));
            let z = h.linear(w, Some(b)).named(format!("z^({layer})"));
            h = if layer < self.weights.len() { activation(z).named(format!("h^({layer})")) } else { z };
        }
        let error = (h - tape.constant(&self.target).named("y")).named("e");
        let loss = error.square().named("q").sum().named("L");
        let mut trace = Trace::of(loss)?;
        trace.title = self.title("vector");
        notation(&mut trace);
        Ok(trace)
    }
}

/// Sets the notation: δ for the cotangents of pre-activations, ∂L/∂w for the others; leaves with a derivative are
/// parameters. Lines of the program are removed, since they are lines of this file.
fn notation(trace: &mut Trace) {
    for n in &mut trace.nodes {
        n.source = None;
        // Leaves with a derivative are weights and biases here.
        if n.kind == Kind::Input {
            n.kind = Kind::Parameter;
        }
        let name = n.name.as_deref().unwrap_or("");
        n.cotangent_name = Some(match name.strip_prefix('z') {
            Some(indices) => format!("δ{indices}"),
            None => "∂".into(),
        });
    }
}
