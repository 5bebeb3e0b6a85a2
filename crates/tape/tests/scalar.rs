//! The scalar tape compared with itself, dual numbers, the tensor tape and finite differences; kinks, reuse, size, threads.

use proptest::prelude::*;
use wengert_tape::scalar::{
    Dual, Jet, Lanes, Number, Tape, Var, affine, block, checkpoint, dot, fuse, gradient, hessian,
    preaccumulate, tensor_block, weighted_sum,
};
use wengert_tape::{Elementary, ErrorKind, Real};

/// One step of a random program: the function, and the indices of earlier values.
type Step = (u8, usize, usize);

const INPUTS: usize = 3;

/// A smooth program: every step appends a value; the result is the sum of the last three.
fn run<R: Real>(steps: &[Step], x: &[R]) -> R {
    let mut values = x.to_vec();
    for &(op, i, j) in steps {
        let (a, b) = (values[i % values.len()], values[j % values.len()]);
        let one = a.like(1.0);
        values.push(match op % 16 {
            0 => a + b,
            1 => a - b,
            2 => a.tanh() * b,
            3 => a / (b * b + one),
            4 => a.sin(),
            5 => a.tanh().exp(),
            6 => a.sigmoid() * b.cos(),
            7 => (a * a + one).sqrt(),
            8 => (a.square() + one).log(),
            9 => a.scale(-1.5),
            10 => a.normal_cdf(),
            11 => (a * a + one).power(0.3),
            12 => a.hypot(b * b + one),
            13 => a.atan2(b * b + one),
            14 => (a.tanh() + one + one).power_of(b.tanh()),
            // A branch that is smooth to the second derivative where its sides, x³ and x³ + x⁴, meet at 0.
            _ => {
                let t = a.tanh();
                R::select(t.lt(t.like(0.0)), t * t * t, t * t * t + t * t * t * t)
            }
        });
    }
    let n = values.len();
    values[n - 1] + values[n - 2] + values[n - 3]
}

#[track_caller]
fn close(what: &str, a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs())), "{what}: {a} and {b}");
}

fn first_order(steps: &[Step], x: &[f64; INPUTS]) -> (f64, Vec<f64>) {
    gradient(|x| run(steps, x), x).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn all_ways_agree_to_the_second_order(
        steps in proptest::collection::vec((any::<u8>(), 0..20usize, 0..20usize), 1..14),
        x in [-1.5..1.5f64, -1.5..1.5f64, -1.5..1.5f64],
    ) {
        let (y, g) = first_order(&steps, &x);
        close("value", y, run(&steps, &x), 1e-13);
        let h = hessian(|x| run(&steps, x), &x).unwrap();

        // Dual numbers, and duals of duals.
        for i in 0..INPUTS {
            let unit = |k: usize| if k == i { 1.0 } else { 0.0 };
            let d: Vec<_> = (0..INPUTS).map(|k| Dual::new(x[k], unit(k))).collect();
            close("dual", run(&steps, &d).tangent, g[i], 1e-11);
            for (j, column) in h.iter().enumerate() {
                let other = |k: usize| if k == j { 1.0 } else { 0.0 };
                let dd: Vec<_> = (0..INPUTS)
                    .map(|k| Dual::new(Dual::new(x[k], unit(k)), Dual::new(other(k), 0.0)))
                    .collect();
                close("dual of dual", run(&steps, &dd).tangent.tangent, h[i][j], 1e-9);
                close("symmetry", h[i][j], column[i], 1e-9);
            }
            // Forward over reverse.
            let tape = Tape::new();
            let v: Vec<Var<'_>> = tape.vars(&x).collect();
            let d: Vec<_> = (0..INPUTS).map(|k| Dual::new(v[k], Var::from(unit(k)))).collect();
            let row = tape.gradient(run(&steps, &d).tangent).unwrap().of(&v).unwrap();
            // Finite differences, of the function and of its gradient.
            let step = 1e-5;
            let (mut up, mut down) = (x, x);
            up[i] += step;
            down[i] -= step;
            let ((y_up, g_up), (y_down, g_down)) = (first_order(&steps, &up), first_order(&steps, &down));
            close("difference", (y_up - y_down) / (2.0 * step), g[i], 1e-6);
            for j in 0..INPUTS {
                close("forward over reverse", row[j], h[i][j], 1e-9);
                close("difference of gradients", (g_up[j] - g_down[j]) / (2.0 * step), h[i][j], 1e-5);
            }
        }

        // Reverse over reverse: a tape whose numbers are handles of another tape.
        let outer = Tape::new();
        let v: Vec<Var<'_>> = outer.vars(&x).collect();
        let inner = Tape::default();
        let w: Vec<_> = inner.vars(&v).collect();
        let gw = inner.gradient(run(&steps, &w)).unwrap().of(&w).unwrap();
        for i in 0..INPUTS {
            close("inner gradient", gw[i].value(), g[i], 1e-11);
            let row = outer.gradient(gw[i]).unwrap().of(&v).unwrap();
            for j in 0..INPUTS {
                close("reverse over reverse", row[j], h[i][j], 1e-9);
            }
        }

        // The tensor tape.
        let tape = wengert_tape::Tape::<f64>::new();
        let t: Vec<_> = x.iter().map(|&x| tape.var(x)).collect();
        let y = run(&steps, &t);
        for i in 0..INPUTS {
            // For an input that the output does not depend on, it reports an error; the gradient is zero here.
            match y.grad(t[i]) {
                Ok(slope) => {
                    close("tensor tape", slope.item().unwrap(), g[i], 1e-11);
                    if let Ok(second) = slope.grad(t[i]) {
                        close("tensor tape twice", second.item().unwrap(), h[i][i], 1e-9);
                    }
                }
                Err(_) => assert_eq!(g[i], 0.0),
            }
        }

        // Lanes, a jet, a checkpoint, and a preaccumulated region.
        let lanes = Tape::<Lanes<4>>::default();
        let v: Vec<_> = x.iter().map(|&x| lanes.var(Lanes([x, -x, x + 0.25, 0.0]))).collect();
        let all = lanes.gradient(run(&steps, &v)).unwrap().of(&v).unwrap();
        for (lane, at) in [x, x.map(|x| -x), x.map(|x| x + 0.25), [0.0; INPUTS]].iter().enumerate() {
            for (one, many) in first_order(&steps, at).1.iter().zip(&all) {
                close("lanes", many.0[lane], *one, 1e-11);
            }
        }
        let tape = Tape::new();
        let v: [Var<'_>; INPUTS] = x.map(|x| tape.var(x));
        let again = steps.clone();
        let outputs = [
            fuse(v, |x| run(&steps, &x)),
            preaccumulate(v, |x| [run(&steps, &x)])[0],
            checkpoint(&v, move |x| vec![run(&again, x)])[0],
            run(&steps, &v),
        ];
        for row in tape.jacobian(&outputs, &v).unwrap() {
            for (one, want) in row.iter().zip(&g) {
                close("part", *one, *want, 1e-11);
            }
        }
        close("jet", run(&steps, &Jet::variables(x)).slopes[1], g[1], 1e-11);

        // Single precision.
        let tape = Tape::<f32>::default();
        let v: Vec<_> = x.iter().map(|&x| tape.var(x as f32)).collect();
        for (one, want) in tape.gradient(run(&steps, &v)).unwrap().of(&v).unwrap().iter().zip(&g) {
            close("f32", f64::from(*one), *want, 2e-2);
        }
    }
}

#[test]
fn kinks_have_the_tensor_tapes_conventions() {
    let slope = |f: &dyn for<'t> Fn(Var<'t>) -> Var<'t>, at: f64| {
        let tape = Tape::new();
        let x = tape.var(at);
        tape.gradient(f(x)).unwrap().wrt(x).unwrap()
    };
    assert_eq!(slope(&|x| x.abs(), 0.0), 0.0);
    assert_eq!(slope(&|x| x.relu(), 0.0), 0.0);
    assert_eq!(slope(&|x| x.max(0.0), 0.0), 0.5);
    assert_eq!(slope(&|x| x.min(0.0), 0.0), 0.5);
    assert_eq!(slope(&|x| x.hypot(x.like(0.0)), 0.0), 0.0);
    assert_eq!(slope(&|x| x.powi(0), 0.0), 0.0);
    assert_eq!(slope(&|x| x.powf(1.0), 0.0), 1.0);
    assert_eq!(slope(&|x| x.sqrt(), 0.0), f64::INFINITY);
    assert!(slope(&|x| x.max(1.0), f64::NAN).is_finite());
    assert!(Var::<f64>::from(f64::NAN).max(1.0).value().is_nan());
    // A branch that is not taken has no influence, recorded or not; neither does a pole multiplied by zero.
    assert_eq!(slope(&|x| Var::select(x.lt(x.like(1.0)), x * 2.0, x.sqrt() * x.log()), 0.0), 2.0);
    assert_eq!(slope(&|x| (x.sqrt() * x.log1p()) * 0.0 + x, 0.0), 1.0);
    assert_eq!(slope(&|x| x.sqrt().square() + x, 0.0), 1.0);
    // Where the fast sine is not accurate; the C library may round the last bit otherwise.
    assert_eq!(slope(&|x| x.sin(), 1e15), wengert_ops::math::portable::cos(1e15));
    assert!((slope(&|x| x.sin(), 1e15) - 1e15f64.cos()).abs() < 1e-15);
}

#[test]
fn arithmetic_goes_with_numbers_and_in_place() {
    let tape = Tape::new();
    let (x, y) = (tape.var(3.0), tape.var(2.0));
    let mut z = 1.0 + x - 2.0;
    z += y;
    z -= 0.5;
    z *= x;
    z /= y;
    z = 6.0 / z - (-z) / 4.0 * 2.0;
    let w = (3.0 - 1.0 + 2.0 - 0.5) * 3.0 / 2.0;
    assert_eq!(z.value(), 6.0 / w + w / 2.0);
    let g = tape.gradient(z).unwrap();
    let by_w = -6.0 / (w * w) + 0.5;
    close("x", g.wrt(x).unwrap(), by_w * (3.0 + 3.5) / 2.0, 1e-14);
    close("y", g.wrt(y).unwrap(), by_w * (3.0 / 2.0 - w / 2.0), 1e-14);
    assert!(x > y && x > 2.5);
    assert!(x == 3.0 && y < 2.5);
    let all: Var<'_> = [x, y, x].iter().sum();
    let product: Var<'_> = [x, y, x].into_iter().product();
    assert_eq!((all.value(), product.value()), (8.0, 18.0));
    assert_eq!(tape.gradient(all + product).unwrap().of(&[x, y]).unwrap(), [2.0 + 12.0, 1.0 + 9.0]);
    assert_eq!(std::iter::empty::<Var<'_>>().sum::<Var<'_>>().value(), 0.0);
}

#[test]
fn statements_equal_the_operators_for_every_mix_of_constants() {
    for mask in 0..1 << 7 {
        let tape = Tape::new();
        let value = |i: usize| 0.5 + i as f64 * 0.3;
        let leaves: Vec<Var<'_>> = tape.vars(&(0..7).map(value).collect::<Vec<_>>()).collect();
        let x: Vec<Var<'_>> = leaves
            .iter()
            .enumerate()
            .map(|(i, &x)| if mask >> i & 1 == 1 { x.sin() } else { x.detach() })
            .collect();
        let plain = x[6] + x[0] * x[3] + x[1] * x[4] + x[2] * x[5];
        let tail = x[0] * 2.0 - x[1] * 3.0 + x[2];
        let outputs = [
            plain,
            affine(x[6], &x[..3], &x[3..6]),
            dot(&x[..3], &x[3..6]) + x[6],
            fuse([x[0], x[1], x[2], x[3], x[4], x[5], x[6]], |x| {
                x[6] + x[0] * x[3] + x[1] * x[4] + x[2] * x[5]
            }),
            tail,
            weighted_sum(&[2.0, -3.0, 1.0], &x[..3]),
            x.iter().sum(),
        ];
        let rows = tape.jacobian(&outputs, &leaves).unwrap();
        for (a, b) in [(0, 1), (0, 2), (0, 3), (4, 5)] {
            close("value", outputs[a].value(), outputs[b].value(), 1e-15);
            for (p, q) in rows[a].iter().zip(&rows[b]) {
                close("slope", *p, *q, 1e-15);
            }
        }
        for (i, slope) in rows[6].iter().enumerate() {
            close("sum", *slope, if mask >> i & 1 == 1 { value(i).cos() } else { 0.0 }, 1e-15);
        }
    }
}

#[test]
fn handles_of_two_tapes_are_an_error_of_both() {
    let (mut a, b) = (Tape::new(), Tape::new());
    {
        let (x, y) = (a.var(1.0), b.var(2.0));
        let z = x * y;
        assert!(z.value().is_nan());
        let e = a.gradient(x * x).err().unwrap();
        assert_eq!(e.kind(), ErrorKind::ForeignTape);
        assert!(e.location().unwrap().file().ends_with("scalar.rs"), "{e}");
        assert!(b.gradient(y).is_err() && a.error().is_some());
    }
    a.reset();
    let x = a.var(1.0);
    assert_eq!(a.gradient(x * x).unwrap().wrt(x).unwrap(), 2.0);
    let other = Tape::new();
    let foreign = other.var(1.0);
    assert_eq!(a.gradient(foreign).err().unwrap().kind(), ErrorKind::ForeignTape);
    assert_eq!(a.gradient(x).unwrap().wrt(foreign).unwrap_err().kind(), ErrorKind::ForeignTape);
    assert_eq!(a.gradient(x).unwrap().wrt(Var::from(1.0)).unwrap_err().kind(), ErrorKind::NoGradient);
    for statement in
        [dot(&[x, foreign], &[x, x]), [x, foreign].iter().sum(), fuse([x, foreign], |[x, y]| x * y)]
    {
        assert!(statement.value().is_nan() && a.gradient(statement).is_err());
    }
    assert!(block(&[x, foreign], &[1.0], |g| vec![g[0], g[0]])[0].value().is_nan());
}

#[test]
fn a_tape_is_used_again_after_reset_and_rewind() {
    let mut tape = Tape::new();
    let mut bytes = 0;
    for round in 0..5 {
        tape.reset();
        let x: Vec<Var<'_>> = tape.vars(&[1.0, 2.0]).collect();
        let mut y = x[0];
        for _ in 0..3000 * (1 + round % 2) {
            y = (y * x[1]).sin();
        }
        let late = tape.var(7.0);
        let g = tape.gradient(y + late * late).unwrap().of(&[x[0], x[1], late]).unwrap();
        let again = tape.gradient(y + late * late).unwrap().of(&[x[0], x[1], late]).unwrap();
        assert_eq!(g, again, "a sweep has no effect on the next one");
        assert_eq!(g[2], 14.0);
        if round == 2 {
            bytes = tape.bytes();
        }
        assert!(round < 3 || tape.bytes() == bytes, "memory is kept and does not grow");
    }
    // Rewinds in the middle of a run of variables, and to before kept values and blocks.
    tape.reset();
    let x = tape.var(3.0).anchor();
    let here = tape.position();
    for _ in 0..3 {
        let x = tape.revive(x).unwrap();
        let y = tape.var(2.0);
        let z = (x * y).keep();
        let w = block(&[z], &[z.value() * 10.0], |g| vec![10.0 * g[0]])[0];
        let late = tape.var(1.0);
        let g = tape.gradient(w * late).unwrap();
        assert_eq!(g.of(&[x, y, z, late]).unwrap(), [20.0, 30.0, 10.0, 60.0]);
        drop(g);
        let stale = y.anchor();
        tape.rewind(here).unwrap();
        assert_eq!(tape.revive(stale).unwrap_err().kind(), ErrorKind::Freed);
        assert_eq!(tape.len(), 1);
    }
    let far = {
        let _ = tape.vars(&[1.0; 10]).count();
        tape.position()
    };
    tape.rewind(here).unwrap();
    assert_eq!(tape.rewind(far).unwrap_err().kind(), ErrorKind::Freed);
    assert_eq!(Tape::new().revive(x).unwrap_err().kind(), ErrorKind::ForeignTape);
    tape.reset();
    assert!(tape.revive(x).is_err() && tape.rewind(here).is_err());
}

#[test]
fn parts_that_are_swept_one_by_one_add_up() {
    let mut tape = Tape::new();
    let (x, y) = (tape.var(0.4).anchor(), tape.var(0.6).anchor());
    let middle = {
        let (x, y) = (tape.revive(x).unwrap(), tape.revive(y).unwrap());
        (x * y).sin().anchor()
    };
    let here = tape.position();
    let mut cotangents = wengert_tape::scalar::Cotangents::default();
    for k in 0..20 {
        let (m, y) = (tape.revive(middle).unwrap(), tape.revive(y).unwrap());
        let own = tape.var(f64::from(k));
        tape.accumulate(m * m * own + y * own, 0.5, here, &mut cotangents).unwrap();
        tape.rewind(here).unwrap();
    }
    let g = tape.finish(cotangents).unwrap();
    let (s, c) = (0.24f64.sin(), 0.24f64.cos());
    let (x, y) = (tape.revive(x).unwrap(), tape.revive(y).unwrap());
    close("x", g.wrt(x).unwrap(), 95.0 * 2.0 * s * c * 0.6, 1e-13);
    close("y", g.wrt(y).unwrap(), 95.0 * (2.0 * s * c * 0.4 + 1.0), 1e-13);
}

#[test]
fn blocks_say_what_is_wrong_and_nest() {
    let tape = Tape::new();
    let x = tape.var(2.0);
    let y = block(&[x], &[1.0], |_| vec![1.0, 2.0])[0];
    let e = tape.gradient(y).err().unwrap();
    assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "block"));
    assert!(e.location().unwrap().file().ends_with("scalar.rs"));
    // The failed sweep has no effect on the next one.
    assert_eq!(tape.gradient(x * x).unwrap().wrt(x).unwrap(), 4.0);
    let nested = checkpoint(&[x], |x| {
        let inner = checkpoint(x, |x| vec![x[0] * x[0], x[0].exp()]);
        let [product] = preaccumulate([inner[0], inner[1]], |[a, b]| [a * b]);
        vec![product, inner[0]]
    });
    assert_eq!(nested[0].value(), 4.0 * 2f64.exp());
    let g = tape.gradients([nested[0], nested[1]]).unwrap().row(x).unwrap();
    close("product", g[0], 8.0 * 2f64.exp(), 1e-14);
    assert_eq!(g[1], 4.0);
    let constant = block(&[Var::from(1.0)], &[5.0], |g| g.to_vec())[0];
    assert!(constant.is_constant() && tensor_block(&[x], [2], |x| x).is_err());
    let t = tensor_block(&[x, x * 3.0], [2], |t| t.softmax(0)).unwrap();
    close("softmax", t[0].value() + t[1].value(), 1.0, 1e-15);
    close("sum", tape.gradient(t[0] + t[1]).unwrap().wrt(x).unwrap(), 0.0, 1e-15);
}

#[test]
fn ten_million_nodes_are_swept_without_recursion() {
    std::thread::Builder::new()
        .stack_size(192 << 10)
        .spawn(|| {
            let tape = Tape::new();
            let (x, y) = (tape.var(1.0), tape.var(1e-7));
            let mut z = x;
            for _ in 0..10_000_000 {
                z += z * y;
            }
            assert!(tape.len() >= 10_000_000);
            let g = tape.gradient(z).unwrap();
            close("x", g.wrt(x).unwrap(), z.value(), 1e-6);
            close("y", g.wrt(y).unwrap(), z.value() * 1e7 / (1.0 + 1e-7), 1e-6);
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn threads_have_tapes_of_their_own() {
    let work = |seed: u64| {
        let mut tape = Tape::new();
        let mut sum = 0.0;
        for k in 0..200 {
            tape.reset();
            let x = tape.var(seed as f64 + f64::from(k) * 0.01);
            let y = (0..50).fold(x, |y, _| (y * x).sin() + y);
            sum += tape.gradient(y).unwrap().wrt(x).unwrap();
        }
        sum
    };
    let alone: Vec<f64> = (0..8).map(work).collect();
    let together: Vec<f64> = std::thread::scope(|s| {
        let all: Vec<_> = (0..8).map(|seed| s.spawn(move || work(seed))).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
    fn is_send<T: Send>(_: T) {}
    is_send(Tape::new());
}

#[test]
fn backpropagation_in_scalar_form() {
    // Two inputs, three neurons with tanh, one output, squared error: every z, h and weight is a node.
    let tape = Tape::new();
    let (x, target) = ([0.5, -1.2], 0.3);
    let w: [[Var<'_>; 2]; 3] = [[0.1, 0.4], [-0.3, 0.2], [0.7, -0.6]].map(|row| row.map(|w| tape.var(w)));
    let b = [0.05, -0.1, 0.2].map(|b| tape.var(b));
    let v = [0.8, -0.5, 0.3].map(|v| tape.var(v));
    let z: [Var<'_>; 3] = std::array::from_fn(|j| affine(b[j], &w[j], &x.map(Var::from)).keep());
    let h = z.map(|z| z.tanh().keep());
    let y = dot(&v, &h).keep();
    let e = y - target;
    let g = tape.gradient(e * e * 0.5).unwrap();
    let delta = y.value() - target;
    close("output", g.wrt(y).unwrap(), delta, 1e-15);
    for j in 0..3 {
        let delta_j = (1.0 - h[j].value().powi(2)) * v[j].value() * delta;
        close("h", g.wrt(h[j]).unwrap(), v[j].value() * delta, 1e-15);
        close("z", g.wrt(z[j]).unwrap(), delta_j, 1e-15);
        close("b", g.wrt(b[j]).unwrap(), delta_j, 1e-15);
        close("v", g.wrt(v[j]).unwrap(), delta * h[j].value(), 1e-15);
        for i in 0..2 {
            close("w", g.wrt(w[j][i]).unwrap(), delta_j * x[i], 1e-15);
        }
    }
}

#[test]
fn functions_over_number_need_no_tape() {
    fn norm<R: Number>(x: &[R]) -> R {
        x.iter().fold(R::of(0.0), |sum, &x| sum + x * x).sqrt()
    }
    assert_eq!(norm(&[3.0, 4.0]), 5.0);
    assert_eq!(norm(&[Lanes([3.0, 6.0]), Lanes([4.0, 8.0])]), Lanes([5.0, 10.0]));
    let (y, g) = gradient(|x| norm(x), &[3.0, 4.0]).unwrap();
    assert_eq!((y, g[1]), (5.0, 0.8));
    close("unit vector", g[0], 0.6, 1e-15);
}

/// A tape that flushes takes a denormal cotangent as zero wherever it arises, and changes nothing else.
#[test]
fn flushing_replaces_denormal_cotangents_alone() {
    let least = f64::MIN_POSITIVE;
    let flushing = Tape::new().flush_denormals();
    let both = [&Tape::new(), &flushing];
    // The cotangent of the inner node is c, and its derivative makes it large again.
    let slope = |tape: &Tape, c: f64| {
        let x = tape.var(3.0);
        let inner = (x * x).keep();
        tape.gradient((inner * inner).keep() * (c / 18.0)).unwrap().wrt(x).unwrap() / 6.0
    };
    for c in [1.0, -1.0, 40.0 * least, -40.0 * least, 1e300, f64::INFINITY, 0.0] {
        let [plain, flushed] = both.map(|tape| slope(tape, c));
        assert_eq!(plain.to_bits(), flushed.to_bits(), "{c:e}");
    }
    assert!(slope(&flushing, f64::NAN).is_nan());
    for c in [0.5 * least, -0.5 * least, 5e-324] {
        assert!(slope(both[0], c) != 0.0 || c == 5e-324);
        assert_eq!(slope(&flushing, c), 0.0, "{c:e}");
    }
    // Each lane, each output and each part by itself.
    let tape = Tape::<Lanes<2>>::default().flush_denormals();
    let x = tape.var(Lanes([3.0, 3.0]));
    let y = (x * x).keep() * tape.constant(Lanes([0.1 * least, 1.0]));
    assert_eq!(tape.gradient(y).unwrap().wrt(x).unwrap(), Lanes([0.0, 6.0]));
    let x = flushing.var(3.0);
    let square = (x * x).keep();
    let rows = flushing.gradients([square * (0.1 * least), square * 2.0]).unwrap().row(x).unwrap();
    assert_eq!(rows, [0.0, 12.0]);
    let tape = Tape::<Dual<f64>>::default().flush_denormals();
    let x = tape.var(Dual::new(3.0, 1.0));
    let y = (x * x).keep() * tape.constant(Dual::from(0.1 * least));
    assert_eq!(tape.gradient(y).unwrap().wrt(x).unwrap(), Dual::from(0.0));
    // In a region that is computed on a tape of its own.
    let x = flushing.var(3.0);
    let y = checkpoint(&[x], move |x| vec![(x[0] * x[0]).keep() * (0.1 * least)]);
    assert_eq!(flushing.gradient(y[0]).unwrap().wrt(x).unwrap(), 0.0);
}
