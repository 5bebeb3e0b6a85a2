//! `wengert models`: what can be trained.

use crate::zoo::Architecture;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Models {}

impl Models {
    pub(crate) fn run(self) -> String {
        let all = Architecture::all();
        let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines: Vec<String> = all.iter().map(|(name, about)| format!("{name:<width$}  {about}")).collect();
        lines.join("\n")
    }
}
