//! [`Profile`]: what a profiler recorded, as rows and tables.

use super::pass::Pass;
use super::processor::Threads;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wengert_ops::{Element, Tensor, parallel};

/// What an operation did, by its formulas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) flops: u64,
    pub(crate) bytes_read: u64,
    pub(crate) bytes_written: u64,
}

/// The bytes that are stored of a tensor: a repeated element counts once.
pub(crate) fn bytes<T: Element>(t: &Tensor<T>) -> u64 {
    (t.numel().min(t.buffer_len()) * size_of::<T>()) as u64
}

/// An operation or a span in its place in time.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) operation: &'static str,
    pub(super) module: Arc<str>,
    pub(super) pass: Pass,
    /// The time since the start of the profile.
    pub(super) start: Duration,
    pub(super) duration: Duration,
    pub(super) work: Work,
    /// The bytes that tensors use at the end.
    pub(super) live: usize,
}

/// The calls of an operation in a module and a pass, or of a group of them. See [`profile`](crate::profile) for what is counted, and
/// for an example.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// The name of the operation or the span; empty in a table of modules or passes.
    pub operation: &'static str,
    /// The path of the module, from the names of the parameters involved; empty where there is none.
    pub module: String,
    /// The pass; `None` in a table of modules.
    pub pass: Option<Pass>,
    /// The number of calls.
    pub calls: u64,
    /// The time of all calls, with that of the operations and spans inside them. In a row of a group, those inside that belong to the
    /// same group count twice.
    pub total_time: Duration,
    /// The time of all calls without that of the operations and spans inside them.
    pub self_time: Duration,
    /// Floating-point operations.
    pub flops: u64,
    /// Bytes of operands.
    pub bytes_read: u64,
    /// Bytes of results.
    pub bytes_written: u64,
    /// Buffers that the system allocated.
    pub allocations: u64,
    /// Buffers that were recycled.
    pub reused: u64,
    /// Bytes of the buffers that the system allocated.
    pub allocated_bytes: u64,
}

impl Row {
    pub(super) fn new(operation: &'static str, module: String, pass: Option<Pass>) -> Self {
        Row {
            operation,
            module,
            pass,
            calls: 0,
            total_time: Duration::ZERO,
            self_time: Duration::ZERO,
            flops: 0,
            bytes_read: 0,
            bytes_written: 0,
            allocations: 0,
            reused: 0,
            allocated_bytes: 0,
        }
    }

    fn add(&mut self, o: &Row) {
        self.calls += o.calls;
        self.total_time += o.total_time;
        self.self_time += o.self_time;
        self.flops += o.flops;
        self.bytes_read += o.bytes_read;
        self.bytes_written += o.bytes_written;
        self.allocations += o.allocations;
        self.reused += o.reused;
        self.allocated_bytes += o.allocated_bytes;
    }
}

/// What a [`Profiler`](super::Profiler) recorded. It displays as tables by pass, by operation and by module. See
/// [`profile`](crate::profile) for an example.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    rows: Vec<Row>,
    events: Vec<Event>,
    left_out: u64,
    wall: Duration,
    /// What the threads did, and their number.
    did: Option<Threads>,
    threads: usize,
    peak: usize,
    steps: Option<usize>,
}

impl Profile {
    pub(super) fn new(
        mut rows: Vec<Row>,
        events: Vec<Event>,
        left_out: u64,
        wall: Duration,
        did: Option<Threads>,
        peak: usize,
    ) -> Self {
        sort(&mut rows, Column::SelfTime);
        Profile { rows, events, left_out, wall, did, threads: parallel::threads(), peak, steps: None }
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    /// One row per operation, module and pass, by self time. The self times add up to [`wall`](Profile::wall).
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The time from start to stop.
    pub fn wall(&self) -> Duration {
        self.wall
    }

    /// The mean number of threads that were running, from the processor time of the whole process; `None` where the system does not
    /// report it.
    ///
    /// ```
    /// let (_, profile) = wengert_tape::Tape::<f32>::new().profile(|| (0..100_000).sum::<i64>());
    /// assert!(profile.threads_running().is_none_or(|threads| threads >= 0.0));
    /// ```
    pub fn threads_running(&self) -> Option<f64> {
        self.did.and_then(|did| self.mean(did.running))
    }

    /// The mean number of threads that could have run, but waited for a processor that another thread or process had; `None` where the
    /// system does not report it. Threads that neither ran nor waited were idle.
    ///
    /// ```
    /// let (_, profile) = wengert_tape::Tape::<f32>::new().profile(|| (0..100_000).sum::<i64>());
    /// assert!(profile.threads_waiting().is_none_or(|threads| threads >= 0.0));
    /// ```
    pub fn threads_waiting(&self) -> Option<f64> {
        self.did.and_then(|did| self.mean(did.waiting))
    }

    /// How often a thread of the process was woken from sleep; `None` where the system does not report it. A thread sleeps when there
    /// is no work for it, and to be woken takes it some microseconds.
    ///
    /// ```
    /// let (_, profile) = wengert_tape::Tape::<f32>::new().profile(|| (0..100_000).sum::<i64>());
    /// assert!(profile.wake_ups().is_none_or(|n| n < 1_000_000));
    /// ```
    pub fn wake_ups(&self) -> Option<u64> {
        self.did.map(|did| did.sleeps)
    }

    fn mean(&self, time: Duration) -> Option<f64> {
        let wall = self.wall.as_secs_f64();
        (wall > 0.0).then(|| time.as_secs_f64() / wall)
    }

    /// The most bytes that tensors used at the end of an operation.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// let (_, profile) = wengert_tape::Tape::<f32>::new().profile(|| Tensor::<f32>::ones([1000]).exp());
    /// assert!(profile.peak_bytes() < 1 << 40);
    /// ```
    #[doc(alias = "profile_memory")]
    pub fn peak_bytes(&self) -> usize {
        self.peak
    }

    /// The same, whose tables show the mean of this number of steps.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f32>::new();
    /// let (_, profile) = tape.profile(|| tape.var(1.0).exp() + tape.var(2.0).exp());
    /// assert!(profile.per_step(2).to_string().starts_with("profile of 2 steps"));
    /// ```
    #[must_use]
    pub fn per_step(mut self, steps: usize) -> Self {
        self.steps = (steps > 0).then_some(steps);
        self
    }

    /// All rows as a table: one per operation, module and pass.
    ///
    /// ```
    /// use wengert_tape::profile::Column;
    /// let tape = wengert_tape::Tape::<f32>::new();
    /// let x = tape.var(1.0);
    /// let (_, profile) = tape.profile(|| x.exp().tanh());
    /// println!("{}", profile.table().sorted_by(Column::Flops).limited(10));
    /// ```
    #[doc(alias = "key_averages")]
    pub fn table(&self) -> Table {
        self.grouped([true; 3], |row| (row.operation, row.module.clone(), row.pass))
    }

    /// One row per operation and pass.
    ///
    /// ```
    /// let tape = wengert_tape::Tape::<f32>::new();
    /// let x = tape.var(1.0);
    /// let (_, profile) = tape.profile(|| x.exp().exp());
    /// assert_eq!(profile.by_operation().rows().iter().find(|r| r.operation == "exp").unwrap().calls, 2);
    /// ```
    pub fn by_operation(&self) -> Table {
        self.grouped([true, false, true], |row| (row.operation, String::new(), row.pass))
    }

    /// One row per module, over all passes.
    ///
    /// ```
    /// use wengert_ops::Tensor;
    /// use wengert_tape::{Param, Tape};
    /// let mut weight = Param::new(Tensor::ones([2, 2]));
    /// weight.set_name("head.weight");
    /// let tape = Tape::<f32>::new();
    /// let (_, profile) = tape.profile(|| tape.var(Tensor::ones([1, 2])).linear(tape.param(&weight), None));
    /// assert!(profile.by_module().rows().iter().any(|r| r.module == "head" && r.flops == 8));
    /// ```
    pub fn by_module(&self) -> Table {
        self.grouped([false, true, false], |row| ("", row.module.clone(), None))
    }

    /// One row per pass.
    ///
    /// ```
    /// use wengert_tape::{Tape, profile::Pass};
    /// let tape = Tape::<f32>::new();
    /// let x = tape.var(1.0);
    /// let (_, profile) = tape.profile(|| x.exp().backward().map(drop));
    /// let passes = profile.by_pass();
    /// assert!(passes.rows().iter().any(|r| r.pass == Some(Pass::Backward) && r.flops == 1));
    /// ```
    pub fn by_pass(&self) -> Table {
        self.grouped([false, false, true], |row| ("", String::new(), row.pass))
    }

    fn grouped(&self, keys: [bool; 3], key: impl Fn(&Row) -> (&'static str, String, Option<Pass>)) -> Table {
        let mut rows: Vec<Row> = Vec::new();
        let mut index = rustc_hash::FxHashMap::default();
        for row in &self.rows {
            let key = key(row);
            let at = *index.entry(key).or_insert_with_key(|(operation, module, pass)| {
                rows.push(Row::new(operation, module.clone(), *pass));
                rows.len() - 1
            });
            rows[at].add(row);
        }
        sort(&mut rows, Column::SelfTime);
        Table { rows, keys, wall: self.wall, steps: self.steps, most: usize::MAX }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, per) = time_unit(self.wall.as_secs_f64() / self.steps.unwrap_or(1) as f64);
        let wall = self.wall.as_secs_f64() * per;
        match self.steps {
            Some(steps) => {
                let each = wall / steps as f64;
                writeln!(
                    f,
                    "profile of {steps} steps of {each:.3} {unit}; the tables show the mean of a step"
                )?;
            }
            None => writeln!(f, "profile of {wall:.3} {unit}")?,
        }
        match self.threads_running().zip(self.threads_waiting()) {
            Some((ran, waited)) => {
                let all = self.threads;
                let idle = (all as f64 - ran - waited).max(0.0);
                write!(
                    f,
                    "threads: {ran:.2} of {all} running, {waited:.2} waiting for a processor, {idle:.2} idle"
                )?;
                let wake_ups = self.wake_ups().unwrap_or_default();
                match self.steps {
                    Some(steps) => writeln!(f, "; {:.1} wake-ups a step", wake_ups as f64 / steps as f64)?,
                    None => writeln!(f, "; {wake_ups} wake-ups")?,
                }
            }
            None => writeln!(f, "threads: {}; the system does not report what they did", self.threads)?,
        }
        writeln!(f, "memory of tensors: at most {:.1} MB", self.peak as f64 / 1e6)?;
        if self.left_out > 0 {
            let all = self.events.len() as u64 + self.left_out;
            writeln!(f, "the trace lacks the last {} of {all} events", self.left_out)?;
        }
        write!(
            f,
            "\n{}\n{}\n{}",
            self.by_pass(),
            self.by_operation().limited(20),
            self.by_module().limited(20)
        )
    }
}

/// The unit for a time in seconds, and the number of units in a second.
fn time_unit(seconds: f64) -> (&'static str, f64) {
    if seconds < 1e-3 { ("µs", 1e6) } else { ("ms", 1e3) }
}

/// What a [`Table`] can be sorted by, the largest first.
///
/// ```
/// assert_ne!(wengert_tape::profile::Column::SelfTime, wengert_tape::profile::Column::Calls);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Column {
    /// The time without that of what ran inside.
    SelfTime,
    /// The time with that of what ran inside.
    TotalTime,
    /// The number of calls.
    Calls,
    /// Floating-point operations.
    Flops,
    /// Bytes read and written.
    Bytes,
    /// Bytes of the buffers that the system allocated.
    AllocatedBytes,
}

/// Rows of a [`Profile`], grouped by some of operation, module and pass. See [`Profile::table`] for an example.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Row>,
    /// Whether operation, module and pass are shown.
    keys: [bool; 3],
    wall: Duration,
    steps: Option<usize>,
    most: usize,
}

impl Table {
    /// All rows. See [`Profile::by_operation`] for an example.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The same, sorted by a column, the largest first. See [`Profile::table`] for an example.
    #[must_use]
    pub fn sorted_by(mut self, column: Column) -> Self {
        sort(&mut self.rows, column);
        self
    }

    /// The same, which shows this number of rows, and adds up the others in one row. See [`Profile::table`] for an example.
    #[must_use]
    pub fn limited(mut self, rows: usize) -> Self {
        self.most = rows;
        self
    }
}

fn sort(rows: &mut [Row], column: Column) {
    let value = |r: &Row| match column {
        Column::SelfTime => r.self_time.as_nanos(),
        Column::TotalTime => r.total_time.as_nanos(),
        Column::Calls => u128::from(r.calls),
        Column::Flops => u128::from(r.flops),
        Column::Bytes => u128::from(r.bytes_read) + u128::from(r.bytes_written),
        Column::AllocatedBytes => u128::from(r.allocated_bytes),
    };
    // The sort is stable.
    rows.sort_by_key(|r| std::cmp::Reverse(value(r)));
}

/// The units of a table, from the sums of its columns.
struct Units {
    time: (&'static str, f64),
    flops: (&'static str, f64),
    bytes: (&'static str, f64),
}

impl Units {
    fn of(sum: &Row, steps: f64) -> Self {
        let flops = match sum.flops as f64 / steps {
            n if n < 1e6 => ("kFLOP", 1e-3),
            n if n < 1e9 => ("MFLOP", 1e-6),
            _ => ("GFLOP", 1e-9),
        };
        let moved = sum.bytes_read as f64 + sum.bytes_written as f64;
        let bytes = if moved / steps < 1e6 { ("kB", 1e-3) } else { ("MB", 1e-6) };
        Units { time: time_unit(sum.self_time.as_secs_f64() / steps), flops, bytes }
    }

    fn columns(&self) -> Vec<String> {
        let (time, flops, bytes) = (self.time.0, self.flops.0, self.bytes.0);
        let [own, total] = ["self", "total"].map(|of| format!("{of} {time}"));
        let names = ["calls", &own, "self %", &total, flops, "GFLOP/s", bytes, "GB/s", "new", "reused"];
        names.map(str::to_owned).into()
    }
}

/// The column of the total time.
const TOTAL: usize = 3;

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |row: &Row| -> Vec<String> {
            let pass = row.pass.map_or_else(String::new, |p| p.to_string());
            let module = if row.module.is_empty() { "(none)" } else { &row.module };
            let all = [row.operation.to_owned(), module.to_owned(), pass];
            all.into_iter().zip(self.keys).filter(|(_, shown)| *shown).map(|(key, _)| key).collect()
        };
        let names = ["operation", "module", "pass"].into_iter().zip(self.keys).filter(|(_, shown)| *shown);
        let names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
        let (left, shown) = (names.len(), self.most.min(self.rows.len()));
        let all = summed(&self.rows);
        let units = Units::of(&all, self.steps());
        let line = |mut keys: Vec<String>, numbers: Vec<String>| {
            // Totals of different operations contain each other.
            let number = |(i, number)| (i != TOTAL || self.keys[0]).then_some(number);
            keys.extend(numbers.into_iter().enumerate().filter_map(number));
            keys
        };
        let sum = |sum: &Row, name: String| {
            let mut numbers = self.numbers(sum, &units);
            numbers[TOTAL].clear();
            line([name].into_iter().chain(vec![String::new(); left - 1]).collect(), numbers)
        };
        let mut lines = vec![line(names, units.columns())];
        lines.extend(self.rows[..shown].iter().map(|row| line(keys(row), self.numbers(row, &units))));
        if shown < self.rows.len() {
            lines.push(sum(&summed(&self.rows[shown..]), format!("{} more", self.rows.len() - shown)));
        }
        lines.push(sum(&all, "all".to_owned()));

        let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
        for line in &lines {
            let mut text = String::new();
            for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
                text += &if i < left { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") };
            }
            writeln!(f, "{}", text.trim_end())?;
        }
        Ok(())
    }
}

fn summed(rows: &[Row]) -> Row {
    let mut sum = Row::new("", String::new(), None);
    rows.iter().for_each(|row| sum.add(row));
    sum
}

impl Table {
    fn steps(&self) -> f64 {
        self.steps.unwrap_or(1) as f64
    }

    fn numbers(&self, row: &Row, units: &Units) -> Vec<String> {
        let (steps, per_second) = (self.steps(), units.time.1);
        let count = |n: u64| {
            let each = n as f64 / steps;
            if each.fract() == 0.0 { format!("{each}") } else { format!("{each:.1}") }
        };
        let some = |shown: bool, text: String| if shown { text } else { String::new() };
        let (seconds, wall) = (row.self_time.as_secs_f64(), self.wall.as_secs_f64());
        let (flops, bytes) = (row.flops as f64, row.bytes_read as f64 + row.bytes_written as f64);
        let rate = |n: f64| some(n > 0.0 && seconds > 0.0, format!("{:.1}", n / seconds / 1e9));
        vec![
            some(row.calls > 0, count(row.calls)),
            format!("{:.3}", seconds * per_second / steps),
            format!("{:.1}", if wall > 0.0 { 100.0 * seconds / wall } else { 0.0 }),
            format!("{:.3}", row.total_time.as_secs_f64() * per_second / steps),
            some(flops > 0.0, format!("{:.3}", flops / steps * units.flops.1)),
            rate(flops),
            some(bytes > 0.0, format!("{:.3}", bytes / steps * units.bytes.1)),
            rate(bytes),
            count(row.allocations),
            count(row.reused),
        ]
    }
}
