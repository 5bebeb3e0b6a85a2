//! The linear regions of a perceptron with one input and the activation ReLU, found from its kinks.

use std::fmt::Write as _;
use wengert::ops::Tensor;

/// The function slope · x + offset on an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Affine {
    slope: f64,
    offset: f64,
}

impl Affine {
    fn at(self, x: f64) -> f64 {
        self.slope * x + self.offset
    }
}

/// The outputs of a layer from `start` to the start of the next piece.
struct Piece {
    start: f64,
    units: Vec<Affine>,
}

/// The regions of a network's outputs as a table. Weights are `[outputs, inputs]`; those of the first layer have one input.
pub(super) fn table(weights: &[Tensor<f64>], biases: &[Tensor<f64>]) -> String {
    let pieces = pieces(weights, biases);
    let hidden = &biases[..biases.len().saturating_sub(1)];
    let most = hidden.iter().fold(1usize, |all, b| all.saturating_mul(b.numel() + 1));
    let mut text = format!("{:>12}  {:>12}  output\n", "from", "to");
    for (i, piece) in pieces.iter().enumerate() {
        let end = pieces.get(i + 1).map_or(f64::INFINITY, |p| p.start);
        let formula = |u: &Affine| {
            let sign = if u.offset < 0.0 { '-' } else { '+' };
            format!("{:.4} x {sign} {:.4}", u.slope, u.offset.abs())
        };
        let units: Vec<String> = piece.units.iter().map(formula).collect();
        let _ = writeln!(text, "{:>12.4}  {end:>12.4}  {}", piece.start, units.join(", "));
    }
    let _ = write!(text, "{} linear regions; a network of these widths has at most {most}", pieces.len());
    text
}

/// The pieces of the outputs from left to right; neighbours differ. On a piece every unit is affine in x, so each unit of the
/// next layer has at most one zero there: the piece is cut at these zeros, and on each part the ReLU is 0 or the identity.
fn pieces(weights: &[Tensor<f64>], biases: &[Tensor<f64>]) -> Vec<Piece> {
    let mut all = vec![Piece { start: f64::NEG_INFINITY, units: vec![Affine { slope: 1.0, offset: 0.0 }] }];
    for (l, (w, b)) in weights.iter().zip(biases).enumerate() {
        let (w, b) = (w.to_vec(), b.to_vec());
        let is_output = l + 1 == weights.len();
        let mut next = Vec::new();
        for (i, piece) in all.iter().enumerate() {
            let end = all.get(i + 1).map_or(f64::INFINITY, |p| p.start);
            let h = &piece.units;
            let unit = |(row, b): (&[f64], &f64)| Affine {
                slope: row.iter().zip(h).map(|(w, h)| w * h.slope).sum(),
                offset: b + row.iter().zip(h).map(|(w, h)| w * h.offset).sum::<f64>(),
            };
            let z: Vec<Affine> = w.chunks(h.len().max(1)).zip(&b).map(unit).collect();
            let mut cuts = vec![piece.start];
            if !is_output {
                let zeros = z.iter().map(|u| -u.offset / u.slope);
                cuts.extend(zeros.filter(|&x| x.is_finite() && piece.start < x && x < end));
                cuts.sort_by(f64::total_cmp);
                cuts.dedup();
            }
            for (j, &start) in cuts.iter().enumerate() {
                let x = between(start, cuts.get(j + 1).copied().unwrap_or(end));
                let off = Affine { slope: 0.0, offset: 0.0 };
                let relu = |u: &Affine| if is_output || u.at(x) > 0.0 { *u } else { off };
                next.push(Piece { start, units: z.iter().map(relu).collect() });
            }
        }
        all = next;
    }
    // A unit's kink is not a kink of the output if every unit that reads it is 0.
    all.dedup_by(|b, a| a.units == b.units);
    all
}

/// A number between a and b, each of which may be infinite.
fn between(a: f64, b: f64) -> f64 {
    match (a.is_finite(), b.is_finite()) {
        (true, true) => 0.5 * (a + b),
        (true, false) => a + a.abs().max(1.0),
        (false, true) => b - b.abs().max(1.0),
        (false, false) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_those_of_the_function() {
        // relu(x) + relu(x - 1) - 2, and relu(x) read by a unit that is always 0.
        let weights = [Tensor::from([[1.0], [1.0]]), Tensor::from([[1.0, 1.0]])];
        let biases = [Tensor::from([0.0, -1.0]), Tensor::from([-2.0])];
        let found: Vec<_> = pieces(&weights, &biases).iter().map(|p| (p.start, p.units[0])).collect();
        let affine = |slope, offset| Affine { slope, offset };
        let expected =
            [(f64::NEG_INFINITY, affine(0.0, -2.0)), (0.0, affine(1.0, -2.0)), (1.0, affine(2.0, -3.0))];
        assert_eq!(found, expected);
        let text = table(&weights, &biases);
        assert!(text.ends_with("3 linear regions; a network of these widths has at most 3"), "{text}");
        let weights = [Tensor::from([[1.0]]), Tensor::from([[-1.0]]), Tensor::from([[1.0]])];
        let biases = [Tensor::from([0.0]), Tensor::from([0.0]), Tensor::from([0.0])];
        assert_eq!(pieces(&weights, &biases).len(), 1);
    }
}
