//! Temporary files, `NAME.PROCESS.tmp`: what [`write_whole`](wengert_nn::state::write_whole) writes before it renames the file.

use std::path::Path;
use std::time::Duration;

/// How long a file is kept whose process is gone. The process may run on another machine that shares the folder, or in a
/// container.
const OF_ANOTHER_MACHINE: Duration = Duration::from_secs(60 * 60);

/// How long a file is kept on a system that does not list its processes.
const OF_UNKNOWN: Duration = Duration::from_secs(24 * 60 * 60);

/// The final name of a temporary file and the process that writes it, if the name is that of a temporary file.
pub(crate) fn parse(name: &str) -> Option<(&str, &str)> {
    let (name, process) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
    let digits = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
    digits.then_some((name, process))
}

/// Whether a temporary file will never be renamed: the process that wrote it is gone, and has been for a while.
pub(crate) fn is_abandoned(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let Some((_, process)) = parse(name) else { return false };
    let processes = Path::new("/proc");
    let known = processes.join("self").exists();
    if process == std::process::id().to_string() || known && processes.join(process).exists() {
        return false;
    }
    let written = path.metadata().and_then(|m| m.modified()).ok();
    // A time in the future, from a clock that is ahead, does not count as an age.
    let age = written.and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > if known { OF_ANOTHER_MACHINE } else { OF_UNKNOWN })
}

/// Makes a file old enough to be abandoned, see [`is_abandoned`].
#[cfg(test)]
pub(crate) fn age(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - 2 * OF_UNKNOWN).unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_a_living_process_writes_is_not_abandoned() {
        let folder = std::env::temp_dir().join(format!("wengert-abandoned-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let here = std::process::id().to_string();
        // No system has a process with the largest number.
        for (process, abandoned) in [(here.as_str(), false), ("4294967294", true)] {
            let path = folder.join(format!("step-000000000001.safetensors.{process}.tmp"));
            fs::write(&path, "half").unwrap();
            assert!(!is_abandoned(&path), "{process}");
            age(&path);
            assert_eq!(is_abandoned(&path), abandoned, "{process}");
        }
        for name in ["notes.txt", "model.safetensors.old.tmp", "77.tmp", ".tmp"] {
            fs::write(folder.join(name), "mine").unwrap();
            age(&folder.join(name));
            assert!(!is_abandoned(&folder.join(name)), "{name}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
