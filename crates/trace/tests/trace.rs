//! Traces against the tape: the same numbers, whole files, and formulas that say what was computed.

use proptest::prelude::*;
use wengert_ops::Tensor;
use wengert_ops::random::Rng;
use wengert_tape::scalar::{self, Traced};
use wengert_tape::{Elementary, Real, Tape};
use wengert_trace::expression::Expression;
use wengert_trace::network::Network;
use wengert_trace::{Builder, Explain, Markup, Math, Step, Trace, Value, dot, page, text};

fn expression(source: &str, at: &[(&str, f64)]) -> Trace {
    Expression::parse(source).unwrap().trace(at).unwrap()
}

fn gradient(trace: &Trace, name: &str) -> f64 {
    trace.nodes[trace.find(name).unwrap()].gradient.as_ref().unwrap().as_number().unwrap()
}

fn network(widths: &[usize], seed: u64) -> Network {
    let mut rng = Rng::seed(seed);
    let layers = || widths.windows(2);
    let mut draw = |shape: &[usize]| Tensor::randn(shape, &mut rng).unwrap();
    Network {
        weights: layers().map(|w| draw(&[w[1], w[0]])).collect(),
        biases: layers().map(|w| draw(&[w[1]])).collect(),
        input: draw(&[widths[0]]),
        target: draw(&[widths[widths.len() - 1]]),
    }
}

#[test]
fn every_sum_is_what_was_added_and_ends_in_the_tapes_gradient() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::from([0.5, -1.5, 2.0])).named("x");
    let w = tape.var(Tensor::from([[1.0, 2.0, 3.0], [0.5, -0.5, 0.25]])).named("W");
    let h = w.matmul(x).tanh();
    let y = (h * x.sum() + h.square()).sum().named("y");
    let trace = Trace::of(y).unwrap();
    let mut sums: Vec<Option<Vec<f64>>> = vec![None; trace.nodes.len()];
    for g in &trace.reverse {
        let sum = match &sums[g.to] {
            Some(before) => before.iter().zip(&g.adds.numbers).map(|(a, b)| a + b).collect(),
            None => g.adds.numbers.clone(),
        };
        assert_eq!(sum, g.sum.numbers, "{} gives to {}", g.from, g.to);
        assert_eq!(
            trace.nodes[g.from].gradient.as_ref(),
            Some(&g.cotangent),
            "complete before it is passed on"
        );
        sums[g.to] = Some(sum);
    }
    let grads = y.backward().unwrap();
    for (var, name) in [(x, "x"), (w, "W")] {
        let node = trace.find(name).unwrap();
        assert_eq!(trace.nodes[node].gradient.as_ref().unwrap(), &Value::of(&grads.wrt(var).unwrap()));
    }
    let product = trace.reverse.iter().find(|g| trace.nodes[g.from].op.as_deref() == Some("matmul"));
    assert_eq!(trace.text(&product.unwrap().by), "v̄₂ x̄ᵀ".replace("x̄", "x"));
}

#[test]
fn only_what_the_output_was_computed_from_is_in_it() {
    let tape = Tape::<f64>::new();
    let (x, other) = (tape.var(2.0), tape.var(3.0));
    let _unused = other * x;
    let trace = Trace::of(x.exp()).unwrap();
    assert_eq!(trace.nodes.len(), 2);
    let here = trace.nodes[1].source.as_deref().unwrap();
    assert!(here.contains("tests/trace.rs:"), "{here}");
    // The tape is as it was.
    assert_eq!(tape.len(), 4);
}

#[test]
fn scalar_backpropagation_is_the_textbooks() {
    let (widths, net) = ([3, 4, 2], network(&[3, 4, 2], 5));
    let trace = net.scalar(&|z| z.tanh()).unwrap();
    let value =
        |name: &str| trace.nodes[trace.find(name).unwrap()].value.as_ref().unwrap().as_number().unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-13 * (1.0 + b.abs()), "{a} {b}");
    // δ_k⁽²⁾ = 2 (z_k - y_k); δ_j⁽¹⁾ = σ′(z_j) Σ_k w_kj δ_k.
    let mut delta = vec![Vec::new(); 3];
    delta[2] = (1..=2).map(|k| 2.0 * (value(&format!("z_{k}^(2)")) - value(&format!("y_{k}")))).collect();
    delta[1] = (1..=4)
        .map(|j| {
            let sum: f64 = (1..=2).map(|k| value(&format!("w_{k}{j}^(2)")) * delta[2][k - 1]).sum();
            (1.0 - value(&format!("h_{j}^(1)")).powi(2)) * sum
        })
        .collect();
    for l in 1..=2 {
        for j in 1..=widths[l] {
            let d = delta[l][j - 1];
            let z = trace.find(&format!("z_{j}^({l})")).unwrap();
            assert!(trace.cotangent_name(z, Markup::Text).starts_with('δ'));
            close(gradient(&trace, &format!("z_{j}^({l})")), d);
            close(gradient(&trace, &format!("b_{j}^({l})")), d);
            for i in 1..=widths[l - 1] {
                let h = value(&format!("h_{i}^({})", l - 1));
                close(gradient(&trace, &format!("w_{j}{i}^({l})")), d * h);
            }
        }
    }
    // And it is written so.
    let w = trace.find("w_21^(1)").unwrap();
    let given = trace.reverse.iter().find(|g| g.to == w).unwrap();
    assert_eq!(trace.text(&given.by), "δ₂⁽¹⁾ · h₁⁽⁰⁾");
    let z = trace.find("z_1^(1)").unwrap();
    let given = trace.reverse.iter().find(|g| g.to == z).unwrap();
    assert_eq!(trace.text(&given.by), "∂L/∂h₁⁽¹⁾ · (1 - (h₁⁽¹⁾)²)");
    assert_eq!(
        trace.write(trace.nodes[z].formula.as_ref().unwrap(), Markup::Latex, false),
        "w_{11}^{(1)} \\cdot h_{1}^{(0)} + w_{12}^{(1)} \\cdot h_{2}^{(0)} + w_{13}^{(1)} \\cdot h_{3}^{(0)} + b_{1}^{(1)}"
    );
}

#[test]
fn vector_backpropagation_is_the_scalar_one() {
    let net = network(&[3, 4, 4, 2], 6);
    let (scalar, vector) = (net.scalar(&|z| z.sigmoid()).unwrap(), net.vector(&|z| z.sigmoid()).unwrap());
    for l in 1..=3 {
        let node = vector.find(&format!("W^({l})")).unwrap();
        let g = vector.nodes[node].gradient.as_ref().unwrap();
        for (at, c) in g.numbers.iter().enumerate() {
            let (j, i) = (at / g.shape[1] + 1, at % g.shape[1] + 1);
            assert!((gradient(&scalar, &format!("w_{j}{i}^({l})")) - c).abs() < 1e-14);
        }
    }
    let by = |name: &str| {
        let node = vector.find(name).unwrap();
        vector.text(&vector.reverse.iter().find(|g| g.to == node).unwrap().by)
    };
    assert_eq!(by("W^(2)"), "δ⁽²⁾ (h⁽¹⁾)ᵀ");
    assert_eq!(by("h^(2)"), "(W⁽³⁾)ᵀ δ⁽³⁾");
    assert_eq!(by("b^(3)"), "δ⁽³⁾");
    assert!(net.vector(&|z| z).is_ok());
    let odd = Network { input: Tensor::from([1.0, 2.0]), ..net };
    let refused = odd.scalar(&|z| z.tanh()).unwrap_err().to_string();
    assert_eq!(refused, "layer 1: the weight has shape [4, 3], expected [4, 2]");
}

#[test]
fn the_operations_of_a_network_have_right_gradients() {
    use wengert_tape::gradcheck::Check;
    // They are seen only through the network: its loss as a function of its weights.
    let net = network(&[2, 2, 1], 9);
    let trace = net.scalar(&|z| z.tanh()).unwrap();
    let loss = |w: f64| {
        let mut net = net.clone();
        let mut all = net.weights[0].to_vec();
        all[3] = w;
        net.weights[0] = Tensor::from_vec(all, [2, 2]).unwrap();
        let trace = net.scalar(&|z| z.tanh()).unwrap();
        trace.nodes[trace.output].value.as_ref().unwrap().as_number().unwrap()
    };
    let (w, h) = (net.weights[0].to_vec()[3], 1e-5);
    let slope = (loss(w + h) - loss(w - h)) / (2.0 * h);
    assert!((gradient(&trace, "w_22^(1)") - slope).abs() < 1e-8);
    let f = Expression::parse("tanh(w*x + b)^2 / max(x, y) + atan2(w, y)*hypot(x, b)^y").unwrap();
    let at = [0.3, 1.2, -0.7, 1.9].map(Tensor::scalar);
    let report = Check::new("expression").run(|x| f.evaluate(&[x[0], x[1], x[2], x[3]]).unwrap(), &at);
    assert!(report.passed(), "{report}");
}

#[test]
fn mistakes_point_at_their_column() {
    for (source, column, words) in [
        ("", 1, "expected an expression, found nothing"),
        (" \t", 1, "expected an expression, found nothing"),
        ("-", 2, "expected a number, a name, - or (, found the end"),
        ("2 +", 4, "found the end"),
        ("x + * y", 5, "found *"),
        ("(x + y", 7, "expected an operator or ), found the end"),
        ("x + y)", 6, "expected an operator or the end, found )"),
        ("2x", 2, "a product is written 2*x"),
        ("sinn(x)", 1, "there is no function sinn; did you mean sin or sinh?"),
        ("1 + foo(x)", 5, "there is no function foo"),
        ("sin", 4, "expected ( after the function sin"),
        ("atan2(x)", 1, "atan2 takes 2 arguments, found 1"),
        ("tanh(x, y)", 1, "tanh takes 1 argument, found 2"),
        ("x $ y", 3, "found $"),
        ("[x]", 1, "expected (, found ["),
        ("1.2.3*x", 4, "expected an operator or the end, found the number 0.3"),
        ("1e999*x", 1, "too large"),
        ("z = x; z = 2*z", 8, "z was used before"),
        ("pi = x", 1, "pi has a meaning already"),
        ("x y", 3, "found the name y"),
    ] {
        let mistake = Expression::parse(source).unwrap_err();
        assert_eq!(mistake.column, column, "{source}: {mistake}");
        assert!(mistake.message.contains(words), "{source}: {mistake}");
        let text = mistake.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[2].chars().count(), column + 2, "{text}");
    }
    // Below letters that are two columns wide, the caret stands further to the right.
    let wide = Expression::parse("日本 +").unwrap_err().to_string();
    assert!(wide.ends_with(&format!("\n  {:>7}", '^')), "{wide}");
    // Deep and long ones are refused, not walked into.
    assert!(Expression::parse(&("(".repeat(3000) + "x")).is_err());
    assert!(Expression::parse(&format!("x{}", "^x".repeat(1500))).is_err());
    assert!(Expression::parse(&"x+".repeat(9000)).is_err());
    let far = Expression::parse(&format!("{}$", "x + ".repeat(300))).unwrap_err().to_string();
    assert!(far.contains("column 1201 of the whole"), "{far}");
}

#[test]
fn precedence_is_that_of_mathematics() {
    let value = |source: &str| -> f64 { Expression::parse(source).unwrap().evaluate(&[3.0]).unwrap() };
    assert_eq!(value("-x^2"), -9.0);
    assert_eq!(value("2^x^2 - 512"), 0.0);
    assert_eq!(value("x^-1*3"), 1.0);
    assert_eq!(value("12/x/2"), 2.0);
    assert_eq!(value("x - 1 - 1"), 1.0);
    assert_eq!(value("1 + 2*x^2/3 - -x"), 10.0);
    assert_eq!(value("--x"), 3.0);
    assert_eq!(value("x**2 − 2·x"), 3.0);
    assert_eq!(value("max(x, 2) + min(x, 2) + pow(x, 2)"), 14.0);
    assert!((value("sin(π*x) + ln(e) + 1e-1*x") - 1.3).abs() < 1e-12);
    assert_eq!(value("a = 2*x; b = a + 1; a*b;"), 42.0);
    // A value that depends on nothing.
    assert_eq!(value("0*x + 2^3"), 8.0);
}

#[test]
fn names_and_values_that_do_not_match() {
    let f = Expression::parse("alpha*x + b").unwrap();
    let refused = |at: &[(&str, f64)]| f.trace(at).unwrap_err().to_string();
    assert_eq!(refused(&[("alpha", 1.0)]), "x, b have no value: add x=..,b=..");
    assert_eq!(refused(&[("pi", 3.0)]), "pi is a constant, 3.141593, and takes no other value");
    assert_eq!(refused(&[("alhpa", 1.0)]), "there is no variable alhpa; did you mean alpha?");
    let constant = Expression::parse("2 + pi").unwrap().trace(&[]).unwrap_err().to_string();
    assert_eq!(constant, "the expression has no variable, so there is nothing to differentiate");
    let trace = expression("x*y", &[("x", 1.0), ("y", 2.0)]);
    assert_eq!(trace.find("v2").unwrap(), 2);
    assert_eq!(trace.find("2").unwrap(), 2);
    assert!(trace.find("zz").unwrap_err().to_string().starts_with("there is no node zz"));
}

#[test]
fn a_file_comes_back_whole_or_is_refused() {
    let trace = expression("log(x)*y + select", &[("x", 0.0), ("y", -1.0), ("select", f64::NAN)]);
    let json = trace.to_json().unwrap();
    assert!(json.contains("\"-inf\"") && json.contains("\"nan\""));
    let back = Trace::from_json(&json).unwrap();
    assert_eq!(back.to_json().unwrap(), json);
    for (from, to, words) in [
        ("\"version\": 1", "\"version\": 2", "its version is 2, this program reads 1"),
        ("\"wengert trace\"", "\"other\"", "its format is \"other\""),
        ("\"output\": 5", "\"output\": 50", "the output is node 50, and there are 6 nodes"),
        ("\"number\": 3", "\"number\": 4", "node 4 is where node 3 should be"),
        ("\"from\": 5", "\"from\": 4", "does not read"),
        ("\"kind\": \"input\"", "\"kind\": \"sofa\"", "unknown variant `sofa`"),
        ("\"title\"", "\"titel\"", "unknown field `titel`"),
        ("\"shape\": []", "\"shape\": [2]", "shape"),
        ("\"select\"", "\"\\u001b[2J\"", "control characters"),
        ("\"node\": 3", "\"node\": 300", "refers to node 300"),
    ] {
        assert!(json.contains(from), "{from} in {json}");
        let refused = Trace::from_json(&json.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(
            refused.starts_with("the trace is damaged: ") && refused.contains(words),
            "{from}: {refused}"
        );
    }
    for cut in [0, 1, json.len() / 2, json.len() - 2] {
        assert!(Trace::from_json(&json[..cut]).is_err());
    }
    assert!(Trace::from_json(&("[".repeat(100_000))).is_err());
    let long = format!("{json}{}", " ".repeat(Trace::LARGEST_JSON + 1 - json.len()));
    let refused = Trace::from_json(&long).unwrap_err().to_string();
    assert_eq!(refused, "the trace is damaged: expected at most 134217728 bytes of JSON, found 134217729");
    assert!(Trace::from_json(&long[..Trace::LARGEST_JSON]).is_ok());
}

#[test]
fn a_builder_gives_the_trace_that_the_tape_gives() {
    let of_tape = expression("tanh(w*x)*w", &[("w", 0.5), ("x", -2.0)]);
    let mut list = Builder::new("tanh(w*x)*w");
    let (w, x) = (list.input("w", 0.5), list.input("x", -2.0));
    let tape = Tape::<f64>::new();
    let (vw, vx) = (tape.var(0.5), tape.var(-2.0));
    let _ = (vw * vx).tanh() * vw;
    let of = |i: usize| tape.nodes()[i].equation.clone().unwrap();
    let p = list.op("mul", &[w, x], -1.0, &[-2.0, 0.5]);
    let t = (-1f64).tanh();
    let h = list.op("tanh", &[p], of_tape.nodes[3].value.as_ref().unwrap().numbers[0], &[1.0 - t * t]);
    let y = list.op("mul", &[h, w], of_tape.nodes[4].value.as_ref().unwrap().numbers[0], &[0.5, t]);
    for (node, i) in [(p, 2), (h, 3), (y, 4)] {
        list.equation(node, &of(i));
    }
    let built = list.finish(y).unwrap();
    assert_eq!(built.steps(), of_tape.steps());
    for (a, b) in built.reverse.iter().zip(&of_tape.reverse) {
        assert_eq!((a.from, a.to, built.text(&a.by)), (b.from, b.to, of_tape.text(&b.by)));
        assert!((a.sum.as_number().unwrap() - b.sum.as_number().unwrap()).abs() < 1e-15);
    }
    let mut wrong = Builder::new("");
    let x = wrong.input("x", 1.0);
    let y = wrong.op("f", &[x], 1.0, &[]);
    let refused = wrong.finish(y).unwrap_err().to_string();
    assert_eq!(refused, "the trace is damaged: node 1 has 1 inputs and 0 local derivatives");
    assert!(Builder::new("").finish(0).is_err());
}

/// What is traced is what the scalar tape computes without tracing, and the tensor tape.
#[test]
fn every_tape_has_the_same_gradients() {
    for source in
        ["tanh(w*x + b)^2", "z = w*x; z*sin(z) + exp(-b^2)/max(w, x)", "atan2(w, x)^b + log(1 + w^2)*erf(x)"]
    {
        let f = Expression::parse(source).unwrap();
        let mut at: Vec<f64> = vec![0.7, 1.3, 0.4];
        at.truncate(f.variables().len());
        let named: Vec<(&str, f64)> =
            f.variables().iter().map(String::as_str).zip(at.iter().copied()).collect();
        let trace = f.trace(&named).unwrap();
        let value = trace.nodes[trace.output].value.as_ref().unwrap().as_number().unwrap();
        let tape = scalar::Tape::new();
        let vars: Vec<_> = at.iter().map(|&c| tape.var(c)).collect();
        let y = f.evaluate(&vars).unwrap();
        assert!((y.value() - value).abs() < 1e-14, "{source}");
        let tensors = Tape::<f64>::new();
        let leaves: Vec<_> = at.iter().map(|&c| tensors.var(c)).collect();
        let z = f.evaluate(&leaves).unwrap();
        assert!((z.item().unwrap() - value).abs() < 1e-14, "{source}");
        let (grads, others) = (tape.gradient(y).unwrap(), z.backward().unwrap());
        for ((x, leaf), name) in vars.iter().zip(&leaves).zip(f.variables()) {
            assert!((grads.wrt(*x).unwrap() - gradient(&trace, name)).abs() < 1e-14, "{source}: {name}");
            let other = others.wrt(*leaf).unwrap().item().unwrap();
            assert!((other - gradient(&trace, name)).abs() < 1e-14, "{source}: {name}");
        }
    }
}

/// A random expression of two variables; every function stays where it is smooth.
fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("x".to_owned()),
        Just("y".to_owned()),
        (1..30u8).prop_map(|c| format!("{}", f64::from(c) / 8.0))
    ];
    leaf.prop_recursive(5, 24, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone().prop_map(|(a, b)| format!("({a} + {b})")),
            two.clone().prop_map(|(a, b)| format!("({a} - {b})")),
            two.clone().prop_map(|(a, b)| format!("tanh({a} * {b})")),
            two.clone().prop_map(|(a, b)| format!("{a}/(1 + ({b})^2)")),
            two.clone().prop_map(|(a, b)| format!("atan2({a}, 1 + ({b})^2)")),
            two.prop_map(|(a, b)| format!("hypot({a}, 1 + ({b})^2)")),
            inner.clone().prop_map(|a| format!("-({a})")),
            inner.clone().prop_map(|a| format!("sin({a})*2")),
            inner.clone().prop_map(|a| format!("log(1 + ({a})^2)")),
            inner.clone().prop_map(|a| format!("exp(tanh({a}))")),
            inner.clone().prop_map(|a| format!("(1 + tanh({a})^2)^1.5")),
            inner.prop_map(|a| format!("2^tanh({a}) - erf({a})")),
        ]
    })
    .prop_map(|s| format!("z = {s}; z*x + sin(y)*z"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The trace of the scalar tape is that of the tensor tape; both have the gradients of dual numbers and of differences,
    /// and so do the gradients of the gradients.
    #[test]
    fn both_tapes_have_the_same_trace(source in source(), x in -1.5..1.5f64, y in -1.5..1.5f64) {
        let f = Expression::parse(&source).unwrap();
        let at: Vec<f64> = f.variables().iter().map(|v| if v == "x" { x } else { y }).collect();
        let named: Vec<(&str, f64)> = f.variables().iter().map(String::as_str).zip(at.iter().copied()).collect();
        let numbers = f.trace(&named).unwrap();

        let tape = Tape::<f64>::new();
        let vars: Vec<_> = named.iter().map(|(name, v)| tape.var(*v).named(*name)).collect();
        let out = f.evaluate_named(&vars, &mut |v, name| v.named(name)).unwrap();
        let tensors = Trace::of(out).unwrap();
        let close = |a: f64, b: f64, bound: f64| (a - b).abs() <= bound * (1.0 + a.abs().max(b.abs()));
        let value = |v: &Option<Value>| v.as_ref().and_then(Value::as_number);

        // Numbers in the middle of an expression are nodes of the tensor tape and parts of formulas on the scalar one; all
        // else is the same, in the same order.
        let computed = |t: &Trace| -> Vec<usize> { (0..t.nodes.len()).filter(|&i| t.nodes[i].op.is_some()).collect() };
        let (a, b) = (computed(&numbers), computed(&tensors));
        prop_assert_eq!(a.len(), b.len());
        for (&i, &j) in a.iter().zip(&b) {
            let (m, n) = (&numbers.nodes[i], &tensors.nodes[j]);
            prop_assert_eq!((&m.op, &m.name), (&n.op, &n.name));
            prop_assert!(close(value(&m.value).unwrap(), value(&n.value).unwrap(), 1e-14));
            let (g, h) = (value(&m.gradient), value(&n.gradient));
            prop_assert_eq!(g.is_some(), h.is_some());
            prop_assert!(close(g.unwrap_or(0.0), h.unwrap_or(0.0), 1e-12), "{source}: {g:?} {h:?}");
        }
        if computed(&numbers).len() + at.len() == tensors.nodes.len() {
            prop_assert_eq!(numbers.steps(), tensors.steps());
            for (g, h) in numbers.reverse.iter().zip(&tensors.reverse) {
                prop_assert_eq!(numbers.text(&g.by), tensors.text(&h.by));
            }
        }

        // The scalar tape without tracing, dual numbers, and differences.
        let plain = scalar::Tape::new();
        let vars: Vec<_> = at.iter().map(|&c| plain.var(c)).collect();
        let grads = plain.gradient(f.evaluate(&vars).unwrap()).unwrap().of(&vars).unwrap();
        let gradient_at = |at: &[f64]| -> Vec<f64> {
            let tape = scalar::Tape::new();
            let vars: Vec<_> = at.iter().map(|&c| tape.var(c)).collect();
            tape.gradient(f.evaluate(&vars).unwrap()).unwrap().of(&vars).unwrap()
        };
        for (i, name) in f.variables().iter().enumerate() {
            prop_assert!(close(gradient(&numbers, name), grads[i], 1e-12), "{source}");
            let dual = |k: usize| scalar::Dual::new(at[k], if k == i { 1.0 } else { 0.0 });
            let duals: Vec<_> = (0..at.len()).map(dual).collect();
            prop_assert!(close(f.evaluate(&duals).unwrap().tangent, grads[i], 1e-11));
            let h = 1e-5;
            let (mut up, mut down) = (at.clone(), at.clone());
            up[i] += h;
            down[i] -= h;
            let slope = (f.evaluate(&up).unwrap() - f.evaluate(&down).unwrap()) / (2.0 * h);
            prop_assert!(close(slope, grads[i], 1e-6), "{source}: {slope} {}", grads[i]);
            // Second order: a tape of duals against differences of gradients, and the tensor tape twice.
            let over = scalar::Tape::default();
            let seeds: Vec<_> = duals.iter().map(|&d| over.var(d)).collect();
            let row = over.gradient(f.evaluate(&seeds).unwrap()).unwrap().of(&seeds).unwrap();
            for (k, (u, d)) in gradient_at(&up).iter().zip(gradient_at(&down)).enumerate() {
                prop_assert!(close((u - d) / (2.0 * h), row[k].tangent, 1e-5), "{source}");
            }
            let tape = Tape::<f64>::new();
            let vars: Vec<_> = at.iter().map(|&c| tape.var(c)).collect();
            if let Ok(second) = f.evaluate(&vars).unwrap().grad(vars[i]).and_then(|g| g.grad(vars[i])) {
                prop_assert!(close(second.item().unwrap(), row[i].tangent, 1e-9), "{source}");
            }
        }
    }
}

#[test]
fn operations_say_what_they_were_told() {
    let mut rng = Rng::seed(0);
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::randn([2, 3, 4], &mut rng).unwrap()).named("x");
    let ids = Tensor::from((0..9).map(|i| i % 2).collect::<Vec<i64>>());
    let all = [
        (x.slice(2, 1..3), "slice(x, axis 2, 1..3)"),
        (x.reshape([6, -1]), "reshape(x, [6, -1])"),
        (x.transpose(0, 2), "transpose(x, axes 0, 2)"),
        (x.permute([2, 0, 1]), "permute(x, [2, 0, 1])"),
        (x.sum_axes(1), "sum(x, axes [1])"),
        (x.sum(), "Σ x"),
        (x.softmax(-1), "softmax(x, axis -1)"),
        (x.index_select(0, &ids), "index_select(x, axis 0, at [0, 1, 0, 1, 0, .. 9 in all])"),
        (x.max_pool1d(2), "max_pool1d(x, window [2], stride [2])"),
    ];
    for (y, formula) in all {
        let trace = Trace::of(y).unwrap();
        let n = trace.nodes.last().unwrap();
        assert_eq!(trace.text(n.formula.as_ref().unwrap()), formula);
        assert_eq!(Trace::from_json(&trace.to_json().unwrap()).unwrap(), trace);
    }
    let given = |y| Trace::of(y).unwrap().reverse[0].by.clone();
    let of = |y| Trace::of(y).unwrap().text(&given(y));
    assert_eq!(of(x.transpose(0, 2)), "transpose(v̄₁, axes 0, 2)");
    assert_eq!(of(x.reshape([6, 4])), "reshape(v̄₁, [2, 3, 4])");
    assert_eq!(of(tape.var(Tensor::zeros([2, 3])).transpose(0, 1)), "(v̄₁)ᵀ");
    // Words are words in markup too.
    let trace = Trace::of(x.slice(2, 1..3).named("y")).unwrap();
    let m = trace.nodes[1].formula.as_ref().unwrap();
    assert!(trace.write(m, Markup::Latex, false).contains("\\text{axis 2, 1..3}"));
    let json = trace.to_json().unwrap().replace("axis 2, 1..3", "<b>\\u001b[2J");
    assert!(Trace::from_json(&json).unwrap_err().to_string().contains("control characters"));
    let marked = Math::Words("<b>&".into());
    assert_eq!(trace.write(&marked, Markup::MathMl, false), "<mtext>&lt;b&gt;&amp;</mtext>");
}

#[test]
fn explanations_are_the_same_from_either_tape() {
    let numbers = scalar::Tape::<Traced>::default();
    let tensors = Tape::<f64>::new();
    fn program<R: Elementary>(x: R) -> R {
        x.square() + x.sin() * x
    }
    let (x, t) = (numbers.var(Traced(2.0)).named("x"), tensors.var(2.0).named("x"));
    let (y, u) = (program(x).named("y"), program(t).named("y"));
    let (a, b) = (numbers.explain(y, x).unwrap(), tensors.explain(u, t).unwrap());
    assert_eq!(a.to_string(), b.to_string());
    assert_eq!(a.paths.len(), 3);
    let other = scalar::Tape::<Traced>::default();
    let foreign = numbers.explain(y, other.var(Traced(1.0))).unwrap_err().to_string();
    assert_eq!(foreign, "the two values are on different tapes");
    let later = numbers.var(Traced(1.0));
    let refused = numbers.explain(y, later).unwrap_err().to_string();
    assert_eq!(refused, "the output was not computed from this value");
    let constant = Trace::of(scalar::Var::<Traced>::from(2.0)).unwrap_err().to_string();
    assert_eq!(constant, "the value is a constant: nothing was recorded of it");
}

#[test]
fn a_trace_of_numbers_has_modules_lines_and_what_is_not_differentiated() {
    let tape = scalar::Tape::<Traced>::default();
    let x = tape.var(Traced(0.5)).named("x");
    let k = tape.constant(Traced(3.0)).named("k");
    let h = tape.module("layer", || (k * x).tanh().named("h"));
    let y = scalar::fuse([h, x], |[h, x]| h * x).named("y");
    let trace = Trace::of(y).unwrap();
    let at = |name: &str| &trace.nodes[trace.find(name).unwrap()];
    assert_eq!((at("h").module.as_deref(), at("y").module.as_deref()), (Some("layer"), None));
    assert!(at("h").source.as_deref().unwrap().contains("tests/trace.rs:"));
    assert_eq!(at("k").gradient, None);
    let to_x: f64 = trace
        .reverse
        .iter()
        .filter(|g| trace.nodes[g.to].name.as_deref() == Some("x"))
        .map(|g| g.adds.as_number().unwrap())
        .sum();
    assert_eq!(Some(to_x), at("x").gradient.as_ref().unwrap().as_number());
    // Of a fused expression there is no formula, but its derivatives are known.
    let fused = trace.reverse.iter().find(|g| trace.nodes[g.from].op.as_deref() == Some("fuse")).unwrap();
    assert_eq!((fused.derivative.clone(), fused.slope.as_ref().unwrap().as_number()), (None, Some(0.5)));
    assert_eq!(trace.text(&fused.by), "ȳ · ∂y/∂h");
    assert_eq!(Trace::from_json(&trace.to_json().unwrap()).unwrap(), trace);
    // The sum over an iterator is added up inside the language's library, which is no line of the program.
    let total: scalar::Var<'_, Traced> = [x, y].iter().sum();
    assert_eq!(Trace::of(total).unwrap().nodes.last().unwrap().source, None);
}

#[test]
fn positions_say_what_is_known() {
    let trace = expression("x*x + x", &[("x", 3.0)]);
    assert!(trace.after(0).iter().filter(|(known, _)| *known).count() == 1);
    let end = trace.after(usize::MAX);
    assert!(end.iter().all(|(known, g)| *known && g.is_some()));
    assert_eq!(end[0].1.unwrap().as_number(), Some(7.0));
    let seed = trace.describe(Step::Seed);
    assert_eq!(trace.equations(&seed), ["v̄₂ = ∂v₂/∂v₂ = 1"]);
    // A trace of a leaf alone has no step but the seed.
    let tape = Tape::<f64>::new();
    let leaf = Trace::of(tape.var(1.0)).unwrap();
    assert_eq!(leaf.steps(), [Step::Seed]);
    assert_eq!(leaf.describe(Step::Reverse(7)).title, "there is no such step");
    assert!(Trace::of(tape.var(1.0).reshape([7])).is_err());
}

#[test]
fn every_writer_takes_every_trace() {
    let tape = Tape::<f32>::new();
    let x = tape.var(Tensor::<f32>::steps(0.0, 0.01, 200).reshape([10, 20]).unwrap()).named("x\u{7}<b>");
    let y = x.softmax(-1).unbind(0)[1].square().sum();
    let long = x.map(|s| (0..60).fold(s, |s, _| s * s.like(0.5) + s)).sum();
    let traces = [
        Trace::of(y + long).unwrap(),
        expression("sqrt(x)/abs(x) + max(x, 1)^x", &[("x", 1.0)]),
        network(&[12, 3, 1], 1).scalar(&|z| z.relu()).unwrap(),
        network(&[12, 3, 1], 1).vector(&|z| z.gelu()).unwrap(),
    ];
    for trace in traces {
        for width in [0, 20, 40, 80, 160] {
            let table = text::table(&trace, width);
            assert!(table.contains("Reverse") && !table.contains('\u{7}'));
        }
        let graph = dot::graph(&trace);
        assert_eq!(graph.matches(" -> n").count(), trace.nodes.iter().map(|n| n.inputs.len()).sum::<usize>());
        let html = page::html(&trace);
        // Nothing of the markup is left open, and nothing is fetched.
        for element in
            ["mrow", "mfrac", "msup", "msub", "msubsup", "mtable", "mtd", "mover", "math", "g", "svg"]
        {
            let opened = html.matches(&format!("\\u003c{element}>")).count()
                + html.matches(&format!("\\u003c{element} ")).count();
            let closed = html.matches(&format!("\\u003c/{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"));
        assert_eq!(html.matches("<g class=\"node").count(), trace.nodes.len());
        let json = trace.to_json().unwrap();
        assert_eq!(Trace::from_json(&json).unwrap().to_json().unwrap(), json);
        for node in 0..trace.nodes.len() {
            let _ = trace.explain(node).map(|why| why.to_string());
        }
    }
}

#[test]
fn slopes_of_conditions_and_calls_are_written() {
    let trace = expression("relu(x) + log(x) + 2^x", &[("x", 2.0)]);
    for g in &trace.reverse {
        let d = trace.describe(Step::Reverse(0));
        assert!(!d.title.is_empty());
        for markup in [Markup::Text, Markup::Latex, Markup::MathMl] {
            for numbers in [false, true] {
                assert!(!trace.write(&g.by, markup, numbers).is_empty());
            }
        }
    }
    let one_third = Math::Div(Box::new(Math::Number(1.0)), Box::new(Math::Number(3e-9)));
    assert_eq!(trace.write(&one_third, Markup::Latex, false), "\\frac{1}{3 \\cdot 10^{-9}}");
}
