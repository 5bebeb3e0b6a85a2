//! `wengert sample`: what a trained model generates.

use super::eval::{check_weights, load_weights};
use crate::config::Config;
use crate::options::values;
use crate::zoo::{Sample, SampleOptions};
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::PathBuf;
use wengert::data::format::image::{GridConfig, write_grid};
use wengert::nn::state::write_whole;
use wengert::nn::zoo::Decoding;
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SampleArgs {
    /// The folder that `wengert train` made
    run_dir: PathBuf,

    /// How many continuations of a text, or images [default: 1 text, 64 images]
    #[arg(long, value_name = "N", value_parser = values::count::<65536>)]
    count: Option<usize>,

    /// The text that a language model continues, or that is translated
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,

    /// The characters of a text
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = values::count::<10_000_000>)]
    length: usize,

    /// How daring a text is: near 0 the most probable character is taken, 1 is the model's own distribution
    #[arg(long, value_name = "T", default_value_t = 1.0, value_parser = values::clip)]
    temperature: f64,

    /// Draw from this number of the most probable characters only
    #[arg(long, value_name = "K", value_parser = values::count::<1_000_000>)]
    top_k: Option<usize>,

    /// What the draws come from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// The file to write [default: the standard output for text, samples.png in the run's folder for images]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  wengert sample runs/gpt-seed0 --prompt 'HAMLET.' --temperature 0.8
  wengert sample runs/gan-seed0 --count 100 --out gan.png
  wengert sample runs/seq2seq-seed0 --prompt 'New Zealand'
  wengert sample runs/forecaster-seed0 --out forecast.csv";

/// The number of images in a row, so that the grid is a square or has fewer rows than columns.
fn columns(n: usize) -> usize {
    (1..=n).find(|c| c * c >= n).unwrap_or(1)
}

impl SampleArgs {
    pub(crate) fn run(self) -> Result<String> {
        let folder = RunFolder::open(self.run_dir)
            .context("nothing to sample from; `wengert train gpt` makes a run and prints its folder")?;
        let config = Config::read(&folder)?;
        ensure!(
            self.prompt.as_deref() != Some(""),
            "--prompt: expected at least one character, found an empty text; without --prompt, a language model begins a line"
        );
        check_weights(&folder, &config)?;
        let mut prepared = config.prepare()?;
        load_weights(&folder, &config, &mut prepared)?;
        let options = SampleOptions {
            count: self.count,
            prompt: self.prompt,
            length: self.length,
            decoding: Decoding { temperature: self.temperature, top_k: self.top_k },
            seed: self.seed,
        };
        let failed = || format!("sampling from {} failed", config.model.model().about().name);
        match prepared.experiment.sample(&options).with_context(failed)? {
            Sample::Text(text) => match self.out {
                None => Ok(text),
                Some(path) => {
                    write_whole(&path, format!("{text}\n").as_bytes())
                        .with_context(|| path.display().to_string())?;
                    Ok(format!("wrote {}", path.display()))
                }
            },
            Sample::Images(images) => {
                let path = self.out.unwrap_or_else(|| folder.path().join("samples.png"));
                let grid = GridConfig { columns: columns(images.shape()[0]), ..GridConfig::default() };
                write_grid(&path, &images, &grid)?;
                Ok(format!("wrote {}", path.display()))
            }
        }
    }
}
