//! Gradients that other frameworks got wrong, one trap a test. Where a convention is needed, it is the one that the
//! operation's documentation states.

use wengert_ops::{Slice, Tensor};
use wengert_tape::gradcheck::Check;
use wengert_tape::{Float, Tape, Var};

type Binary = for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>;
type Reference = fn(f64) -> f64;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

fn vector(v: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(v, [v.len()]).unwrap()
}

/// Equal bit for bit, but for the sign and payload of NaN; 0 and -0 differ.
fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

fn close(a: &[f64], b: &[f64]) -> bool {
    let near =
        |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * (1.0 + b.abs());
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(*a, *b))
}

/// Value, swept gradient of the sum, and recorded gradient of the sum, at the given numbers.
fn run<T: Float>(f: impl for<'t> Fn(Var<'t, T>) -> Var<'t, T>, x: &Tensor<f64>) -> [Vec<f64>; 3] {
    let tape = Tape::<T>::new();
    let x = tape.var(x.cast::<T>());
    let y = f(x);
    let value = y.value().unwrap().to_vec();
    let y = y.sum();
    let recorded = y.grad(x).unwrap().value().unwrap();
    let swept = y.backward().unwrap().wrt(x).unwrap();
    assert_eq!(recorded.shape(), swept.shape());
    [value, swept.to_vec(), recorded.to_vec()].map(|v| v.iter().map(|v| v.to_f64()).collect())
}

type F = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;

/// Asserts values and both gradients of elementwise functions.
#[track_caller]
fn at(what: &str, f: F, x: &[f64], values: &[f64], gradients: &[f64]) {
    let [y, swept, recorded] = run::<f64>(f, &vector(x));
    assert!(close(&y, values), "{what}: values {y:?}, expected {values:?}");
    assert!(close(&swept, gradients), "{what}: gradient {swept:?}, expected {gradients:?}");
    assert!(close(&recorded, gradients), "{what}: recorded gradient {recorded:?}, expected {gradients:?}");
}

#[test]
fn broadcasting_sums_on_either_side() {
    // Shapes of two operands; every pair in both orders, with rank 0, size 1 and size 0.
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[2, 3], &[]),
        (&[2, 3], &[3]),
        (&[2, 3], &[1]),
        (&[2, 3], &[2, 1]),
        (&[2, 1], &[1, 3]),
        (&[4, 1, 3], &[2, 1]),
        (&[2, 1, 1, 3], &[4, 1]),
        (&[0, 3], &[3]),
        (&[2, 0], &[2, 1]),
    ];
    let filled = |shape: &[usize], start: f64| {
        Tensor::<f64>::arange(start, 0.3, shape.iter().product()).reshape(shape).unwrap()
    };
    for (a, b) in shapes {
        for (a, b) in [(a, b), (b, a)] {
            let inputs = [filled(a, 0.4), filled(b, 1.1)];
            let ops: [(&str, Binary); 8] = [
                ("add", |a, b| a + b),
                ("sub", |a, b| a - b),
                ("mul", |a, b| a * b),
                ("div", |a, b| a / b),
                ("pow", |a, b| a.pow(b)),
                ("maximum", |a, b| a.maximum(b * 1.01)),
                ("minimum", |a, b| a.minimum(b * 1.01)),
                ("select", |a, b| a.select(Tensor::from([true]), b) * b),
            ];
            for (name, op) in ops {
                let report =
                    Check::new(format!("{name} of {a:?} and {b:?}")).run(|x| op(x[0], x[1]), &inputs);
                assert!(report.passed(), "{report}");
                let tape = Tape::<f64>::new();
                let (u, v) = (tape.var(&inputs[0]), tape.var(&inputs[1]));
                let grads = op(u, v).sum().backward().unwrap();
                assert_eq!(grads.wrt(u).unwrap().shape(), inputs[0].shape(), "{name}");
                assert_eq!(grads.wrt(v).unwrap().shape(), inputs[1].shape(), "{name}");
            }
        }
    }
}

#[test]
fn sums_over_nothing_are_zero_and_their_gradient_is_empty() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::zeros([0, 3]));
    let b = tape.var(Tensor::ones([3]));
    let grads = ((x + b) * 2.0).sum().backward().unwrap();
    assert_eq!(*grads.wrt(x).unwrap().shape(), [0, 3]);
    assert_eq!(grads.wrt(b).unwrap().to_vec(), [0.0; 3], "broadcast against nothing");
    assert_eq!(x.sum().item().unwrap(), 0.0);
    assert!(x.mean().item().unwrap().is_nan());
    assert_eq!(x.logsumexp(0).value().unwrap().to_vec(), [-INF; 3]);
    assert!(x.max().is_failed() && x.max_axes(0).is_failed() && !x.max_axes(1).is_failed());
    assert_eq!(x.softmax(0).shape(), [0, 3]);
    assert_eq!(x.cross_entropy(&Tensor::from_vec(vec![], [0]).unwrap()).shape(), [0]);
}

#[test]
fn an_empty_inner_axis_gives_zeros() {
    for f in [(|a, b| a.matmul(b)) as for<'t> fn(Var<'t, f64>, Var<'t, f64>) -> Var<'t, f64>, |a, b| {
        a.linear(b.t(), None)
    }] {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(Tensor::zeros([2, 0])), tape.var(Tensor::zeros([0, 3])));
        let y = f(a, b);
        assert_eq!(y.value().unwrap(), Tensor::zeros([2, 3]));
        let grads = y.sum().backward().unwrap();
        assert_eq!((grads.wrt(a).unwrap().numel(), grads.wrt(b).unwrap().numel()), (0, 0));
    }
    let tape = Tape::<f64>::new();
    let bias = tape.var(Tensor::from([1.0, 2.0, 3.0]));
    let y = tape.var(Tensor::zeros([2, 0])).linear(tape.var(Tensor::zeros([3, 0])), Some(bias));
    assert_eq!(y.value().unwrap().to_vec(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    assert_eq!(y.sum().backward().unwrap().wrt(bias).unwrap().to_vec(), [2.0; 3]);
}

#[test]
fn expand_then_sum_and_repeat_along_several_axes() {
    let x = Tensor::from([[[0.5], [-1.0], [2.0]]]);
    let [y, swept, recorded] = run::<f64>(|x| x.expand([4, 2, 3, 5]).sum_axes([0, 3]), &x);
    assert_eq!(y, [10.0, -20.0, 40.0, 10.0, -20.0, 40.0]);
    assert_eq!((swept, recorded), (vec![40.0; 3], vec![40.0; 3]));
    let report = Check::new("tile").run(|x| tile(x[0]), &[x]);
    assert!(report.passed(), "{report}");

    fn tile<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        x.expand([2, 4, 3, 5]).permute([0, 2, 1, 3]).reshape([6, 20]).square().sum()
    }
}

/// The same numbers, lying in memory in every way there is.
fn lies(dense: &Tensor<f64>) -> Vec<(&'static str, Tensor<f64>)> {
    let back = || Slice::all().step(-1);
    let doubled = Tensor::stack(&[dense.clone(), dense.scale(9.0)], 1).unwrap();
    let shape = dense.shape().clone();
    let stepped = doubled.reshape([2 * shape[0], shape[1]]).unwrap().slice(0, Slice::all().step(2)).unwrap();
    let wide = Tensor::concat(&[dense.scale(-5.0), dense.clone()], 1).unwrap();
    vec![
        ("dense", dense.clone()),
        ("transposed", dense.transpose(0, 1).unwrap().contiguous().transpose(0, 1).unwrap()),
        ("reversed", dense.slice(1, back()).unwrap().contiguous().slice(1, back()).unwrap()),
        ("stepped", stepped),
        ("a part", wide.slice(1, shape[1]..).unwrap()),
    ]
}

#[test]
fn layouts_change_nothing() {
    let dense = Tensor::from([[0.3, -1.2, 0.8], [2.0, 0.1, -0.4], [0.9, 0.5, 1.4]]);
    let functions: [(&str, F); 16] = [
        ("tanh", |x| x.tanh()),
        ("relu", |x| x.relu()),
        ("x + xᵀ", |x| x + x.t() * 2.0),
        ("x * reversed", |x| x * x.slice(0, Slice::all().step(-1))),
        ("matmul", |x| x.matmul(x.t()).matmul(x)),
        ("linear", |x| x.linear(x, Some(x.get(0, 1)))),
        ("sum 0", |x| x.sum_axes(0) * x.sum_keepdim(1)),
        ("softmax", |x| x.softmax(0) * x.log_softmax(1)),
        ("logsumexp", |x| x.logsumexp(0) * x.logsumexp(1)),
        ("max", |x| x.max_keepdim(0) * x.min_keepdim(1)),
        ("reshape of the transposed", |x| x.t().reshape([9]).square()),
        ("gather", |x| x.gather(1, &Tensor::from([[2, 2], [0, 1], [1, 1]]))),
        ("index_select", |x| x.index_select(1, &Tensor::from([2, 0, 2]))),
        ("concat", |x| x.tape().concat(&[x, x.t()], 1).square()),
        ("pad", |x| x.pad(&[(1, 0), (0, 2)], 0.5).square()),
        ("cross_entropy", |x| x.cross_entropy(&Tensor::from([2, 0, 1]))),
    ];
    for (name, f) in functions {
        let want = run::<f64>(f, &dense);
        for (lie, x) in lies(&dense) {
            assert_eq!(x.to_vec(), dense.to_vec());
            let got = run::<f64>(f, &x);
            for (got, want) in got.iter().zip(&want) {
                assert!(close(got, want), "{name}, {lie}: {got:?}, expected {want:?}");
            }
            let report = Check::new(format!("{name}, {lie}")).first_order().run(|x| f(x[0]), &[x]);
            assert!(report.passed(), "{report}");
        }
    }
    // Stride 0: one number seen many times, also as the cotangent.
    let one = Tensor::scalar(0.7).broadcast_to([3, 3]).unwrap();
    for (name, f) in functions {
        let dense = Tensor::from_vec(one.to_vec(), [3, 3]).unwrap();
        let (got, want) = (run::<f64>(f, &one), run::<f64>(f, &dense));
        assert!(got.iter().zip(&want).all(|(a, b)| close(a, b)), "{name}: {got:?}, expected {want:?}");
        let tape = Tape::<f64>::new();
        let x = tape.var(&dense);
        let y = f(x);
        let seed = |t: Tensor<f64>| t.broadcast_to(y.shape()).unwrap();
        let thin = tape.backward(&[(y, seed(Tensor::scalar(0.3)))], wengert_tape::Retain::Values).unwrap();
        let full = seed(Tensor::scalar(0.3)).contiguous();
        let full = tape.backward(&[(y, full)], wengert_tape::Retain::Values).unwrap();
        assert!(close(&thin.wrt(x).unwrap().to_vec(), &full.wrt(x).unwrap().to_vec()), "{name}");
    }
}

#[test]
fn kinks_take_the_documented_side() {
    at("abs", |x| x.abs(), &[-2.0, 0.0, -0.0, 3.0], &[2.0, 0.0, 0.0, 3.0], &[-1.0, 0.0, 0.0, 1.0]);
    at("relu", |x| x.relu(), &[-2.0, 0.0, -0.0, 3.0], &[0.0, 0.0, 0.0, 3.0], &[0.0, 0.0, 0.0, 1.0]);
    at("leaky_relu", |x| x.leaky_relu(0.1), &[-2.0, 0.0, 3.0], &[-0.2, 0.0, 3.0], &[0.1, 0.1, 1.0]);
    at(
        "clamp",
        |x| x.clamp(-1.0, 2.0),
        &[-3.0, -1.0, 0.0, 2.0, 5.0],
        &[-1.0, -1.0, 0.0, 2.0, 2.0],
        &[0.0, 1.0, 1.0, 1.0, 0.0],
    );
    at("clamp, bounds crossed", |x| x.clamp(1.0, -1.0), &[-3.0, 0.0, 3.0], &[-1.0; 3], &[0.0; 3]);
    at("hardsigmoid", |x| x.hardsigmoid(), &[-3.0, 3.0, 0.0], &[0.0, 1.0, 0.5], &[0.0, 0.0, 1.0 / 6.0]);
    at("hardswish", |x| x.hardswish(), &[-3.0, 3.0, 9.0], &[0.0, 3.0, 9.0], &[0.0, 1.0, 1.0]);
    at("elu", |x| x.elu(2.0), &[-1e4, 0.0, 1e4], &[-2.0, 0.0, 1e4], &[0.0, 2.0, 1.0]);
}

#[test]
fn ties_share_the_gradient() {
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.var(vector(&[1.0, 2.0, 3.0])), tape.var(vector(&[1.0, 5.0, 0.0])));
    for (y, ga, gb) in
        [(a.maximum(b), [0.5, 0.0, 1.0], [0.5, 1.0, 0.0]), (a.minimum(b), [0.5, 1.0, 0.0], [0.5, 0.0, 1.0])]
    {
        let grads = y.sum().backward_retaining().unwrap();
        assert_eq!(grads.wrt(a).unwrap().to_vec(), ga);
        assert_eq!(grads.wrt(b).unwrap().to_vec(), gb);
    }
    // Of one value with itself the whole gradient comes back.
    at("max(x, x)", |x| x.maximum(x), &[1.0, -2.0], &[1.0, -2.0], &[1.0, 1.0]);
    at("max", |x| x.max(), &[3.0, 1.0, 3.0, 3.0], &[3.0], &[1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0]);
    at("min", |x| x.min(), &[0.0, -0.0, 1.0], &[0.0], &[0.5, 0.5, 0.0]);
    let [_, g, _] = run::<f64>(|x| x.max_axes(0) + x.min_axes(0), &Tensor::from([[1.0, 5.0], [1.0, 2.0]]));
    assert_eq!(g, [1.0, 1.0, 1.0, 1.0]);
    // Infinities tie as well.
    at("max of infinities", |x| x.max(), &[INF, 1.0, INF], &[INF], &[0.5, 0.0, 0.5]);
    at("max of -infinity alone", |x| x.max(), &[-INF, -INF], &[-INF], &[0.5, 0.5]);
}

#[test]
fn nan_is_never_dropped() {
    let functions: [(&str, F); 26] = [
        ("max", |x| x.max()),
        ("min", |x| x.min()),
        ("maximum", |x| x.maximum(0.0)),
        ("maximum, on the right", |x| x.zeros_like().maximum(x)),
        ("minimum", |x| x.minimum(0.0)),
        ("minimum, on the right", |x| x.zeros_like().minimum(x)),
        ("clamp", |x| x.clamp(-1.0, 1.0)),
        ("relu", |x| x.relu()),
        ("leaky_relu", |x| x.leaky_relu(0.1)),
        ("abs", |x| x.abs()),
        ("elu", |x| x.elu(1.0)),
        ("gelu", |x| x.gelu()),
        ("gelu_tanh", |x| x.gelu_tanh()),
        ("silu", |x| x.silu()),
        ("softplus", |x| x.softplus()),
        ("log_sigmoid", |x| x.log_sigmoid()),
        ("hardsigmoid", |x| x.hardsigmoid()),
        ("hardswish", |x| x.hardswish()),
        ("tanh", |x| x.tanh()),
        ("sum", |x| x.sum()),
        ("norm", |x| x.norm()),
        ("softmax", |x| x.softmax(0)),
        ("log_softmax", |x| x.log_softmax(0)),
        ("logsumexp", |x| x.logsumexp(0)),
        ("var", |x| x.var_axes(0, 1.0)),
        ("pow", |x| x.pow(3.0)),
    ];
    for n in [1, 2, 7, 64, 1001] {
        for (name, f) in functions {
            // In every lane of a vectorised loop, and in its tail.
            for place in [0, n / 3, n - 1] {
                let mut v = vec![0.5; n];
                v[place] = NAN;
                let tape = Tape::<f64>::new();
                let y = f(tape.var(vector(&v))).value().unwrap().to_vec();
                let there = if y.len() == n { y[place] } else { y[0] };
                assert!(there.is_nan(), "{name} of {n} numbers with NaN at {place} gives {there}");
                let tape = Tape::<f32>::new();
                let x = tape.var(vector(&v).cast::<f32>());
                assert!(
                    x.relu().max().item().unwrap().is_nan() && x.minimum(9.0).min().item().unwrap().is_nan()
                );
            }
        }
    }
    let masks = vector(&[NAN, 1.0]);
    let tape = Tape::<f64>::new();
    let x = tape.var(&masks);
    assert_eq!(x.eq(&masks).unwrap().to_vec(), [false, true]);
    assert_eq!(x.ne(&masks).unwrap().to_vec(), [true, false]);
    for mask in [x.lt(&masks), x.gt(&masks)] {
        assert_eq!(mask.unwrap().to_vec(), [false, false]);
    }
    for mask in [x.le(&masks), x.ge(&masks)] {
        assert_eq!(mask.unwrap().to_vec(), [false, true]);
    }
}

#[test]
fn powers_at_zero_and_of_negative_bases() {
    at("x^0", |x| x.pow(0.0), &[0.0, -0.0, 5.0, -3.0, INF, NAN], &[1.0; 6], &[0.0; 6]);
    at("x^1", |x| x.pow(1.0), &[0.0, -2.0], &[0.0, -2.0], &[1.0, 1.0]);
    at("x^2", |x| x.pow(2.0), &[0.0, -3.0], &[0.0, 9.0], &[0.0, -6.0]);
    at("x^3", |x| x.pow(3.0), &[0.0, -2.0], &[0.0, -8.0], &[0.0, 12.0]);
    at("x^-1", |x| x.pow(-1.0), &[-2.0, 0.0], &[-0.5, INF], &[-0.25, -INF]);
    at("x^½", |x| x.pow(0.5), &[0.0, 4.0, -1.0], &[0.0, 2.0, NAN], &[INF, 0.25, NAN]);
    // Both differentiable: 0⁰ is 1, flat in the base; the exponent's derivative at base 0 is 0, as in PyTorch.
    let cases: [(f64, f64, f64, f64, f64); 9] = [
        (0.0, 0.0, 1.0, 0.0, 0.0),
        (-0.0, 0.0, 1.0, 0.0, 0.0),
        (0.0, 1.0, 0.0, 1.0, 0.0),
        (0.0, 2.0, 0.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, INF, 0.0),
        (2.0, 0.0, 1.0, 0.0, 2f64.ln()),
        (2.0, 3.0, 8.0, 12.0, 8.0 * 2f64.ln()),
        (-2.0, 3.0, -8.0, 12.0, NAN),
        (-2.0, 0.0, 1.0, 0.0, NAN),
    ];
    for (a, b, value, da, db) in cases {
        let tape = Tape::<f64>::new();
        let (x, p) = (tape.var(a), tape.var(b));
        let y = x.pow(p);
        let recorded = tape.grad(&[(y, tape.constant(1.0))], &[x, p]).unwrap();
        let recorded = [recorded[0].item().unwrap(), recorded[1].item().unwrap()];
        let grads = y.backward().unwrap();
        let swept = [grads.wrt(x).unwrap().item().unwrap(), grads.wrt(p).unwrap().item().unwrap()];
        assert!(close(&[y.item().unwrap()], &[value]), "{a}^{b}: {y:?}");
        assert!(close(&swept, &[da, db]), "{a}^{b}: {swept:?}, expected {:?}", [da, db]);
        assert!(close(&recorded, &[da, db]), "{a}^{b}, recorded: {recorded:?}, expected {:?}", [da, db]);
        // Only the base differentiable: what the exponent's rule would give must not reach it.
        let x = tape.var(a);
        let g = x.pow(tape.constant(b)).backward().unwrap().wrt(x).unwrap();
        assert!(close(&[g.item().unwrap()], &[da]), "{a}^{b}: {g}");
    }
    // Second order of x^p for integers p at 0: 0, 0, 2, 0.
    for (p, want) in [(0.0, 0.0), (1.0, 0.0), (2.0, 2.0), (3.0, 0.0)] {
        let tape = Tape::<f64>::new();
        let x = tape.var(0.0);
        let dd = x.pow(p).grad(x).unwrap().grad(x).unwrap();
        assert_eq!(dd.item().unwrap(), want, "the second derivative of x^{p} at 0");
    }
}

#[test]
fn roots_norms_and_logarithms_at_zero() {
    at("sqrt", |x| x.sqrt(), &[0.0, 4.0], &[0.0, 2.0], &[INF, 0.25]);
    at("log", |x| x.log(), &[0.0, -1.0, 2.0], &[-INF, NAN, 2f64.ln()], &[INF, -1.0, 0.5]);
    at("norm", |x| x.norm(), &[0.0, 0.0], &[0.0], &[0.0, 0.0]);
    at("norm of one", |x| x.norm(), &[-2.0], &[2.0], &[-1.0]);
    at("std of equals", |x| x.std_axes(0, 1.0), &[3.0, 3.0, 3.0], &[0.0], &[0.0; 3]);
    at("var of equals", |x| x.var_axes(0, 1.0), &[3.0, 3.0], &[0.0], &[0.0, 0.0]);
    at("var of one", |x| x.var_axes(0, 0.0), &[3.0], &[0.0], &[0.0]);
    let [g, ..] = run::<f64>(|x| x.norm_keepdim(1) + 0.0 * x, &Tensor::from([[0.0, 0.0], [3.0, 4.0]]));
    assert_eq!(g, [0.0, 0.0, 5.0, 5.0]);
    // The sample variance of one element is 0/0.
    assert!(run::<f64>(|x| x.var_axes(0, 1.0), &vector(&[3.0]))[0][0].is_nan());
    // A large mean with a tiny variance costs no accuracy, forward or back.
    let [v, g, _] = run::<f64>(|x| x.var_axes(0, 0.0), &vector(&[1e9 + 1.0, 1e9 + 2.0, 1e9 + 3.0]));
    assert!(close(&v, &[2.0 / 3.0]) && close(&g, &[-2.0 / 3.0, 0.0, 2.0 / 3.0]), "{v:?} {g:?}");
    let [v, ..] = run::<f32>(|x| x.var_axes(0, 1.0), &vector(&[4096.0, 4097.0, 4098.0, 4099.0]));
    assert!((v[0] - 5.0 / 3.0).abs() < 1e-5, "{v:?}");
}

#[test]
fn the_branch_not_taken_has_no_influence() {
    let tape = || Tape::<f64>::new();
    type G = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    // NaN or an infinity, as value or as derivative, in the branch not taken: its cotangent is zero, not NaN.
    let branches: [(&str, G); 5] = [
        ("log", |x| x.log()),
        ("sqrt", |x| x.sqrt()),
        ("recip", |x| x.recip()),
        ("pow", |x| x.pow(-0.5)),
        ("exp", |x| (x * -1e4).exp()),
    ];
    for (name, f) in branches {
        for masked in [false, true] {
            let t = tape();
            let x = t.var(vector(&[-1.0, 0.0, -0.0, 4.0]));
            let (h, other) = (f(x).keep(), (x * 3.0).keep());
            let y = if masked { h.masked_fill(x.le(0.0), other) } else { h.select(x.gt(0.0), other) };
            let alone = tape();
            let z = alone.var(4.0);
            let (value, slope) =
                (f(z).item().unwrap(), f(z).backward().unwrap().wrt(z).unwrap().item().unwrap());
            assert!(same(&y.value().unwrap().to_vec(), &[-3.0, 0.0, -0.0, value]), "{name}: {y:?}");
            let grads = y.sum().backward().unwrap();
            assert_eq!(grads.wrt(h).unwrap().to_vec(), [0.0, 0.0, 0.0, 1.0], "{name}");
            assert_eq!(grads.wrt(other).unwrap().to_vec(), [1.0, 1.0, 1.0, 0.0], "{name}");
            assert_eq!(grads.wrt(x).unwrap().to_vec()[3], slope, "{name}");
        }
    }
    // So a branch whose derivative is finite there, though its value is not, does no harm at all.
    at(
        "log where positive",
        |x| x.log().select(x.gt(0.0), x * 3.0),
        &[-1.0, 4.0],
        &[-3.0, 4f64.ln()],
        &[3.0, 0.25],
    );
    // The double-where: an argument made safe before the pole has a finite gradient of both orders.
    for f in [(|x| x.sqrt()) as G, |x| x.log(), |x| x.recip(), |x| x.pow(-1.5)] {
        let t = tape();
        let x = t.var(vector(&[0.0, -1.0, 4.0]));
        let safe = x.masked_fill(x.le(0.0), 1.0);
        let y = f(safe).masked_fill(x.le(0.0), 0.0).sum();
        let g = y.grad(x).unwrap();
        let (first, second) =
            (g.value().unwrap().to_vec(), g.sum().backward().unwrap().wrt(x).unwrap().to_vec());
        assert!(first[..2] == [0.0, 0.0] && first[2] != 0.0 && first[2].is_finite(), "{first:?}");
        assert!(second[..2] == [0.0, 0.0] && second[2] != 0.0 && second[2].is_finite(), "{second:?}");
    }
    // A cotangent that is itself infinite or NaN stays out of the branch not taken.
    let t = tape();
    let (a, b) = (t.var(vector(&[1.0, 2.0])), t.var(vector(&[3.0, 4.0])));
    let y = a.select(Tensor::from([true, false]), b);
    let grads = y.backward_from(vector(&[INF, NAN])).unwrap();
    let (ga, gb) = (grads.wrt(a).unwrap().to_vec(), grads.wrt(b).unwrap().to_vec());
    assert!(same(&ga, &[INF, 0.0]) && same(&gb, &[0.0, NAN]), "{ga:?} {gb:?}");
}

#[test]
fn softmax_of_large_equal_and_infinite_numbers() {
    let rows = Tensor::from([
        [1000.0, 1000.0, 999.0],
        [-1e30, 0.0, -1e30],
        [-INF, 0.0, 0.0],
        [-INF, -INF, 5.0],
        [1e300, -1e300, 1e300],
    ]);
    let e = (-1f64).exp();
    let p = [
        1.0 / (2.0 + e),
        1.0 / (2.0 + e),
        e / (2.0 + e),
        0.0,
        1.0,
        0.0,
        0.0,
        0.5,
        0.5,
        0.0,
        0.0,
        1.0,
        0.5,
        0.0,
        0.5,
    ];
    let [y, ..] = run::<f64>(|x| x.softmax(1), &rows);
    assert!(close(&y, &p), "{y:?}");
    let [y, g, r] = run::<f64>(|x| x.logsumexp(1), &rows.slice(0, ..4).unwrap());
    let want = [1000.0 + (2.0 + e).ln(), 0.0, 2f64.ln(), 5.0];
    let p4 = &p[..12];
    assert!(close(&y, &want) && close(&g, p4) && close(&r, p4), "{y:?} {g:?} {r:?}");
    // The gradient of one probability: p_i (δ - p).
    let [_, g, r] = run::<f64>(|x| x.softmax(1).slice(1, 1..2), &rows);
    let want: Vec<f64> =
        p.chunks(3).flat_map(|p| [-p[1] * p[0], p[1] * (1.0 - p[1]), -p[1] * p[2]]).collect();
    assert!(close(&g, &want) && close(&r, &want), "{g:?} {r:?}, expected {want:?}");
    let [y, g, r] = run::<f64>(|x| x.log_softmax(1).slice(1, 1..2), &rows.slice(0, ..3).unwrap());
    let want: Vec<f64> = p[..9].chunks(3).flat_map(|p| [-p[0], 1.0 - p[1], -p[2]]).collect();
    assert!(close(&y, &[-(2.0 + e).ln(), 0.0, -2f64.ln()]), "{y:?}");
    assert!(close(&g, &want) && close(&r, &want), "{g:?} {r:?}, expected {want:?}");
    // A row of -∞ alone: log Σ exp is -∞ with gradient 0, softmax 0/0.
    let [y, g, r] = run::<f64>(|x| x.logsumexp(0), &vector(&[-INF, -INF]));
    assert_eq!((y, g, r), (vec![-INF], vec![0.0; 2], vec![0.0; 2]));
    let [y, ..] = run::<f64>(|x| x.softmax(0), &vector(&[-INF, -INF]));
    assert!(y.iter().all(|v| v.is_nan()));
    // A shift changes nothing, far from zero or near it, in single precision too.
    let [y, g, _] = run::<f32>(|x| x.softmax(0).square(), &vector(&[1e4, 1e4 + 1.0]));
    let [z, h, _] = run::<f32>(|x| x.softmax(0).square(), &vector(&[0.0, 1.0]));
    assert_eq!((y, g), (z, h));
    // Along any axis, of one element, and of rank 1.
    let [y, g, _] = run::<f64>(|x| x.softmax(-2), &Tensor::from([[7.0, -INF]]));
    assert!(y[0] == 1.0 && y[1].is_nan() && g[0] == 0.0);
}

#[test]
fn cross_entropy_of_extreme_logits() {
    let logits = Tensor::from([
        [1e4, 0.0, 0.0],
        [1e4, 0.0, 0.0],
        [-1e4, 1e4, -1e4],
        [-INF, 0.0, 0.0],
        [-INF, -INF, 3.0],
    ]);
    let tape = Tape::<f64>::new();
    let x = tape.var(&logits);
    let y = x.cross_entropy(&Tensor::from([0, 1, 1, 0, 2]));
    assert!(same(&y.value().unwrap().to_vec(), &[0.0, 1e4, 0.0, INF, 0.0]), "{y:?}");
    let g = y.sum().backward().unwrap().wrt(x).unwrap().to_vec();
    let want = [0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.5, 0.5, 0.0, 0.0, 0.0];
    assert!(close(&g, &want), "{g:?}");
    // Fused and composed agree where both are finite, to second order.
    let logits = Tensor::from([
        [0.3, 30.0, -2.0],
        [-700.0, 0.5, 700.0],
        [0.0, 0.0, 0.0],
        [5.0, 1.0, 1.0],
        [1e-9, 0.0, -1e-9],
    ]);
    let results = [run::<f64>(fused, &logits), run::<f64>(composed, &logits)];
    for (a, b) in results[0].iter().zip(&results[1]) {
        assert!(close(a, b), "{a:?} {b:?}");
    }
    fn fused<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        x.cross_entropy(&Tensor::from([0, 1, 1, 0, 2]))
    }
    fn composed<'t>(x: Var<'t, f64>) -> Var<'t, f64> {
        -x.log_softmax(1).gather(1, &Tensor::from([[0], [1], [1], [0], [2]])).squeeze(1)
    }
}

#[test]
fn activations_far_out_are_finite() {
    let far = [-1e30, -1e4, -700.0, -40.0, 40.0, 700.0, 1e4, 1e30];
    let step = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let cases: [(&str, F, Reference, [f64; 8]); 8] = [
        ("sigmoid", |x| x.sigmoid(), |x| if x < 0.0 { x.exp() } else { 1.0 }, [0.0; 8]),
        ("tanh", |x| x.tanh(), f64::signum, [0.0; 8]),
        ("softplus", |x| x.softplus(), |x| if x < 0.0 { x.exp() } else { x }, step),
        (
            "log_sigmoid",
            |x| x.log_sigmoid(),
            |x| if x < 0.0 { x } else { -(-x).exp() },
            step.map(|s| 1.0 - s),
        ),
        ("silu", |x| x.silu(), |x| if x < 0.0 { x * x.exp() } else { x }, step),
        ("gelu", |x| x.gelu(), |x| x.max(0.0), step),
        ("gelu_tanh", |x| x.gelu_tanh(), |x| x.max(0.0), step),
        ("elu", |x| x.elu(1.0), |x| if x < 0.0 { -1.0 } else { x }, step),
    ];
    for (name, f, value, slope) in cases {
        let [y, g, r] = run::<f64>(f, &vector(&far));
        for (i, x) in far.into_iter().enumerate() {
            let near = |a: f64, b: f64| (a - b).abs() <= 1e-15 * (1.0 + b.abs());
            assert!(near(y[i], value(x)), "{name}({x}) is {}, expected {}", y[i], value(x));
            assert!(
                near(g[i], slope[i]) && near(r[i], slope[i]),
                "{name}'({x}) is {} and {}, expected {}",
                g[i],
                r[i],
                slope[i]
            );
        }
        // In single precision squares and cubes overflow far earlier.
        let far = [-1e30, -1e20, -1e13, -1e4, 1e4, 1e13, 1e20, 1e30];
        let call = |x: &Tensor<f64>| match name {
            "sigmoid" => run::<f32>(|x| x.sigmoid(), x),
            "tanh" => run::<f32>(|x| x.tanh(), x),
            "softplus" => run::<f32>(|x| x.softplus(), x),
            "log_sigmoid" => run::<f32>(|x| x.log_sigmoid(), x),
            "silu" => run::<f32>(|x| x.silu(), x),
            "gelu" => run::<f32>(|x| x.gelu(), x),
            "gelu_tanh" => run::<f32>(|x| x.gelu_tanh(), x),
            _ => run::<f32>(|x| x.elu(1.0), x),
        };
        let [y, g, r] = call(&vector(&far));
        assert!(y.iter().all(|v| v.is_finite()), "{name} in f32: {y:?}");
        assert_eq!((&g[..], &r[..]), (&slope[..], &slope[..]), "{name}' in f32 at {far:?}");
    }
}

#[test]
fn duplicate_indices_accumulate() {
    let index = Tensor::from([2, 0, 2, 2]);
    let [y, g, r] = run::<f64>(|x| x.index_select(0, &Tensor::from([2, 0, 2, 2])), &vector(&[1.0, 2.0, 3.0]));
    assert_eq!((y, g, r), (vec![3.0, 1.0, 3.0, 3.0], vec![1.0, 0.0, 3.0], vec![1.0, 0.0, 3.0]));
    let [y, g, _] = run::<f64>(
        |x| x.gather(1, &Tensor::from([[1, 1, 0], [1, 1, 1]])),
        &Tensor::from([[1.0, 2.0], [3.0, 4.0]]),
    );
    assert_eq!((y, g), (vec![2.0, 2.0, 1.0, 4.0, 4.0, 4.0], vec![1.0, 2.0, 0.0, 3.0]));
    let tape = Tape::<f64>::new();
    let (x, s) = (tape.var(vector(&[10.0, 20.0, 30.0])), tape.var(vector(&[1.0, 2.0, 3.0, 4.0])));
    for y in [x.index_add(0, &index, s), x.scatter_add(0, &index, s)] {
        assert_eq!(y.value().unwrap().to_vec(), [12.0, 20.0, 38.0]);
        let grads = (y * vector(&[1.0, 10.0, 100.0])).sum().backward_retaining().unwrap();
        assert_eq!(grads.wrt(x).unwrap().to_vec(), [1.0, 10.0, 100.0]);
        assert_eq!(grads.wrt(s).unwrap().to_vec(), [100.0, 1.0, 100.0, 100.0]);
    }
    // An index out of range is named, negative ones too; they do not count from the end.
    for bad in [3, -1, i64::MAX, i64::MIN] {
        let index = Tensor::from([0, bad]);
        let results = [
            x.index_select(0, &index),
            x.gather(0, &index),
            x.scatter_add(0, &index, vector(&[1.0, 2.0])),
            x.index_add(0, &index, vector(&[1.0, 2.0])),
        ];
        for y in results {
            let e = y.value().unwrap_err().to_string();
            assert!(e.contains(&bad.to_string()) && e.contains("size 3"), "{e}");
        }
        let e = x.unsqueeze(0).cross_entropy(&Tensor::from([bad])).value().unwrap_err().to_string();
        assert!(e.contains(&bad.to_string()) && e.contains("3 classes"), "{e}");
    }
}

#[test]
fn slices_stepped_and_reversed_put_back_where_they_took() {
    type G = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let cases: [(G, &[f64], &[f64]); 7] = [
        (|x| x.slice(0, 1..4), &[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0, 3.0, 0.0]),
        (|x| x.slice(0, Slice::all().step(2)), &[0.0, 2.0, 4.0], &[1.0, 0.0, 2.0, 0.0, 3.0]),
        (|x| x.slice(0, Slice::all().step(-2)), &[4.0, 2.0, 0.0], &[3.0, 0.0, 2.0, 0.0, 1.0]),
        (|x| x.slice(0, -2..), &[3.0, 4.0], &[0.0, 0.0, 0.0, 1.0, 2.0]),
        (|x| x.slice(0, Slice::from(-2..0).step(-1)), &[3.0, 2.0, 1.0], &[0.0, 3.0, 2.0, 1.0, 0.0]),
        (|x| x.slice(0, 9..), &[], &[0.0; 5]),
        (|x| x.slice(0, 2..2), &[], &[0.0; 5]),
    ];
    for (i, (f, value, gradient)) in cases.into_iter().enumerate() {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::arange(0.0, 1.0, 5));
        let y = f(x);
        assert_eq!(y.value().unwrap().to_vec(), value, "case {i}");
        let grads = y.backward_from(Tensor::arange(1.0, 1.0, value.len())).unwrap();
        assert_eq!(grads.wrt(x).unwrap().to_vec(), gradient, "case {i}");
    }
}

#[test]
fn negative_zero_is_a_zero() {
    at("1/x", |x| 1.0 / x, &[-0.0, 0.0], &[-INF, INF], &[-INF, -INF]);
    at("sqrt", |x| x.sqrt(), &[-0.0], &[-0.0], &[-INF]);
    at("atan", |x| x.atan(), &[-0.0], &[-0.0], &[1.0]);
    let functions: [(&str, F); 7] = [
        ("sin", |x| x.sin()),
        ("tan", |x| x.tan()),
        ("tanh", |x| x.tanh()),
        ("expm1", |x| x.expm1()),
        ("log1p", |x| x.log1p()),
        ("erf", |x| x.erf()),
        ("x * 1", |x| x * 1.0),
    ];
    for (name, f) in functions {
        let [y, g, _] = run::<f64>(f, &vector(&[-0.0, 0.0]));
        assert!(same(&y, &[-0.0, 0.0]), "{name} is odd: {y:?}");
        assert_eq!(g[0].to_bits(), g[1].to_bits(), "{name}: {g:?}");
    }
    let tape = Tape::<f64>::new();
    let zeros = tape.var(vector(&[-0.0]));
    assert!(zeros.eq(0.0).unwrap().to_vec()[0] && !zeros.lt(0.0).unwrap().to_vec()[0]);
    assert_eq!((-tape.var(0.0)).item().unwrap().to_bits(), (-0.0f64).to_bits());
}

#[test]
fn products_of_vectors_and_broadcast_batches() {
    let filled = |shape: &[usize]| {
        let n: usize = shape.iter().product();
        Tensor::<f64>::arange(-0.9, 0.23, n).map(|v| (v * 3.7).sin()).reshape(shape).unwrap()
    };
    let shapes: [(&[usize], &[usize], &[usize]); 9] = [
        (&[3], &[3], &[]),
        (&[3], &[3, 2], &[2]),
        (&[2, 3], &[3], &[2]),
        (&[3], &[4, 3, 2], &[4, 2]),
        (&[4, 2, 3], &[3], &[4, 2]),
        (&[4, 1, 3], &[3, 2], &[4, 1, 2]),
        (&[2, 3], &[4, 3, 1], &[4, 2, 1]),
        (&[2, 1, 2, 3], &[4, 3, 2], &[2, 4, 2, 2]),
        (&[1, 2, 3], &[4, 3, 2], &[4, 2, 2]),
    ];
    for (a, b, y) in shapes {
        let inputs = [filled(a), filled(b)];
        let value = inputs[0].matmul(&inputs[1]).unwrap();
        assert_eq!(value.shape()[..], *y, "{a:?} by {b:?}");
        let report = Check::new(format!("{a:?} by {b:?}")).run(|x| x[0].matmul(x[1]), &inputs);
        assert!(report.passed(), "{report}");
    }
}

#[test]
fn a_gradient_has_its_variables_shape_whatever_was_done_to_it() {
    for shape in [&[][..], &[1], &[1, 1], &[2, 1, 3], &[0], &[3, 0, 2]] {
        let tape = Tape::<f32>::new();
        let x = tape.var(Tensor::<f32>::ones(shape));
        let y = (x.unsqueeze(0).expand([&[2], shape].concat()) * 2.0).flatten(0).sum()
            + x.sum() * x.numel() as f64;
        let recorded = y.grad(x).unwrap();
        assert_eq!(recorded.shape().as_shape()[..], *shape);
        let g = y.backward().unwrap().wrt(x).unwrap();
        assert_eq!(g.shape()[..], *shape);
        assert!(g.to_vec().iter().all(|g| *g == 4.0 + x.numel() as f32));
        assert_eq!(g, recorded.value().unwrap());
    }
}

#[test]
fn nothing_is_cut_silently() {
    // Every fused op passes a gradient to every input, at first and second order.
    type G = for<'t> fn(&[Var<'t, f64>]) -> Var<'t, f64>;
    let ops: [(&str, G); 7] = [
        ("linear", |x| x[0].linear(x[1], Some(x[2])).square()),
        ("matmul", |x| x[0].matmul(x[1]).square() * x[2]),
        ("softmax", |x| (x[0].softmax(1) * x[1]).log_softmax(0) * x[2]),
        ("cross_entropy", |x| (x[0] * x[1] + x[2]).cross_entropy(&Tensor::from([0, 1]))),
        ("logsumexp", |x| (x[0] * x[1] + x[2].square()).logsumexp(1)),
        ("norm", |x| (x[0].square() * x[1] + x[2].square()).norm()),
        ("concat", |x| x[0].tape().concat(&[x[0], x[1]], 0).square().sum_axes(0) * x[2]),
    ];
    for (name, f) in ops {
        let tape = Tape::<f64>::new();
        let values = [
            Tensor::from([[0.4, -0.3], [1.2, 0.7]]),
            Tensor::from([[0.9, 0.2], [-0.6, 1.1]]),
            vector(&[0.5, -0.8]),
        ];
        let x: Vec<_> = values.iter().map(|v| tape.var(v)).collect();
        let y = f(&x).sum();
        let g = tape.grad(&[(y, tape.constant(1.0))], &x).unwrap();
        let total = g.iter().fold(tape.constant(0.0), |sum, g| sum + g.square().sum());
        let second = total.backward_retaining().unwrap();
        let first = y.backward().unwrap();
        for (i, x) in x.iter().enumerate() {
            assert!(first.wrt(*x).unwrap().to_vec().iter().all(|g| *g != 0.0), "{name}, input {i}");
            assert!(
                second.wrt(*x).unwrap().to_vec().iter().any(|g| *g != 0.0),
                "{name}, input {i}, second order"
            );
        }
    }
}

#[test]
fn dropout_drops_and_scales_and_is_the_same_in_its_gradient() {
    let x = Tensor::<f64>::ones([1000]);
    for (p, kept) in [(0.0, 1.0), (0.3, 1.0 / 0.7), (1.0, 0.0)] {
        let tape = Tape::<f64>::train(11);
        let v = tape.var(&x);
        let y = v.dropout(p);
        let recorded = y.sum().grad(v).unwrap().value().unwrap();
        let values = y.value().unwrap();
        let swept = y.sum().backward().unwrap().wrt(v).unwrap();
        assert_eq!((&values, &values), (&swept, &recorded), "of ones, the value is the mask");
        assert!(values.to_vec().iter().all(|y| *y == 0.0 || (y - kept).abs() < 1e-15), "{p}");
        let share = values.to_vec().iter().filter(|y| **y == 0.0).count() as f64 / 1000.0;
        assert!((share - p).abs() < 0.06, "{share} dropped of {p}");
    }
    let tape = Tape::<f64>::new();
    let v = tape.var(&x);
    assert_eq!(v.dropout(0.9).value().unwrap(), x, "outside training nothing is dropped");
    let tape = Tape::<f64>::train(11);
    let v = tape.var(&x);
    assert_ne!(v.dropout(0.5).value().unwrap(), v.dropout(0.5).value().unwrap(), "two draws differ");
}

/// Name, function, operands, value, derivatives.
type Corner = (&'static str, Binary, [f64; 2], f64, [f64; 2]);

/// Values and gradients where a formula alone would give 0/0, 0 · ∞ or ∞ - ∞.
#[test]
fn functions_of_two_numbers_at_their_corners() {
    let cases: [Corner; 10] = [
        ("hypot", |a, b| a.hypot(b), [0.0, 0.0], 0.0, [0.0, 0.0]),
        ("hypot", |a, b| a.hypot(b), [3e200, 4e200], 5e200, [0.6, 0.8]),
        ("logaddexp", |a, b| a.logaddexp(b), [-INF, -INF], -INF, [0.5, 0.5]),
        ("logaddexp", |a, b| a.logaddexp(b), [INF, INF], INF, [0.5, 0.5]),
        ("logaddexp", |a, b| a.logaddexp(b), [-INF, 2.0], 2.0, [0.0, 1.0]),
        ("logaddexp", |a, b| a.logaddexp(b), [1000.0, -1000.0], 1000.0, [1.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, 0.0], 0.0, [0.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, -2.0], 0.0, [0.0, 0.0]),
        ("xlogy", |a, b| a.xlogy(b), [0.0, NAN], NAN, [NAN, 0.0]),
        ("atan2", |a, b| a.atan2(b), [0.0, -1.0], std::f64::consts::PI, [-1.0, 0.0]),
    ];
    for (name, f, [a, b], value, [ga, gb]) in cases {
        let tape = Tape::<f64>::new();
        let (a, b) = (tape.var(a), tape.var(b));
        let y = f(a, b);
        let got = y.item().unwrap();
        let grads = y.backward().unwrap();
        let at = |x| grads.wrt(x).unwrap().item().unwrap();
        let near = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-15 * b.abs();
        assert!(near(got, value), "{name}: {got}, expected {value}");
        // The other operand's derivative at NaN may be NaN too.
        let right = near(at(a), ga) && (near(at(b), gb) || (value.is_nan() && at(b).is_nan()));
        assert!(right, "{name} at {value}: ({}, {}), expected ({ga}, {gb})", at(a), at(b));
    }
}
