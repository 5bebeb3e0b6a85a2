//! The reverse sweep: which cotangents are added, what is skipped, in which order, to which derivative order, and to which
//! depth.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wengert_ops::Tensor;
use wengert_tape::{
    BackwardContext, Cotangents, Float, ForwardOutput, Op, Param, Result, RetainGraph, Saves, Tape, Var,
    VjpContext, cotangents,
};

fn close(a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{a:?} and {b:?}");
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= tolerance * (1.0 + b.abs());
    assert!(a.iter().zip(b).all(near), "{a:?} is not {b:?}");
}

fn vector(v: &[f64]) -> Tensor<f64> {
    Tensor::from_slice(v, [v.len()]).unwrap()
}

#[test]
fn every_use_of_a_value_counts() {
    type F = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    // Functions of x = (3, -2), with their gradients: fan-out within one op, over several, through views and sums.
    let cases: [(&str, F, [f64; 2]); 12] = [
        ("x + x", |x| (x + x).sum(), [2.0, 2.0]),
        ("x - x", |x| (x - x).sum(), [0.0, 0.0]),
        ("x * x", |x| (x * x).sum(), [6.0, -4.0]),
        ("x / x", |x| (x / x).sum(), [0.0, 0.0]),
        ("sum + sum", |x| x.sum() + x.sum(), [2.0, 2.0]),
        ("sum * sum", |x| x.sum() * x.sum(), [2.0, 2.0]),
        ("skip connection", |x| ((x * 2.0 + x) * 3.0 + x).sum(), [10.0, 10.0]),
        ("x times its mean", |x| (x * x.mean()).sum(), [1.0, 1.0]),
        ("itself transposed", |x| (x.unsqueeze(0) * x.unsqueeze(1)).sum(), [2.0, 2.0]),
        ("dot with itself", |x| x.matmul(x), [6.0, -4.0]),
        (
            "concat with itself",
            |x| (x.tape().concat(&[x, x, x], 0) * vector(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).sum(),
            [9.0, 12.0],
        ),
        ("expand and sum, twice", |x| x.expand([5, 2]).sum() + x.expand([2, 3, 2]).sum(), [11.0, 11.0]),
    ];
    for (what, f, want) in cases {
        let tape = Tape::<f64>::new();
        let x = tape.var(vector(&[3.0, -2.0]));
        let y = f(x);
        close(&y.grad(x).unwrap().value().unwrap().to_vec(), &want, 1e-12);
        let grads = y.backward().unwrap();
        let g = grads.wrt(x).unwrap();
        assert_eq!(*g.shape(), [2], "{what}");
        close(&g.to_vec(), &want, 1e-12);
    }
}

/// The accumulated cotangent must not write through to a value that shares its buffer.
#[test]
fn accumulation_does_not_touch_shared_buffers() {
    let tape = Tape::<f64>::new();
    let (x, z) = (tape.var(vector(&[1.0, 2.0])), tape.var(vector(&[5.0, 7.0])));
    let seed = vector(&[1.0, 10.0]);
    let grads = (x + z + x).backward_from(&seed).unwrap();
    assert_eq!(seed.to_vec(), [1.0, 10.0], "the seed is untouched");
    assert_eq!(grads.wrt(x).unwrap().to_vec(), [2.0, 20.0]);
    assert_eq!(grads.wrt(z).unwrap().to_vec(), [1.0, 10.0]);
    let x = tape.var(vector(&[1.0, 2.0]));
    let y = tape.backward(&[(x, seed.clone()), (x, seed.clone())], RetainGraph::Nothing).unwrap();
    assert_eq!((y.wrt(x).unwrap().to_vec(), seed.to_vec()), (vec![2.0, 20.0], vec![1.0, 10.0]));
}

#[test]
fn an_input_without_gradient_between_two_with_one_shifts_nothing() {
    let tape = Tape::<f64>::new();
    let (a, b) = (tape.var(vector(&[1.0])), tape.var(vector(&[2.0, 3.0])));
    let middle = tape.constant(vector(&[9.0, 9.0, 9.0]));
    let weights = vector(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let y = (tape.concat(&[a, middle, b], 0) * &weights).sum();
    for recorded in [true, false] {
        let (ga, gb) = if recorded {
            (y.grad(a).unwrap().value().unwrap(), y.grad(b).unwrap().value().unwrap())
        } else {
            let grads = y.backward().unwrap();
            assert!(grads.wrt(middle).is_err());
            (grads.wrt(a).unwrap(), grads.wrt(b).unwrap())
        };
        assert_eq!((ga.to_vec(), gb.to_vec()), (vec![1.0], vec![5.0, 6.0]));
    }
    // linear: every choice of constants among its three inputs.
    let values = [Tensor::from([[1.0, 2.0]]), Tensor::from([[3.0, 4.0], [5.0, 6.0]]), vector(&[7.0, 8.0])];
    let want: [&[f64]; 3] = [&[8.0, 10.0], &[1.0, 2.0, 1.0, 2.0], &[1.0, 1.0]];
    for mask in 0..8 {
        let tape = Tape::<f64>::new();
        let v: Vec<_> = (0..3)
            .map(|i| if mask >> i & 1 == 1 { tape.var(&values[i]) } else { tape.constant(&values[i]) })
            .collect();
        let y = v[0].linear(v[1], Some(v[2])).sum();
        let recorded: Vec<_> =
            v.iter().map(|x| y.grad(*x).map(|g| g.value().unwrap().to_vec()).ok()).collect();
        if mask == 0 {
            assert!(y.backward().is_err() && recorded.iter().all(Option::is_none));
            continue;
        }
        let grads = y.backward().unwrap();
        for i in 0..3 {
            let found = grads.wrt(v[i]).ok().map(|g| g.to_vec());
            assert_eq!(found.as_deref(), (mask >> i & 1 == 1).then_some(want[i]), "mask {mask}, input {i}");
            assert_eq!(found, recorded[i], "mask {mask}, input {i}");
        }
    }
}

#[test]
fn a_kept_intermediate_has_its_cotangent() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[1.0, 2.0]));
    let h = (x * 3.0).keep();
    let root = (h * h).keep();
    let grads = root.backward_from(vector(&[1.0, 10.0])).unwrap();
    assert_eq!(grads.wrt(h).unwrap().to_vec(), [6.0, 120.0]);
    assert_eq!(grads.wrt(x).unwrap().to_vec(), [18.0, 360.0]);
    assert_eq!(grads.wrt(root).unwrap().to_vec(), [1.0, 10.0], "the output's is its seed");
    // An output that is a leaf.
    let y = tape.var(4.0);
    assert_eq!(y.backward().unwrap().wrt(y).unwrap().item().unwrap(), 1.0);
    assert_eq!(y.grad(y).unwrap().item().unwrap(), 1.0);
    // A recorded gradient of an intermediate needs no keep().
    let h = y * 3.0;
    assert_eq!((h * h * y).grad(h).unwrap().item().unwrap(), 2.0 * 12.0 * 4.0);
}

#[test]
fn a_second_sweep_gives_the_same_bits() {
    let tape = Tape::<f64>::train(5);
    let x = tape.var(Tensor::from([[0.3, -1.2, 0.8], [2.0, 0.1, -0.4]]));
    let w = tape.var(Tensor::from([[0.5, -0.7, 0.2], [1.1, 0.4, 0.9]]));
    let y = x.linear(w, None).dropout(0.3).tanh().log_softmax(0).logsumexp(1).square().sum();
    let all = |g: wengert_tape::Grads<f64>| [g.wrt(x).unwrap().to_vec(), g.wrt(w).unwrap().to_vec()];
    let first = all(y.backward_retaining().unwrap());
    let second = all(y.backward_retaining().unwrap());
    let third = all(y.backward().unwrap());
    assert_eq!((&first, &first), (&second, &third));
    assert!(first.iter().flatten().any(|g| *g != 0.0));
}

#[test]
fn several_outputs_are_swept_at_once() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[1.0, 2.0]));
    let (a, b) = (x.square(), x.sum());
    // The seed of b is between two seeds of a: an output may be given twice, or be an input of another.
    let seeds = [
        (a, vector(&[1.0, 10.0])),
        (b, Tensor::scalar(100.0)),
        (a, vector(&[0.5, 0.5])),
        (x, vector(&[0.25, 0.125])),
    ];
    let grads = tape.backward(&seeds, RetainGraph::Values).unwrap();
    assert_eq!(grads.wrt(x).unwrap().to_vec(), [1.5 * 2.0 + 100.25, 10.5 * 4.0 + 100.125]);
    let recorded: Vec<_> = seeds.iter().map(|(y, s)| (*y, tape.constant(s))).collect();
    // A recorded sweep also adds all seeds of an output.
    let g = tape.grad(&recorded, &[x]).unwrap()[0];
    assert_eq!(g.value().unwrap(), grads.wrt(x).unwrap());
}

#[test]
fn sweeps_reach_only_what_lies_below_the_output() {
    let tape = Tape::<f64>::new();
    let x = tape.var(2.0);
    let y = x * x;
    let z = y * x;
    let grads = tape.backward(&[(y, Tensor::scalar(1.0))], RetainGraph::Values).unwrap();
    assert_eq!(grads.wrt(x).unwrap().item().unwrap(), 4.0);
    assert_eq!(z.backward().unwrap().wrt(x).unwrap().item().unwrap(), 12.0);
}

#[test]
fn gradients_accumulate_over_tapes() {
    let mut p = Param::new(vector(&[1.0, 2.0]));
    let q = Param::new(vector(&[1.0]));
    p.set_name("p");
    let on = |data: &[f64], with_q: bool| {
        let tape = Tape::<f64>::new();
        let w = tape.param(&p);
        let y = (w * vector(data)).sum();
        let y = if with_q { y + tape.param(&q).sum() } else { y };
        y.backward().unwrap()
    };
    let mut total = on(&[1.0, 2.0], false);
    assert_eq!(total.len(), 1);
    total.accumulate(on(&[10.0, 20.0], true)).unwrap();
    total.accumulate(on(&[100.0, 200.0], true)).unwrap();
    total.scale(0.5);
    assert_eq!(total.of(&p).unwrap().to_vec(), [55.5, 111.0]);
    assert_eq!(total.of(&q).unwrap().to_vec(), [1.0]);
    let other = Tape::<f64>::new();
    let bad = other.param(&Param::new(vector(&[1.0]))).sum().backward().unwrap();
    assert!(total.accumulate(bad).is_ok() && total.len() == 3, "another parameter is another entry");
}

#[test]
fn a_parameter_is_one_node_until_it_changes() {
    let tape = Tape::<f64>::new();
    let mut p = Param::new(vector(&[2.0, 3.0]));
    let before = tape.len();
    let (a, b) = (tape.param(&p), tape.param(&p));
    assert_eq!(tape.len(), before + 1);
    let y = (a * b).sum();
    p.update(|v| v.data_mut()[0] = 10.0);
    let c = tape.param(&p);
    assert_eq!(tape.len(), before + 4, "mul, sum, and a node for the new value");
    assert_eq!(a.value().unwrap().to_vec(), [2.0, 3.0], "the old one is as it was");
    assert_eq!(c.value().unwrap().to_vec(), [10.0, 3.0]);
    let grads = (y + (c * 100.0).sum()).backward().unwrap();
    assert_eq!(grads.of(&p).unwrap().to_vec(), [104.0, 106.0], "both nodes count for the parameter");
    assert_eq!(grads.len(), 1);
    assert_eq!(grads.wrt(c).unwrap().to_vec(), [104.0, 106.0]);
    // A copy is another parameter.
    let tape = Tape::<f64>::new();
    let copy = p.clone();
    let grads = (tape.param(&p).sum() + tape.param(&copy).sum() * 7.0).backward().unwrap();
    assert_eq!(grads.of(&p).unwrap().to_vec(), [1.0, 1.0]);
    assert_eq!(grads.of(&copy).unwrap().to_vec(), [7.0, 7.0]);
}

#[test]
fn a_parameter_is_updated_in_place_after_a_sweep() {
    let tape = Tape::<f64>::new();
    let mut p = Param::new(vector(&[2.0, 3.0]));
    let unused = Param::new(vector(&[2.0, 3.0]));
    let _ = tape.param(&unused);
    let loss = (tape.param(&p) * 2.0).square().sum();
    let address = p.value().buffer_address();
    let grads = loss.backward().unwrap();
    p.update(|v| v.data_mut()[0] -= 1.0);
    assert_eq!(p.value().buffer_address(), address, "the buffer is not shared");
    assert_eq!(grads.of(&p).unwrap().to_vec(), [16.0, 24.0]);
    assert_eq!(p.version(), 1);
    // The same tape continues with the new value.
    let again = (tape.param(&p) * 2.0).sum();
    assert_eq!(again.item().unwrap(), 8.0);
    assert_eq!(again.backward().unwrap().of(&p).unwrap().to_vec(), [2.0, 2.0]);
}

#[test]
fn frozen_parameters_get_nothing_and_cost_nothing() {
    let mut p = Param::new(vector(&[2.0, 3.0]));
    let q = Param::new(vector(&[5.0, 7.0]));
    p.set_trainable(false);
    let tape = Tape::<f64>::new();
    let (w, v) = (tape.param(&p), tape.param(&q));
    let count = Counted::default();
    let h = tape.apply(count.clone(), &[w]);
    let grads = (h * v).sum().backward().unwrap();
    assert_eq!((count.rules(), count.forwards()), (0, 1), "no rule runs for what needs no gradient");
    assert!(grads.of(&p).is_err() && grads.len() == 1);
    assert_eq!(grads.of(&q).unwrap().to_vec(), [2.0, 3.0]);
    // Unfrozen on the same tape, it is a new node.
    p.set_trainable(true);
    let grads = tape.param(&p).square().sum().backward().unwrap();
    assert_eq!(grads.of(&p).unwrap().to_vec(), [4.0, 6.0]);
}

#[test]
fn gradients_come_in_the_order_of_first_use() {
    let params: Vec<_> = (0..40)
        .map(|i| {
            let mut p = Param::new(vector(&[f64::from(i)]));
            p.set_name(&format!("p{i}"));
            p
        })
        .collect();
    let order: Vec<usize> = (0..40).map(|i| (i * 17 + 5) % 40).collect();
    let tape = Tape::<f64>::new();
    let mut y = tape.constant(0.0);
    for &i in order.iter().chain(order.iter().rev()) {
        y += tape.param(&params[i]).sum();
    }
    let mut grads = y.backward().unwrap();
    let found: Vec<_> = grads.iter().map(|(_, name, _)| name.unwrap().to_owned()).collect();
    assert_eq!(found, order.iter().map(|i| format!("p{i}")).collect::<Vec<_>>());
    let ids: Vec<_> = order.iter().map(|&i| params[i].id()).collect();
    assert_eq!(grads.iter_mut().map(|(id, _)| id).collect::<Vec<_>>(), ids);
    assert!(grads.iter().all(|(_, _, g)| g.to_vec() == [2.0]));
}

#[test]
fn derivatives_of_every_order() {
    let tape = Tape::<f64>::new();
    let x = tape.var(vector(&[2.0, -1.5]));
    let (v, chain) = ([2.0f64, -1.5], |y: Var<'_, f64>| y.value().unwrap().to_vec());
    let orders: [(&str, Var<'_, f64>, [f64; 5]); 3] = [
        ("x^4 by products", x * x * x * x, [1.0, 4.0, 12.0, 24.0, 24.0]),
        ("x^4 by pow", x.pow(4.0), [1.0, 4.0, 12.0, 24.0, 24.0]),
        ("x^4 by squares", x.square().square(), [1.0, 4.0, 12.0, 24.0, 24.0]),
    ];
    for (what, mut y, factors) in orders {
        for (k, factor) in factors.into_iter().enumerate() {
            let want: Vec<_> = v.iter().map(|x| factor * x.powi(4 - k as i32)).collect();
            let got = chain(y);
            assert!(
                got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-9),
                "{what}, order {k}: {got:?} {want:?}"
            );
            y = y.sum().grad(x).unwrap();
        }
        assert_eq!(chain(y), [0.0, 0.0], "{what}: the fifth is zero");
    }
    // sin: the fourth derivative is sin again; exp: every derivative is exp.
    let (mut s, mut e) = (x.sin(), x.exp());
    for _ in 0..4 {
        s = s.sum().grad(x).unwrap();
        e = e.sum().grad(x).unwrap();
    }
    close(&chain(s), &v.map(f64::sin), 1e-12);
    close(&chain(e), &v.map(f64::exp), 1e-12);
    // tanh''' = (1 - y²)(6 y² - 2).
    let mut t = x.tanh();
    for _ in 0..3 {
        t = t.sum().grad(x).unwrap();
    }
    close(&chain(t), &v.map(|x| (1.0 - x.tanh().powi(2)) * (6.0 * x.tanh().powi(2) - 2.0)), 1e-10);
    // An unrecorded sweep can go through a recorded gradient.
    let dy = (x * x * x).sum().grad(x).unwrap();
    let ddy = dy.sum().backward().unwrap().wrt(x).unwrap();
    close(&ddy.to_vec(), &v.map(|x| 6.0 * x), 1e-12);
}

#[test]
fn mixed_derivatives_commute() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.var(1.3), tape.var(0.7));
    let f = (x * y).sin() * x.exp() / y + x.pow(y);
    let xy = f.grad(x).unwrap().grad(y).unwrap().item().unwrap();
    let yx = f.grad(y).unwrap().grad(x).unwrap().item().unwrap();
    assert!((xy - yx).abs() < 1e-12 * (1.0 + xy.abs()), "{xy} {yx}");
    assert!(xy.abs() > 0.1);
}

/// A Hessian through matmul and softmax against its closed form: of log Σ exp(W x) it is Wᵀ (diag p - p pᵀ) W.
#[test]
fn a_hessian_through_products_and_softmax() {
    let w = Tensor::from([[0.5, -1.0, 0.3], [0.2, 0.8, -0.6], [1.1, 0.1, 0.4], [-0.7, 0.9, 0.2]]);
    let at = [0.4, -0.2, 0.9];
    let row = |i: usize| -> Vec<f64> { w.to_vec()[3 * i..3 * i + 3].to_vec() };
    let z: Vec<f64> = (0..4).map(|i| row(i).iter().zip(at).map(|(w, x)| w * x).sum()).collect();
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    let p: Vec<f64> = z.iter().map(|z| z.exp() / total).collect();
    let mean: Vec<f64> = (0..3).map(|j| (0..4).map(|i| p[i] * row(i)[j]).sum()).collect();
    let mut hessian = [[0.0; 3]; 3];
    for (a, line) in hessian.iter_mut().enumerate() {
        for (b, h) in line.iter_mut().enumerate() {
            *h = (0..4).map(|i| p[i] * row(i)[a] * row(i)[b]).sum::<f64>() - mean[a] * mean[b];
        }
    }
    type F = for<'t> fn(Var<'t, f64>, &Tensor<f64>) -> Var<'t, f64>;
    let forms: [(&str, F); 5] = [
        ("logsumexp", |x, w| x.tape().constant(w).matmul(x).logsumexp(0)),
        ("linear", |x, w| x.unsqueeze(0).linear(w, None).logsumexp(1).sum()),
        ("log_softmax", |x, w| {
            let z = x.tape().constant(w).matmul(x);
            (z - z.log_softmax(0)).select(0, 2)
        }),
        ("softmax", |x, w| {
            let z = x.tape().constant(w).matmul(x);
            (z - z.softmax(0).log()).mean()
        }),
        ("cross_entropy", |x, w| {
            let z = x.unsqueeze(0).linear(w, None);
            z.cross_entropy(&Tensor::from([1])).sum() + z.select(1, 1).sum()
        }),
    ];
    for (what, f) in forms {
        let tape = Tape::<f64>::new();
        let x = tape.var(vector(&at));
        let g = f(x, &w).grad(x).unwrap();
        close(&g.value().unwrap().to_vec(), &mean, 1e-10);
        for (a, line) in hessian.iter().enumerate() {
            let h = g.select(0, a).grad(x).unwrap().value().unwrap().to_vec();
            close(&h, line, 1e-9);
            let swept = tape.backward(&[(g.select(0, a), Tensor::scalar(1.0))], RetainGraph::Values).unwrap();
            assert!(
                swept.wrt(x).unwrap().to_vec().iter().zip(line).all(|(a, b)| (a - b).abs() < 1e-9),
                "{what}"
            );
        }
    }
}

/// Gradient penalty: the norm of an inner gradient is part of the loss, whose weights are swept.
#[test]
fn a_gradient_penalty_reaches_the_weights() {
    let value = |w: &[f64; 4]| {
        let tape = Tape::<f64>::new();
        let p = tape.var(Tensor::from_slice(w, [2, 2]).unwrap());
        let x = tape.var(Tensor::from([[0.3, -0.9]]));
        let y = x.linear(p, None).tanh().sum();
        let penalty = y.grad(x).unwrap().norm().square();
        let g = penalty.backward().unwrap().wrt(p).unwrap().to_vec();
        (penalty.item().unwrap(), g)
    };
    let w = [0.5, -0.2, 0.8, 1.3];
    let (_, g) = value(&w);
    for k in 0..4 {
        let moved = |d: f64| {
            let mut w = w;
            w[k] += d;
            value(&w).0
        };
        let numeric = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((numeric - g[k]).abs() < 1e-7, "{k}: {numeric} {}", g[k]);
    }
}

/// A value that a higher-order rule reads must still exist when it was made in a scope.
#[test]
fn scopes_leave_what_higher_orders_look_at() {
    type F = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let bodies: [(&str, F); 8] = [
        ("a weight that was computed", |v| {
            let x = v.tape().constant(Tensor::from([[0.3, -0.9], [0.5, 0.1]]));
            x.linear(v.tanh() * 2.0, None).tanh()
        }),
        ("a product with a constant", |v| v.tape().constant(Tensor::ones([2, 2])).matmul(v * 2.0).tanh()),
        ("logits that were computed", |v| (v * 3.0).cross_entropy(&Tensor::from([0, 1]))),
        ("a chain of views", |v| (v + 1.0).t().reshape([4]).unsqueeze(0).expand([3, 4]).square()),
        ("kinks", |v| (v * 2.0).relu() + (v - 0.1).abs() + (v * 3.0).clamp(-1.0, 1.0)),
        ("extrema", |v| (v * 2.0).max_keepdim(1) * (v + 1.0).min_axes(0)),
        ("reductions", |v| (v + 2.0).variance_axes(0, 1.0) + (v + 3.0).norm_axes(1) + (v * 2.0).logsumexp(0)),
        ("gathers", |v| (v * 2.0).gather(1, &Tensor::from([[0], [1]])) * (v + 1.0).slice(1, 0..1)),
    ];
    for (what, body) in bodies {
        let run = |scoped: bool| -> Result<(Vec<f64>, Vec<f64>)> {
            let tape = Tape::<f64>::new();
            let v = tape.var(Tensor::from([[0.5, -0.2], [0.8, 1.3]]));
            let y = if scoped { tape.scope(|| body(v)) } else { body(v) };
            let g = y.square().sum().grad(v)?;
            let first = g.value()?.to_vec();
            let second = (g * g).sum().backward()?.wrt(v)?;
            Ok((first, second.to_vec()))
        };
        let want = run(false).unwrap();
        let found = run(true).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(found, want, "{what}");
    }
}

/// The input plus one; counts its calls.
#[derive(Clone, Default)]
struct Counted(Arc<(AtomicUsize, AtomicUsize)>);

impl Counted {
    fn forwards(&self) -> usize {
        self.0.0.load(Ordering::Relaxed)
    }
    fn rules(&self) -> usize {
        self.0.1.load(Ordering::Relaxed)
    }
}

impl<T: Float> Op<T> for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Ok(x[0].clone().into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        self.0.1.fetch_add(1, Ordering::Relaxed);
        cotangents([Some(r.gy())])
    }
    fn backward(&self, r: &BackwardContext<'_, T>) -> Option<Result<Cotangents<Tensor<T>>>> {
        self.0.1.fetch_add(1, Ordering::Relaxed);
        Some(r.gy().map(|g| cotangents([Some(g.clone())])))
    }
    fn saves(&self, _needs: &[bool]) -> Saves {
        Saves::NOTHING
    }
}

/// Runs `f` on a thread whose stack could not hold a frame for every node.
fn on_a_small_stack(f: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(192 * 1024).spawn(f).unwrap().join().unwrap();
}

#[test]
fn a_million_nodes_are_recorded_swept_and_dropped() {
    on_a_small_stack(|| {
        for n in [100_000usize, 1_000_000] {
            let tape = Tape::<f32>::new();
            let x = tape.var(1.0);
            let count = Counted::default();
            let op: &'static Counted = Box::leak(Box::new(count.clone()));
            let mut y = x;
            for _ in 0..n {
                y = tape.apply_static(op, &[y]);
            }
            assert_eq!(tape.len(), n + 1);
            let g = y.backward().unwrap().wrt(x).unwrap();
            assert_eq!(g.item().unwrap(), 1.0);
            assert_eq!((count.forwards(), count.rules()), (n, n), "each node once");
            drop(tape);
        }
    });
}

#[test]
fn exponentially_many_paths_are_one_step_a_node() {
    on_a_small_stack(|| {
        let tape = Tape::<f64>::new();
        let x = tape.var(1.0);
        let count = Counted::default();
        let mut y = x;
        for _ in 0..200 {
            let z = tape.apply(count.clone(), &[y]);
            y = z + z;
        }
        let two_to_200 = 2f64.powi(200);
        assert_eq!(y.item().unwrap(), two_to_200);
        assert_eq!(y.grad(x).unwrap().item().unwrap(), two_to_200);
        assert_eq!(count.rules(), 200);
        assert_eq!(y.backward().unwrap().wrt(x).unwrap().item().unwrap(), two_to_200);
        assert_eq!(count.rules(), 400);
    });
}

#[test]
fn a_long_tape_can_be_reset_and_used_again() {
    let mut tape = Tape::<f64>::new();
    for round in 0..3 {
        let x = tape.var(f64::from(round));
        let mut y = x;
        for _ in 0..10_000 {
            y += 1.0;
        }
        assert_eq!(y.item().unwrap(), f64::from(round) + 10_000.0);
        assert_eq!(y.backward().unwrap().wrt(x).unwrap().item().unwrap(), 1.0);
        assert_eq!(tape.len(), 10_001);
        tape.reset();
        assert!(tape.is_empty() && tape.bytes() == 0);
    }
}

/// A function that splits a value into n parts, which together contain all its elements.
type Apart = fn(Var<'_, f64>, usize) -> Vec<Var<'_, f64>>;

#[test]
fn parts_of_a_value_cost_what_their_elements_do_to_every_order() {
    let ways: [(&str, Apart); 7] = [
        ("unbind", |x, _| x.unbind(0)),
        ("split", |x, n| x.split(0, &vec![1; n])),
        ("slice", |x, n| (0..n).map(|i| x.slice(0, i..i + 1)).collect()),
        ("index_select", |x, n| (0..n).map(|i| x.index_select(0, &Tensor::from([i as i64]))).collect()),
        ("take", |x, n| (0..n).map(|i| x.take(&Tensor::from([2 * i as i64, 2 * i as i64 + 1]))).collect()),
        ("index_get", |x, n| (0..n).map(|i| x.index_get(&[Tensor::from([i as i64])])).collect()),
        ("embedding", |x, n| (0..n).map(|i| x.embedding(&Tensor::from([i as i64]))).collect()),
    ];
    for (name, apart) in ways {
        let bytes = |n: usize| {
            let tape = Tape::<f64>::new();
            let values: Vec<f64> = (0..2 * n).map(|i| 0.5 + (i % 7) as f64).collect();
            let x = tape.var(Tensor::from_vec(values.clone(), [n, 2]).unwrap());
            let parts = apart(x, n);
            assert_eq!(parts.len(), n);
            let whole = tape.stack(&parts, 0);
            let y = (whole * whole * whole).sum();
            let first = y.grad(x).unwrap();
            let second = first.square().sum().grad(x).unwrap();
            // x³ has the gradient 3x², whose square has the gradient 36x³.
            let cubes: Vec<f64> = values.iter().map(|v| 36.0 * v * v * v).collect();
            assert_eq!(second.value().unwrap().to_vec(), cubes, "{name}");
            let swept = y.backward_retaining().unwrap().wrt(x).unwrap();
            assert_eq!(swept, first.value().unwrap(), "{name}");
            tape.bytes()
        };
        let (few, many) = (bytes(100), bytes(400));
        assert!(many < 5 * few, "{name}: {few} bytes for 100 parts, {many} for 400");
    }
}
