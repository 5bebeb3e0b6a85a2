//! What the peers in Rust have in common: arguments, the clock, and the report.

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;
use std::time::Instant;

/// Runs one workload from wengert's weights and inputs, and prints a JSON object.
#[derive(Parser)]
pub struct Args {
    /// Name of the workload
    #[arg(long)]
    pub workload: String,
    /// The file that `steps --export` wrote for this workload
    #[arg(long)]
    pub data: PathBuf,
    /// Number of threads
    #[arg(long, default_value_t = 2)]
    pub threads: usize,
    /// Measuring time, after a quarter of it to warm up
    #[arg(long, default_value_t = 1.0)]
    pub seconds: f64,
}

/// Takes one step and returns its loss.
pub type Step = Box<dyn FnMut() -> Result<f32>>;

/// Measures the step and prints the report.
pub fn report(engine: &str, version: &str, args: &Args, mut step: Step) -> Result<()> {
    let loss = step()?;
    run_for(args.seconds / 4.0, 1, &mut step)?;
    let mut times = run_for(args.seconds, 5, &mut step)?;
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
    let line = serde_json::json!({
        "workload": args.workload, "engine": engine, "version": version, "loss": loss, "ms": at(0.5), "min_ms": at(0.0),
        "p90_ms": at(0.9), "steps": times.len(), "threads": args.threads, "peak_rss_mb": peak_rss_mb(),
    });
    println!("{line}");
    Ok(())
}

/// The milliseconds of each step.
fn run_for(seconds: f64, least: usize, step: &mut Step) -> Result<Vec<f64>> {
    let (begun, mut times) = (Instant::now(), Vec::new());
    while begun.elapsed().as_secs_f64() < seconds || times.len() < least {
        let start = Instant::now();
        step()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok(times)
}

/// The largest resident size of this process so far, if the system reports it.
fn peak_rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1e3)
}
