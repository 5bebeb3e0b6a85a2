//! Broadcasting, empty axes, and memory layouts.

use super::*;

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
        Tensor::<f64>::steps(start, 0.3, shape.iter().product()).reshape(shape).unwrap()
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
                ("select", |a, b| a.where_cond(Tensor::from([true]), b) * b),
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

/// The same numbers in every kind of memory layout.
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
        ("linear", |x| x.linear(x, Some(x.select(0, 1)))),
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
    // Stride 0: one number read many times, also as the cotangent.
    let one = Tensor::scalar(0.7).expand([3, 3]).unwrap();
    for (name, f) in functions {
        let dense = Tensor::from_vec(one.to_vec(), [3, 3]).unwrap();
        let (got, want) = (run::<f64>(f, &one), run::<f64>(f, &dense));
        assert!(got.iter().zip(&want).all(|(a, b)| close(a, b)), "{name}: {got:?}, expected {want:?}");
        let tape = Tape::<f64>::new();
        let x = tape.var(&dense);
        let y = f(x);
        let seed = |t: Tensor<f64>| t.expand(y.shape()).unwrap();
        let thin =
            tape.backward(&[(y, seed(Tensor::scalar(0.3)))], wengert_tape::RetainGraph::Values).unwrap();
        let full = seed(Tensor::scalar(0.3)).contiguous();
        let full = tape.backward(&[(y, full)], wengert_tape::RetainGraph::Values).unwrap();
        assert!(close(&thin.wrt(x).unwrap().to_vec(), &full.wrt(x).unwrap().to_vec()), "{name}");
    }
}
