//! Times one step of each workload, f32, fixed inputs: training steps (forward, loss, backward, update, learning rate 10⁻⁶), layers
//! (forward, backward) and models that answer one sample.
//!
//! `cargo run --release -p wengert-benches -- --workload w1,w9,w10 --threads 2`, or `just bench-peers` for the comparison with
//! other engines.
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

mod workloads;

use anyhow::{Context, Result, bail};
use clap::Parser;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use wengert::Tensor;
use wengert::tape::profile::Profiler;
use workloads::{Run, Step};

#[derive(Parser)]
#[command(about = "Times training steps, layers and models of wengert")]
struct Args {
    /// Workloads, separated by commas, or `all`
    #[arg(long, default_value = "all")]
    workload: String,
    /// Number of threads of the pool
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Measuring time per workload in seconds, after a warm-up of a quarter of it
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Print one JSON object per line instead of text
    #[arg(long)]
    json: bool,
    /// Instead of measuring, write each workload's initial weights and inputs to a file in this folder, and print its first loss
    #[arg(long)]
    export: Option<PathBuf>,
    /// After the measurement, profile steps for a quarter of its time, and print where the time goes
    #[arg(long, conflicts_with = "json")]
    profile: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    let table = workloads::table();
    let wanted: Vec<_> = match args.workload.as_str() {
        "all" => table.iter().collect(),
        list => list
            .split(',')
            .map(|name| table.iter().find(|w| w.name.eq_ignore_ascii_case(name)))
            .map(|found| {
                found.with_context(|| format!("no such workload; there are {}", workloads::names(&table)))
            })
            .collect::<Result<_>>()?,
    };
    if !(args.seconds > 0.0 && args.seconds.is_finite()) {
        bail!("--seconds: expected a positive number, found {}", args.seconds);
    }
    for w in wanted {
        let Run { mut step, start } = (w.build)()?;
        if let Some(folder) = &args.export {
            let file = folder.join(format!("{}.safetensors", w.name));
            wengert::nn::state::write(&start, &file)?;
            println!("{}", serde_json::json!({ "workload": w.name, "file": file, "loss": value(&step()?) }));
            continue;
        }
        drop(start);
        let begun = Instant::now();
        let loss = value(&step()?);
        let first = begun.elapsed().as_secs_f64() * 1e3;
        let mut times = Vec::new();
        run_for(args.seconds / 4.0, &mut step, &mut times)?;
        times.clear();
        run_for(args.seconds, &mut step, &mut times)?;
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
        if args.json {
            let line = serde_json::json!({
                "workload": w.name, "engine": "wengert", "version": env!("CARGO_PKG_VERSION"), "ms": at(0.5),
                "first_ms": first,
                "min_ms": at(0.0), "p90_ms": at(0.9), "steps": times.len(), "threads": args.threads,
                "loss": loss, "peak_rss_mb": peak_rss_mb(),
            });
            println!("{line}");
        } else {
            let (ms, min, p90) = (at(0.5), at(0.0), at(0.9));
            println!(
                "{:14} {ms:10.4} ms  (min {min:.4}, p90 {p90:.4}, {} steps; the first took {first:.4})",
                w.name,
                times.len()
            );
        }
        if args.profile {
            times.clear();
            let profiler = Profiler::start();
            run_for(args.seconds / 4.0, &mut step, &mut times)?;
            println!("\n{}", profiler.stop().per_step(times.len()));
        }
    }
    Ok(())
}

/// A loss, or the mean of the squares of a model's output: the number that other engines have to reproduce.
fn value(output: &Tensor<f32>) -> f64 {
    match &output.to_vec()[..] {
        [loss] => f64::from(*loss),
        all => all.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / all.len() as f64,
    }
}

fn run_for(seconds: f64, step: &mut Step, times: &mut Vec<f64>) -> Result<()> {
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end || times.len() < 5 {
        let start = Instant::now();
        step()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(())
}

/// The largest resident size of this process so far, if the system reports it.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1e3)
}
