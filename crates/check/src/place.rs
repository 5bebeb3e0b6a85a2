//! Paths of source files: in reports as the compiler knows them, in annotations relative to the repository.

use std::path::{Path, PathBuf};

/// Where the sources are.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// The folder of the package and of the current work, from which the folder of the workspace is found.
    starts: Vec<PathBuf>,
    /// The root of the repository, if the environment names it.
    root: Option<PathBuf>,
}

impl Places {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let folder = |name| std::env::var_os(name).map(PathBuf::from);
        let package = folder("CARGO_MANIFEST_DIR");
        let here = std::env::current_dir().ok();
        let root =
            folder("GITHUB_WORKSPACE").or_else(|| folder("CI_PROJECT_DIR")).or_else(|| folder("WORKSPACE"));
        Places { starts: package.into_iter().chain(here).collect(), root }
    }

    /// The path as the compiler knows it, with slashes.
    pub(crate) fn shown(&self, file: &str) -> String {
        file.replace('\\', "/")
    }

    /// The path from the root of the repository. The compiler's is relative to the folder of the workspace, which may be another.
    pub(crate) fn in_repository(&self, file: &str) -> String {
        let Some(root) = self.root.as_ref().and_then(|root| root.canonicalize().ok()) else {
            return self.shown(file);
        };
        let folders = self.starts.iter().flat_map(|start| start.ancestors());
        let found = folders.map(|folder| folder.join(Path::new(file))).find(|path| path.is_file());
        let inside =
            found.and_then(|path| Some(path.canonicalize().ok()?.strip_prefix(&root).ok()?.to_owned()));
        self.shown(&inside.map_or(file.to_owned(), |path| path.to_string_lossy().into_owned()))
    }
}
