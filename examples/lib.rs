//! Shared code of the analyses: [`Run`] decides where pictures go and how much is computed, and [`Plot`] draws them.
//!
//! The other examples are the files next to this one.

mod plot;

pub use plot::{BLACK, BLUE, Color, Corner, GRAY, GREEN, ORANGE, PURPLE, Palette, Plot, SKY, YELLOW, figure};

use std::path::PathBuf;

/// The error of an example.
pub type Failure = Box<dyn std::error::Error>;

/// One run of an analysis: as a program, or as a test, which may do less.
#[derive(Debug, Clone)]
pub struct Run {
    folder: PathBuf,
    is_test: bool,
}

impl Run {
    /// A run that draws into the folder given on the command line, by default `target/pictures`.
    pub fn from_args() -> Self {
        let folder = std::env::args_os().nth(1).map_or_else(|| target().join("pictures"), PathBuf::from);
        Run { folder, is_test: false }
    }

    /// A run that draws into a folder for tests.
    pub fn test() -> Self {
        Run { folder: target().join("pictures/tests"), is_test: true }
    }

    /// The amount of work: one value for the program, one for the test.
    pub fn pick<N>(&self, program: N, test: N) -> N {
        if self.is_test { test } else { program }
    }

    /// The path of a file in the folder, which is created if it does not exist.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn path(&self, name: &str) -> Result<PathBuf, Failure> {
        std::fs::create_dir_all(&self.folder)?;
        let path = self.folder.join(name);
        println!("→ {}", path.display());
        Ok(path)
    }

    /// Writes panels, row by row, as one SVG file.
    ///
    /// # Errors
    /// If drawing or writing fails.
    pub fn draw(&self, name: &str, rows: &[&[Plot]]) -> Result<(), Failure> {
        let svg = figure(rows)?;
        std::fs::write(self.path(name)?, svg)?;
        Ok(())
    }
}

fn target() -> PathBuf {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(beside, PathBuf::from)
}

/// The mean.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The standard error of the mean.
pub fn standard_error(values: &[f64]) -> f64 {
    let (n, m) = (values.len() as f64, mean(values));
    (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}

/// The value below which a fraction `q` of the values lies, by linear interpolation: the median for `q` = 0.5.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// `n` numbers from `low` to `high`, evenly spaced.
pub fn linspace(low: f64, high: f64, n: usize) -> Vec<f64> {
    (0..n).map(|i| low + (high - low) * i as f64 / (n - 1) as f64).collect()
}
