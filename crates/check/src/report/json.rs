//! JSON for programs. `docs/src/check-report.schema.json` describes it; a field is never removed or given another meaning without a
//! new `version`.

use crate::place::Places;
use crate::results::{Ended, Mode, OpResult, Results};
use serde::{Serialize, Serializer};
use wengert_tape::gradcheck::mutants::Fate;
use wengert_tape::gradcheck::suite::FailedCase;
use wengert_tape::gradcheck::{Mismatch, Order, Spec};

/// The version of the schema.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    generator: &'static str,
    mode: &'static str,
    verdict: &'static str,
    exit_code: u8,
    ended: &'static str,
    seed: u64,
    cases: Option<u64>,
    time_limit: Option<f64>,
    shard: Option<ShardOf>,
    properties: Vec<&'static str>,
    threads: usize,
    seconds: f64,
    command: &'a str,
    totals: Totals,
    operations: Vec<Operation<'a>>,
}

#[derive(Serialize)]
struct ShardOf {
    index: u64,
    count: u64,
}

#[derive(Serialize)]
struct Totals {
    operations: usize,
    passed: usize,
    failed: usize,
    survived: usize,
    incomplete: usize,
    skipped: usize,
    cases: usize,
    compared: usize,
    at_kinks: usize,
    not_compared: usize,
}

#[derive(Serialize)]
struct Operation<'a> {
    name: &'a str,
    file: String,
    line: u32,
    order: u8,
    verdict: &'static str,
    seconds: f64,
    cases: usize,
    compared: usize,
    at_kinks: usize,
    not_compared: usize,
    worst_error: Number,
    strided: usize,
    broadcast: Option<usize>,
    empty: Option<usize>,
    kinked: Option<usize>,
    largest: usize,
    f32_error: Option<SingleError>,
    messages: Vec<String>,
    panics: &'a [String],
    failures: Vec<Failure>,
    reproduce: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<Vec<MutantOf>>,
}

#[derive(Serialize)]
struct SingleError {
    value: Number,
    gradient: Number,
}

#[derive(Serialize)]
struct Failure {
    seed: u64,
    kind: String,
    property: Option<&'static str>,
    inputs: Vec<Input>,
    arguments: String,
    messages: Vec<String>,
    mismatches: Vec<WrongDerivative>,
}

#[derive(Serialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    strides: Vec<isize>,
    value: String,
}

#[derive(Serialize)]
struct WrongDerivative {
    order: u8,
    input: String,
    index: Vec<usize>,
    at: Number,
    output: Option<usize>,
    differences: [Number; 2],
    tape: Number,
    relative_error: Number,
}

#[derive(Serialize)]
struct MutantOf {
    name: &'static str,
    fate: &'static str,
    seed: Option<u64>,
}

/// A number, or one of the texts `NaN`, `Infinity` and `-Infinity`, which JSON has no numbers for.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            v if v.is_finite() => to.serialize_f64(v),
            v if v.is_nan() => to.serialize_str("NaN"),
            v if v > 0.0 => to.serialize_str("Infinity"),
            _ => to.serialize_str("-Infinity"),
        }
    }
}

pub(crate) fn write(results: &Results, places: &Places) -> String {
    use crate::results::OpVerdict::{Failed, Incomplete, Passed, Skipped, Survived};
    let (verdict, sums) = (results.verdict(), results.totals());
    let document = Document {
        version: VERSION,
        generator: concat!("wengert-check ", env!("CARGO_PKG_VERSION")),
        mode: if results.mode == Mode::Gradients { "gradients" } else { "mutants" },
        verdict: verdict.name(),
        exit_code: verdict.code(),
        ended: match results.ended {
            Ended::Complete => "complete",
            Ended::Time => "time",
            Ended::FailFast => "fail-fast",
            Ended::Signal(_) => "signal",
        },
        seed: results.seed,
        cases: results.cases,
        time_limit: results.time.map(|t| t.as_secs_f64()),
        shard: results.shard.map(|s| ShardOf { index: s.index + 1, count: s.count }),
        properties: results.properties.iter().map(|p| p.name()).collect(),
        threads: results.threads,
        seconds: results.elapsed.as_secs_f64(),
        command: &results.command,
        totals: Totals {
            operations: results.ops.len(),
            passed: results.count(Passed),
            failed: results.count(Failed),
            survived: results.count(Survived),
            incomplete: results.count(Incomplete),
            skipped: results.count(Skipped),
            cases: sums.cases,
            compared: sums.compared,
            at_kinks: sums.kinks,
            not_compared: sums.skipped,
        },
        operations: results.ops.iter().map(|op| operation(results, op, places)).collect(),
    };
    text(&document)
}

fn operation<'a>(results: &Results, op: &'a OpResult, places: &Places) -> Operation<'a> {
    let (o, report) = (&op.outcome, &op.outcome.report);
    Operation {
        name: op.name,
        file: places.in_repository(op.file),
        line: op.line,
        order: order(op.order),
        verdict: op.verdict.name(),
        seconds: op.spent.as_secs_f64(),
        cases: o.cases,
        compared: report.compared,
        at_kinks: report.kinks,
        not_compared: report.skipped,
        worst_error: Number(report.worst),
        strided: o.strided,
        broadcast: o.broadcast,
        empty: o.empty,
        kinked: o.kinked,
        largest: o.largest,
        f32_error: o.accuracy.map(|a| SingleError { value: Number(a.value), gradient: Number(a.gradient) }),
        messages: op.general(),
        panics: &op.panics,
        failures: o.failed.iter().map(failure).collect(),
        reproduce: op.again(results),
        mutants: (results.mode == Mode::Mutants).then(|| {
            let mutants = op.mutants.iter().map(|(mutation, fate)| {
                let (fate, seed) = match fate {
                    Some(Fate::Caught(seed)) => ("caught", Some(*seed)),
                    Some(Fate::Survived) => ("survived", None),
                    Some(Fate::NoEffect) => ("no effect", None),
                    None => ("not tried", None),
                };
                MutantOf { name: mutation.name(), fate, seed }
            });
            mutants.collect()
        }),
    }
}

fn failure(case: &FailedCase) -> Failure {
    let inputs = case.inputs.iter().zip(case.input_texts()).map(|(x, (name, value))| Input {
        name,
        shape: x.shape().to_vec(),
        strides: x.strides().to_vec(),
        value,
    });
    Failure {
        seed: case.seed,
        kind: format!("{:?}", case.kind).to_lowercase(),
        property: case.property.map(|p| p.name()),
        inputs: inputs.collect(),
        arguments: case.arguments.clone(),
        messages: case.report.failures.clone(),
        mismatches: case.report.mismatches.iter().map(mismatch).collect(),
    }
}

fn mismatch(m: &Mismatch) -> WrongDerivative {
    WrongDerivative {
        order: m.order,
        input: m.name.clone(),
        index: m.index.clone(),
        at: Number(m.at),
        output: m.output,
        differences: [Number(m.differences.0), Number(m.differences.1)],
        tape: Number(m.tape),
        relative_error: Number(m.relative_error()),
    }
}

fn order(order: Order) -> u8 {
    if order == Order::Second { 2 } else { 1 }
}

#[derive(Serialize)]
struct List<'a> {
    version: u32,
    operations: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    file: String,
    line: u32,
    order: u8,
}

/// The ops, without results.
pub(crate) fn list(specs: &[Spec], places: &Places) -> String {
    let operations = specs.iter().map(|spec| {
        let (file, line) = (places.in_repository(spec.location.file()), spec.location.line());
        Listed { name: spec.name, file, line, order: order(spec.order) }
    });
    text(&List { version: VERSION, operations: operations.collect() })
}

fn text(of: &impl Serialize) -> String {
    // Numbers, texts and lists of them can always be written.
    let mut text = serde_json::to_string_pretty(of).unwrap_or_default();
    text.push('\n');
    text
}
