//! Errors stay with the value that failed: later operations absorb them, all other values remain usable, and the messages
//! say what to do.

use wengert_ops::Tensor;
use wengert_tape::{
    Cotangents, Error, ErrorKind, Float, ForwardOutput, Grads, Op, Param, Result, RetainGraph, Tape, Var,
    VjpContext, cotangents,
};

const SHAPE: ErrorKind = ErrorKind::Op(wengert_ops::ErrorKind::Shape);

fn error<T>(outcome: Result<T>) -> Error {
    outcome.err().expect("this must fail")
}

/// A failed value, and another value of its tape.
fn poisoned(tape: &Tape<f64>) -> (Var<'_, f64>, Var<'_, f64>) {
    let x = tape.var(Tensor::from([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]));
    (x.matmul(Tensor::ones([4, 5])), x)
}

#[test]
fn a_failed_value_is_absorbed_by_everything() {
    let tape = Tape::<f64>::train(3);
    let (bad, x) = poisoned(&tape);
    let index = Tensor::from([0, 1]);
    let absorbed: Vec<(&str, Var<'_, f64>)> = vec![
        ("+", bad + x),
        ("+ on the right", x + bad),
        ("- number", 1.0 - bad),
        ("neg", -bad),
        ("matmul", x.matmul(bad)),
        ("linear's bias", x.linear(x, Some(bad))),
        ("tanh", bad.tanh()),
        ("sum", bad.sum()),
        ("an axis that it cannot have", bad.sum_axes([0, 5])),
        ("variance_axes", bad.variance_axes([1, 2], 1.0)),
        ("norm", bad.norm()),
        ("reshape", bad.reshape([3, 4])),
        ("flatten", bad.flatten(1)),
        ("sum_to", bad.sum_to([3])),
        ("slice", bad.slice(4, 1..2)),
        ("select", bad.select(3, 17)),
        ("split", bad.split(2, &[1, 2, 3])[2]),
        ("concat", tape.concat(&[x, bad, x], 0)),
        ("stack", tape.stack(&[x, bad], 0)),
        ("gather", bad.gather(0, &index)),
        ("scatter_add", x.scatter_add(0, &Tensor::from([[0]]), bad)),
        ("cross_entropy", bad.cross_entropy(&index)),
        ("dropout", bad.dropout(0.5)),
        ("softmax", bad.softmax(-1)),
        ("pow", x.pow(bad)),
        ("select", x.where_cond(x.gt(0.0), bad)),
        ("an unused branch", bad.where_cond(x.gt(99.0), x)),
        ("a mask", x.masked_fill(bad.gt(0.0), 1.0)),
        ("detach", bad.detach()),
        ("keep", bad.keep()),
        ("scope", tape.scope(|| bad.exp() * 2.0)),
        ("from f64", 2.0 / bad),
    ];
    let first = error(bad.value());
    assert_eq!((first.kind(), first.op()), (SHAPE, "matmul"));
    for (what, y) in absorbed {
        assert!(y.is_failed(), "{what}");
        let e = error(y.value());
        assert_eq!(e.to_string(), first.to_string(), "{what}");
        assert_eq!(error(y.sum().backward()).to_string(), first.to_string(), "{what}");
        assert_eq!(error(y.item()).to_string(), first.to_string(), "{what}");
    }
    assert_eq!(error(bad.lt(x)).op(), "matmul");
    assert_eq!(error(x.lt(bad)).op(), "matmul");
    assert_eq!(error(bad.grad(x)).op(), "matmul");
    assert_eq!(error(bad.backward_from(Tensor::ones([9]))).op(), "matmul");
}

#[test]
fn other_values_stay_usable() {
    let tape = Tape::<f64>::new();
    let (bad, x) = poisoned(&tape);
    let failed = bad.tanh() + x;
    let y = (x * x).sum();
    let grads = y.backward().unwrap();
    assert_eq!(grads.wrt(x).unwrap().to_vec(), [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
    assert!(failed.is_failed());
    // Also for an expression that does not contain the failed value.
    let chosen = if bad.is_failed() { x.sum() } else { bad.sum() };
    assert_eq!(chosen.backward().unwrap().wrt(x).unwrap().to_vec(), [1.0; 6]);
}

#[test]
fn the_tape_remembers_the_first_error_until_it_is_reset() {
    let mut tape = Tape::<f64>::new();
    assert!(tape.error().is_none());
    let x = tape.var(Tensor::ones([2, 3]));
    let _ = x.reshape([5]);
    let _ = x.matmul(x);
    let _ = x.sum_axes(9);
    assert_eq!(tape.error().unwrap().op(), "reshape");
    tape.reset();
    assert!(tape.error().is_none() && tape.is_empty());
    let _ = tape.var(Tensor::ones([2])).matmul(Tensor::ones([3]));
    assert_eq!(tape.error().unwrap().op(), "matmul");
}

#[test]
fn shapes_of_failed_values_are_ones_and_never_panic() {
    let tape = Tape::<f64>::new();
    let (bad, x) = poisoned(&tape);
    let dims = bad.shape();
    assert_eq!((dims[0], dims[7], dims[usize::MAX], dims.rank(), dims.numel()), (1, 1, 1, 0, 1));
    assert_eq!((bad.dim(0), bad.dim(-9), bad.dim(isize::MIN)), (1, 1, 1));
    assert_eq!((bad.dims::<3>(), bad.dims::<0>()), ([1, 1, 1], []));
    assert_eq!((bad.rank(), bad.numel()), (0, 1));
    // Code that computes with sizes continues to where the error is found.
    let heads = 4;
    let [batch, steps, width] = bad.dims();
    let y = bad.reshape([batch, steps, heads, width / heads]).permute([0, 2, 1, 3]);
    let y = y / (width as f64).sqrt() * (12 / bad.shape()[1]) as f64;
    assert_eq!(error(y.value()).op(), "matmul");
    assert_eq!(tape.error().unwrap().op(), "matmul");
    assert_eq!(format!("{dims} {dims:?}"), "[] []");
    assert!(format!("{bad:?}").contains("failed: matmul"), "{bad:?}");
    // Zeros and ones like a failed value are usable, as scalars.
    assert_eq!((bad.zeros_like() + x).value().unwrap(), x.value().unwrap());
    assert_eq!(bad.ones_like().item().unwrap(), 1.0);
}

#[test]
fn after_a_wrong_question_about_the_shape_nothing_is_computed() {
    let mut tape = Tape::<f64>::new();
    for round in 0..2 {
        let x = tape.var(Tensor::ones([2, 3]));
        let (before, sum) = (x * 2.0, x.sum());
        let line = line!() + 1;
        let (a, b) = if round == 0 { (x.dims::<1>()[0], "dims") } else { (x.dim(-3), "dim") };
        assert_eq!(a, 1);
        // Earlier values stay; later ones have the question's error with its line.
        assert!(x.value().is_ok() && before.value().is_ok());
        for e in [error((x + 1.0).value()), error(before.sum().backward()), tape.error().unwrap()] {
            assert_eq!((e.op(), e.location().unwrap().line()), (b, line), "{e}");
            assert!(e.detail().contains(["rank 1", "rank 2"][round]), "{e}");
        }
        assert_eq!(sum.backward().unwrap().wrt(x).unwrap().to_vec(), [1.0; 6]);
        tape.reset();
    }
    assert!(tape.var(1.0).exp().value().is_ok());
}

/// Arguments that are out of range make the result fail, not the operand.
#[test]
fn a_refused_argument_leaves_the_operand_alone() {
    type Call = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let calls: [(&str, Call); 8] = [
        ("select", |x| x.select(5, 0)),
        ("select", |x| x.select(0, 5)),
        ("split", |x| x.split(5, &[1, 2])[0]),
        ("split", |x| x.split(-3, &[1])[0]),
        ("split", |x| x.split(0, &[1])[0]),
        ("slice", |x| x.slice(5, 0..1)),
        ("concat", |x| x.tape().concat(&[x, x], 5)),
        ("sum", |x| x.sum_axes(5)),
    ];
    for (op, call) in calls {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::ones([2, 3]));
        let y = call(x);
        assert!(y.is_failed(), "{op}");
        assert!(!x.is_failed(), "{op} made its operand fail: {}", error(y.value()));
        assert_eq!(error(y.value()).op(), op);
        assert!(x.sum().backward().is_ok());
    }
}

#[test]
fn two_tapes_mixed_are_an_error_and_both_stay_usable() {
    let (one, two) = (Tape::<f64>::new(), Tape::<f64>::new());
    let a = one.var(Tensor::from([1.0, 2.0]));
    // Many nodes, so that a node number of this tape is out of range on the other.
    let b = (0..50).fold(two.var(Tensor::from([3.0, 4.0])), |x, _| x + 1.0);
    let mixed = [
        a + b,
        a * b,
        a.matmul(b),
        a.maximum(b),
        a.pow(b),
        a.linear(b, None),
        a.where_cond(Tensor::from([true, false]), b),
        one.concat(&[a, b], 0),
        one.stack(&[a, b], 0),
        one.apply(Pair, &[a, b]),
        one.apply(Pair, &[b, b]),
        one.apply_many(Pair, &[b], 2)[1],
    ];
    for (i, y) in mixed.into_iter().enumerate() {
        let e = error(y.value());
        assert_eq!(e.kind(), ErrorKind::ForeignTape, "{i}: {e}");
        assert!(std::ptr::eq(y.tape(), &one), "{i}");
    }
    assert_eq!(error(a.lt(b)).kind(), ErrorKind::ForeignTape);
    assert_eq!(
        error(one.backward(&[(b, Tensor::ones([2]))], RetainGraph::Nothing)).kind(),
        ErrorKind::ForeignTape
    );
    assert_eq!(error(a.sum().grad(b)).kind(), ErrorKind::ForeignTape);
    let (grads, other) = (a.sum().backward().unwrap(), b.sum().backward().unwrap());
    assert_eq!(error(grads.wrt(b)).kind(), ErrorKind::ForeignTape);
    assert_eq!(error(other.wrt(a)).kind(), ErrorKind::ForeignTape);
    assert!(one.error().is_some() && two.error().is_none(), "the other tape has met no error");
    assert_eq!(grads.wrt(a).unwrap().to_vec(), [1.0, 1.0]);
}

/// A seed of another tape would record the whole gradient on that tape.
#[test]
fn a_seed_of_another_tape_is_an_error() {
    let (one, two) = (Tape::<f64>::new(), Tape::<f64>::new());
    let x = one.var(Tensor::from([1.0, 2.0]));
    let seed = two.var(Tensor::from([1.0, 1.0]));
    for y in [x.reshape([2]), x * 2.0, x + x] {
        let outcome = one.grad(&[(y, seed)], &[x]).map(|g| g[0].tape().len());
        assert_eq!(error(outcome).kind(), ErrorKind::ForeignTape);
    }
    assert_eq!(two.len(), 1, "nothing was recorded on the other tape");
}

/// Two outputs: the input and its double.
struct Pair;

impl Op<f64> for Pair {
    fn name(&self) -> &'static str {
        "pair"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(vec![x[0].clone(), x[0].scale(2.0)].into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        cotangents([Some(r.gy_of(0) + r.gy_of(1) * 2.0)])
    }
}

/// An op that returns the given number of outputs.
struct Many(usize);

impl<T: Float> Op<T> for Many {
    fn name(&self) -> &'static str {
        "many"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        Ok(vec![x[0].clone(); self.0].into())
    }
}

#[test]
fn a_wrong_number_of_outputs_is_an_error_and_not_another_output() {
    let tape = Tape::<f64>::new();
    let x = tape.var(1.0);
    for (given, wanted) in [(0, 1), (2, 3), (3, 2)] {
        for y in tape.apply_many(Many(given), &[x], wanted) {
            let e = error(y.value());
            assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "many"), "{given} for {wanted}");
        }
    }
    assert_eq!(error(tape.apply(Many(0), &[x]).value()).kind(), ErrorKind::Rule);
    assert!(tape.apply_many(Many(3), &[x], 3).iter().all(|y| y.item().unwrap() == 1.0));
}

#[test]
fn freed_values_say_who_freed_them_and_what_to_do() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1.0, 2.0]));
    let p = Param::new(Tensor::from([3.0, 4.0]));
    let w = tape.param(&p);
    let mut inner = x;
    let y = tape.scope(|| {
        inner = x + 1.0;
        (inner * w).sum()
    });
    let middle = x.exp();
    let loss = y + (middle * 2.0).sum();
    drop(loss.backward().unwrap());
    let says = |v: Var<'_, f64>, parts: &[&str]| {
        let e = error(v.value());
        assert_eq!(e.kind(), ErrorKind::Freed);
        for part in parts {
            assert!(e.to_string().contains(part), "{part:?} is not in {e}");
        }
        let later = error((v * 2.0).value());
        assert_eq!((later.kind(), later.op()), (ErrorKind::Freed, "mul"));
        assert_eq!(v.shape(), [2], "its shape is still known");
        assert!(format!("{v:?}").contains("[2] (freed)"), "{v:?}");
    };
    says(middle, &["[2]", "backward()", "keep()", "backward_retaining()"]);
    says(w, &["[2]", "parameter", "released", "tape.param"]);
    // The value in the scope was saved for the product's rule, and then freed by the sweep.
    says(inner, &["backward()"]);
    // Leaves, rank-0 values and roots stay.
    assert!(x.value().is_ok() && y.value().is_ok() && loss.value().is_ok());
    let mut unsaved = x;
    tape.scope(|| unsaved = x + 5.0);
    says(unsaved, &["scope at ", "errors.rs:", "return it from the scope", "keep()"]);
    assert_eq!(tape.param(&p).value().unwrap().to_vec(), [3.0, 4.0], "tape.param() returns it again");
}

#[test]
fn kept_values_outlive_scope_and_sweep() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1.0, 2.0]));
    let p = Param::new(Tensor::from([3.0, 4.0]));
    let w = tape.param(&p).keep();
    let mut inner = x;
    let loss = tape.scope(|| {
        inner = (x + 1.0).keep();
        (inner * 2.0 * w).sum()
    });
    drop(loss.backward().unwrap());
    assert_eq!(inner.value().unwrap().to_vec(), [2.0, 3.0]);
    assert_eq!(w.value().unwrap().to_vec(), [3.0, 4.0]);
}

#[test]
fn a_strict_tape_panics_with_the_whole_message() {
    type Attempt = fn(&Tape<f64>);
    let attempts: [(&str, Attempt); 6] = [
        ("matmul: ", |t| {
            drop(t.var(Tensor::ones([2, 3])).matmul(Tensor::ones([2, 3])).value());
        }),
        ("dropout: ", |t| drop(t.var(1.0).dropout(2.0).value())),
        ("dims: ", |t| {
            assert_eq!(t.var(Tensor::ones([2, 3])).dims::<3>(), [2, 3, 1]);
        }),
        ("from_vec: ", |t| {
            drop(t.var(Tensor::from_vec(vec![1.0], [7])).value());
        }),
        ("split: ", |t| drop(t.var(Tensor::ones([3])).split(0, &[1]))),
        ("operand", |t| {
            drop(t.var(1.0).maximum(Tape::new().var(1.0)).value());
        }),
    ];
    for (head, attempt) in attempts {
        let tape = Tape::<f64>::new().strict();
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| attempt(&tape)));
        let message = *caught.expect_err(head).downcast::<String>().unwrap();
        assert!(message.contains(head) && message.contains("errors.rs:"), "{head}: {message}");
        // The tape itself is still usable.
        let y = tape.var(Tensor::from([2.0])).square();
        assert_eq!(y.value().unwrap().to_vec(), [4.0]);
    }
    // A success does not panic, and neither does a question that returns its error.
    let tape = Tape::<f64>::new().strict();
    let x = tape.var(Tensor::from([1.0, 2.0]));
    assert!(x.sum().backward().is_ok() && x.backward().is_err() && x.item().is_err());
}

#[test]
fn anomalies_are_reported_at_their_birth() {
    type F = for<'t> fn(Var<'t, f64>) -> Var<'t, f64>;
    let forward: [(&str, &[f64], F); 6] = [
        ("log", &[0.0, 1.0], |x| (x.log() * 0.0).sum()),
        ("sqrt", &[-1.0, 1.0], |x| x.sqrt().masked_fill(Tensor::from([true, false]), 0.0).sum()),
        ("exp", &[1e4, 1.0], |x| (-x.exp()).exp().sum()),
        ("div", &[0.0, 1.0], |x| (1.0 / x).tanh().sum()),
        ("pow", &[-2.0, 1.0], |x| x.pow(0.5).sum()),
        ("square", &[1e200, 1.0], |x| x.square().tanh().sum()),
    ];
    for (op, at, f) in forward {
        let tape = Tape::<f64>::new().detect_anomaly();
        let x = tape.var(Tensor::from_slice(at, [2]).unwrap());
        let y = f(x);
        for e in [tape.error().unwrap(), error(y.value()), error(y.backward())] {
            assert_eq!((e.kind(), e.op()), (ErrorKind::NonFinite, op), "{e}");
            assert!(e.location().is_some_and(|l| l.file().ends_with("errors.rs")), "{e}");
            assert!(e.detail().contains("[2] in ["), "the range of the input: {e}");
        }
        // Without the mode there is no error.
        let tape = Tape::<f64>::new();
        assert!(f(tape.var(Tensor::from_slice(at, [2]).unwrap())).backward().is_ok(), "{op}");
    }
    // A function made of others has its own name.
    let made: [(&str, F); 5] = [
        ("clamp_min", |x| x.clamp_min(0.0)),
        ("clamp_max", |x| x.clamp_max(0.0)),
        ("relu6", |x| x.relu6()),
        ("hardtanh", |x| x.hardtanh()),
        ("clamp_between", |x| x.clamp_between(0.0, 1.0)),
    ];
    for (name, f) in made {
        let tape = Tape::<f64>::new().detect_anomaly();
        let e = error(f(tape.var(f64::NAN)).value());
        assert_eq!((e.kind(), e.op()), (ErrorKind::NonFinite, name), "{e}");
    }
    let backward: [(&str, &[f64], F); 3] = [
        ("sqrt", &[0.0, 1.0], |x| x.sqrt().sum()),
        ("rsqrt", &[1e-300, 1.0], |x| x.rsqrt().sum()),
        ("pow", &[0.0, 1.0], |x| x.pow(0.5).sum()),
    ];
    for (op, at, f) in backward {
        let tape = Tape::<f64>::new().detect_anomaly();
        let x = tape.var(Tensor::from_slice(at, [2]).unwrap());
        let y = f(x);
        assert!(!y.is_failed(), "{op}: {y:?}");
        let e = error(y.backward());
        assert_eq!((e.kind(), e.op()), (ErrorKind::NonFinite, op), "{e}");
        assert!(e.location().is_some_and(|l| l.file().ends_with("errors.rs")), "{e}");
        assert!(e.detail().contains("cotangent") && e.detail().contains("[2]"), "{e}");
    }
    // The first rule detects a seed that is not finite.
    let tape = Tape::<f64>::new().detect_anomaly();
    let x = tape.var(1.0);
    let e = error((x * 2.0).backward_from(Tensor::scalar(f64::NAN)));
    assert_eq!(e.kind(), ErrorKind::NonFinite);
}

#[test]
fn an_evaluating_tape_refuses_gradients_and_holds_none() {
    let tape = Tape::<f64>::eval();
    assert!(!tape.is_recording() && !tape.is_training());
    let x = tape.var(2.0);
    let y = x * x;
    assert_eq!(y.item().unwrap(), 4.0);
    for e in [
        error(y.backward()),
        error(y.backward_retaining()),
        error(y.backward_from(Tensor::scalar(1.0))),
        error(y.grad(x)),
        error(tape.backward(&[(y, Tensor::scalar(1.0))], RetainGraph::Values)),
    ] {
        assert_eq!(e.kind(), ErrorKind::NoGradient);
        assert!(e.detail().contains("Tape::new()"), "{e}");
    }
    // A failed value reports its own error, not that the tape is for evaluation.
    let bad = tape.var(Tensor::ones([2])).matmul(Tensor::ones([3]));
    assert_eq!(error(bad.sum().backward()).op(), "matmul");
}

#[test]
fn outputs_and_seeds_are_checked() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([[1.0, 2.0]]));
    for e in [error(x.backward()), error(x.backward_retaining()), error(x.grad(x))] {
        assert_eq!(e.kind(), ErrorKind::NoGradient);
        assert!(e.detail().contains("[1, 2]") && e.detail().contains("backward_from"), "{e}");
    }
    for seed in [Tensor::ones([2]), Tensor::ones([2, 1]), Tensor::ones(()), Tensor::ones([1, 2, 1])] {
        let e = error(x.backward_from(seed));
        assert_eq!(e.kind(), SHAPE);
        assert!(e.detail().contains("[1, 2]"), "{e}");
    }
    let e = error(x.backward_from(Tensor::from_vec(vec![1.0], [3, 3])));
    assert!(e.op() == "from_vec" && e.location().is_some(), "{e}");
    // One element of any rank counts as a scalar.
    let one = x.slice(1, 0..1);
    assert_eq!(one.backward().unwrap().wrt(x).unwrap().to_vec(), [1.0, 0.0]);
    // Without outputs there are no gradients.
    let none = tape.backward(&[], RetainGraph::Nothing).unwrap();
    assert!(none.is_empty() && none.iter().next().is_none());
    // A seed that has failed reports its own error, whatever its shape.
    let failed = x.matmul(Tensor::ones([7]));
    assert_eq!(error(tape.grad(&[(x, failed)], &[x])).op(), "matmul");
    // An output without elements is not a scalar.
    assert!(x.slice(0, 0..0).backward().is_err());
}

#[test]
fn gradients_that_do_not_exist_say_why() {
    let tape = Tape::<f64>::new();
    let (x, unused) = (tape.var(Tensor::from([1.0, 2.0])), tape.var(1.0));
    let constant = tape.constant(Tensor::from([3.0, 4.0]));
    let y = x * constant;
    let frozen = {
        let mut p = Param::new(Tensor::from([5.0, 6.0]));
        p.set_trainable(false);
        p
    };
    let unreached = Param::new(Tensor::from([5.0, 6.0]));
    let f = tape.param(&frozen);
    let later = y.exp();
    let grads: Grads<f64> = (y + f).sum().backward_retaining().unwrap();
    let says = |outcome: Result<Tensor<f64>>, kind: ErrorKind, part: &str| {
        let e = error(outcome);
        assert!(e.kind() == kind && e.detail().contains(part), "{kind:?} {part:?}: {e:?}");
    };
    says(grads.wrt(constant), ErrorKind::NoGradient, "constant");
    says(grads.wrt(unused), ErrorKind::Unreached, "does not depend");
    says(grads.wrt(y), ErrorKind::NoGradient, "keep()");
    says(grads.wrt(later), ErrorKind::NoGradient, "keep()");
    says(grads.wrt(f), ErrorKind::NoGradient, "frozen");
    says(grads.of(&frozen).cloned(), ErrorKind::Unreached, "frozen");
    says(grads.of(&unreached).cloned(), ErrorKind::Unreached, "does not depend");
    assert!(grads.get(unreached.id()).is_none());
    // A recorded gradient is zero with respect to a value that is not reached, and an error with respect to a constant.
    assert_eq!(x.sum().grad(unused).unwrap().item().unwrap(), 0.0);
    assert_eq!(error(x.sum().grad(constant)).kind(), ErrorKind::NoGradient);
    for (value, part) in
        [(f, "frozen parameter"), (constant, "it is a constant"), (constant.exp(), "it was made of")]
    {
        let e = error(x.sum().grad(value));
        assert!(e.kind() == ErrorKind::NoGradient && e.detail().contains(part), "{e}");
    }
    // An output that depends on no leaf has no gradients.
    for output in [constant.sum(), f.exp().sum(), x.detach().sum(), tape.constant(1.0)] {
        let swept =
            [output.backward(), output.backward_retaining(), output.backward_from(Tensor::scalar(1.0))];
        for e in swept.into_iter().map(error) {
            assert!(e.kind() == ErrorKind::NoGradient && e.detail().contains("depends on no var()"), "{e}");
            assert!(e.location().is_some_and(|at| at.file().ends_with("errors.rs")), "{e}");
        }
    }
    let one_of_two = [(constant.sum(), Tensor::scalar(1.0)), (x.sum(), Tensor::scalar(2.0))];
    assert_eq!(tape.backward(&one_of_two, RetainGraph::Values).unwrap().wrt(x).unwrap().to_vec(), [2.0, 2.0]);
}

/// Adds its two inputs, and assumes that there are two.
struct Sum2;

impl Op<f64> for Sum2 {
    fn name(&self) -> &'static str {
        "sum2"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].add(x[1])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        let rows = r.gy().value().map_or(0, |g| g.shape()[0]);
        assert!(rows != 3, "three rows are too many");
        cotangents([Some(r.gy()), Some(r.gy())])
    }
}

#[test]
fn a_panic_in_an_op_is_an_error_with_the_users_line() {
    for strict in [false, true] {
        let tape = if strict { Tape::<f64>::new() } else { Tape::train(0) };
        let x = tape.var(Tensor::ones([3]));
        for (inputs, parts) in
            [(&[][..], &["no inputs"][..]), (&[x], &["one input of shape [3]", "len is 1"])]
        {
            let e = error(tape.apply(Sum2, inputs).value());
            assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "sum2"));
            assert!(e.detail().contains("forward of the op panicked"), "{e}");
            assert!(parts.iter().all(|part| e.detail().contains(part)), "{e}");
            assert!(e.location().is_some_and(|at| at.file().ends_with("errors.rs")), "{e}");
        }
        let y = tape.apply(Sum2, &[x, x]);
        assert_eq!(y.value().unwrap().to_vec(), [2.0; 3], "the tape is still usable");
        let sum = y.sum();
        for e in [error(sum.grad(x)), error(sum.backward_retaining())] {
            assert!(e.op() == "sum2" && e.detail().contains("three rows are too many"), "{e}");
        }
        assert_eq!(x.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [1.0; 3]);
    }
}

/// x², whose function of this name panics.
struct Panics(&'static str);

impl Panics {
    fn at(&self, function: &str) {
        assert!(self.0 != function, "there is no {function}");
    }
}

impl Op<f64> for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].mul(x[0])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        cotangents([Some(r.x(0) * 2.0 * r.gy())])
    }
    fn selection(&self) -> Option<&dyn wengert_tape::Selection<f64>> {
        self.at("selection");
        None
    }
    fn arguments(&self) -> Option<String> {
        self.at("arguments");
        None
    }
    fn equation(&self) -> Option<wengert_tape::Equation> {
        self.at("equation");
        None
    }
    fn saves(&self, _needs: &[bool]) -> wengert_tape::Saves {
        self.at("saves");
        wengert_tape::Saves::INPUTS
    }
}

#[test]
fn a_panic_in_what_an_op_says_of_itself_is_caught() {
    let ours = |e: Error, function: &str| {
        assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "panics"), "{e}");
        let words =
            format!("{function} of the op panicked, given one input of shape [2]: there is no {function}");
        assert_eq!(e.detail(), words);
        assert!(e.location().is_some_and(|at| at.file().ends_with("errors.rs")), "{e}");
    };
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([2.0, 3.0]));
    let y = tape.apply(Panics("saves"), &[x]);
    ours(error(y.value()), "saves");
    // Of a constant nothing is saved.
    let constant = tape.constant(Tensor::from([2.0, 3.0]));
    assert_eq!(tape.apply(Panics("saves"), &[constant]).value().unwrap().to_vec(), [4.0, 9.0]);
    let y = tape.apply(Panics("selection"), &[x]).sum();
    ours(error(y.backward_retaining()), "selection");
    ours(error(y.grad(x)), "selection");
    // A description is not worth a failure: values, gradients and steps are those of the op.
    for function in ["arguments", "equation"] {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([2.0, 3.0]));
        let y = tape.apply(Panics(function), &[x]);
        let nodes = tape.nodes();
        let said = nodes[1].arguments.as_deref().unwrap_or_default();
        assert_eq!(said.contains("arguments of the op panicked"), function == "arguments", "{said}");
        assert!(nodes[1].equation.is_none());
        assert_eq!(tape.sweep_steps(y.sum()).unwrap().last().unwrap().given[0].1.to_vec(), [4.0, 6.0]);
        assert_eq!(y.sum().backward().unwrap().wrt(x).unwrap().to_vec(), [4.0, 6.0]);
    }
}

/// x² with one of several incomplete definitions of its derivative.
struct Square(&'static str);

impl Op<f64> for Square {
    fn name(&self) -> &'static str {
        "square of a user"
    }
    fn forward(&self, x: &[&Tensor<f64>]) -> wengert_ops::Result<ForwardOutput<f64>> {
        Ok(x[0].mul(x[0])?.into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, f64>) -> Cotangents<Var<'s, f64>> {
        match self.0 {
            "vjp" => cotangents([Some(r.x(0) * 2.0 * r.gy())]),
            _ => Cotangents::new(),
        }
    }
    fn backward(
        &self,
        r: &wengert_tape::BackwardContext<'_, f64>,
    ) -> Option<Result<Cotangents<Tensor<f64>>>> {
        let x = match r.x(0) {
            Ok(x) => x,
            Err(e) => return (self.0 == "backward").then_some(Err(e)),
        };
        (self.0 == "backward").then(|| Ok(cotangents([Some(x.scale(2.0).mul(r.gy()?)?)])))
    }
    fn composite<'t>(&self, x: &[Var<'t, f64>]) -> Option<Vec<Var<'t, f64>>> {
        (self.0 == "composite").then(|| vec![x[0] * x[0]])
    }
    fn saves(&self, _needs: &[bool]) -> wengert_tape::Saves {
        wengert_tape::Saves::NOTHING
    }
}

#[test]
fn what_an_op_does_not_declare_or_say_is_its_own_mistake() {
    for way in ["vjp", "backward", "composite"] {
        let tape = Tape::<f64>::new();
        let x = tape.var(Tensor::from([2.0, 3.0]));
        let sum = tape.scope(|| tape.apply(Square(way), &[x + 1.0]).sum());
        let mut outcomes = vec![sum.backward_retaining().map(drop)];
        if way != "backward" {
            outcomes.push(sum.grad(x).map(drop));
        }
        for e in outcomes.into_iter().map(error) {
            assert_eq!((e.kind(), e.op()), (ErrorKind::Rule, "square of a user"), "{way}: {e}");
            assert!(e.detail().contains("reads input 0, which saves() does not name"), "{way}: {e}");
        }
    }
    // Without any rule, both sweeps report the same message.
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([2.0, 3.0]));
    let sum = tape.apply(Square(""), &[x]).sum();
    for e in [error(sum.backward_retaining()), error(sum.grad(x))] {
        assert!(
            e.detail()
                == "the op has no rule: it needs one of vjp(), backward(), composite() and selection()",
            "{e}"
        );
    }
}

/// A scalar has no axis for any function: neither 0 nor -1.
#[test]
fn a_scalar_has_no_axis() {
    type Call = for<'t> fn(Var<'t, f64>, isize) -> Var<'t, f64>;
    let calls: [(&str, Call); 8] = [
        ("softmax", |x, a| x.softmax(a)),
        ("log_softmax", |x, a| x.log_softmax(a)),
        ("sum", |x, a| x.sum_axes(a)),
        ("cumsum", |x, a| x.cumsum(a)),
        ("sort", |x, a| x.sort(a, false).0),
        ("flip", |x, a| x.flip(a)),
        ("logsumexp", |x, a| x.logsumexp(a)),
        ("max_along", |x, a| x.max_along(a).0),
    ];
    for (name, call) in calls {
        for axis in [0, -1] {
            let e = error(call(Tape::new().var(3.0), axis).value());
            assert_eq!(
                e.detail(),
                format!("axis {axis} is out of range for a tensor of rank 0"),
                "{name}: {e}"
            );
        }
    }
}

#[test]
fn gradients_belong_to_one_run_of_the_tape() {
    let mut tape = Tape::<f64>::new();
    let grads = {
        let x = tape.var(Tensor::from([1.0, 2.0]));
        x.square().sum().backward().unwrap()
    };
    tape.reset();
    // The same node number on the same tape, but not the same value.
    let x = tape.var(Tensor::from([1.0, 2.0]));
    let e = error(grads.wrt(x));
    assert_eq!(e.kind(), ErrorKind::ForeignTape, "{e}");
    assert_eq!(x.square().sum().backward().unwrap().wrt(x).unwrap().to_vec(), [2.0, 4.0]);
}

#[test]
fn operands_may_be_results_whose_error_is_absorbed() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([1.0, 2.0]));
    let good = || Tensor::from([3.0, 4.0]).mul(Tensor::from([1.0, 2.0]));
    let bad = || Tensor::from([3.0, 4.0]).mul(Tensor::<f64>::ones([3]));
    assert_eq!((x * good()).value().unwrap().to_vec(), [3.0, 16.0]);
    assert_eq!(x.maximum(good()).value().unwrap().to_vec(), [3.0, 8.0]);
    let y = [
        x + bad(),
        x - bad(),
        x * bad(),
        x / bad(),
        x.pow(bad()),
        x.maximum(bad()),
        x.matmul(bad()),
        x.linear(bad(), None),
        x.where_cond(x.gt(0.0), bad()),
        x.masked_fill(x.gt(0.0), bad()),
        x.scatter_add(0, &Tensor::from([0]), bad()),
        tape.var(bad()),
        tape.constant(bad()),
    ];
    for y in y {
        let e = error(y.value());
        assert_eq!((e.kind(), e.op()), (SHAPE, "mul"), "{e}");
        assert!(e.detail().contains("[2]") && e.detail().contains("[3]") && e.location().is_some(), "{e}");
    }
    assert!(!x.is_failed());
}

#[test]
fn parameters_keep_their_shape() {
    let mut p = Param::new(Tensor::<f64>::ones([2, 3]));
    p.set_name("layer.weight");
    let e = error(p.set(Tensor::ones([3, 2])));
    assert!(e.kind() == SHAPE && e.detail().contains("layer.weight"), "{e}");
    assert!(e.detail().contains("[2, 3]") && e.detail().contains("[3, 2]"), "{e}");
    assert_eq!((p.version(), p.value()), (0, &Tensor::ones([2, 3])), "nothing has changed");
}
