//! What the threads of this process did, where the system reports it in files.

use std::time::Duration;

/// The times of all threads of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Threads {
    /// The time in which they ran.
    pub(super) running: Duration,
    /// The time in which they could have run, but other threads or processes had the processors.
    pub(super) waiting: Duration,
    /// How often they slept, each time to be woken.
    pub(super) sleeps: u64,
}

impl Threads {
    /// The times until now; `None` if they are not known.
    ///
    /// Linux lists them for each thread in nanoseconds. A thread that has ended is no longer listed. On other systems it takes a system
    /// call, which is `unsafe` in Rust.
    pub(super) fn now() -> Option<Self> {
        let mut all = Threads::default();
        for task in std::fs::read_dir("/proc/self/task").ok()? {
            let task = task.ok()?.path();
            let file = |name: &str| std::fs::read_to_string(task.join(name)).unwrap_or_default();
            let text = file("schedstat");
            let mut times = text.split_whitespace().map_while(|t| t.parse().ok().map(Duration::from_nanos));
            all.running += times.next().unwrap_or_default();
            all.waiting += times.next().unwrap_or_default();
            let status = file("status");
            let sleeps = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            all.sleeps += sleeps.and_then(|n| n.trim().parse::<u64>().ok()).unwrap_or_default();
        }
        (!all.running.is_zero()).then_some(all)
    }

    pub(super) fn since(self, then: Self) -> Self {
        Threads {
            running: self.running.saturating_sub(then.running),
            waiting: self.waiting.saturating_sub(then.waiting),
            sleeps: self.sleeps.saturating_sub(then.sleeps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "no file lists it")]
    fn work_takes_processor_time() {
        let Some(before) = Threads::now() else { return };
        let end = std::time::Instant::now() + Duration::from_millis(50);
        while std::time::Instant::now() < end {}
        assert!(Threads::now().unwrap().since(before).running > Duration::ZERO);
    }

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "no file lists it")]
    fn a_thread_that_sleeps_is_counted() {
        let Some(before) = Threads::now() else { return };
        for _ in 0..5 {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Threads::now().unwrap().since(before).sleeps >= 5);
    }
}
