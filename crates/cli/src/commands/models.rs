//! `wengert models`: what can be trained, on what, and what to expect.

use crate::zoo::Architecture;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Models {}

impl Models {
    pub(crate) fn run(self) -> String {
        let all = Architecture::all();
        let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = all.iter().filter_map(|(name, about)| {
            let model = Architecture::named(name)?;
            let model = model.model();
            let data: Vec<String> = model.data().iter().map(|d| d.name()).collect();
            let (data, expect, indent) = (data.join(", "), model.expect(), " ".repeat(width + 2));
            Some(format!("{name:<width$}  {about}\n{indent}data: {data}\n{indent}expect: {expect}"))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
