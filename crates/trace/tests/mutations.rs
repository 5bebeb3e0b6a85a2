//! Damaged traces: none makes the reader or whoever shows the trace panic. The variable `MUTATIONS` says how many to try:
//!
//! ```console
//! $ MUTATIONS=1000000 cargo test --release -p wengert-trace --test mutations
//! ```

#[path = "../../train/tests/damage/mod.rs"]
mod damage;

use wengert_tape::Tape;
use wengert_trace::expression::Expression;
use wengert_trace::{Trace, dot, page, text};

#[test]
fn damaged_traces_are_refused_or_can_be_shown() {
    let tape = Tape::<f64>::new();
    let x = tape.var(wengert_ops::Tensor::from([[0.5, -1.0], [2.0, 0.25]]));
    let traces = [
        Expression::parse("a = w*x + b; tanh(a)^2")
            .unwrap()
            .trace(&[("w", 2.0), ("x", -1.0), ("b", 0.5)])
            .unwrap(),
        Trace::of((x.matmul(x).relu().sum_axes(0).square().mean()).named("loss")).unwrap(),
    ];
    let files: Vec<String> = traces.iter().map(|t| t.to_json().unwrap()).collect();
    let longest = files.iter().map(String::len).max().unwrap() as u64;
    damage::survives(
        "traces",
        damage::count(1000),
        200 * longest + (1 << 20),
        |random| damage::mutated(files[random.below(files.len())].as_bytes(), random),
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let trace = Trace::from_json(&text).map_err(|e| e.to_string())?;
            // Whoever shows it need not check anything.
            let shown = [text::table(&trace, 100), dot::graph(&trace), page::html(&trace)];
            assert!(!shown.concat().contains('\u{1b}'));
            if let Some(name) = trace.nodes.iter().find_map(|n| n.name.clone()) {
                let _ = trace.find(&name).and_then(|node| trace.explain(node)).map(|e| e.to_string());
            }
            Ok::<_, String>(())
        },
    );
}
