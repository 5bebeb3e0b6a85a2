//! The timing of the programs, for this and for other engines: variants in turns, and the least time of each.

use crate::programs::numbers;
use clap::Parser;
use std::hint::black_box;
use std::time::{Duration, Instant};

#[derive(Parser)]
#[command(about = "Times scalar programs and their gradients")]
struct Args {
    /// Programs, separated by commas: p1, p2, p3a, p3b, p4, p5
    #[arg(long, default_value = "p1,p2,p3a,p3b,p4,p5")]
    programs: String,
    /// Number of rounds; the least time of each variant counts
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Measuring time of a variant in milliseconds
    #[arg(long, default_value_t = 60)]
    millis: u64,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print sums over the gradients, as JSON, instead of times
    #[arg(long)]
    check: bool,
    /// Print the microseconds of the first gradient of P1 in this process, on a new tape, including its inputs
    #[arg(long)]
    first: bool,
}

/// Runs a program, writes the derivatives with respect to its inputs, and returns the bytes of tape used, or 0 if unknown.
pub(crate) type Run = Box<dyn FnMut(&mut [f64]) -> usize>;

pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The number of elementary operations of a run.
    pub(crate) ops: usize,
    /// The number of derivatives of a run.
    pub(crate) inputs: usize,
    /// The variants by name. The first is on plain numbers and writes no derivatives.
    pub(crate) variants: Vec<(&'static str, Run)>,
}

pub(crate) fn main(programs: [fn() -> Program; 6], first: fn()) {
    let args = Args::parse();
    if args.first {
        let start = Instant::now();
        first();
        println!("{:.1}", start.elapsed().as_secs_f64() * 1e6);
        return;
    }
    if !args.json && !args.check {
        println!("{:5} {:11} {:>9} {:>9} {:>9}", "", "", "ns/op", "bytes/op", "by plain");
    }
    for build in programs {
        let program = build();
        if args.programs.split(',').any(|p| p.eq_ignore_ascii_case(program.name)) {
            if args.check { check(program) } else { time(program, &args) }
        }
    }
}

/// Prints the derivative in a direction in which no two inputs have equal parts, and the sum of its terms' magnitudes.
fn check(mut program: Program) {
    let direction = numbers(program.inputs);
    for (name, run) in &mut program.variants[1..] {
        let mut grads = vec![f64::NAN; program.inputs];
        run(&mut grads);
        let terms = grads.iter().zip(&direction).map(|(g, d)| g * d);
        let (slope, size) = terms.fold((0.0, 0.0), |(sum, size), t| (sum + t, size + t.abs()));
        let program = program.name;
        println!(r#"{{"program": "{program}", "variant": "{name}", "slope": {slope:e}, "size": {size:e}}}"#);
    }
}

fn time(mut program: Program, args: &Args) {
    let ops = program.ops as f64;
    let mut grads = vec![0.0; program.inputs];
    let mut best = vec![f64::INFINITY; program.variants.len()];
    let mut bytes = vec![0; program.variants.len()];
    // In turns, so that all variants run under the same conditions.
    for _ in 0..args.rounds {
        for (i, (_, run)) in program.variants.iter_mut().enumerate() {
            bytes[i] = run(&mut grads);
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(args.millis) {
                let one = Instant::now();
                black_box(run(black_box(&mut grads)));
                best[i] = best[i].min(one.elapsed().as_secs_f64() * 1e9 / ops);
            }
        }
    }
    for (i, (variant, _)) in program.variants.iter().enumerate() {
        let (name, ns, bytes) = (program.name, best[i], bytes[i] as f64 / ops);
        if args.json {
            println!(
                r#"{{"program": "{name}", "variant": "{variant}", "ns": {ns:.4}, "bytes": {bytes:.2}}}"#
            );
        } else {
            println!("{name:5} {variant:11} {ns:9.3} {bytes:9.2} {:9.2}", ns / best[0]);
        }
    }
}
