//! The run itself, from its beginning or from a checkpoint: what `train` and `resume` share.

use super::{EVALUATION_BATCH, test_lines};
use crate::Interrupted;
use crate::config::Config;
use crate::values::Every;
use crate::zoo::Experiment;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use wengert::data::format::image::{self, GridConfig, grid};
use wengert::train::{self, Checkpoints, Ended, Epoch, FitConfig, GradientFlow, Gradients, Observer, Plan};
use wengert::train::{Progress, RunFolder, Snapshot, Step, TensorBoard, Watch};

/// How old the metrics in the folder may be: writing them at each of many short epochs would take longer than these.
const FRESH: Duration = Duration::from_secs(1);

/// Starts as many threads as were asked for.
pub(crate) fn threads(n: Option<usize>) -> Result<()> {
    let Some(n) = n else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
    pool.with_context(|| format!("{n} threads cannot be started; ask for fewer"))
}

/// Trains and keeps what comes of it.
pub(crate) struct Run<'r> {
    pub(crate) config: &'r Config,
    pub(crate) folder: &'r RunFolder,
    pub(crate) resume: Option<Snapshot>,
}

impl Run<'_> {
    /// Where the run saves itself. Without an interval, only when it is interrupted.
    pub(crate) fn checkpoints(config: &Config, folder: &RunFolder) -> Checkpoints {
        let every = config.checkpoint_every.unwrap_or(Every::NEVER);
        Checkpoints::new(folder.checkpoints(), every.into()).keep(config.keep_checkpoints)
    }
}

impl Run<'_> {
    /// Trains, and gives what is to be printed.
    pub(crate) fn of(self, experiment: &mut dyn Experiment) -> Result<String> {
        let Run { config, folder, resume } = self;
        let watch = match (&config.watch, config.patience) {
            (None, None) => None,
            (measure, patience) => {
                let watch = Watch::new(measure.as_deref().unwrap_or("loss")).min_delta(config.min_delta);
                Some(patience.map_or(watch.clone(), |epochs| watch.patience(epochs)))
            }
        };
        let schedule = train::Schedule::from(config.schedule);
        let fit_config = FitConfig {
            epochs: config.epochs,
            seed: config.seed,
            schedule: if config.warmup > 0 { schedule.after_warmup(config.warmup) } else { schedule },
            accumulate: config.accumulate,
            evaluation_batch: EVALUATION_BATCH,
            watch,
            checkpoints: Some(Run::checkpoints(config, folder)),
            resume,
            stop: Some(interruptible()?),
        };
        let mut keeper = Keeper {
            progress: Progress::stderr(),
            folder,
            epochs: Vec::new(),
            written: Instant::now(),
            done: 0,
            board: config.tensorboard.then(|| TensorBoard::create(folder.path())).transpose()?,
            flow: config.gradient_flow.then(GradientFlow::new),
        };
        let trained = experiment.fit(config, &fit_config, &mut keeper);
        // What was measured before a failure is kept too.
        if !keeper.epochs.is_empty() {
            folder.write_metrics(&keeper.epochs)?;
        }
        let fitted = trained?;
        if fitted.ended == Ended::Interrupted {
            let (path, done) = (folder.path().display(), keeper.done);
            bail!(Interrupted(format!("interrupted after step {done}; go on with: wengert resume {path}")));
        }
        folder.write_metrics(&fitted.epochs)?;
        let weights = folder.save(experiment.model())?;
        let name = config.model.model().name();
        let title = format!("{name} on {}, seed {}", config.data.title(), config.seed);
        folder.write_curves(&title, &fitted.epochs)?;
        for (name, images) in experiment.pictures()? {
            let picture = grid(&images, &GridConfig::default())?;
            image::write(folder.path().join(format!("{name}.png")), &picture)?;
            if let Some(board) = &mut keeper.board {
                board.events().image(name, keeper.done, &picture)?;
                board.events().flush()?;
            }
        }

        let Some(last) = fitted.epoch() else { bail!("no epoch was trained") };
        let seconds: f64 = fitted.epochs.iter().map(|e| e.seconds).sum();
        let early = match (fitted.ended, fitted.best) {
            (Ended::Early, Some(best)) => {
                format!("best epoch {best} of {}, then stopped early\n", fitted.epochs.len())
            }
            (_, Some(best)) => format!("best epoch {best} of {}\n", fitted.epochs.len()),
            _ => String::new(),
        };
        let flow = keeper.flow.map(|flow| format!("{flow}\n")).unwrap_or_default();
        Ok(format!(
            "{flow}{}\n{early}training seconds {seconds:.2}\nrun folder {}\nweights {weights:016x}",
            test_lines(&last.test),
            folder.path().display()
        ))
    }
}

/// Becomes true at Ctrl-C; a second one ends the program at once.
fn interruptible() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let signal = signal_hook::consts::SIGINT;
    // In this order: the first looks at the flag that the second sets.
    signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())
        .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
        .context("Ctrl-C cannot be waited for")?;
    Ok(stop)
}

/// Shows the run and keeps its metrics up to date.
struct Keeper<'r> {
    progress: Progress<'r>,
    folder: &'r RunFolder,
    epochs: Vec<Epoch>,
    written: Instant,
    done: usize,
    board: Option<TensorBoard>,
    flow: Option<GradientFlow>,
}

impl Observer for Keeper<'_> {
    fn start(&mut self, plan: &Plan) {
        self.progress.start(plan);
        if let Some(board) = &mut self.board {
            board.start(plan);
        }
    }
    fn gradients(&mut self, gradients: &Gradients<'_>) {
        if let Some(board) = &mut self.board {
            board.gradients(gradients);
        }
        if let Some(flow) = &mut self.flow {
            flow.gradients(gradients);
        }
    }
    fn step(&mut self, step: &Step) {
        self.done = step.done;
        self.progress.step(step);
        if let Some(board) = &mut self.board {
            board.step(step);
        }
    }
    fn warning(&mut self, message: &str) {
        self.progress.warning(message);
    }
    fn epoch(&mut self, epochs: &[Epoch]) -> train::Result<()> {
        self.progress.epoch(epochs)?;
        if let Some(board) = &mut self.board {
            board.epoch(epochs)?;
        }
        self.epochs = epochs.to_vec();
        if self.written.elapsed() > FRESH {
            self.folder.write_metrics(epochs)?;
            self.written = Instant::now();
        }
        Ok(())
    }
    fn saved(&mut self, path: &Path) {
        self.progress.saved(path);
    }
    fn finish(&mut self) {
        self.progress.finish();
        if let Some(board) = &mut self.board {
            board.finish();
        }
    }
}
