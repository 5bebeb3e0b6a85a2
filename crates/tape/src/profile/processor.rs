//! The processor time of this process, where the system reports it in files.

use std::time::Duration;

/// The time that the threads of this process have run; `None` if it is not known.
///
/// Linux lists it for each thread in nanoseconds. A thread that has ended is no longer listed. On other systems it takes a system call,
/// which is `unsafe` in Rust.
pub(super) fn time() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    let nanoseconds: u64 = nanoseconds.sum();
    (nanoseconds > 0).then(|| Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(target_os = "linux"), ignore = "no file lists it")]
    fn work_takes_processor_time() {
        let Some(before) = time() else { return };
        let end = std::time::Instant::now() + Duration::from_millis(50);
        while std::time::Instant::now() < end {}
        assert!(time().unwrap() > before);
    }
}
