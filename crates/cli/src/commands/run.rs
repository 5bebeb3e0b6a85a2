//! The run itself, from its beginning or from a checkpoint; shared by `train` and `resume`.

use super::test_lines;
use crate::config::{Config, Prepared};
use crate::output::{Interrupted, warn};
use crate::zoo::{EVALUATION_BATCH, Experiment};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use wengert::data::format::image::{self, GridConfig, grid};
use wengert::train::{
    self, Checkpoints, Epoch, Every, FitConfig, FitReport, GradientFlow, Gradients, Monitor, Observer,
    Progress, RunFolder, RunLock, RunPlan, Settings, Snapshot, StepProfiler, StepReport, StopReason,
    TensorBoard,
};

/// The least time between two writes of the metrics: after every short epoch, writing would take longer than the epoch.
const METRICS_INTERVAL: Duration = Duration::from_secs(1);

/// Starts `n` threads, if a number is given.
pub(crate) fn threads(n: Option<usize>) -> Result<()> {
    let Some(n) = n else { return Ok(()) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build_global();
    pool.with_context(|| format!("{n} threads cannot be started; ask for fewer"))
}

/// Locks a folder against a second run, if its file system has locks.
pub(crate) fn lock(folder: &RunFolder) -> Result<RunLock> {
    let lock = folder.lock()?;
    if !lock.is_exclusive() {
        let shown = folder.path().display();
        warn(&format!(
            "the file system of {shown} has no locks: do not write to this folder from a second run"
        ));
    }
    Ok(lock)
}

/// A run, which trains and writes its results.
pub(crate) struct Run<'r> {
    pub(crate) config: &'r Config,
    pub(crate) folder: &'r RunFolder,
    pub(crate) resume: Option<Snapshot>,
}

impl Run<'_> {
    /// The checkpoints of the run. Without an interval, one is saved only if the run is interrupted.
    pub(crate) fn checkpoints(config: &Config, folder: &RunFolder) -> Checkpoints {
        let every = config.checkpoint_every.unwrap_or(Every::Epochs(usize::MAX));
        Checkpoints::new(folder.checkpoints(), every).keep(config.keep_checkpoints)
    }

    /// Trains, and returns the text to print.
    pub(crate) fn train(self, prepared: Prepared) -> Result<String> {
        let Run { config, folder, resume } = self;
        let Prepared { mut experiment, settings } = prepared;
        let watch = match (&config.watch, config.patience) {
            (None, None) => None,
            (measure, patience) => {
                let watch = Monitor::new(measure.as_deref().unwrap_or("loss")).min_delta(config.min_delta);
                Some(patience.map_or(watch.clone(), |epochs| watch.patience(epochs)))
            }
        };
        let schedule = train::RunSchedule::from(config.schedule);
        let signals = Signals::listen()?;
        let fit_config = FitConfig {
            epochs: config.epochs,
            seed: config.seed,
            schedule: if config.warmup > 0 { schedule.after_warmup(config.warmup) } else { schedule },
            accumulate: config.accumulate,
            evaluation_batch: EVALUATION_BATCH,
            monitor: watch,
            checkpoints: Some(Run::checkpoints(config, folder)),
            resume,
            settings: Some(settings.clone()),
            stop: Some(signals.stop.clone()),
        };
        let board = config.tensorboard.then(|| TensorBoard::create(folder.path())).transpose()?;
        let flow = config.gradient_flow.then(GradientFlow::new);
        let profiler = config.profile.then(StepProfiler::default);
        let mut observer = RunObserver {
            watchers: (Progress::stderr(), (board, (flow, profiler))),
            config,
            folder,
            stop: signals.stop.clone(),
            saved_elsewhere: None,
            epochs: Vec::new(),
            written: Instant::now(),
            done: 0,
            failed: None,
        };
        let trained = experiment.fit(&config.step_options(), &fit_config, &mut observer);
        // The metrics from before a failure are kept too.
        if !observer.epochs.is_empty() {
            let written = folder.write_metrics(&observer.epochs);
            observer.note(written);
        }
        let fitted = trained?;
        if fitted.ended == StopReason::Interrupted {
            let path = observer.saved_elsewhere.as_ref().unwrap_or(folder).path().display();
            let done = observer.done;
            let message = format!("interrupted after step {done}; continue with: wengert resume {path}");
            // If the number is not known, that of Ctrl-C.
            bail!(Interrupted { message, signal: signals.which().unwrap_or(2) });
        }
        let written = write_results(&*experiment, &settings, &fitted, &mut observer);
        let written = match (written, observer.failed.take()) {
            (Ok(weights), None) => Ok(weights),
            (Ok(_), Some(e)) => Err((e.into(), None)),
            (Err(e), _) => Err((
                e,
                Some(save_elsewhere(config, folder, |instead| {
                    instead.save_of(experiment.model(), &settings)?;
                    instead.write_metrics(&fitted.epochs)
                })),
            )),
        };
        let weights = match written {
            Ok(weights) => weights,
            Err((e, elsewhere)) => {
                let shown = folder.path().display();
                let e = e.context(format!("not all files of the run could be written to {shown}"));
                return Err(match elsewhere {
                    None => e,
                    Some(Ok(instead)) => e.context(format!(
                        "the weights and options are in {} instead",
                        instead.path().display()
                    )),
                    Some(Err(also)) => e.context(format!("the weights are lost ({also:#})")),
                });
            }
        };

        let Some(last) = fitted.epoch() else { bail!("no epoch was trained") };
        let seconds: f64 = fitted.epochs.iter().map(|e| e.seconds).sum();
        let early = match (fitted.ended, fitted.best) {
            (StopReason::Early, Some(best)) => {
                format!("best epoch {best} of {}, then stopped early\n", fitted.epochs.len())
            }
            (_, Some(best)) => format!("best epoch {best} of {}\n", fitted.epochs.len()),
            _ => String::new(),
        };
        let (flow, profiler) = observer.watchers.1.1;
        let flow = flow.map(|flow| format!("{flow}\n")).unwrap_or_default();
        let profile = profiler.as_ref().and_then(StepProfiler::profile);
        let profile = profile.map(|profile| format!("{profile}\n")).unwrap_or_default();
        Ok(format!(
            "{flow}{profile}{}\n{early}training seconds {seconds:.2}\nrun folder {}\nweights {weights:016x}",
            test_lines(&last.test),
            folder.path().display()
        ))
    }
}

/// Writes all files of a run, the weights first, and returns their fingerprint.
fn write_results(
    experiment: &dyn Experiment,
    settings: &Settings,
    fitted: &FitReport,
    observer: &mut RunObserver<'_>,
) -> Result<u64> {
    let (config, folder) = (observer.config, observer.folder);
    let weights = folder.save_of(experiment.model(), settings)?;
    if !folder.path().join("config.toml").exists() {
        // The folder was removed during the run.
        folder.write_config(config)?;
    }
    folder.write_metrics(&fitted.epochs)?;
    let name = config.model.model().about().name;
    let title = format!("{name} on {}, seed {}", config.data.title(), config.seed);
    folder.write_curves(&title, &fitted.epochs)?;
    if let Some(profile) = observer.watchers.1.1.1.as_ref().and_then(StepProfiler::profile) {
        folder.write_profile(profile)?;
    }
    for (name, images) in experiment.pictures()? {
        let picture = grid(&images, &GridConfig::default())?;
        image::write(folder.path().join(format!("{name}.png")), &picture)?;
        if let Some(board) = &mut observer.watchers.1.0 {
            board.events().image(name, observer.done, &picture)?;
            board.events().flush()?;
        }
    }
    Ok(weights)
}

/// Writes the options, and what could not be written to the run's folder, to another folder, which `wengert eval` or `resume`
/// accept. It is next to the run's folder or, if that fails, in the directory for temporary files.
fn save_elsewhere(
    config: &Config,
    folder: &RunFolder,
    write: impl Fn(&RunFolder) -> train::Result<()>,
) -> Result<RunFolder> {
    let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
    let name = format!("{name}-rescued");
    let beside = folder.path().parent().unwrap_or(Path::new("")).join("");
    let beside = if beside.as_os_str().is_empty() { Path::new(".").to_owned() } else { beside };
    let in_one = |parent: &Path| -> Result<RunFolder> {
        let instead = RunFolder::numbered(parent, &name)?;
        match instead.write_config(config).and_then(|()| write(&instead)) {
            Ok(()) => Ok(instead),
            Err(e) => {
                // An incomplete set of files is of no use.
                let _ = std::fs::remove_dir_all(instead.path());
                Err(e.into())
            }
        }
    };
    in_one(&beside).or_else(|_| in_one(&std::env::temp_dir()))
}

/// The signals that make a run write a checkpoint and end.
struct Signals {
    /// Becomes true at the first signal; a second one ends the program at once.
    stop: Arc<AtomicBool>,
    number: Arc<AtomicUsize>,
}

impl Signals {
    fn listen() -> Result<Self> {
        let signals = Signals { stop: Arc::default(), number: Arc::default() };
        let ignored = ignored();
        // Signals that the program was started to ignore, by `nohup` or in the background of a script, remain ignored.
        for signal in awaited().into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0) {
            let number = usize::try_from(signal)?;
            // The order matters: the first handler reads the flag that the last one sets.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, signals.stop.clone())
                .and_then(|_| signal_hook::flag::register_usize(signal, signals.number.clone(), number))
                .and_then(|_| signal_hook::flag::register(signal, signals.stop.clone()))
                .context("signals such as Ctrl-C cannot be waited for")?;
        }
        Ok(signals)
    }

    /// The number of the signal that was received.
    fn which(&self) -> Option<u8> {
        u8::try_from(self.number.load(Ordering::Relaxed)).ok().filter(|n| *n > 0)
    }
}

/// The signals that end a program and can be waited for.
fn awaited() -> Vec<i32> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut all = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    all.push(signal_hook::consts::SIGHUP);
    all
}

/// The signals that the program was started to ignore: signal n is bit n - 1. Linux lists them in /proc. Other systems need a
/// call of sigaction, which is `unsafe` in Rust; there the result is empty, and a run that must survive its terminal needs
/// `setsid`, `tmux` or similar.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// The reports that the options ask for.
type Reports = (Option<TensorBoard>, (Option<GradientFlow>, Option<StepProfiler>));

/// Displays the run, and keeps its files of metrics up to date.
struct RunObserver<'r> {
    watchers: (Progress<'r>, Reports),
    config: &'r Config,
    folder: &'r RunFolder,
    stop: Arc<AtomicBool>,
    /// The folder of the checkpoint of an interrupted run, if it could not be saved in the run's folder.
    saved_elsewhere: Option<RunFolder>,
    epochs: Vec<Epoch>,
    written: Instant,
    done: usize,
    /// The first file that could not be written. The run continues, since there may be space again at its end.
    failed: Option<train::Error>,
}

impl RunObserver<'_> {
    fn note(&mut self, written: train::Result<()>) {
        if let (Err(e), None) = (written, &self.failed) {
            self.watchers.warning(&format!("{e}; the run continues"));
            self.failed = Some(e);
        }
    }
}

impl Observer for RunObserver<'_> {
    fn start(&mut self, plan: &RunPlan) {
        self.watchers.start(plan);
    }
    fn gradients(&mut self, gradients: &Gradients<'_>) {
        self.watchers.gradients(gradients);
    }
    fn step(&mut self, step: &StepReport) {
        self.done = step.done;
        self.watchers.step(step);
    }
    fn warning(&mut self, message: &str) {
        self.watchers.warning(message);
    }
    fn epoch(&mut self, epochs: &[Epoch]) -> train::Result<()> {
        let written = self.watchers.epoch(epochs);
        self.note(written);
        self.epochs = epochs.to_vec();
        if self.written.elapsed() > METRICS_INTERVAL {
            let written = self.folder.write_metrics(epochs);
            self.note(written);
            self.written = Instant::now();
        }
        Ok(())
    }
    fn saving(&mut self) -> train::Result<()> {
        let written = self.watchers.saving();
        self.note(written);
        Ok(())
    }
    fn unsaved(&mut self, snapshot: &Snapshot, error: &train::Error) -> bool {
        self.watchers.warning(&format!("{error}"));
        let interrupted = self.stop.load(Ordering::Relaxed) && snapshot.epochs().is_ok();
        if interrupted {
            // The run ends now: it is saved in another folder, or ends with the error.
            let written = save_elsewhere(self.config, self.folder, |instead| {
                Run::checkpoints(self.config, instead).write(self.done, snapshot).map(drop)
            });
            self.saved_elsewhere = written.ok();
            return self.saved_elsewhere.is_some();
        }
        let unwritten = train::Error::Argument {
            call: "checkpoints",
            expected: "a folder that can be written to",
            found: error.to_string(),
        };
        self.failed.get_or_insert(unwritten);
        true
    }
    fn saved(&mut self, path: &Path) {
        self.watchers.saved(path);
    }
    fn finish(&mut self) {
        self.watchers.finish();
    }
}
