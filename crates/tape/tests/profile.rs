//! The profiler: rows add up, calls and counts are right, traces are valid, and nothing is left after it.

use serde_json::Value;
use std::time::Duration;
use wengert_ops::{ConvOptions, Tensor};
use wengert_tape::profile::{Column, Pass, Profile, Profiler, Row, span};
use wengert_tape::{Float, Param, RecurrenceOptions, Tape, Var, rules::Attention};

fn adds_up(profile: &Profile) {
    let sum = |rows: &[Row]| rows.iter().map(|r| r.self_time).sum::<Duration>();
    for rows in [
        profile.rows(),
        profile.table().rows(),
        profile.by_operation().rows(),
        profile.by_module().rows(),
        profile.by_pass().rows(),
    ] {
        assert_eq!(sum(rows), profile.wall(), "{profile}");
    }
}

/// Calls and FLOP of an operation in a pass, in all modules.
fn counts(profile: &Profile, operation: &str, pass: Pass) -> (u64, u64) {
    let rows = profile.rows().iter().filter(|r| r.operation == operation && r.pass == Some(pass));
    rows.fold((0, 0), |(calls, flops), r| (calls + r.calls, flops + r.flops))
}

fn named<T: Float>(name: &str, shape: [usize; 2]) -> Param<T> {
    let mut p = Param::new(Tensor::full(shape, 0.1));
    p.set_name(name);
    p
}

fn model<'t, T: Float>(tape: &'t Tape<T>, weights: &[Param<T>], rows: usize) -> Var<'t, T> {
    let x = tape.constant(Tensor::ones([rows, 3]));
    let hidden = x.linear(tape.param(&weights[0]), None).tanh();
    hidden.linear(tape.param(&weights[1]), None).square().sum()
}

#[test]
fn calls_modules_and_counts_are_those_of_the_model() {
    fn of<T: Float>() {
        let weights: [Param<T>; 2] = [named("encoder.0.weight", [5, 3]), named("head.weight", [2, 5])];
        let tape = Tape::<T>::new();
        let (_, profile) = tape.profile(|| model(&tape, &weights, 4).backward().unwrap());
        adds_up(&profile);
        let of = |operation: &str, module: &str, pass| {
            let row = |r: &&Row| r.operation == operation && r.module == module && r.pass == Some(pass);
            let found: Vec<&Row> = profile.rows().iter().filter(row).collect();
            assert_eq!(found.len(), 1, "{operation} {module} {pass}\n{}", profile.table());
            found[0].clone()
        };
        let size = size_of::<T>() as u64;
        let first = of("linear", "encoder.0", Pass::Forward);
        assert_eq!((first.calls, first.flops), (1, 2 * 4 * 3 * 5));
        // Of the constant, one element is stored.
        assert_eq!((first.bytes_read, first.bytes_written), (size * (4 * 3 + 5 * 3), size * 4 * 5));
        // The input is a constant, so the first layer computes one cotangent, and the second one two.
        assert_eq!(of("linear", "encoder.0", Pass::Backward).flops, 2 * 4 * 3 * 5);
        assert_eq!(of("linear", "head", Pass::Backward).flops, 2 * 2 * 4 * 5 * 2);
        assert_eq!(of("tanh", "encoder.0", Pass::Forward).flops, 4 * 5);
        assert_eq!(of("tanh", "encoder.0", Pass::Backward).flops, 4 * 5);
        assert_eq!(of("square", "head", Pass::Forward).calls, 1);
    }
    of::<f32>();
    of::<f64>();
}

#[test]
fn products_count_their_multiplications_and_additions() {
    let tape = Tape::<f32>::new();
    let var = |shape: &[usize]| tape.var(Tensor::ones(shape));
    let swept = |y: Var<'_, f32>| y.sum().backward_retaining().unwrap();
    let forward_and_backward = |operation: &str, run: &dyn Fn()| {
        let ((), profile) = tape.profile(run);
        adds_up(&profile);
        // The rule of an operation may run others.
        let all = |pass| -> u64 {
            let ours = |r: &&Row| {
                r.pass == Some(pass) && !["sum", "expand", "accumulate", "sum_axes"].contains(&r.operation)
            };
            profile.rows().iter().filter(ours).map(|r| r.flops).sum()
        };
        assert_eq!(counts(&profile, operation, Pass::Forward).1, all(Pass::Forward), "{}", profile.table());
        (all(Pass::Forward), all(Pass::Backward))
    };
    let (a, b) = (var(&[7, 2, 3]), var(&[3, 5]));
    assert_eq!(forward_and_backward("matmul", &|| drop(swept(a.matmul(b)))), (420, 2 * 420));

    // 2 samples, 4 channels of 5 × 5 to 6 channels of 3 × 3, in two groups.
    let (x, w) = (var(&[2, 4, 5, 5]), var(&[6, 2, 3, 3]));
    let options = ConvOptions::default().groups(2);
    let each = 2 * (2 * 6 * 3 * 3) * (2 * 3 * 3);
    let conv = forward_and_backward("conv2d", &|| drop(swept(x.conv2d(w, None, options))));
    assert_eq!(conv, (each, 2 * each));

    let (q, k, v) = (var(&[2, 3, 4]), var(&[2, 5, 4]), var(&[2, 5, 6]));
    let (scores, values) = (2 * 2 * 3 * 5 * 4, 2 * 2 * 3 * 5 * 6);
    let attention = || drop(swept(q.scaled_dot_product_attention(k, v, Attention::new())));
    let attention = forward_and_backward("scaled_dot_product_attention", &attention);
    assert_eq!(attention, (scores + values, 3 * scores + 2 * values));

    // 7 steps of 2 sequences, 3 hidden.
    let (x, w, h) = (var(&[7, 2, 12]), var(&[12, 3]), var(&[2, 3]));
    let lstm = || drop(swept(x.lstm(w, None, h, h, &RecurrenceOptions::default())[0]));
    let (forward, _) = forward_and_backward("lstm", &lstm);
    assert_eq!(forward, 2 * 7 * 2 * 12 * 3);
}

#[test]
fn views_move_nothing_and_selections_what_they_select() {
    let tape = Tape::<f32>::new();
    let x = tape.var(Tensor::ones([100, 4]));
    let ((), profile) = tape.profile(|| {
        let _ = (x.t(), x.reshape([4, 100]), x.index_select(0, &Tensor::from([3i64, 5])));
    });
    for row in profile.rows() {
        let bytes = (row.bytes_read, row.bytes_written);
        let expected = if row.operation == "index_select" { (32, 32) } else { (0, 0) };
        assert_eq!((bytes, row.flops), (expected, 0), "{row:?}");
    }
}

#[test]
fn recorded_sweeps_and_checkpoints_have_their_pass() {
    let tape = Tape::<f64>::new();
    let x = tape.var(Tensor::ones([50]));
    let (result, profile) = tape.profile(|| {
        let y = tape.checkpoint(|| x.tanh().exp()).sum();
        let slope = y.grad(x)?;
        slope.square().sum().backward()
    });
    result.unwrap();
    adds_up(&profile);
    assert_eq!(counts(&profile, "tanh", Pass::Recompute).0, 1);
    assert!(counts(&profile, "mul", Pass::Grad).0 > 0, "{}", profile.table());
    assert_eq!(counts(&profile, "square", Pass::Forward).0, 1);
    assert!(counts(&profile, "accumulate", Pass::Backward).0 > 0);
}

#[test]
fn two_profiles_of_the_same_are_the_same() {
    let weights = [named::<f32>("a.weight", [5, 3]), named("b.weight", [2, 5])];
    let mut tape = Tape::<f32>::new();
    let mut all = Vec::new();
    for _ in 0..2 {
        tape.reset();
        let (_, profile) = tape.profile(|| model(&tape, &weights, 4).backward().unwrap());
        adds_up(&profile);
        let key = |r: &Row| {
            (r.operation, r.module.clone(), r.pass, r.calls, r.flops, r.bytes_read, r.bytes_written)
        };
        let mut rows: Vec<_> = profile.rows().iter().map(key).collect();
        rows.sort();
        all.push(rows);
    }
    assert_eq!(all[0], all[1]);
}

#[test]
fn an_error_is_profiled_and_leaves_nothing_open() {
    let tape = Tape::<f32>::new();
    let x = tape.var(Tensor::ones([2, 3]));
    let (result, profile) = tape.profile(|| {
        let _span = span(Pass::Named("wrong"));
        x.matmul(x).sum().backward()
    });
    assert!(result.is_err());
    adds_up(&profile);
    assert_eq!(counts(&profile, "matmul", Pass::Named("wrong")), (1, 0));
    let (_, profile) = tape.profile(|| x.exp());
    assert_eq!(counts(&profile, "exp", Pass::Forward).0, 1);
}

#[test]
fn a_trace_is_json_whose_bars_nest() {
    let weights = [named::<f32>("odd \"name\"\u{1}.weight", [5, 3]), named("b.weight", [2, 5])];
    let profiler = Profiler::start();
    let mut tape = Tape::<f32>::new();
    for _ in 0..3 {
        tape.reset();
        drop(span(Pass::Data));
        drop(model(&tape, &weights, 4).backward().unwrap());
    }
    let profile = profiler.stop();
    let trace: Value = serde_json::from_str(&profile.chrome_trace()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let nanoseconds = |v: &Value| (v.as_f64().unwrap() * 1e3).round() as u64;
    let mut bars: Vec<(u64, u64)> = Vec::new();
    for e in events {
        assert!(e["name"].is_string() && e["pid"] == 1 && e["tid"] == 1, "{e}");
        if e["ph"] == "X" {
            assert!(e["cat"].is_string());
            bars.push((nanoseconds(&e["ts"]), nanoseconds(&e["ts"]) + nanoseconds(&e["dur"])));
        }
    }
    let calls: u64 = profile.rows().iter().map(|r| r.calls).sum();
    // The whole profile is one bar, and the rows of the profiler and of the rest have none.
    assert_eq!(bars.len() as u64, calls + 1);
    bars.sort_by_key(|&(start, end)| (start, std::cmp::Reverse(end)));
    let mut open: Vec<u64> = Vec::new();
    for (start, end) in bars {
        while open.last().is_some_and(|&outer| outer <= start) {
            open.pop();
        }
        assert!(open.last().is_none_or(|&outer| end <= outer));
        open.push(end);
    }
    assert!(events.iter().any(|e| e["args"]["module"] == "odd \"name\"\u{1}"));
}

#[test]
fn tables_are_sorted_limited_and_complete() {
    let weights = [named::<f32>("a.weight", [5, 3]), named("b.weight", [2, 5])];
    let tape = Tape::<f32>::new();
    let (_, profile) = tape.profile(|| model(&tape, &weights, 4).backward().unwrap());
    let table = profile.table().sorted_by(Column::Flops).limited(2);
    let flops: Vec<u64> = table.rows().iter().map(|r| r.flops).collect();
    assert!(flops.is_sorted_by(|a, b| a >= b), "{flops:?}");
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[1].starts_with("linear") && lines[1].contains("b "), "{text}");
    assert!(lines[3].starts_with(&format!("{} more", table.rows().len() - 2)), "{text}");
    assert!(lines[4].starts_with("all") && lines[4].contains("100.0"), "{text}");
    let text = profile.per_step(3).to_string();
    assert!(text.starts_with("profile of 3 steps of ") && text.contains("threads: "), "{text}");
}

#[test]
fn an_evaluating_tape_is_profiled_too() {
    let tape = Tape::<f32>::eval();
    let x = tape.constant(Tensor::ones([10]));
    let (_, profile) = tape.profile(|| x.exp());
    assert_eq!(counts(&profile, "exp", Pass::Forward), (1, 10));
    // Another thread has a profiler of its own.
    let profiler = Profiler::start();
    let exp = || Tape::<f32>::new().var(1.0).exp().item();
    assert!(std::thread::spawn(exp).join().unwrap().is_ok());
    assert_eq!(counts(&profiler.stop(), "exp", Pass::Forward).0, 0);
}
