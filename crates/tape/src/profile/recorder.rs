//! The recorder of a thread: a stack of open frames, and the profiles that are being taken.

use super::pass::{BETWEEN, PROFILER, Pass};
use super::processor::Threads;
use super::report::{Event, Profile, Row, Work};
use rustc_hash::FxHashMap;
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wengert_ops::buffer;

/// The most events that a trace has; tables count all of them.
const MOST_EVENTS: usize = 1 << 20;

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
    /// Frames and runs are numbered, so that a guard of an earlier profiler has no effect.
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// Whether a profiler runs on this thread.
#[inline]
pub(crate) fn is_on() -> bool {
    ON.get()
}

fn next() -> u64 {
    NEXT.replace(NEXT.get() + 1)
}

#[derive(Default)]
struct Recorder {
    frames: Vec<Frame>,
    runs: Vec<Run>,
    /// The paths of modules, each stored once.
    modules: FxHashMap<String, Arc<str>>,
}

/// An operation or a span that has not ended.
struct Frame {
    id: u64,
    operation: &'static str,
    module: Arc<str>,
    pass: Pass,
    is_operation: bool,
    start: Instant,
    before: Allocations,
    allocated_inside: Allocations,
    /// The time of the frames inside, and of the profiler between them.
    inside: Duration,
    /// Whether operations ran inside.
    ran: bool,
}

#[derive(Clone, Copy, Default)]
struct Allocations {
    new: u64,
    reused: u64,
    bytes: u64,
}

impl Allocations {
    fn now() -> Self {
        let s = buffer::stats();
        Allocations { new: s.fresh, reused: s.recycled, bytes: s.fresh_bytes }
    }

    fn plus(self, o: Self) -> Self {
        Allocations { new: self.new + o.new, reused: self.reused + o.reused, bytes: self.bytes + o.bytes }
    }

    fn minus(self, o: Self) -> Self {
        let less = u64::saturating_sub;
        Allocations {
            new: less(self.new, o.new),
            reused: less(self.reused, o.reused),
            bytes: less(self.bytes, o.bytes),
        }
    }
}

/// One profiler.
struct Run {
    id: u64,
    start: Instant,
    threads: Option<Threads>,
    before: Allocations,
    /// Allocations in frames.
    inside: Allocations,
    rows: Vec<Row>,
    index: FxHashMap<(&'static str, Arc<str>, Pass), usize>,
    events: Vec<Event>,
    left_out: u64,
    /// The time of the profiler itself.
    own: Duration,
    peak: usize,
}

/// Starts a profiler.
pub(super) fn start() -> u64 {
    let id = next();
    RECORDER.with_borrow_mut(|recorder| {
        let run = Run {
            id,
            start: Instant::now(),
            threads: Threads::now(),
            before: Allocations::now(),
            inside: Allocations::default(),
            rows: Vec::new(),
            index: FxHashMap::default(),
            events: Vec::new(),
            left_out: 0,
            own: Duration::ZERO,
            peak: buffer::stats().live_bytes,
        };
        let runs = &mut recorder.get_or_insert_default().runs;
        runs.push(run);
        // Everything above is the profiler's own time, which is not part of the profile.
        if let Some(run) = runs.last_mut() {
            run.start = Instant::now();
        }
    });
    ON.set(true);
    id
}

/// Stops a profiler; `None` if it was stopped before.
pub(super) fn stop(id: u64) -> Option<Profile> {
    let end = Instant::now();
    RECORDER.with_borrow_mut(|slot| {
        let recorder = slot.as_mut()?;
        let at = recorder.runs.iter().position(|run| run.id == id)?;
        let run = recorder.runs.remove(at);
        if recorder.runs.is_empty() {
            *slot = None;
            ON.set(false);
        }
        Some(run.finish(end))
    })
}

/// An open operation or span. It is closed with [`close`](Open::close), or with the frame around it.
#[derive(Debug)]
pub(crate) struct Open(u64);

/// Runs an operation, as a frame if a profiler runs. `work` is called after its end.
#[inline]
pub(crate) fn operation<R>(
    name: impl FnOnce() -> &'static str,
    module: impl FnOnce() -> Option<String>,
    run: impl FnOnce() -> R,
    work: impl FnOnce(&R) -> Work,
) -> R {
    if is_on() { recorded(name, module, run, work) } else { run() }
}

/// Apart from `operation`, so that nothing of it is in the code that runs without a profiler.
#[cold]
#[inline(never)]
fn recorded<R>(
    name: impl FnOnce() -> &'static str,
    module: impl FnOnce() -> Option<String>,
    run: impl FnOnce() -> R,
    work: impl FnOnce(&R) -> Work,
) -> R {
    let open = opened(name(), None, module());
    let result = run();
    open.close(|| work(&result));
    result
}

/// Opens a span, if a profiler runs.
#[inline]
pub(super) fn open_span(
    operation: &'static str,
    pass: Pass,
    module: impl FnOnce() -> Option<String>,
) -> Option<Open> {
    if is_on() { Some(opened(operation, Some(pass), module())) } else { None }
}

#[cold]
fn opened(operation: &'static str, span: Option<Pass>, module: Option<String>) -> Open {
    let begun = Instant::now();
    let id = next();
    RECORDER.with_borrow_mut(|recorder| {
        let Some(recorder) = recorder else { return };
        let outer = recorder.frames.last();
        let pass = span.or(outer.map(|f| f.pass)).unwrap_or(Pass::Forward);
        let module = match (module, outer) {
            (Some(path), _) => match recorder.modules.get(&path) {
                Some(known) => Arc::clone(known),
                None => {
                    let shared: Arc<str> = Arc::from(&*path);
                    recorder.modules.insert(path, Arc::clone(&shared));
                    shared
                }
            },
            (None, Some(outer)) => Arc::clone(&outer.module),
            (None, None) => Arc::from(""),
        };
        let is_operation = span.is_none();
        let before = Allocations::now();
        let start = Instant::now();
        recorder.took(start - begun);
        recorder.frames.push(Frame {
            id,
            operation,
            module,
            pass,
            is_operation,
            start,
            before,
            allocated_inside: Allocations::default(),
            inside: Duration::ZERO,
            ran: false,
        });
    });
    Open(id)
}

impl Open {
    /// Ends the frame, and those inside it that were not ended. `work` is called after the end.
    #[cold]
    pub(crate) fn close(self, work: impl FnOnce() -> Work) {
        let end = Instant::now();
        let work = work();
        RECORDER.with_borrow_mut(|recorder| {
            let Some(recorder) = recorder else { return };
            let Some(at) = recorder.frames.iter().rposition(|f| f.id == self.0) else { return };
            while recorder.frames.len() > at + 1 {
                recorder.end(end, Work::default());
            }
            recorder.end(end, work);
            recorder.took(end.elapsed());
        });
    }
}

impl Recorder {
    /// Counts time of the profiler itself.
    fn took(&mut self, time: Duration) {
        if let Some(frame) = self.frames.last_mut() {
            frame.inside += time;
        }
        for run in &mut self.runs {
            run.own += time;
        }
    }

    /// Ends the innermost frame.
    fn end(&mut self, end: Instant, work: Work) {
        let Some(f) = self.frames.pop() else { return };
        let live = buffer::stats().live_bytes;
        let allocated = Allocations::now().minus(f.before);
        let own = allocated.minus(f.allocated_inside);
        let total = end.saturating_duration_since(f.start);
        let self_time = total.saturating_sub(f.inside);
        let work = if f.ran { Work::default() } else { work };
        for run in self.runs.iter_mut().filter(|run| run.id < f.id) {
            run.add(&f, (total, self_time), work, own, live);
        }
        if let Some(outer) = self.frames.last_mut() {
            outer.inside += total;
            outer.ran |= f.is_operation || f.ran;
            outer.allocated_inside = outer.allocated_inside.plus(allocated);
        }
    }
}

impl Run {
    fn add(
        &mut self,
        f: &Frame,
        (total, self_time): (Duration, Duration),
        work: Work,
        own: Allocations,
        live: usize,
    ) {
        let row = self.row(f.operation, &f.module, f.pass);
        row.calls += 1;
        row.total_time += total;
        row.self_time += self_time;
        row.flops += work.flops;
        row.bytes_read += work.bytes_read;
        row.bytes_written += work.bytes_written;
        row.allocations += own.new;
        row.reused += own.reused;
        row.allocated_bytes += own.bytes;
        self.inside = self.inside.plus(own);
        self.peak = self.peak.max(live);
        if self.events.len() == MOST_EVENTS {
            self.left_out += 1;
            return;
        }
        self.events.push(Event {
            operation: f.operation,
            module: Arc::clone(&f.module),
            pass: f.pass,
            start: f.start.saturating_duration_since(self.start),
            duration: total,
            work,
            live,
        });
    }

    fn row(&mut self, operation: &'static str, module: &Arc<str>, pass: Pass) -> &mut Row {
        let rows = &mut self.rows;
        let at = *self.index.entry((operation, Arc::clone(module), pass)).or_insert_with(|| {
            rows.push(Row::new(operation, module.to_string(), Some(pass)));
            rows.len() - 1
        });
        &mut self.rows[at]
    }

    fn finish(mut self, end: Instant) -> Profile {
        let wall = end.saturating_duration_since(self.start);
        let threads = Threads::now().zip(self.threads).map(|(now, then)| now.since(then));
        let outside = Allocations::now().minus(self.before).minus(self.inside);
        let timed: Duration = self.rows.iter().map(|r| r.self_time).sum();
        let own = self.own.min(wall.saturating_sub(timed));
        let nowhere = Arc::from("");
        let row = self.row(PROFILER, &nowhere, Pass::Other);
        (row.self_time, row.total_time) = (own, own);
        let rest = wall.saturating_sub(timed).saturating_sub(own);
        let row = self.row(BETWEEN, &nowhere, Pass::Other);
        (row.self_time, row.total_time) = (rest, wall);
        (row.allocations, row.reused, row.allocated_bytes) = (outside.new, outside.reused, outside.bytes);
        Profile::new(self.rows, self.events, self.left_out, wall, threads, self.peak)
    }
}
