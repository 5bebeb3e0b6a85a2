//! `wengert models`: what can be trained, on what, and what to expect.

use crate::values::spelt;
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
            let data: Vec<String> = model.data().iter().map(|d| spelt(*d)).collect();
            let usual = model.usual(model.data()[0]);
            let usual = format!(
                "{} epochs of batches of {}, {} at {}, {}",
                usual.epochs,
                usual.batch_size,
                spelt(usual.optimizer),
                usual.lr,
                spelt(usual.schedule)
            );
            let (data, expect, indent) = (data.join(", "), model.expect(), " ".repeat(width + 2));
            let mut lines =
                vec![format!("data: {data}"), format!("usually: {usual}"), format!("expect: {expect}")];
            let also = Architecture::aliases(name);
            if !also.is_empty() {
                lines.insert(0, format!("also: {}", also.join(", ")));
            }
            Some(format!("{name:<width$}  {about}\n{indent}{}", lines.join(&format!("\n{indent}"))))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
