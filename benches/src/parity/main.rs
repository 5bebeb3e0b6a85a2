//! Trains models of the zoo, for comparison with the same training in PyTorch.
//!
//! For each model and precision, `curves` writes a file of initial weights, data, order of the samples, and noise, and prints
//! the losses of the first steps from there; the final weights are at the end of the file. `metrics` trains from
//! its own initial weights and prints the quality of the model on held-out samples. Both print one JSON object per line.
//! `benches/parity.py` does the same in PyTorch and compares.
#![allow(clippy::print_stdout, reason = "a program that prints its results")]

mod cnn;
mod forecaster;
mod gan;
mod language;
mod mlp;
mod model;
mod plan;
mod resnet;
mod samples;
mod seq2seq;
mod vae;
mod vit;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use model::{Build, Entry, Model};
use samples::Sets;
use serde_json::json;
use std::path::{Path, PathBuf};
use wengert::data::permutation;
use wengert::nn::state::{self, AnyTensor, Dict};
use wengert::ops::random::{Key, Purpose};
use wengert::prelude::*;

/// The number of steps for which the schedules of compared curves are made.
const SCHEDULED: usize = 50;

fn entries() -> Vec<Entry> {
    let mut all = vec![mlp::entry(), cnn::lenet(), cnn::vgg(), resnet::entry(), vit::entry()];
    all.extend(language::recurrent());
    all.extend([language::gpt(), seq2seq::recurrent(), seq2seq::transformer()]);
    all.extend([forecaster::entry(), vae::entry(), gan::dense(), gan::convolutional()]);
    all
}

/// Trains models of the zoo, for comparison with PyTorch.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
    /// Run only these models, separated by commas
    #[arg(long, global = true, value_delimiter = ',')]
    model: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the losses of the first steps
    Curves {
        /// Folder for the files
        #[arg(long)]
        folder: PathBuf,
        /// Number of steps in double precision
        #[arg(long, default_value_t = 50)]
        double: usize,
        /// Number of steps in single precision
        #[arg(long, default_value_t = 10)]
        single: usize,
    },
    /// Print metrics on held-out samples after a short training
    Metrics {
        /// Folder for the files
        #[arg(long)]
        folder: PathBuf,
        /// First seed
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Number of seeds
        #[arg(long, default_value_t = 3)]
        seeds: u64,
    },
}

/// The positions of each step's samples: epochs without replacement, without the incomplete batches at their ends.
fn order(n: usize, batch: usize, steps: usize, seed: u64) -> Vec<Vec<usize>> {
    let epochs = (0..).map(|epoch| permutation(n, Key::of(seed, Purpose::Order, epoch)));
    let batches = epochs.flat_map(|all| all.chunks_exact(batch).map(<[usize]>::to_vec).collect::<Vec<_>>());
    batches.take(steps).collect()
}

/// The random stream of a step.
fn stream(seed: u64, step: usize) -> Rng {
    Rng::at(Key::of(seed, Purpose::Layers, (step as u64) << 16))
}

fn curve<T: Float>(
    entry: &Entry,
    sets: &Sets,
    build: Build<T>,
    steps: usize,
    path: &Path,
) -> Result<Vec<Vec<f64>>> {
    let mut model = build(&mut Rng::seed(1));
    let mut dict = Dict::new();
    model.state("start", &mut dict);
    sets.train.write::<T>("train", &mut dict);
    let order = order(sets.train.len(), entry.plan.batch, steps, 1);
    let flat: Vec<i64> = order.iter().flatten().map(|&i| i as i64).collect();
    dict.insert("order".into(), AnyTensor::I64(Tensor::from_vec(flat, [steps, entry.plan.batch])?));
    let (mut tape, mut updater) = (Tape::train(0), entry.plan.updater(SCHEDULED));
    let (mut losses, mut noise) = (Vec::new(), Vec::new());
    for (step, positions) in order.iter().enumerate() {
        let batch = sets.train.batch(positions, stream(1, step))?;
        if let Some(shape) = &entry.noise {
            noise.extend(batch.noise(shape)?.to_vec());
        }
        updater.step = step;
        losses.push(model.step(&mut tape, &batch, &mut updater)?);
    }
    if let Some(shape) = &entry.noise {
        let all = [&[steps], &shape[..]].concat();
        dict.insert("noise".into(), AnyTensor::of(&Tensor::from_vec(noise, all)?));
    }
    model.state("end", &mut dict);
    state::write(&dict, path)?;
    Ok(losses)
}

fn metric(entry: &Entry, sets: &Sets, seed: u64) -> Result<f64> {
    let mut model = (entry.single)(&mut Rng::seed(1000 + seed));
    let steps = entry.plan.epochs * (sets.train.len() / entry.plan.batch);
    let (mut tape, mut updater) = (Tape::train(seed), entry.plan.updater(steps));
    for (step, positions) in order(sets.train.len(), entry.plan.batch, steps, 1000 + seed).iter().enumerate()
    {
        updater.step = step;
        model.step(&mut tape, &sets.train.batch(positions, stream(1000 + seed, step))?, &mut updater)?;
    }
    model.metric(&sets.test.all(stream(1000 + seed, steps))?)
}

fn run(entry: &Entry, command: &Command) -> Result<()> {
    let sets = (entry.sets)()?;
    let steps = entry.plan.epochs * (sets.train.len() / entry.plan.batch);
    match command {
        Command::Curves { folder, double, single } => {
            for dtype in ["f64", "f32"] {
                let path = folder.join(format!("{}-{dtype}.safetensors", entry.name));
                let losses = match dtype {
                    "f64" => curve(entry, &sets, entry.double, *double, &path)?,
                    _ => curve(entry, &sets, entry.single, *single, &path)?,
                };
                let (plan, file) = (entry.plan.torch(SCHEDULED), path.display().to_string());
                let line = json!({
                    "model": entry.name, "dtype": dtype, "file": file, "plan": plan, "losses": losses,
                });
                println!("{line}");
            }
        }
        Command::Metrics { folder, seed, seeds } => {
            let path = folder.join(format!("{}-sets.safetensors", entry.name));
            let mut dict = Dict::new();
            sets.train.write::<f32>("train", &mut dict);
            sets.test.write::<f32>("test", &mut dict);
            state::write(&dict, &path)?;
            let begun = std::time::Instant::now();
            let metrics =
                (*seed..seed + seeds).map(|s| metric(entry, &sets, s)).collect::<Result<Vec<_>>>()?;
            let line = json!({
                "model": entry.name, "file": path.display().to_string(), "plan": entry.plan.torch(steps),
                "seed": seed, "metrics": metrics, "seconds": begun.elapsed().as_secs_f64(),
            });
            println!("{line}");
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let args = Args::parse();
    let table = entries();
    let named = |name: &String| {
        let all: Vec<_> = table.iter().map(|e| e.name).collect();
        let found = table.iter().find(|e| e.name == name);
        found.with_context(|| format!("no such model as {name}; there are {}", all.join(", ")))
    };
    let wanted: Vec<&Entry> = match &args.model[..] {
        [] => table.iter().collect(),
        names => names.iter().map(named).collect::<Result<_>>()?,
    };
    for entry in wanted {
        run(entry, &args.command).with_context(|| entry.name)?;
    }
    Ok(())
}
