//! Correct gradients pass a check at every seed, also where differences are inaccurate.

use proptest::prelude::*;
use wengert_ops::Tensor;
use wengert_tape::gradcheck::{Check, Domain, Gen, strategies};
use wengert_tape::{Float, Pointwise, Real, Var};

type Function = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

fn sign(x: Var<'_, f64>) -> Tensor<f64> {
    x.value().unwrap().map(|x| if x < 0.0 { -1.0 } else { 1.0 })
}

/// |x| with slope 1 at 0, so that products with it have the slope from the right there.
fn size(x: Var<'_, f64>) -> Var<'_, f64> {
    x * sign(x)
}

/// sign(x) log(1 + |x|) by its two formulas.
#[derive(Clone)]
struct Symlog;

impl Pointwise for Symlog {
    const NAME: &'static str = "symlog";
    const USES_Y: bool = false;
    #[inline(always)]
    fn f<F: Float>(&self, x: F) -> F {
        let y = (F::ONE + x.abs()).log();
        if x < F::ZERO { -y } else { y }
    }
    #[inline(always)]
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        let size = R::select(x.lt(x.like(0.0)), -x, x);
        x.like(1.0) / (x.like(1.0) + size)
    }
}

/// Functions with one derivative everywhere, whose second derivative jumps at 0, ±1 or 2.
const SECOND_JUMPS: &[(&str, Function)] = &[
    ("softsign", |x| x.softsign()),
    ("symlog", |x| x.pointwise(Symlog)),
    ("symlog, composed", |x| size(x).log1p() * sign(x)),
    ("x |x|", |x| x * size(x)),
    ("relu²", |x| x.relu() * x.relu()),
    ("x relu", |x| x * x.relu()),
    ("elu", |x| x.elu(1.0)),
    ("celu", |x| x.celu(0.7)),
    ("squared hinge", |x| (1.0 - x).relu().square()),
    ("huber", |x| {
        let inside = x.clamp(-1.0, 1.0);
        inside.square() * 0.5 + (x - inside) * inside
    }),
    ("smooth step", |x| {
        let t = x.clamp(0.0, 1.0);
        t * t * (3.0 - t * 2.0)
    }),
    ("quadratic spline", |x| x.relu().square() - (x - 1.0).relu().square() * 2.0 + (x - 2.0).relu().square()),
    ("sign (√(1 + |x|) - 1)", |x| ((size(x) + 1.0).sqrt() - 1.0) * sign(x)),
    ("x / (1 + |x|)²", |x| x / (size(x) + 1.0).square()),
    ("x exp(-|x|)", |x| x * (-size(x)).exp()),
    ("atan |x| with its sign", |x| size(x).atan() * sign(x) + size(x).square() * sign(x)),
    ("sin x + x |x|", |x| x.sin() + x * size(x)),
    ("x³ + x |x| / 2", |x| x * x * x + x * size(x) * 0.5),
    ("|x|³ + x |x|", |x| size(x).square() * size(x) + x * size(x)),
    ("x |x| tanh x", |x| x * size(x) + x.tanh()),
    ("tanh of softsign", |x| (x.softsign() * 3.0).tanh()),
];

/// Points at the jumps, next to them at every distance that differences resolve, and anywhere.
fn points(seed: u64) -> Tensor<f64> {
    let mut g = Gen::seeded(seed);
    let mut x = vec![0.0, 1.0, -1.0, 2.0];
    for _ in 0..6 {
        let beside = g.pick(&[0.0, 1.0, -1.0, 2.0]);
        let distance = 10f64.powf(g.number(-8.0, -1.0)) * g.pick(&[1.0, -1.0]);
        x.push(beside + distance);
    }
    x.extend(g.values(6, Domain::Real));
    Tensor::from(x)
}

#[test]
fn functions_whose_second_derivative_jumps_pass_at_fifty_seeds() {
    assert!(SECOND_JUMPS.len() >= 20);
    for (name, f) in SECOND_JUMPS {
        for seed in 0..50 {
            let report = Check::new(*name).first_order().seed(seed).run(|x| f(x[0]), &[points(seed)]);
            assert!(report.passed() && report.skipped == 0, "seed {seed}: {report}");
        }
    }
}

#[test]
fn rough_functions_pass_at_fifty_seeds() {
    let functions: &[(&str, f64, Function)] = &[
        ("1/x near its pole", 1e-3, |x| x.recip()),
        ("log near its pole", 1e-6, |x| x.log()),
        ("√x near 0", 1e-9, |x| x.sqrt()),
        ("sin 10⁴ x", 1.0, |x| (x * 1e4).sin()),
        ("10⁸ + sin x", 1.0, |x| x.sin() + 1e8),
        ("10⁻⁸ sin x", 1.0, |x| x.sin() * 1e-8),
        ("exp near overflow", 700.0, |x| x.exp()),
        ("x² at a large argument", 1e8, |x| x.square()),
        ("softmax at a large argument", 1e6, |x| x.softmax(0)),
        ("variance at a large argument", 1e6, |x| x.variance(0.0)),
    ];
    for (name, scale, f) in functions {
        for seed in 0..50 {
            let x = Tensor::from(Gen::seeded(seed).values(4, Domain::Between(0.5, 1.0))).scale(*scale);
            let report = Check::new(*name).first_order().seed(seed).run(|x| f(x[0]), &[x]);
            assert!(report.passed() && report.skipped == 0, "seed {seed}: {report}");
        }
    }
}

proptest! {
    #[test]
    fn strategies_find_nothing_in_what_is_right(x in strategies::tensor(0..=3, Domain::Real)) {
        let report = Check::new("softsign").allow_empty().run(|x| x[0].softsign(), std::slice::from_ref(&x));
        prop_assert!(report.passed(), "{report}");
        let report = Check::new("symlog").allow_empty().run(|x| x[0].pointwise(Symlog), &[x]);
        prop_assert!(report.passed(), "{report}");
    }
}
