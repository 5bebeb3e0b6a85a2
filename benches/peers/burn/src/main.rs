//! burn's side of the comparison of speed, on its backend `flex`: `burn-peer --workload w1 --data w1.safetensors`.
#![recursion_limit = "256"]

#[path = "../../measure.rs"]
mod measure;
mod start;
mod workloads;

use anyhow::{Result, bail};
use burn::prelude::Device;
use clap::Parser;
use start::Start;

/// As in Cargo.toml.
const VERSION: &str = "0.22.1";

fn main() -> Result<()> {
    let args = measure::Args::parse();
    let start = Start::read(&args.data, Device::flex().autodiff())?;
    let step = match args.workload.as_str() {
        "w1" => workloads::w1(&start)?,
        "w2" => workloads::w2(&start)?,
        "w3" => workloads::w3(&start)?,
        "w4" => workloads::w4(&start)?,
        "w5" => workloads::w5(&start)?,
        "w6" => workloads::w6(&start)?,
        "w7" => workloads::w7(&start)?,
        "w8" => workloads::w8(&start)?,
        "w9" => workloads::w9(&start)?,
        "w10" => workloads::w10(&start)?,
        other => bail!("no such workload as {other}"),
    };
    drop(start);
    measure::report("burn", VERSION, &args, step)
}
