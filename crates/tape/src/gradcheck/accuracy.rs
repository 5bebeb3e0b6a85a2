//! The accuracy of single precision: values and gradients of a call compared with those in double precision.

use crate::error::Result;
use crate::gradcheck::jacobian::{index_of, jacobian_of, named, random, second_jacobian_of};
use crate::gradcheck::report::{Report, worse};
use crate::gradcheck::spec::{Accuracy, Case, Run};
use crate::number::Float;
use crate::sweep::RetainGraph;
use crate::tape::Tape;
use wengert_ops::Tensor;

type Numbers = Vec<f64>;

/// One unit: the distance from 1 to the next larger number.
const UNIT: f64 = f32::EPSILON as f64;

/// Compares values and gradients; returns their largest errors, in units of the conditioned result.
pub(crate) fn hold(
    case: &Case,
    names: &[String],
    bound: Accuracy,
    seed: u64,
    report: &mut Report,
) -> Result<Accuracy> {
    let single: Vec<Tensor<f32>> = case.inputs.iter().map(Tensor::cast).collect();
    let double: Vec<Tensor<f64>> = single.iter().map(Tensor::cast).collect();
    let (Some(in_double), Some(in_single)) = (&case.double, &case.single) else { return Ok(bound) };
    let (y, rows) = jacobian_of(&**in_double, &double)?;
    let flat: Vec<Numbers> = double.iter().map(Tensor::to_vec).collect();
    let mut worst = Accuracy { value: 0.0, gradient: 0.0, ..bound };

    let mut cotangents = Vec::new();
    let shapes = {
        let tape = Tape::new();
        let x: Vec<_> = single.iter().map(|t| tape.constant(t)).collect();
        let y = in_single(&x);
        y.iter().map(|y| Ok(y.value()?.shape().clone())).collect::<Result<Vec<_>>>()?
    };
    for (i, shape) in shapes.iter().enumerate() {
        cotangents.push(random(shape, seed, i)?.cast::<f32>());
    }
    let Evaluated { y: values, swept, recorded } = evaluate(in_single, &single, &cotangents)?;

    let say = |what: String, unit: f64, got: f64, want: f64, limit: f64| {
        format!(
            "f32: {what}: {got:?}, in f64 {want:?}: off by {unit:.1} units of the conditioned result, at most {limit} are allowed"
        )
    };
    for (j, (got, want)) in values.iter().zip(&y).enumerate() {
        let scale = bound.floor.max(want.abs() + conditioned(&rows[j], &flat));
        let Some(unit) = units(*got, *want, scale) else { continue };
        worst.value = worse(worst.value, unit);
        if unit.is_nan() || unit > bound.value {
            report.failures.push(say(format!("output {j}"), unit, *got, *want, bound.value));
        }
    }

    let u: Vec<Tensor<f64>> = cotangents.iter().map(Tensor::cast).collect();
    let weights: Numbers = u.iter().flat_map(Tensor::to_vec).collect();
    let (g, second) = second_jacobian_of(&**in_double, &double, &u)?;
    let mut place = 0;
    let sizes = y.iter().zip(&rows).map(|(y, row)| y.abs() + conditioned(row, &flat));
    let moved: f64 = sizes.zip(&weights).map(|(y, u)| (y * u).abs()).filter(|t| t.is_finite()).sum();
    for (i, x) in double.iter().enumerate() {
        // Terms of the size of y / x, or of the summands of y, may cancel in a gradient.
        let size = match extent(&flat[i]) {
            (size, spread) if spread > 0.0 => size.min(spread),
            (size, _) => size,
        };
        let cancelled = if size > 0.0 { moved / size } else { 0.0 };
        for k in 0..x.numel() {
            let terms = rows.iter().zip(&weights).map(|(row, u)| (row[i][k] * u).abs());
            let terms: f64 = terms.filter(|t| t.is_finite()).sum();
            let scale = g[place].abs() + terms + cancelled + conditioned(&second[place][..flat.len()], &flat);
            let scale = scale.max(bound.floor).max(bound.gradient_floor);
            for (how, got) in [("swept", &swept), ("recorded", &recorded)] {
                let Some(unit) = units(got[place], g[place], scale) else { continue };
                worst.gradient = worse(worst.gradient, unit);
                if unit.is_nan() || unit > bound.gradient {
                    let what = format!("gradient of {} {:?}, {how}", named(names, i), index_of(k, x.shape()));
                    report.failures.push(say(what, unit, got[place], g[place], bound.gradient));
                }
            }
            place += 1;
        }
    }
    Ok(worst)
}

/// |got - want| in units of `scale`; `None` if single precision cannot hold the result.
fn units(got: f64, want: f64, scale: f64) -> Option<f64> {
    let held = |v: f64| v.is_finite() && (v.abs() as f32).is_finite();
    if !(held(want) && held(scale)) {
        return None;
    }
    let smallest = f64::from(f32::MIN_POSITIVE);
    Some(((got - want).abs() - smallest).max(0.0) / (UNIT * scale.max(smallest)))
        .map(|u| if got.is_nan() { f64::NAN } else { u })
}

/// The largest absolute value of some numbers, and the difference between the largest and the smallest number.
fn extent(x: &[f64]) -> (f64, f64) {
    let high = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = x.iter().copied().fold(f64::INFINITY, f64::min);
    (high.abs().max(low.abs()), high - low)
}

/// Σ |∂y/∂x| |x - c|, with c = 0 unless y does not change when the same number is added to all elements of an input.
fn conditioned(row: &[Numbers], x: &[Numbers]) -> f64 {
    let each = row.iter().zip(x).map(|(row, x)| {
        // Infinite terms are left out: they would allow any error.
        let about = |c: f64| {
            let terms = row.iter().zip(x).map(|(d, x)| (d * (x - c)).abs());
            terms.filter(|t| t.is_finite()).sum::<f64>()
        };
        let (sum, size) = row.iter().fold((0.0, 0.0), |(s, a), d| (s + d, a + d.abs()));
        if size > 0.0 && f64::abs(sum) <= 1e-12 * size {
            x.iter()
                .zip(row)
                .filter(|(_, d)| **d != 0.0)
                .map(|(x, _)| about(*x))
                .fold(f64::INFINITY, f64::min)
        } else {
            about(0.0)
        }
    });
    each.sum()
}

/// Values, and gradients in both ways.
pub(crate) struct Evaluated {
    y: Numbers,
    pub(crate) swept: Numbers,
    pub(crate) recorded: Numbers,
}

pub(crate) fn evaluate<T: Float>(
    call: &Run<T>,
    inputs: &[Tensor<T>],
    cotangents: &[Tensor<T>],
) -> Result<Evaluated> {
    let tape = Tape::new();
    let x: Vec<_> = inputs.iter().map(|t| tape.var(t)).collect();
    let outputs = call(&x);
    let wide = |t: &Tensor<T>| t.to_vec().into_iter().map(T::to_f64).collect::<Numbers>();
    let mut y = Numbers::new();
    for output in &outputs {
        y.extend(wide(&output.value()?));
    }
    let seeds: Vec<_> =
        outputs.into_iter().zip(cotangents.iter().cloned()).filter(|(y, _)| y.kind().1).collect();
    let pairs: Vec<_> = seeds.iter().map(|(y, g)| (*y, tape.constant(g))).collect();
    let mut recorded = Numbers::new();
    for g in tape.grad(&pairs, &x)? {
        recorded.extend(wide(&g.value()?));
    }
    let grads = tape.swept(&seeds, RetainGraph::Nothing, None)?;
    let mut swept = Numbers::new();
    for x in &x {
        match grads.wrt(*x) {
            Ok(g) => swept.extend(wide(&g)),
            Err(e) if e.kind() == crate::ErrorKind::Unreached => swept.extend(vec![0.0; x.numel()]),
            Err(e) => return Err(e),
        }
    }
    Ok(Evaluated { y, swept, recorded })
}
