//! Every error names the line on which the user called the operation, whatever the library called in between, and the
//! module whose parameters were involved.

use wengert_ops::{Slice, Tensor};
use wengert_tape::gradcheck::Gen;
use wengert_tape::rules::table;
use wengert_tape::{
    Cotangents, Error, ErrorKind, Float, ForwardOutput, Op, Param, Pointwise, Pointwise2, Real, Tape, Var,
    VjpContext, cotangents,
};

fn error<T>(outcome: wengert_tape::Result<T>) -> Error {
    outcome.err().expect("this call must fail")
}

fn failed(x: Var<'_, f64>) -> Error {
    error(x.value())
}

/// Asserts that an error has its origin in this file on the given line.
#[track_caller]
fn born(what: &str, e: &Error, line: u32) {
    let at = e.location().unwrap_or_else(|| panic!("{what}: no location in {e}"));
    assert!(at.file().ends_with("tests/locations.rs"), "{what}: {e}");
    assert_eq!(at.line(), line, "{what}: {e}");
    let text = e.to_string();
    assert!(text.lines().count() <= 3, "{what}: more than three lines in {text}");
    assert!(text.starts_with(&format!("{}: ", e.op())), "{what}: {text}");
}

/// A custom op that fails for every rank except 2.
struct OnlyMatrices;

impl<T: Float> Op<T> for OnlyMatrices {
    fn name(&self) -> &'static str {
        "only_matrices"
    }
    fn forward(&self, x: &[&Tensor<T>]) -> wengert_ops::Result<ForwardOutput<T>> {
        if x[0].rank() != 2 {
            let detail = format!("expected a matrix, found {}", x[0].shape());
            return Err(wengert_ops::Error::new("only_matrices", wengert_ops::ErrorKind::Shape, detail));
        }
        Ok(x[0].clone().into())
    }
    fn vjp<'s>(&self, r: VjpContext<'_, 's, T>) -> Cotangents<Var<'s, T>> {
        cotangents([Some(r.gy().reshape([7, 7]))])
    }
}

#[derive(Clone)]
struct Twice;

impl Pointwise for Twice {
    const NAME: &'static str = "twice";
    fn f<F: Float>(&self, x: F) -> F {
        x + x
    }
    fn df<R: Real>(&self, x: R, _y: R) -> R {
        x.like(2.0)
    }
}

#[derive(Clone)]
struct Hypot;

impl Pointwise2 for Hypot {
    const NAME: &'static str = "hypot";
    fn f<F: Float>(&self, a: F, b: F) -> F {
        (a * a + b * b).sqrt()
    }
    fn da<R: Real>(&self, a: R, _b: R, y: R) -> R {
        a / y
    }
    fn db<R: Real>(&self, _a: R, b: R, y: R) -> R {
        b / y
    }
}

/// Calls that fail: line, op, error, and what the message must contain.
#[test]
#[rustfmt::skip]
fn calls_that_cannot_be_done_are_found_where_they_were_written() {
    let tape = Tape::<f64>::train(0);
    let t = &tape;
    let x = t.var(Tensor::ones([2, 3]));
    let bad = || Tensor::<f64>::ones([4, 5]);
    let y = t.var(bad());
    let wrong: wengert_ops::Result<Tensor<f64>> = Tensor::from_vec(vec![1.0], [2]);
    let at = |v: &[i64]| Tensor::from_slice(v, [v.len()]).unwrap();
    let cases: [(u32, &str, Error, &[&str]); 72] = [
        (line!(), "add", failed(x + y), &["[2, 3]", "[4, 5]"]),
        (line!(), "sub", failed(x - y), &["[2, 3]", "[4, 5]"]),
        (line!(), "mul", failed(x * y), &["[2, 3]", "[4, 5]"]),
        (line!(), "div", failed(x / y), &["[2, 3]", "[4, 5]"]),
        (line!(), "add", failed(x + bad()), &["[2, 3]", "[4, 5]"]),
        (line!(), "sub", failed(x - &bad()), &["[2, 3]", "[4, 5]"]),
        (line!(), "mul", failed(&bad() * x), &["[2, 3]", "[4, 5]"]),
        (line!(), "div", failed(&bad() / x), &["[2, 3]", "[4, 5]"]),
        (line!(), "from_vec", failed(x * wrong.clone()), &["[2]", "1"]),
        (line!(), "from_vec", failed(t.var(wrong.clone())), &["[2]", "1"]),
        (line!(), "from_vec", failed(t.constant(wrong)), &["[2]", "1"]),
        (line!(), "matmul", failed(x.matmul(y)), &["[2, 3]", "[4, 5]"]),
        (line!(), "matmul", failed(x.matmul(bad())), &["[2, 3]", "[4, 5]"]),
        (line!(), "matmul", failed(x.matmul(2.0)), &["[2, 3]", "[]"]),
        (line!(), "linear", failed(x.linear(y, None)), &["[2, 3]", "[4, 5]"]),
        (line!(), "linear", failed(x.linear(x, Some(y))), &["[2, 3]", "[4, 5]"]),
        (line!(), "reshape", failed(x.reshape([4, 5])), &["[2, 3]", "[4, 5]"]),
        (line!(), "reshape", failed(x.reshape([-1, -1])), &["[2, 3]", "[-1, -1]", "only one size"]),
        (line!(), "permute", failed(x.permute([0, 2])), &["2"]),
        (line!(), "permute", failed(x.permute([1])), &["[2, 3]", "[1]"]),
        (line!(), "transpose", failed(x.transpose(0, 7)), &["7", "rank 2"]),
        (line!(), "t", failed(x.sum().t()), &["-2", "rank 0"]),
        (line!(), "squeeze", failed(x.squeeze(0)), &["[2, 3]"]),
        (line!(), "unsqueeze", failed(x.unsqueeze(9)), &["9"]),
        (line!(), "expand", failed(x.expand([4, 5])), &["[2, 3]", "[4, 5]"]),
        (line!(), "sum_to", failed(x.sum_to([4, 5])), &["[2, 3]", "[4, 5]"]),
        (line!(), "sum_to", failed(x.sum_to([-4])), &["-4"]),
        (line!(), "sum", failed(x.sum_axes(5)), &["5", "rank 2"]),
        (line!(), "sum", failed(x.sum_keepdim([0, 0])), &["twice"]),
        (line!(), "mean", failed(x.mean_axes(-3)), &["-3", "rank 2"]),
        (line!(), "mean", failed(x.mean_keepdim(5)), &["5", "rank 2"]),
        (line!(), "max", failed(x.max_axes(5)), &["5", "rank 2"]),
        (line!(), "max", failed(x.max_keepdim(5)), &["5", "rank 2"]),
        (line!(), "min", failed(x.min_axes(5)), &["5", "rank 2"]),
        (line!(), "min", failed(x.min_keepdim(5)), &["5", "rank 2"]),
        (line!(), "max", failed(x.slice(0, 0..0).max()), &["[0, 3]"]),
        (line!(), "min", failed(x.slice(0, 0..0).min()), &["[0, 3]"]),
        (line!(), "variance_axes", failed(x.variance_axes(5, 0.0)), &["5", "rank 2"]),
        (line!(), "std_axes", failed(x.std_axes(5, 0.0)), &["5", "rank 2"]),
        (line!(), "norm_axes", failed(x.norm_axes(5)), &["5", "rank 2"]),
        (line!(), "norm_keepdim", failed(x.norm_keepdim(5)), &["5", "rank 2"]),
        (line!(), "logsumexp", failed(x.logsumexp(5)), &["5", "rank 2"]),
        (line!(), "logsumexp", failed(x.logsumexp_keepdim(5)), &["5", "rank 2"]),
        (line!(), "softmax", failed(x.softmax(5)), &["5", "rank 2"]),
        (line!(), "log_softmax", failed(x.log_softmax(-3)), &["-3", "rank 2"]),
        (line!(), "concat", failed(t.concat(&[x, y], 0)), &["[2, 3]", "[4, 5]"]),
        (line!(), "concat", failed(t.concat(&[], 0)), &[]),
        (line!(), "concat", failed(t.concat(&[x], 5)), &["5"]),
        (line!(), "stack", failed(t.stack(&[x, y], 0)), &["[2, 3]", "[4, 5]"]),
        (line!(), "stack", failed(t.stack(&[x, x], 9)), &["9"]),
        (line!(), "pad", failed(x.pad(&[(1, 1)], 0.0)), &["[2, 3]"]),
        (line!(), "slice", failed(x.slice(5, ..)), &["5", "rank 2"]),
        (line!(), "slice", failed(x.slice(0, Slice::all().step(0))), &["0"]),
        (line!(), "select", failed(x.select(1, 3)), &["position 3", "[2, 3]"]),
        (line!(), "split", failed(x.split(1, &[1, 1])[1]), &["[1, 1]", "[2, 3]"]),
        (line!(), "gather", failed(x.gather(1, &Tensor::from([[3], [0]]))), &["index 3", "size 3"]),
        (line!(), "gather", failed(x.gather(1, &at(&[0]))), &["[1]", "[2, 3]"]),
        (line!(), "scatter_add", failed(x.scatter_add(1, &Tensor::from([[-1]]), 1.0)), &[]),
        (line!(), "index_select", failed(x.index_select(0, &at(&[2]))), &["index 2", "size 2"]),
        (line!(), "index_add", failed(x.index_add(0, &at(&[0]), y)), &["[1, 3]", "[4, 5]"]),
        (line!(), "cross_entropy", failed(x.cross_entropy(&at(&[0]))), &["[2, 3]", "[1]"]),
        (line!(), "cross_entropy", failed(x.cross_entropy(&at(&[0, 3]))), &["target 3", "3 classes"]),
        (line!(), "dropout", failed(x.dropout(2.0)), &["2"]),
        (line!(), "dropout", failed(x.dropout(f64::NAN)), &["NaN"]),
        (line!(), "pow", failed(x.pow(y)), &["[2, 3]", "[4, 5]"]),
        (line!(), "maximum", failed(x.maximum(y)), &["[2, 3]", "[4, 5]"]),
        (line!(), "minimum", failed(x.minimum(bad())), &["[2, 3]", "[4, 5]"]),
        (line!(), "where_cond", failed(x.where_cond(Tensor::from([true; 7]), 0.0)), &["[7]"]),
        (line!(), "only_matrices", failed(t.apply(OnlyMatrices, &[x.sum()])), &["[]"]),
        (line!(), "only_matrices", failed(t.apply_many(OnlyMatrices, &[x.sum()], 2)[1]), &["[]"]),
        (line!(), "only_matrices", failed(t.apply_static(&OnlyMatrices, &[x.sum()])), &["[]"]),
        (line!(), "hypot", failed(x.pointwise2(y, Hypot)), &["[2, 3]", "[4, 5]"]),
    ];
    for (line, op, e, parts) in &cases {
        born(op, e, *line);
        assert_eq!(e.op(), *op, "line {line}: {e}");
        for part in *parts {
            assert!(e.to_string().contains(part), "{part} is not in {e}");
        }
    }
    assert!(!x.is_failed() && !y.is_failed(), "a call that fails leaves its operands usable");
}

#[test]
#[rustfmt::skip]
fn comparisons_and_masks_that_fail_are_found() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.var(Tensor::ones([2, 3])), tape.var(Tensor::ones([4, 5])));
    let cases = [
        (line!(), "lt", error(x.lt(y))),
        (line!(), "le", error(x.le(y))),
        (line!(), "gt", error(x.gt(y))),
        (line!(), "ge", error(x.ge(y))),
        (line!(), "eq", error(x.eq(y))),
        (line!(), "ne", error(x.ne(Tensor::ones([4, 5])))),
        (line!(), "gt", failed(x.masked_fill(x.gt(y), 0.0))),
        (line!(), "gt", failed(x.where_cond(x.gt(y), 0.0))),
        (line!(), "lt", failed(x.masked_fill(Tensor::ones([2]).lt(Tensor::<f64>::ones([3])), 0.0))),
    ];
    for (line, op, e) in &cases {
        born(op, e, *line);
        assert_eq!(e.op(), *op, "{e}");
    }
    // The comparison of a failed value returns that value's error.
    let line = line!() + 1;
    let z = x + y;
    let e = failed(x.masked_fill(z.gt(0.0), 0.0));
    born("absorbed", &e, line);
}

#[test]
#[rustfmt::skip]
fn shape_queries_that_fail_are_found() {
    let tapes = [(); 3].map(|()| Tape::<f64>::new());
    let [a, b, c] = tapes.each_ref().map(|tape| tape.var(Tensor::ones([2, 3])));
    let dim = line!(); let n = a.dim(7);
    let dims = line!(); let [i, j, k] = b.dims();
    let negative = line!(); let m = c.dim(-3);
    assert_eq!((n, m, [i, j, k]), (1, 1, [1; 3]));
    for (line, op, x) in [(dim, "dim", a), (dims, "dims", b), (negative, "dim", c)] {
        let e = failed(x + 1.0);
        born(op, &e, line);
        assert_eq!(e.op(), op);
        assert_eq!((x.dim(0), x.dim(99), x.dims::<4>()), (2, 1, [1; 4]));
        assert_eq!(failed(x.exp()).op(), op, "the first question decides");
    }
}

#[test]
#[rustfmt::skip]
fn questions_that_cannot_be_answered_are_found() {
    let tape = Tape::<f64>::new();
    let other = Tape::<f64>::new();
    let eval = Tape::<f64>::eval();
    let x = tape.var(Tensor::ones([2, 3]));
    let alien = other.var(Tensor::ones([2, 3]));
    let constant = tape.constant(1.0);
    let grads = x.sum().backward().unwrap();
    let param = Param::new(Tensor::<f64>::ones([2]));
    let wrong = || Tensor::<f64>::from_vec(vec![1.0], [2]);
    let eval_x = eval.var(2.0);
    let unused = tape.var(1.0);
    let y = x * 2.0;
    let cases = [
        (line!(), error(x.item())),
        (line!(), error(x.backward())),
        (line!(), error(x.backward_retaining())),
        (line!(), error(x.backward_from(Tensor::ones([3])))),
        (line!(), error(x.backward_from(wrong()))),
        (line!(), error(x.grad(x))),
        (line!(), error(x.sum().grad(constant))),
        (line!(), error(x.sum().grad(alien))),
        (line!(), error(eval_x.backward())),
        (line!(), error(eval_x.grad(eval_x))),
        (line!(), error(tape.backward(&[(alien, Tensor::ones([2, 3]))], wengert_tape::RetainGraph::Nothing))),
        (line!(), error(tape.grad(&[(x, constant)], &[x]))),
        (line!(), error(grads.wrt(constant))),
        (line!(), error(grads.wrt(alien))),
        (line!(), error(grads.wrt(y))),
        (line!(), error(grads.wrt(unused))),
        (line!(), error(grads.of(&param))),
        (line!(), failed(x + alien)),
        (line!(), failed(x.matmul(alien))),
        (line!(), failed(x.linear(x, Some(alien)))),
        (line!(), failed(tape.concat(&[x, alien], 0))),
        (line!(), failed(tape.stack(&[alien, x], 0))),
        (line!(), failed(x.maximum(alien))),
        (line!(), error(x.gt(alien))),
    ];
    for (i, (line, e)) in cases.iter().enumerate() {
        born(&format!("case {i}"), e, *line);
    }
}

#[test]
#[rustfmt::skip]
fn freed_values_are_found_where_they_are_used() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let mut inner = x;
    let scope = line!(); let y = tape.scope(|| { inner = x + 1.0; (inner * 2.0).sum() });
    let e = { let e = failed(inner.exp()); born("exp", &e, line!()); e };
    assert!(e.kind() == ErrorKind::Freed && e.op() == "exp", "{e}");
    assert!(e.to_string().contains("[2, 3]") && e.to_string().contains(&format!("tests/locations.rs:{scope}:")), "{e}");
    let line = line!(); let e = error(inner.value());
    born("value", &e, line);
    drop(y.backward());
    // The rule of a second sweep needs a value that the first has freed: the error names the op and its line.
    let line = line!(); let z = (x.tanh() * x.sin()).sum();
    drop(z.backward().unwrap());
    let e = error(z.backward());
    born("second sweep", &e, line);
    assert_eq!(e.kind(), ErrorKind::Freed, "{e}");
}

/// Runs `f` on a value whose elements are all NaN, on a tape that detects anomalies: each op must be found.
#[test]
#[rustfmt::skip]
fn every_operation_of_the_table_carries_its_line() {
    let tape = Tape::<f64>::train(1).detect_anomaly();
    let t = &tape;
    let x = t.var(Tensor::try_full([2, 2], f64::NAN).unwrap());
    let one = t.var(Tensor::try_full([2, 2, 1], f64::NAN).unwrap());
    let i = Tensor::from([0, 1]);
    let j = Tensor::from([[0, 1], [1, 0]]);
    let mask = || Tensor::from([true, false]);
    let cases = [
        (line!(), "+", failed(x + x)), (line!(), "+", failed(x + 1.0)), (line!(), "+", failed(1.0 + x)),
        (line!(), "-", failed(x - x)), (line!(), "-", failed(x - 1.0)), (line!(), "-", failed(1.0 - x)),
        (line!(), "*", failed(x * x)), (line!(), "*", failed(x * 2.0)), (line!(), "*", failed(2.0 * x)),
        (line!(), "/", failed(x / x)), (line!(), "/", failed(x / 2.0)), (line!(), "/", failed(2.0 / x)),
        (line!(), "-", failed(-x)),
        (line!(), "abs", failed(x.abs())),
        (line!(), "atan", failed(x.atan())),
        (line!(), "clamp", failed(x.clamp(-1.0, 1.0))),
        (line!(), "hardtanh", failed(x.hardtanh())),
        (line!(), "cos", failed(x.cos())),
        (line!(), "cross_entropy", failed(x.cross_entropy(&i))),
        (line!(), "dropout", failed(x.dropout(0.5))),
        (line!(), "elu", failed(x.elu(1.0))),
        (line!(), "erf", failed(x.erf())),
        (line!(), "exp", failed(x.exp())),
        (line!(), "expm1", failed(x.expm1())),
        (line!(), "max", failed(x.max())),
        (line!(), "max_axes", failed(x.max_axes(0))),
        (line!(), "max_keepdim", failed(x.max_keepdim(0))),
        (line!(), "min", failed(x.min())),
        (line!(), "min_axes", failed(x.min_axes(0))),
        (line!(), "min_keepdim", failed(x.min_keepdim(0))),
        (line!(), "gelu", failed(x.gelu())),
        (line!(), "gelu_tanh", failed(x.gelu_tanh())),
        (line!(), "hardsigmoid", failed(x.hardsigmoid())),
        (line!(), "hardswish", failed(x.hardswish())),
        (line!(), "index_select", failed(x.index_select(0, &i))),
        (line!(), "index_add", failed(x.index_add(0, &i, x))),
        (line!(), "gather", failed(x.gather(0, &j))),
        (line!(), "scatter_add", failed(x.scatter_add(0, &j, x))),
        (line!(), "concat", failed(t.concat(&[x, x], 0))),
        (line!(), "stack", failed(t.stack(&[x, x], 0))),
        (line!(), "pad", failed(x.pad(&[(1, 1), (0, 0)], 0.0))),
        (line!(), "leaky_relu", failed(x.leaky_relu(0.1))),
        (line!(), "linear", failed(x.linear(x, None))),
        (line!(), "log", failed(x.log())),
        (line!(), "log1p", failed(x.log1p())),
        (line!(), "log_sigmoid", failed(x.log_sigmoid())),
        (line!(), "logsumexp", failed(x.logsumexp(0))),
        (line!(), "logsumexp_keepdim", failed(x.logsumexp_keepdim(0))),
        (line!(), "matmul", failed(x.matmul(x))),
        (line!(), "maximum", failed(x.maximum(1.0))),
        (line!(), "minimum", failed(x.minimum(1.0))),
        (line!(), "variance_axes", failed(x.variance_axes(0, 0.0))),
        (line!(), "std_axes", failed(x.std_axes(0, 0.0))),
        (line!(), "norm", failed(x.norm())),
        (line!(), "norm_axes", failed(x.norm_axes(0))),
        (line!(), "norm_keepdim", failed(x.norm_keepdim(0))),
        (line!(), "pow", failed(x.pow(2.0))),
        (line!(), "pow", failed(x.pow(0.5))),
        (line!(), "pow", failed(x.pow(x))),
        (line!(), "recip", failed(x.recip())),
        (line!(), "relu", failed(x.relu())),
        (line!(), "rsqrt", failed(x.rsqrt())),
        (line!(), "where_cond", failed(x.where_cond(mask(), 0.0))),
        (line!(), "masked_fill", failed(x.masked_fill(mask(), 0.0))),
        (line!(), "reshape", failed(x.reshape([-1]))),
        (line!(), "permute", failed(x.permute([1, 0]))),
        (line!(), "transpose", failed(x.transpose(0, 1))),
        (line!(), "squeeze", failed(one.squeeze(-1))),
        (line!(), "unsqueeze", failed(x.unsqueeze(-1))),
        (line!(), "flatten", failed(x.flatten(0))),
        (line!(), "expand", failed(x.expand([3, 2, 2]))),
        (line!(), "sum_to", failed(x.sum_to([2]))),
        (line!(), "t", failed(x.t())),
        (line!(), "sigmoid", failed(x.sigmoid())),
        (line!(), "silu", failed(x.silu())),
        (line!(), "sin", failed(x.sin())),
        (line!(), "slice", failed(x.slice(0, ..))),
        (line!(), "select", failed(x.select(0, 1))),
        (line!(), "split", failed(x.split(0, &[1, 1])[1])),
        (line!(), "softmax", failed(x.softmax(0))),
        (line!(), "log_softmax", failed(x.log_softmax(0))),
        (line!(), "softplus", failed(x.softplus())),
        (line!(), "sqrt", failed(x.sqrt())),
        (line!(), "square", failed(x.square())),
        (line!(), "sum", failed(x.sum())),
        (line!(), "sum_axes", failed(x.sum_axes(0))),
        (line!(), "sum_keepdim", failed(x.sum_keepdim(0))),
        (line!(), "mean", failed(x.mean())),
        (line!(), "mean_axes", failed(x.mean_axes(0))),
        (line!(), "mean_keepdim", failed(x.mean_keepdim(0))),
        (line!(), "tan", failed(x.tan())),
        (line!(), "tanh", failed(x.tanh())),
        (line!(), "pointwise", failed(x.pointwise(Twice))),
        (line!(), "pointwise2", failed(x.pointwise2(x, Hypot))),
        (line!(), "apply", failed(t.apply(OnlyMatrices, &[x]))),
        (line!(), "apply_many", failed(t.apply_many(OnlyMatrices, &[x], 1)[0])),
    ];
    for (line, name, e) in &cases {
        born(name, e, *line);
        assert_eq!(e.kind(), ErrorKind::NonFinite, "{name}: {e}");
    }
}

/// For every entry of the table: under anomaly detection with NaN inputs, the error names the line of the call, which for
/// an entry is in the function that defines it.
#[test]
fn every_enrolled_operation_names_the_line_of_its_call() {
    for spec in table() {
        let born = (0..50).find_map(|seed| {
            let case = (spec.sample)(&mut Gen::seeded(seed));
            let tape = Tape::<f64>::train(0).detect_anomaly();
            let x: Vec<_> = case.inputs.iter().map(|t| tape.var(t.map(|_| f64::NAN))).collect();
            case.double.as_ref().expect("every op has double precision")(&x)
                .iter()
                .find_map(|y| y.value().err())
        });
        let e = born.unwrap_or_else(|| panic!("{}: no case has an element", spec.name));
        let at = e.location().unwrap_or_else(|| panic!("{}: no location", spec.name));
        let file = format!("{}/../../{}", env!("CARGO_MANIFEST_DIR"), at.file());
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
        let above = text.lines().take(at.line() as usize).filter(|l| l.contains("fn "));
        let function = above.last().unwrap_or_default();
        assert!(
            function.contains("spec()"),
            "{}: {e}\nis not where it is called but in `{function}`",
            spec.name
        );
    }
}

#[test]
#[rustfmt::skip]
fn lines_inside_scopes_functions_and_closures_are_the_users() {
    let tape = Tape::<f64>::new();
    let (x, y) = (tape.var(Tensor::ones([2, 3])), tape.var(Tensor::ones([4, 5])));
    let line = line!() + 1;
    let z = tape.scope(|| x.matmul(y).tanh());
    born("closure", &failed(z), line);

    let line = line!() + 2;
    let z = tape.scope(|| {
        let a = x.linear(y, None);
        (a.relu(), [a, x])
    });
    born("scope", &failed(z.0), line);
    assert!(z.1[1].value().is_ok());

    fn layer<'t>(x: Var<'t, f64>, w: Var<'t, f64>) -> (u32, Var<'t, f64>) {
        (line!(), x.matmul(w))
    }
    let (line, z) = layer(x, y);
    born("function", &failed(z), line);

    #[track_caller]
    fn tracked<'t>(x: Var<'t, f64>, w: Var<'t, f64>) -> Var<'t, f64> {
        x.matmul(w)
    }
    let line = line!(); let z = tracked(x, y);
    born("tracked function", &failed(z), line);

    trait Layer {
        #[track_caller]
        fn forward<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64>;
    }
    struct Wrong;
    impl Layer for Wrong {
        #[track_caller]
        fn forward<'t>(&self, x: Var<'t, f64>) -> Var<'t, f64> {
            x.reshape([7, 7])
        }
    }
    let boxed: Box<dyn Layer> = Box::new(Wrong);
    let line = line!(); let z = boxed.forward(x);
    born("dyn", &failed(z), line);
}

#[test]
#[rustfmt::skip]
fn errors_of_rules_carry_the_line_of_the_node() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let line = line!(); let y = tape.apply(OnlyMatrices, &[x]);
    let z = y.sum() * 2.0;
    let recorded = error(z.grad(x));
    let swept = error(z.backward());
    for e in [swept, recorded] {
        born("rule", &e, line);
        assert!(e.to_string().contains("[7, 7]"), "{e}");
    }

    // A pole: 1/(2 √0).
    for recorded in [false, true] {
        let tape = Tape::<f64>::new().detect_anomaly();
        let x = tape.var(Tensor::from([4.0, 0.0]));
        let line = line!(); let root = x.sqrt();
        let loss = (root * 3.0).sum();
        let e = if recorded { error(loss.grad(x)) } else { error(loss.backward()) };
        born("sqrt", &e, line);
        assert_eq!(e.kind(), ErrorKind::NonFinite, "{e}");
        if !recorded {
            assert_eq!(e.op(), "sqrt");
            assert!(e.to_string().contains("[2]") && e.to_string().contains("4.0000e0"), "{e}");
        }
    }
}

fn named(name: &str, value: Tensor<f64>) -> Param<f64> {
    let mut p = Param::new(value);
    p.set_name(name);
    p
}

#[test]
fn errors_name_the_module_of_the_parameter() {
    let tape = Tape::<f64>::new();
    let w = named("encoder.0.weight", Tensor::ones([4, 5]));
    let x = tape.constant(Tensor::ones([2, 3]));
    let e = failed(x.linear(tape.param(&w), None));
    assert_eq!(e.module_path(), Some("encoder.0"));
    let text = e.to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].starts_with("linear: ") && lines[0].contains("[2, 3]") && lines[0].contains("[4, 5]"));
    assert!(lines[1].starts_with("  at ") && lines[1].contains("tests/locations.rs:"));
    assert_eq!(lines[2], "  in encoder.0");
    assert_eq!(tape.error().unwrap().to_string(), text, "the tape holds the same");
    assert_eq!(
        error((failed_later(x, &tape, &w)).value()).to_string(),
        text.replace(lines[1], &line_of(&tape))
    );

    fn failed_later<'t>(x: Var<'t, f64>, tape: &'t Tape<f64>, w: &Param<f64>) -> Var<'t, f64> {
        x.linear(tape.param(w), None).tanh().sum()
    }
    /// The location line of the same failure inside `failed_later`.
    fn line_of(tape: &Tape<f64>) -> String {
        let w = named("encoder.0.weight", Tensor::ones([4, 5]));
        let x = tape.constant(Tensor::ones([2, 3]));
        let e = error(failed_later(x, tape, &w).value());
        e.to_string().lines().nth(1).unwrap().to_owned()
    }
}

#[test]
fn later_nodes_have_the_common_prefix_of_their_inputs() {
    let tape = Tape::<f64>::new();
    let square = || Tensor::ones([3, 3]);
    let q = named("decoder.1.attention.query.weight", square());
    let k = named("decoder.1.attention.key.weight", square());
    let other = named("decoder.10.weight", square());
    let head = named("head.weight", square());
    let root = named("scale", square());
    let unnamed = Param::new(square());
    let x = tape.constant(square());
    let with = |p: &Param<f64>| x.matmul(tape.param(p)).tanh();
    let path = |v: Var<'_, f64>| failed(v.reshape([2, 2])).module_path().map(str::to_owned);
    let cases = [
        ("one module", path(with(&q)), Some("decoder.1.attention.query")),
        ("two of one module", path(with(&q) + with(&k)), Some("decoder.1.attention")),
        ("names are compared whole", path(with(&q) * with(&other)), Some("decoder")),
        ("nothing in common", path(with(&q) + with(&head)), None),
        ("data has no path", path(x * 2.0), None),
        ("data with a module", path(with(&q) + x), Some("decoder.1.attention.query")),
        ("a parameter of the root", path(with(&root)), None),
        ("a parameter without a name", path(with(&unnamed)), None),
        ("a parameter wins", path(with(&head) + tape.param(&q)), Some("decoder.1.attention.query")),
        (
            "far from it",
            path((with(&q).exp().sum() + 1.0).reshape([1, 1]).expand([3, 3])),
            Some("decoder.1.attention.query"),
        ),
    ];
    for (what, found, want) in cases {
        assert_eq!(found.as_deref(), want, "{what}");
    }
}

#[test]
fn errors_of_the_sweep_name_the_module_too() {
    let tape = Tape::<f64>::new().detect_anomaly();
    let w = named("trunk.norm.weight", Tensor::from([0.0, 1.0]));
    let e = error(tape.param(&w).sqrt().sum().backward());
    assert_eq!((e.op(), e.module_path()), ("sqrt", Some("trunk.norm")));
    let e = failed(tape.param(&w).log());
    assert_eq!((e.op(), e.module_path()), ("log", Some("trunk.norm")));
    let bad = named("trunk.bias", Tensor::from([f64::NAN]));
    let e = failed(tape.param(&bad));
    assert!(e.kind() == ErrorKind::NonFinite && e.to_string().contains("trunk.bias"), "{e}");
}
