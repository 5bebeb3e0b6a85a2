//! A fuzz of the public functions of `ops`, `tape` and `nn`: each is called with random arguments, valid and invalid.
//!
//! Invalid arguments must be refused with an error; no call may panic, hang, or use excessive memory. Returned values are
//! read completely and differentiated. A panic is reported with the command that repeats the call; the exit
//! code is then 1. `arguments.rs` draws arguments; `tensors.rs` and the files next to it have the table, one line per function.

mod arguments;
#[cfg(test)]
mod completeness;
mod derivatives;
mod distributions;
mod function;
mod indexing;
mod kernels;
mod layers;
mod linalg;
mod modules;
#[cfg(test)]
mod names;
mod normalizing;
mod optim;
mod pointwise;
mod products;
mod random;
mod reductions;
mod sequences;
mod shapes;
mod tape;
mod tensors;
mod tools;
mod windows;
mod zoo;

use arguments::Arguments;
use clap::Parser;
use function::Function;
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};
use wengert::Tape;
use wengert::ops::buffer;
use wengert::tape::Float;

fn functions<T: Float>() -> Vec<Function<T>> {
    [
        tensors::functions(),
        kernels::functions(),
        random::functions(),
        tape::functions(),
        pointwise::functions(),
        shapes::functions(),
        indexing::functions(),
        reductions::functions(),
        products::functions(),
        linalg::functions(),
        windows::functions(),
        normalizing::functions(),
        derivatives::functions(),
        modules::functions(),
        layers::functions(),
        sequences::functions(),
        optim::functions(),
        distributions::functions(),
        zoo::functions(),
        tools::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Calls every public function with random arguments, valid and invalid. None may panic.
#[derive(Debug, Parser)]
struct Args {
    /// Number of calls in total, spread evenly, but at least 1,000 of each function
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    /// Seed of the first call of each function; the seed of call n is larger by n
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of threads; by default the number of cores
    #[arg(long)]
    threads: Option<usize>,
    /// Call only functions whose name contains this; --calls is then the number of calls of each
    #[arg(long)]
    function: Option<String>,
    /// Print functions when they begin, and the arguments of single calls
    #[arg(long)]
    verbose: bool,
}

/// The numbers of calls of one function.
#[derive(Default)]
struct Count {
    valid: AtomicU64,
    refused: AtomicU64,
}

/// A fault of a call.
struct Complaint {
    function: &'static str,
    seed: u64,
    what: String,
}

thread_local! {
    /// Whether this thread is inside a call, whose panics are stored instead of printed.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn keep_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.get() {
                let what = info.to_string().replace('\n', " ");
                PANIC.with(|p| *p.borrow_mut() = Some(what));
            } else {
                before(info);
            }
        }));
    });
}

/// The outcome of a call: `Ok(None)` if it was valid, `Ok(Some(reason))` if it was refused, `Err` if it failed.
type Verdict = Result<Option<String>, String>;

fn call<T: Float>(f: &Function<T>, seed: u64, log: &mut Option<Vec<String>>) -> Verdict {
    let mut run = || {
        let of_name = f.name.bytes().fold(0u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        let (mut tape, other) = (Tape::<T>::new(), Tape::<T>::new());
        // Two streams from one seed: one chooses the tape, the other draws arguments.
        let mut kind = Arguments::new(!(of_name ^ seed), &other, &other);
        match kind.below(16) {
            0 | 1 => tape = Tape::eval(),
            2..=4 => tape = Tape::train(seed),
            5 => tape = Tape::new().detect_anomaly(),
            _ => {}
        }
        let mut a = Arguments::new(of_name ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15), &tape, &other);
        a.log = log.take();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let seen = (f.call)(&mut a);
            match seen.refused.is_none() && a.once_in(2) {
                true => seen.sweep(&mut a).map(|()| None),
                false => Ok(seen.refused),
            }
        }));
        *log = a.log.take();
        outcome
    };
    INSIDE.set(true);
    let outcome = run();
    INSIDE.set(false);
    match outcome {
        Ok(Ok(refused)) => Ok(refused),
        Ok(Err(e)) => Err(format!("valid, but its gradient is not: {}", e.to_string().replace('\n', " "))),
        Err(_) => Err(PANIC.take().unwrap_or_else(|| "panicked on another thread".into())),
    }
}

/// A function for either element type.
struct Pair {
    single: Function<f32>,
    double: Function<f64>,
}

impl Pair {
    fn name(&self) -> &'static str {
        self.single.name
    }

    fn call(&self, seed: u64, log: &mut Option<Vec<String>>) -> Verdict {
        match seed % 2 {
            0 => call(&self.double, seed, log),
            _ => call(&self.single, seed, log),
        }
    }
}

fn pairs(part: &str) -> Vec<Pair> {
    let both = functions::<f32>().into_iter().zip(functions::<f64>());
    both.map(|(single, double)| Pair { single, double }).filter(|p| p.name().contains(part)).collect()
}

/// The number of calls that a thread makes in a row.
const RUN: u64 = 100;
/// A call that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest number of bytes that a call may use.
const ABSURD: usize = 1 << 30;

/// The state that the threads share.
struct Fuzz {
    pairs: Vec<Pair>,
    counts: Vec<Count>,
    each: u64,
    seed: u64,
    verbose: bool,
    next: AtomicUsize,
    complaints: Mutex<Vec<Complaint>>,
}

impl Fuzz {
    fn new(pairs: Vec<Pair>, each: u64, seed: u64) -> Self {
        keep_panics();
        let counts = pairs.iter().map(|_| Count::default()).collect();
        let (next, complaints) = (AtomicUsize::new(0), Mutex::default());
        Fuzz { pairs, counts, each, seed, verbose: false, next, complaints }
    }

    /// Takes runs of calls until there are none left; `now` is the current call.
    fn work(&self, now: &Mutex<Option<(Instant, &'static str, u64)>>) {
        let runs = self.each.div_ceil(RUN) as usize;
        loop {
            let n = self.next.fetch_add(1, Relaxed);
            let Some(pair) = self.pairs.get(n / runs) else {
                return *now.lock().unwrap() = None;
            };
            let first = (n % runs) as u64 * RUN;
            if self.verbose && first == 0 {
                eprintln!("{}", pair.name());
            }
            for i in first..(first + RUN).min(self.each) {
                let seed = self.seed.wrapping_add(i);
                *now.lock().unwrap() = Some((Instant::now(), pair.name(), seed));
                let mut verdict = pair.call(seed, &mut None);
                if buffer::stats().peak_bytes > ABSURD {
                    verdict = Err(format!("{} bytes were in use at once", buffer::stats().peak_bytes));
                    buffer::reset_peak();
                }
                let count = &self.counts[n / runs];
                match verdict {
                    Ok(None) => count.valid.fetch_add(1, Relaxed),
                    Ok(Some(_)) => count.refused.fetch_add(1, Relaxed),
                    Err(what) => {
                        let complaint = Complaint { function: pair.name(), seed, what };
                        self.complaints.lock().unwrap().push(complaint);
                        0
                    }
                };
            }
        }
    }

    /// Runs on the given number of threads; a call that hangs ends the process.
    fn run(&self, threads: usize) {
        let now: Vec<_> = (0..threads.max(1)).map(|_| Mutex::new(None)).collect();
        std::thread::scope(|s| {
            let working: Vec<_> = now.iter().map(|now| s.spawn(|| self.work(now))).collect();
            while working.iter().any(|w| !w.is_finished()) {
                std::thread::sleep(Duration::from_millis(20));
                for now in &now {
                    if let Some((since, function, seed)) = *now.lock().unwrap()
                        && since.elapsed() > PATIENCE
                    {
                        eprintln!(
                            "{function} hangs; to repeat it: --function {function} --seed {seed} --calls 1"
                        );
                        std::process::exit(1);
                    }
                }
            }
        });
    }

    /// One row per function: its name, the number of valid calls, and the number of refused calls.
    fn table(&self) -> Vec<(&'static str, u64, u64)> {
        let rows = self.pairs.iter().zip(&self.counts);
        rows.map(|(p, c)| (p.name(), c.valid.load(Relaxed), c.refused.load(Relaxed))).collect()
    }

    /// The first faults of each function, with the commands that repeat them.
    fn complaints(&self) -> Vec<String> {
        let mut all = self.complaints.lock().unwrap();
        all.sort_by_key(|c| (c.function, c.seed));
        let mut told: Vec<(&str, &str)> = Vec::new();
        let mut lines = Vec::new();
        for c in all.iter() {
            // The position of the fault; one report for each is enough.
            let place = c.what.split(": ").next().unwrap_or_default();
            if told.contains(&(c.function, place)) {
                continue;
            }
            told.push((c.function, place));
            let mut log = Some(Vec::new());
            if let Some(pair) = self.pairs.iter().find(|p| p.name() == c.function) {
                let _ = pair.call(c.seed, &mut log);
            }
            let Complaint { function, seed, what } = c;
            lines.push(format!("{function}: {what}"));
            lines.extend(log.into_iter().flatten().map(|argument| format!("    {argument}")));
            lines.push(format!("    to repeat it: --function {function} --seed {seed} --calls 1"));
        }
        lines
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let pairs = pairs(args.function.as_deref().unwrap_or_default());
    anyhow::ensure!(!pairs.is_empty(), "no such function");
    let each = match &args.function {
        Some(_) if args.calls < 1_000_000 => args.calls,
        Some(_) => 1000,
        None => args.calls.div_ceil(pairs.len() as u64).max(1000),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    if args.verbose && each == 1 {
        for pair in &pairs {
            keep_panics();
            let mut log = Some(Vec::new());
            let verdict = pair.call(args.seed, &mut log);
            writeln!(out, "{}: {verdict:?}\n    {}", pair.name(), log.unwrap_or_default().join("\n    "))?;
        }
    }
    let start = Instant::now();
    let mut fuzz = Fuzz::new(pairs, each, args.seed);
    fuzz.verbose = args.verbose;
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    fuzz.run(threads.unwrap_or(1));

    let table = fuzz.table();
    writeln!(out, "{:<44} {:>9} {:>9} {:>9}", "function", "calls", "valid", "refused")?;
    for (name, valid, refused) in &table {
        writeln!(out, "{name:<44} {each:>9} {valid:>9} {refused:>9}")?;
    }
    let (valid, refused) = table.iter().fold((0, 0), |(v, r), row| (v + row.1, r + row.2));
    let calls = each * table.len() as u64;
    writeln!(out, "{:<44} {calls:>9} {valid:>9} {refused:>9}", format!("{} functions", table.len()))?;
    let failed = calls - valid - refused;
    let share = 100.0 * valid as f64 / calls as f64;
    writeln!(
        out,
        "{failed} panics or other failures; {share:.0} % of the calls were valid; {:.0} s",
        start.elapsed().as_secs_f64()
    )?;
    for line in fuzz.complaints() {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_calls_of_every_function() {
        let fuzz = Fuzz::new(pairs(""), 40, 1);
        fuzz.run(2);
        let complaints = fuzz.complaints();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        let table = fuzz.table();
        let seldom: Vec<_> = table.iter().filter(|(_, valid, _)| *valid < 8).collect();
        assert!(seldom.is_empty(), "fewer than a fifth of the calls are valid: {seldom:?}");
    }

    #[test]
    fn a_panic_is_reported_with_its_arguments() {
        fn panics<'t>(a: &mut Arguments<'t, f64>) -> function::Seen<'t, f64> {
            let axis = a.offset();
            panic!("axis {axis}")
        }
        keep_panics();
        let mut log = Some(Vec::new());
        let what = call(&Function { name: "panics", call: panics }, 3, &mut log).unwrap_err();
        assert!(what.contains("axis") && what.contains(file!()), "{what}");
        assert!(log.unwrap()[0].starts_with("offset"));
    }
}
