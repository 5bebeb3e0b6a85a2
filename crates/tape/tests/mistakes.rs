//! Every class of mistake that a rule can contain, and the tool that catches it. The book has this list as a table; a test
//! compares the two.

use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_ops::{Slice, Tensor, parallel};
use wengert_tape::gradcheck::{Case, Check, Domain, Gen, Order, Spec, outputs, strategies, suite};
use wengert_tape::{
    BackwardContext, Cotangents, Float, ForwardOutput, Op, Result, Var, VjpContext, case, cotangents,
};

/// Whether the tool passed, and its output.
type Verdict = (bool, String);

macro_rules! mistakes {
    ($($name:ident, $tool:literal, $class:literal => $verdict:expr, $says:literal;)*) => {
        $(
            #[test]
            fn $name() {
                let (passed, text): Verdict = $verdict;
                assert!(!passed, "not caught: {text}");
                assert!(text.contains($says), "{:?} is not in {text}", $says);
            }
        )*

        /// Class, tool and test, as in the book.
        const MISTAKES: &[(&str, &str, &str)] = &[$(($class, $tool, stringify!($name)),)*];
    };
}

mistakes! {
    sign, "Check", "The sign" => cube(|r| times(&r, -1.0)), "by differences 1.470000000, swept -1.4";
    factor, "Check", "A factor of 1.0001" => cube(|r| times(&r, 1.0001)), "relative error 1.0e-4";
    factor_of_two_small, "Check", "A factor of 2 where the function is of size 10⁻⁸"
        => checked(Made { forward: |x| vec![x[0].scale(1e-8)], ..cubed(|r| one(r.gy() * 2e-8)) }), "swept 2e-8";
    factor_large_offset, "Check", "A factor of 1.001 under an offset of 10⁸"
        => checked(Made { forward: |x| vec![x[0].map(|x| x + 1e8)], ..cubed(|r| one(r.gy() * 1.001)) }), "swept 1.001";
    offset, "Check", "A constant that is added" => cube(|r| one(right(&r) + 1e-3)), "by differences 0, swept 0.001";
    zero, "Check", "No gradient at all" => cube(|r| times(&r, 0.0)), "swept 0.0";
    branch, "Check", "One branch of two" => cube(|r| {
        let sign = r.x(0).value().map(|x| x.map(|x| if x < 0.0 { -1.0 } else { 1.0 }));
        one(right(&r) * sign.unwrap())
    }), "input 0 [1] = -1.3";
    shifted, "Check", "The gradient of another element"
        => cube(|r| one(right(&r).slice(0, Slice::all().step(-1)))), "output 0: by differences 1.470000000, swept 0.0";
    one_element, "Check", "A single element" => cube(|r| {
        one(right(&r) * Tensor::from([1.0, 1.0, 1.0001]))
    }), "input 0 [2] = 2.0";
    nan, "Check", "NaN at a point" => cube(|r| one(right(&r) * Tensor::from([1.0, f64::NAN, 1.0]))), "swept NaN";
    infinite, "Check", "An infinite gradient"
        => cube(|r| one(right(&r) * Tensor::from([1.0, f64::INFINITY, 1.0]))), "swept inf";
    nan_value, "Check", "A value that is NaN, with any rule"
        => checked(Made { forward: |x| vec![x[0].scale(f64::NAN)], ..cubed(|r| one(r.gy() * 12345.0)) }),
        "cannot be compared with the tape's 12345.0: the function is not finite there";
    infinite_value, "Check", "A value that is infinite, with any rule"
        => checked(Made { forward: |x| vec![x[0].map(|_| f64::INFINITY)], ..cubed(|r| one(r.gy() * 12345.0)) }),
        "cannot be compared";
    no_input, "Check", "A check without inputs"
        => report(Check::new("nothing").run_many(|_| vec![], &[])), "nothing was compared: the inputs have no elements";
    empty_input, "Check", "A check of empty inputs"
        => report(Check::new("nothing").run(|x| x[0] * 2.0, &[Tensor::zeros([0, 3])])), "nothing was compared";
    beside_kink, "Check", "Outside the one-sided derivatives at a kink"
        => checked_at(Made { forward: |x| vec![x[0].map(f64::abs)], ..cubed(|r| {
            let slope = r.x(0).value().map(|x| x.map(|x| if x == 0.0 { 1.5 } else { x.signum() }));
            one(r.gy() * slope.unwrap())
        }) }, &[Tensor::from([1.0, 0.0])], 1), "by differences between -1.000000000 and 1.000000000, swept 1.5";
    dropped_input, "Check", "An input whose gradient is dropped" => product(|r| {
        two(r.gy() * r.x(1), r.x(1).zeros_like())
    }), "input 1 [0, 0]";
    swapped_inputs, "Check", "The gradients of two inputs exchanged"
        => product(|r| two(r.gy() * r.x(0), r.gy() * r.x(1))), "input 0 [0, 0]";
    no_cotangent, "Check", "An input that the rule forgets" => product(|r| cotangents([Some(r.gy() * r.x(1)), None])),
        "no cotangent for an input of shape [2, 2]";
    no_broadcast_sum, "Check", "The sum over a broadcast axis forgotten"
        => row(|r| two(r.gy() * r.x(1), r.gy() * r.x(0))), "cotangent of shape [2, 3] for an input of shape [3]";
    broadcast_mean, "Check", "A mean over a broadcast axis instead of the sum"
        => row(|r| two(r.gy() * r.x(1), (r.gy() * r.x(0)).mean_axes(0))), "input 1 [0] = 1.2";
    wrong_axis, "Check", "A sum over the wrong axis"
        => product(|r| two(r.gy() * r.x(1), (r.gy() * r.x(0)).t())), "input 1 [";
    only_kernel, "Check", "The fast kernel alone" => checked(Made {
        backward: Some(|r| Ok(cotangents([Some(r.x(0)?.map(|x| 3.0003 * x * x).mul(r.gy()?)?)]))),
        ..cubed(|r| one(right(&r)))
    }), "swept 1.470147";
    only_rule, "Check", "The recorded rule alone" => checked(Made { backward: Some(kernel), ..cubed(|r| times(&r, 1.0001)) }),
        "swept";
    other_composite, "Check", "A composite that is another function" => checked(Made {
        backward: Some(kernel),
        composite: Some(|x| vec![x[0].square() * x[0] * 1.5]),
        ..cubed(|r| one(right(&r)))
    }), "recorded";
    detached_input, "Check", "Second order: an input taken for a constant"
        => cube(|r| one(r.gy() * r.x(0).square().detach() * 3.0)), "order 2, input 0 [0] = 0.7";
    detached_cotangent, "Check", "Second order: the cotangent taken for a constant"
        => cube(|r| one(r.gy().detach() * r.x(0).square() * 3.0)), "order 2, cotangent 0 [0]";
    second_order_factor, "Check", "Second order: a factor of 1.001" => cube(|r| {
        let y = right(&r);
        one(y + (y - r.gy() * r.x(0).square().detach() * 3.0) * 1e-3)
    }), "order 2";
    dense_cotangent, "Check", "A cotangent read in the order of memory" => square(|r| {
        let g = r.gy()?;
        let memory = if g.is_contiguous() { g.clone() } else { g.transpose(0, -1)?.contiguous().reshape(g.shape())? };
        Ok(cotangents([Some(r.x(0)?.scale(2.0).mul(&memory)?)]))
    }), "with a cotangent of strides";
    panic_expanded, "Check", "A kernel that panics for a cotangent of stride 0" => square(|r| {
        let g = r.gy()?.as_slice().expect("dense").to_vec();
        Ok(cotangents([Some(r.x(0)?.scale(2.0).mul(&Tensor::from_vec(g, r.shape(0))?)?)]))
    }), "panicked, given one input of shape [2, 3]: dense";
    expanded_cotangent, "Check", "Wrong for a cotangent of stride 0" => square(|r| {
        let g = r.gy()?;
        let factor = if g.strides().contains(&0) { 1.5 } else { 2.0 };
        Ok(cotangents([Some(r.x(0)?.scale(factor).mul(g)?)]))
    }), "strides [[0, 0]]";
    sliced_cotangent, "Check", "The offset of a sliced cotangent ignored" => square(|r| {
        let g = r.gy()?;
        let sliced = g.buffer_len() > g.numel() && !g.strides().contains(&0);
        Ok(cotangents([Some(r.x(0)?.scale(if sliced { 6.0 } else { 2.0 }).mul(g)?)]))
    }), "with a cotangent of strides";
    zero_cotangent, "Check", "Not zero for a cotangent of zero" => square(|r| {
        let g = r.gy()?;
        let none = g.to_vec().iter().all(|g| *g == 0.0);
        let gx = r.x(0)?.scale(2.0).mul(g)?;
        Ok(cotangents([Some(if none { gx.add(Tensor::full_like(&gx, 1.0))? } else { gx })]))
    }), "for a cotangent of zero";
    not_linear, "Check", "Not linear in the cotangent" => square(|r| {
        let g = r.gy()?.map(|g| if g.abs() == 1.0 { g } else { g * g.abs() });
        Ok(cotangents([Some(r.x(0)?.scale(2.0).mul(&g)?)]))
    }), "recorded";
    constant_input, "Check", "Wrong while another input is a constant" => product(|r| {
        let factor = if r.needs(0) && r.needs(1) { 1.0 } else { 1.5 };
        cotangents([r.when(0, || r.gy() * r.x(1) * factor), r.when(1, || r.gy() * r.x(0))])
    }), "gradient of input 0 [0, 0]: with respect to all";
    unused_output, "Check", "Wrong while another output has no cotangent" => {
        let made = Made { forward: |x| vec![x[0].scale(2.0), x[0].scale(3.0)], ..cubed(|r| {
            let factor = if r.cotangents().iter().all(Option::is_some) { 1.0 } else { 1.1 };
            one(r.gy_of(0) * (2.0 * factor) + r.gy_of(1) * (3.0 * factor))
        }) };
        let x = [Tensor::from([0.5, -1.0])];
        report(Check::new("outputs").run_many(|x| x[0].tape().apply_many(made, x, 2), &x))
    }, "by differences 2.000000000, swept 2.2";
    not_deterministic, "Check", "A value that changes from call to call" => {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        checked(Made { forward: |x| {
            let call = CALLS.fetch_add(1, Ordering::Relaxed) as f64;
            vec![x[0].map(|x| x * x * x + 1e-14 * call)]
        }, ..cubed(|r| one(right(&r))) })
    }, "when evaluated again";
    stale_state, "Check", "State that survives a sweep" => {
        static SWEEPS: AtomicUsize = AtomicUsize::new(0);
        checked(Made { backward: Some(|r| {
            // The third sweep, of the third output, is the first that is wrong.
            let wrong = SWEEPS.fetch_add(1, Ordering::Relaxed) > 3;
            Ok(cotangents([Some(r.x(0)?.map(|x| 3.0 * x * x).scale(if wrong { 1.1 } else { 1.0 }).mul(r.gy()?)?)]))
        }), ..cubed(|r| one(right(&r))) })
    }, "swept";
    panics, "Check", "A panic in the rule" => cube(|_| panic!("index 3 of 3")), "panicked, given one input of shape [3]: index 3 of 3";
    fast_wave, "Check", "Wrong where the function varies fast" => checked_at(
        Made { forward: |x| vec![x[0].map(|x| (1e4 * x).sin())], ..cubed(|r| one(r.gy() * 1.001e4)) },
        &[Tensor::from([0.0])], 1), "by differences 10000.000000000, swept 10010.0";
    near_pole, "Check", "Wrong near a pole" => checked_at(
        Made { forward: |x| vec![x[0].map(|x| 1.0 / x)], ..cubed(|r| one(r.gy() / r.x(0).square() * -1.0001)) },
        &[Tensor::from([1e-3])], 1), "relative error 1.0e-4";
    near_kink, "Check", "Another value than the slope near a kink" => checked_at(
        Made { forward: |x| vec![x[0].map(f64::abs)], ..cubed(|r| one(r.gy() * 0.5)) },
        &[Tensor::from([1e-5])], 1), "swept 0.5";
    one_of_many, "Check::directions", "A single element of ten thousand" => {
        let mut x = Gen::seeded(1).values(10_000, Domain::Between(-2.0, 2.0));
        x[4321] = 1.5;
        let x = Tensor::from_vec(x, [100, 100]).unwrap();
        let made = cubed(|r| {
            let mut factors = Tensor::ones([100, 100]);
            factors.data_mut()[4321] = 1.001;
            one(right(&r) * factors)
        });
        report(Check::new("cube").directions(1).run(|x| x[0].tape().apply(made, x), &[x]))
    }, "order 1, input 0 [43, 21]";
    strided_value, "suite", "The value of strided inputs" => suited(|_, x| {
        vec![if x.is_contiguous() { x.clone() } else { x.contiguous().scale(1.5) }]
    }, |_, _| 1.0), "strides";
    strided_gradient, "suite", "The gradient of strided inputs"
        => suited(|_, x| vec![x.clone()], |_, x| if x.is_contiguous() { 1.0 } else { 1.5 }), "strides";
    large, "suite", "Wrong above 64 elements"
        => suited(|_, x| vec![x.clone()], |_, x| if x.numel() > 64 { 1.5 } else { 1.0 }), "(Large)";
    single_value, "suite", "The value in single precision"
        => suited(|single, x| vec![x.scale(if single { 1.0 + 1e-5 } else { 1.0 })], |_, _| 1.0), "f32: output 0";
    single_gradient, "suite", "The gradient in single precision"
        => suited(|_, x| vec![x.clone()], |single, _| if single { 1.00001 } else { 1.0 }), "f32: gradient of input 0";
    huge_argument, "suite", "Wrong for large arguments" => suited(|_, x| vec![x.clone()], |_, x| {
        if x.to_vec().iter().any(|x| x.abs() > 50.0) { 1.5 } else { 1.0 }
    }), "(Extreme)";
    fails_when_empty, "suite", "A panic for empty inputs"
        => suited(|_, x| vec![x.scale(1.0 + 0.0 * x.to_vec()[0])], |_, _| 1.0), "of the op panicked, given one input of shape [2, 0]: index out of bounds";
    common_offset, "suite", "Digits lost to a common offset" => {
        let spec = Spec::new("log_softmax", Order::Second, |g| {
            let x = vec![g.tensor(&[3], Domain::Real)];
            // x - log Σ eˣ, written the way that loses digits.
            case!(x, [], |x| x[0] - x[0].logsumexp(0))
        });
        outcome(&spec)
    }, "f32: output";
    recorded_digits, "suite", "Digits lost in the recorded gradient alone" => {
        let spec = Spec::new("centred", Order::Second, |g| {
            let x = vec![g.tensor(&[4], Domain::Real)];
            Case::new(x, |x| x[0].tape().apply(Centred, x), |x| x[0].tape().apply(Centred, x))
        });
        outcome(&spec)
    }, "recorded";
    evaluating_tape, "suite", "Another value on a tape that records nothing" => outcome(&Spec::unary("mode", Domain::Real, |x| {
        case!(x, [], |x| if x[0].tape().is_recording() { x[0] * 2.0 } else { x[0] * 3.0 })
    })), "evaluating tape: value";
    thread_count, "suite", "A result that depends on the number of threads" => outcome(&Spec::unary("threads", Domain::Real, |x| {
        case!(x, [], |x| x[0] * if parallel::threads() == 3 { 2.0000001 } else { 2.0 })
    })), "three threads: value";
    never_broadcast, "suite", "A generator that never makes what it is there for" => outcome(&Spec::new("add", Order::Second, |g| {
        let shape = g.full_shape(1..=2);
        let _ = g.broadcastable(&[]);
        case!(vec![g.tensor(&shape, Domain::Real), g.tensor(&shape, Domain::Real)], [], |x| x[0] + x[1])
    })), "was broadcast";
    never_compared, "suite", "An op of which nothing can be compared" => outcome(&Spec::unary("nan", Domain::Real, |x| {
        case!(x, [], |x| x[0] * f64::NAN)
    }).allow_non_finite()), "nothing was compared in 40 cases";
    proptest_nan, "proptest", "NaN through the strategies" => strategy(|x| {
        let made = Made { forward: |x| vec![x[0].scale(f64::NAN)], ..cubed(|r| one(r.gy() * 12345.0)) };
        x.tape().apply(made, &[x])
    }), "cannot be compared";
    proptest_branch, "proptest", "One branch, through the strategies" => strategy(|x| {
        let made = cubed(|r| {
            let sign = r.x(0).value().map(|x| x.map(|x| if x < -1.0 { 1.1 } else { 1.0 }));
            one(right(&r) * sign.unwrap())
        });
        x.tape().apply(made, &[x])
    }), "relative error 1.0e-1";
}

/// An op in double precision, defined by the given functions.
#[derive(Clone, Copy)]
struct Made {
    forward: fn(&[&Tensor<f64>]) -> Vec<Tensor<f64>>,
    vjp: for<'s> fn(VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>>,
    backward: Option<Backward>,
    composite: Option<Composite>,
}

impl Op<f64> for Made {
    fn name(&self) -> &'static str {
        "made"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok((self.forward)(x).into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        (self.vjp)(r)
    }
    fn backward(&self, r: &BackwardContext<'_, f64>) -> Option<Result<Cotangents<Tensor<f64>>>> {
        self.backward.map(|backward| backward(r))
    }
    fn composite<'t>(&self, x: &[Var<'t, f64>]) -> Option<Vec<Var<'t, f64>>> {
        self.composite.map(|composite| composite(x))
    }
}

type Backward = fn(&BackwardContext<'_, f64>) -> Result<Cotangents<Tensor<f64>>>;
type Composite = for<'t> fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>;
type Vjp = for<'s> fn(VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>>;

/// x³ with a rule.
fn cubed(vjp: Vjp) -> Made {
    Made { forward: |x| vec![x[0].map(|x| x * x * x)], vjp, backward: None, composite: None }
}

/// 3 x² g.
fn right<'s>(r: &VjpContext<'_, 's, f64>) -> Var<'s, f64> {
    r.gy() * r.x(0).square() * 3.0
}

fn kernel(r: &BackwardContext<'_, f64>) -> Result<Cotangents<Tensor<f64>>> {
    Ok(cotangents([Some(r.x(0)?.map(|x| 3.0 * x * x).mul(r.gy()?)?)]))
}

fn one(g: Var<'_, f64>) -> Cotangents<Var<'_, f64>> {
    cotangents([Some(g)])
}

fn two<'s>(a: Var<'s, f64>, b: Var<'s, f64>) -> Cotangents<Var<'s, f64>> {
    cotangents([Some(a), Some(b)])
}

fn times<'s>(r: &VjpContext<'_, 's, f64>, factor: f64) -> Cotangents<Var<'s, f64>> {
    one(right(r) * factor)
}

fn report(report: wengert_tape::gradcheck::Report) -> Verdict {
    (report.passed(), report.to_string())
}

fn outcome(spec: &Spec) -> Verdict {
    let outcome = suite::run(spec, 0, 40);
    (outcome.passed(), outcome.to_string())
}

fn checked(made: Made) -> Verdict {
    checked_at(made, &[Tensor::from([0.7, -1.3, 2.0])], 2)
}

fn checked_at(made: Made, x: &[Tensor<f64>], order: u8) -> Verdict {
    let check = Check::new("made");
    let check = if order == 1 { check.first_order() } else { check };
    report(check.run(|x| x[0].tape().apply(made, x), x))
}

fn cube(vjp: Vjp) -> Verdict {
    checked(cubed(vjp))
}

/// The elementwise product of two matrices.
fn product(vjp: Vjp) -> Verdict {
    let forward: fn(&[&Tensor<f64>]) -> Vec<Tensor<f64>> = |x| vec![x[0].mul(x[1]).unwrap()];
    let x = [Tensor::from([[0.4, -0.8], [2.0, 0.3]]), Tensor::from([[1.2, 0.6], [-0.5, 0.9]])];
    checked_at(Made { forward, ..cubed(vjp) }, &x, 2)
}

/// The product of a matrix and a row.
fn row(vjp: Vjp) -> Verdict {
    let forward: fn(&[&Tensor<f64>]) -> Vec<Tensor<f64>> = |x| vec![x[0].mul(x[1]).unwrap()];
    let x = [Tensor::from([[0.4, -0.8, 1.5], [2.0, 0.3, -1.1]]), Tensor::from([1.2, 0.6, -0.5])];
    checked_at(Made { forward, ..cubed(vjp) }, &x, 2)
}

/// x² of a matrix, with the given fast kernel and the correct rule.
fn square(backward: Backward) -> Verdict {
    let forward: fn(&[&Tensor<f64>]) -> Vec<Tensor<f64>> = |x| vec![x[0].map(|x| x * x)];
    let made = Made { forward, backward: Some(backward), ..cubed(|r| one(r.gy() * r.x(0) * 2.0)) };
    checked_at(made, &[Tensor::from([[0.4, -0.8, 1.5], [2.0, 0.3, -1.1]])], 2)
}

/// A function of double tensors for both precisions (the first argument says whether the input is single), with the factor
/// by which its rule multiplies the cotangent.
#[derive(Clone, Copy)]
struct Same {
    value: fn(bool, &Tensor<f64>) -> Vec<Tensor<f64>>,
    factor: fn(bool, &Tensor<f64>) -> f64,
}

/// The same numbers in double precision, strided if `x` is.
fn wide<T: Float>(x: &Tensor<T>) -> Tensor<f64> {
    let dense: Tensor<f64> = x.contiguous().cast();
    if x.is_contiguous() || x.rank() == 0 {
        return dense;
    }
    let twice = Tensor::stack(&[dense.clone(), dense.scale(3.0)], 1).unwrap();
    let mut shape = dense.shape().to_vec();
    shape[0] *= 2;
    twice.reshape(shape).unwrap().slice(0, Slice::all().step(2)).unwrap()
}

impl<T: Float> Op<T> for Same {
    fn name(&self) -> &'static str {
        "same"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let y: Vec<Tensor<T>> =
            (self.value)(size_of::<T>() == 4, &wide(x[0])).iter().map(Tensor::cast).collect();
        Ok(y.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let x = wide(&r.x(0).value().unwrap());
        cotangents([Some(r.gy() * (self.factor)(size_of::<T>() == 4, &x))])
    }
}

fn suited(
    value: fn(bool, &Tensor<f64>) -> Vec<Tensor<f64>>,
    factor: fn(bool, &Tensor<f64>) -> f64,
) -> Verdict {
    outcome(&Spec::new("same", Order::Second, move |g| {
        let shape = g.shape(0..=3);
        let x = vec![g.tensor(&shape, Domain::Real)];
        let op = Same { value, factor };
        case!(x, [], |x| x[0].tape().apply(op, x))
    }))
}

/// Σ (x - mean x)², exact in double precision; its recorded rule rounds the mean.
struct Centred;

/// x minus its mean, [n].
fn centred(x: &Tensor<f64>) -> wengert_ops::Result<Tensor<f64>> {
    x.sub(x.sum_keepdim(0)?.scale(1.0 / x.numel() as f64))
}

impl<T: Float> Op<T> for Centred {
    fn name(&self) -> &'static str {
        "centred"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        let centred = centred(&x[0].cast())?;
        Ok(centred.mul(&centred)?.sum_axes(0)?.cast().into())
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        let exact = || -> Result<_> {
            let g: Tensor<f64> = r.gy()?.cast();
            Ok(cotangents([Some(centred(&r.x(0)?.cast())?.scale(2.0).mul(&g)?.cast())]))
        };
        Some(exact())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        let x = r.x(0);
        cotangents([Some((x - x.mean_keepdim(0)) * r.gy() * 2.0)])
    }
}

/// Draws up to forty tensors and reports the first that fails.
fn strategy(f: impl for<'t> Fn(Var<'t, f64>) -> Var<'t, f64>) -> Verdict {
    use proptest::strategy::{Strategy, ValueTree};
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..40 {
        let x = strategies::tensor(1..=2, Domain::Real).new_tree(&mut runner).unwrap().current();
        let found = Check::new("property").allow_empty().run(|x| outputs(f(x[0]))[0], &[x]);
        if !found.passed() {
            return report(found);
        }
    }
    (true, "40 cases passed".to_owned())
}

#[test]
fn the_right_rules_pass() {
    let same = |made: Made| checked(made);
    for (passed, text) in [
        same(cubed(|r| one(right(&r)))),
        same(Made { backward: Some(kernel), ..cubed(|r| one(right(&r))) }),
        product(|r| two(r.gy() * r.x(1), r.gy() * r.x(0))),
        row(|r| two(r.gy() * r.x(1), (r.gy() * r.x(0)).sum_axes(0))),
        square(|r| Ok(cotangents([Some(r.x(0)?.scale(2.0).mul(r.gy()?)?)]))),
        suited(|_, x| vec![x.clone()], |_, _| 1.0),
        strategy(|x| x * x.sin()),
    ] {
        assert!(passed, "{text}");
    }
}

/// The rows of the book's table are the tests above.
#[test]
fn the_book_lists_every_class() {
    assert!(MISTAKES.len() >= 40);
    let book = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/checking-gradients.md");
    let book = std::fs::read_to_string(book).unwrap();
    for (class, tool, test) in MISTAKES {
        let row = format!("| {class} | `{tool}` | `{test}` |");
        assert!(book.contains(&row), "the book has no row {row}");
    }
    let rows = book.lines().filter(|line| line.starts_with("| ") && line.contains("` | `")).count();
    assert_eq!(rows, MISTAKES.len(), "the book has rows without a test");
}
