//! `wengert models`: the models that can be trained, on which data, and the results to expect.

use crate::options::values::name_of;
use crate::zoo::Architecture;
use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {}

impl ModelsArgs {
    pub(crate) fn run(self) -> String {
        let all = Architecture::all();
        let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let lines = all.iter().filter_map(|(name, about)| {
            let model = Architecture::named(name)?;
            let about_model = model.model().about();
            let data: Vec<String> = about_model.data.iter().map(|d| name_of(*d)).collect();
            let defaults = model.model().defaults(about_model.data[0]);
            let usual = format!(
                "{} epochs of batches of {}, {} at {}, {}",
                defaults.epochs,
                defaults.batch_size,
                name_of(defaults.optimizer),
                defaults.lr,
                name_of(defaults.schedule)
            );
            let (data, expect, indent) = (data.join(", "), about_model.expect, " ".repeat(width + 2));
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
