//! The checks of a crate with eight operations and a model: each at most ten lines.

use wengert::nn::gradcheck::{self, TrainingCheck};
use wengert::prelude::*;

// An elementwise function.
#[gradcheck]
fn swish2<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    x * (x * 2.0).sigmoid()
}

// A structural one: a product of matrices with a bias, in any number of batch axes.
#[gradcheck(x: [.., n, k], w: [k, m], b: [m])]
fn affine<'t, T: Float>(x: Var<'t, T>, w: Var<'t, T>, b: Var<'t, T>) -> Var<'t, T> {
    x.matmul(w) + b
}

// A loss with a kink where its arguments are equal: on a grid they often are, and never nearly.
#[gradcheck(broadcast, x in Grid, y in Grid, at((1.0, 1.0) => (0.0, 0.0)))]
fn distance<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> Var<'t, T> {
    (x - y).abs()
}

// A straight-through estimator.
#[gradcheck(surrogate = |x| x.tanh(), at(0.3 => 1.0 - 0.3f64.tanh().powi(2)))]
fn binarize<'t, T: Float>(x: Var<'t, T>) -> Var<'t, T> {
    let soft = x.tanh();
    let hard = x.value().map(|x| x.map(|x| if x < T::ZERO { -T::ONE } else { T::ONE }));
    soft + (soft.zeros_like() + hard - soft).detach()
}

// Code that exists in single precision only, with and without a formula to compare it with.
#[gradcheck(x in -3.0..=3.0)]
fn fast_gelu<'t>(x: Var<'t, f32>) -> Var<'t, f32> {
    x * (x * 1.702f32).sigmoid()
}

#[gradcheck(x in -3.0..=3.0, reference = |x| x * (x * 1.702).sigmoid())]
fn fast_gelu_by_formula<'t>(x: Var<'t, f32>) -> Var<'t, f32> {
    x / ((x * -1.702f32).exp() + 1.0f32)
}

// Several outputs.
#[gradcheck(x: [n] in NON_ZERO, y: [n])]
fn polar<'t, T: Float>(x: Var<'t, T>, y: Var<'t, T>) -> (Var<'t, T>, Var<'t, T>) {
    ((x.square() + y.square()).sqrt(), (y / x).atan())
}

// Integer arguments, from lists, and from a generator.
#[gradcheck(x: [n, m], axis in [0, 1, -1], scale in [1.0, 0.5])]
fn centred<'t, T: Float>(x: Var<'t, T>, axis: isize, scale: f64) -> Var<'t, T> {
    (x - x.mean_keepdim(axis)) * scale
}

#[gradcheck(logits: [n, k], labels = g.indices(&[n], k))]
fn nll<'t, T: Float>(logits: Var<'t, T>, labels: &Tensor<i64>) -> Var<'t, T> {
    loss::cross_entropy(logits, labels)
}

// A layer with a struct of inputs.
struct State<'t, T: Float> {
    h: Var<'t, T>,
    c: Var<'t, T>,
}

#[gradcheck(s: State { h: [n, k], c: [n, k] }, x: [n, k])]
fn cell<'t, T: Float>(s: State<'t, T>, x: Var<'t, T>) -> [Var<'t, T>; 2] {
    let c = s.c * s.h.sigmoid() + x.tanh();
    [c.tanh() * x.sigmoid(), c]
}

// Double precision only, with an error type.
#[gradcheck(x: [n, n])]
fn trace_of_square(x: Var<'_, f64>) -> wengert::Result<Var<'_, f64>> {
    let y = x.matmul(x).diagonal(0).sum();
    y.value()?;
    Ok(y)
}

// Closures, and a function that is not differentiable at a point.
gradcheck_test!(log_cosh, |x| x.cosh().log(), x in -5.0..=5.0);
gradcheck_test!(largest, |x, axis: isize| x.max_along(axis).0, x: [n, m] in Grid, axis in [0, 1]);
gradcheck_test!(relu, |x| x.relu(), kinks = [0.0], at(0.0 => 0.0), not_differentiable_at(0.0));
gradcheck_test!(joined, |xs: &[Var<'_, _>]| xs[0].tape().concat(xs, 0), xs: &[[n, m], [k, m]]);

/// The functions that the book shows are the ones above.
#[test]
fn the_book_shows_these_functions() {
    let book = include_str!("../../../docs/src/gradient-checks-in-ci.md");
    let source = include_str!("gradcheck.rs");
    let blocks = book.split("```rust\n").skip(1).map(|block| block.split("```").next().unwrap());
    let mut shown = 0;
    let attributes = |block: &&str| block.contains("#[gradcheck") || block.contains("gradcheck_test!");
    for block in blocks.filter(attributes).filter(|block| !block.contains("fn main")) {
        let visible: Vec<_> =
            block.lines().filter(|line| !line.starts_with("# ") && !line.starts_with("use ")).collect();
        for item in visible.join("\n").split("\n\n") {
            assert!(source.contains(item.trim()), "not in this file:\n{item}");
            shown += 1;
        }
    }
    assert!(shown >= 10, "{shown}");
}

// A model.
fn model<T: Float>() -> Sequential<T> {
    let mut rng = Rng::seed(0);
    Sequential::new()
        .push(Linear::new(4, 8, &mut rng))
        .push(Activation::Relu)
        .push(Dropout::new(0.1))
        .push(Linear::new(8, 3, &mut rng))
}

#[test]
fn gradients_of_the_model() {
    let x = Tensor::randn([5, 4], &mut Rng::seed(1)).unwrap();
    gradcheck::assert_gradients(&mut model(), |model, tape| {
        loss::cross_entropy(model.forward(tape.constant(&x)), &Tensor::from([0, 1, 2, 0, 1]))
    });
}

#[test]
fn the_training_loop_is_deterministic_resumes_and_needs_no_more_memory() {
    let check = TrainingCheck::new(
        || (model::<f32>(), Adam::new(1e-2)),
        |model, adam, step| {
            let tape = Tape::train(step);
            let x = tape.constant(Tensor::randn([64, 4], &mut Rng::seed(step))?);
            let loss = loss::cross_entropy(model.forward(x), &Tensor::from(vec![1; 64]));
            adam.step(model, &loss.backward()?)
        },
    );
    check.assert_deterministic();
    check.assert_resumes();
    check.assert_flat_memory();
}
