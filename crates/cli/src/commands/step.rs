//! `wengert step`: a computation and its gradient, step by step.

mod regions;
mod view;

use super::eval::{check_weights, load_weights};
use crate::config::Config;
use crate::input::read_text;
use crate::options::names::ActivationName;
use crate::options::values;
use crate::zoo::Architecture;
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use std::fs;
use std::io::{IsTerminal, stdin, stdout};
use std::path::{Path, PathBuf};
use wengert::Tape;
use wengert::nn::state::write_whole;
use wengert::nn::zoo::{Mlp, MlpConfig};
use wengert::nn::{Activation, Layer, for_each_param_mut};
use wengert::ops::Tensor;
use wengert::ops::random::Rng;
use wengert::trace::expression::Expression;
use wengert::trace::network::Network;
use wengert::trace::{Trace, dot, page, text};
use wengert::train::RunFolder;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StepArgs {
    /// An expression, a model of the zoo, the folder of a run, or the file of a trace
    #[arg(value_name = "EXPRESSION | MODEL | RUN_DIR | TRACE.json", allow_hyphen_values = true)]
    what: String,

    /// The values of the variables of an expression
    #[arg(long, value_name = "NAME=NUMBER,..", value_delimiter = ',', value_parser = assignment)]
    at: Vec<(String, f64)>,

    /// The widths of the perceptron's layers, from the input to the output [default: 2,3,1]
    #[arg(long, value_name = "N,N,..", value_delimiter = ',', value_parser = values::count::<512>)]
    widths: Vec<usize>,

    /// Show the perceptron in vectors and matrices; without it every number is a node
    #[arg(long)]
    vector: bool,

    /// The function between the layers of the perceptron [default: tanh]
    #[arg(long, value_name = "NAME")]
    activation: Option<ActivationName>,

    /// Show the linear regions of the perceptron, of one input and with relu, and nothing else
    #[arg(long, conflicts_with_all = ["format", "explain"])]
    regions: bool,

    /// The seed of a model's weights, and of the perceptron's input and target
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Say why the gradient of this node has its value, and nothing else
    #[arg(long, value_name = "NODE", conflicts_with_all = ["format", "out"])]
    explain: Option<String>,

    /// What to write: without it an interactive view in a terminal, and text elsewhere
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,

    /// The file to write; its ending gives the format
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Text,
    /// A graph for Graphviz
    Dot,
    /// The trace itself, which can be read again
    Json,
    /// A page to click through
    Html,
}

const EXAMPLES: &str = "\
Keys in the interactive view: ← → step, / search, g jump to a node, ? help, q quit.

Examples:
  wengert step 'tanh(w*x + b)^2' --at w=2,x=-1,b=0.5
  wengert step 'z = w*x + b; log(1 + exp(-z))' --at w=2,x=-1,b=0.5 --out page.html
  wengert step mlp --widths 2,3,1             w_ji, z_j, h_j and δ_j, every number a node
  wengert step mlp --vector --format text     W, z, h and δ
  wengert step mlp --widths 1,8,8,1 --regions where the slope of a ReLU network changes
  wengert step gpt --out gpt.html             the loss of two samples, through all layers
  wengert step runs/vae-seed0                 the same with the weights that were learned
  wengert step 'x*sin(x)' --at x=2 --explain x";

/// The largest number of nodes of a network in which every number is a node.
const MAX_NODES: usize = 20_000;

fn assignment(text: &str) -> Result<(String, f64), String> {
    let expected = || format!("expected a name and a number such as w=2, found {text:?}");
    let (name, value) = text.split_once('=').ok_or_else(expected)?;
    let value: f64 = value.trim().parse().map_err(|_| expected())?;
    if name.trim().is_empty() { Err(expected()) } else { Ok((name.trim().to_owned(), value)) }
}

impl StepArgs {
    pub(crate) fn run(self) -> Result<String> {
        if self.regions {
            return self.regions();
        }
        let trace = self.trace()?;
        if let Some(name) = &self.explain {
            return Ok(trace.explain(trace.find(name)?)?.to_string());
        }
        let by_ending = match (self.format, self.out.as_deref()) {
            (None, Some(path)) => Some(ending(path)?),
            _ => None,
        };
        let capable = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let terminal = capable && stdout().is_terminal() && stdin().is_terminal();
        let format = match (self.format, by_ending) {
            (Some(asked), _) | (None, Some(asked)) => asked,
            (None, None) if terminal => return view::show(&trace),
            (None, None) => Format::Text,
        };
        let width = if stdout().is_terminal() {
            crossterm::terminal::size().map_or(100, |(columns, _)| usize::from(columns))
        } else {
            160
        };
        let written = match format {
            Format::Text => text::table(&trace, width),
            Format::Dot => dot::graph(&trace),
            Format::Json => trace.to_json()?,
            Format::Html => page::html(&trace),
        };
        let Some(path) = &self.out else { return Ok(written) };
        let written = written + "\n";
        // A path that is not a file, such as a pipe, cannot be replaced by a new file.
        let saved = match path.metadata() {
            Ok(there) if !there.is_file() => fs::write(path, written),
            _ => write_whole(path, written.as_bytes()),
        };
        saved.with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(format!("{} steps in {}", trace.steps().len(), path.display()))
    }

    fn trace(&self) -> Result<Trace> {
        let model = self.what == "mlp";
        let path = Path::new(&self.what);
        let recorded = if model { None } else { self.recorded(path)? };
        // A text that parses as an expression is one, even if there is a file of that name.
        let is_json = path.extension().is_some_and(|e| e == "json");
        let file = !model
            && recorded.is_none()
            && (is_json || path.is_file() && Expression::parse(&self.what).is_err());
        let refuse = |given: bool, option: &str, what: &str| {
            if given { bail!("{option} is for {what}") } else { Ok(()) }
        };
        let of_model = "the model mlp";
        if !model {
            refuse(!self.widths.is_empty(), "--widths", of_model)?;
            refuse(self.vector, "--vector", of_model)?;
            refuse(self.activation.is_some(), "--activation", of_model)?;
        }
        if model || file || recorded.is_some() {
            refuse(!self.at.is_empty(), "--at", "the variables of an expression")?;
        }
        if model {
            return self.network();
        }
        if let Some(trace) = recorded {
            return Ok(trace);
        }
        if file {
            let text = read_text(path, Trace::LARGEST_JSON)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            return Trace::from_json(&text).with_context(|| path.display().to_string());
        }
        let at: Vec<(&str, f64)> = self.at.iter().map(|(name, c)| (name.as_str(), *c)).collect();
        if let Some(twice) = (1..at.len()).find(|&i| at[..i].iter().any(|(name, _)| *name == at[i].0)) {
            bail!("--at gives {} two values", at[twice].0);
        }
        // A text that looks like the name of a model gets an error that says so.
        let letter = |c: char| c.is_alphanumeric() || "-_./".contains(c);
        let name = at.is_empty() && !self.what.is_empty() && self.what.chars().all(letter);
        let read = Expression::parse(&self.what).map_err(wengert::trace::Error::from);
        match read.and_then(|e| e.trace(&at)) {
            Ok(trace) => Ok(trace),
            Err(e) if path.is_dir() => {
                bail!(
                    "{} is a folder without the config.toml of a run; as an expression: {e}",
                    path.display()
                )
            }
            Err(e) if name => {
                let known = "wengert models lists the models";
                bail!("{} is no model, run or file ({known}); as an expression: {e}", self.what)
            }
            Err(e) => Err(e.into()),
        }
    }

    /// The loss of a model of the zoo with its initial weights, or of a run with its final weights.
    fn recorded(&self, path: &Path) -> Result<Option<Trace>> {
        let run = path.is_dir() && path.join("config.toml").is_file();
        let (config, folder) = match Architecture::named(&self.what) {
            Some(model) => (Config { seed: self.seed, ..Config::default_of(model) }, None),
            None if run => {
                let folder = RunFolder::open(path)?;
                let config = Config::read(&folder)?;
                check_weights(&folder, &config)?;
                (config, Some(folder))
            }
            None => return Ok(None),
        };
        let mut prepared = config.prepare()?;
        if let Some(folder) = &folder {
            load_weights(folder, &config, &mut prepared)?;
        }
        let mut experiment = prepared.experiment;
        // Parameters get their names when they are visited mutably.
        for_each_param_mut::<f32>(experiment.model_mut(), &mut |_, _| {});
        let tape = Tape::new().keep_all();
        let mut trace = Trace::of(experiment.record(&tape)?.named("loss"))?;
        trace.title = format!("{}: the loss of two samples", self.what.trim_end_matches('/'));
        // The source lines are in the library, and do not help the user.
        trace.nodes.iter_mut().for_each(|n| n.source = None);
        Ok(Some(trace))
    }

    /// The linear regions of the perceptron.
    fn regions(&self) -> Result<String> {
        ensure!(self.what == "mlp", "--regions is for the model mlp");
        let widths = if self.widths.is_empty() { vec![1, 8, 8, 1] } else { self.widths.clone() };
        ensure!(
            widths[0] == 1 && self.activation.is_none_or(|a| a == ActivationName::Relu),
            "--regions is for networks of one input with relu, such as --widths 1,8,8,1 --activation relu"
        );
        let units: usize = widths.iter().sum();
        ensure!(
            units <= 2048,
            "a network of {units} units has more linear regions than can be read; take fewer"
        );
        let net = self.perceptron(&widths, Activation::Relu)?;
        let text = regions::table(&net.weights, &net.biases);
        let Some(path) = &self.out else { return Ok(text) };
        write_whole(path, format!("{text}\n").as_bytes())
            .with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(format!("wrote {}", path.display()))
    }

    /// The multilayer perceptron of the zoo.
    fn network(&self) -> Result<Trace> {
        let widths = if self.widths.is_empty() { vec![2, 3, 1] } else { self.widths.clone() };
        let nodes: usize = widths.windows(2).map(|w| (w[0] + 3) * w[1]).sum();
        if !self.vector && nodes > MAX_NODES {
            bail!("every number is a node, {nodes} of them; with --vector, a matrix is one");
        }
        let activation = Activation::from(self.activation.unwrap_or(ActivationName::Tanh));
        let net = self.perceptron(&widths, activation)?;
        if self.vector {
            return Ok(net.vector(&|z| activation.forward(z))?);
        }
        if activation.of(0.0).is_none() {
            bail!("{activation:?} is a function of a whole layer, not of a number: add --vector");
        }
        Ok(net.scalar(&|z| activation.of(z).unwrap_or(z))?)
    }

    /// The perceptron's weights, an input and a target, all drawn from the seed.
    fn perceptron(&self, widths: &[usize], activation: Activation) -> Result<Network> {
        let &[inputs, .., outputs] = widths else {
            bail!("a network has at least two widths, its input's and its output's, such as --widths 2,3,1");
        };
        let mut rng = Rng::seed(self.seed);
        let model = Mlp::<f64>::with_config(
            &MlpConfig { widths: widths.to_vec(), activation, dropout: 0.0 },
            &mut rng,
        );
        let mut net = Network {
            weights: Vec::new(),
            biases: Vec::new(),
            input: Tensor::randn([inputs], &mut rng)?,
            target: Tensor::randn([outputs], &mut rng)?,
        };
        for layer in &model.layers {
            net.weights.push(layer.weight.value().clone());
            // The zoo's biases are initially zero; other numbers show more.
            net.biases.push(Tensor::randn([layer.weight.value().shape()[0]], &mut rng)?.scale(0.1));
        }
        Ok(net)
    }
}

/// The format that a file's extension determines.
fn ending(path: &Path) -> Result<Format> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("txt") => Ok(Format::Text),
        Some("dot" | "gv") => Ok(Format::Dot),
        Some("json") => Ok(Format::Json),
        Some("html" | "htm") => Ok(Format::Html),
        _ => bail!(
            "{}: expected a file that ends in .txt, .dot, .json or .html, or --format in addition",
            path.display()
        ),
    }
}
