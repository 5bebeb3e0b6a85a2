//! The model of a command line: which of its options are given, and which have their default.

use super::architecture::{Architecture, RECURRENCES, table};
use super::experiment::Model;
use crate::options::names::Data;
use crate::options::words;
use anyhow::{Result, bail};
use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, ValueEnum};

/// A model as the command line names it. Some names also set an option: `lstm` is `char-rnn --recurrence lstm`.
#[derive(Debug, Clone)]
pub(crate) struct GivenModel {
    /// The model, with defaults for the options that are not given.
    pub(crate) architecture: Architecture,
    /// The options that are given, under their names in a config.toml.
    given: toml::Table,
}

impl Architecture {
    /// The model of this name with default options.
    pub(crate) fn named(name: &str) -> Option<Self> {
        GivenModel::parse([name.to_owned()]).ok().map(|given| given.architecture)
    }

    /// Checks that every option is within its bounds, which a file that was edited by hand may violate.
    pub(crate) fn check(&self) -> Result<()> {
        let mut options = toml::Table::try_from(self)?;
        options.remove("name");
        let name = self.model().about().name.to_owned();
        match GivenModel::parse(std::iter::once(name).chain(words(&options)?)) {
            Ok(_) => Ok(()),
            // The first line is the error; the others are about the command line.
            Err(e) => {
                bail!("{}", e.to_string().lines().next().unwrap_or_default().trim_start_matches("error: "))
            }
        }
    }
}

impl GivenModel {
    /// Parses the model from words: its name and its options.
    fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, clap::Error> {
        let models = GivenModel::augment_subcommands(table());
        let words = std::iter::once(models.get_name().to_owned()).chain(words);
        GivenModel::from_arg_matches(&models.try_get_matches_from(words)?)
    }

    /// The options that are given, with those of the same model in a file for the others.
    pub(crate) fn over(self, defaults: Architecture) -> Result<Architecture> {
        let mut options = toml::Table::try_from(defaults)?;
        options.extend(self.given);
        Ok(options.try_into()?)
    }
}

impl FromArgMatches for GivenModel {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let missing = || clap::Error::new(ErrorKind::MissingSubcommand);
        let (name, options) = matches.subcommand().ok_or_else(missing)?;
        let chooses_recurrence = RECURRENCES.contains(&name);
        let architecture = match chooses_recurrence {
            true => Architecture::CharRnn(FromArgMatches::from_arg_matches(options)?),
            false => Architecture::from_arg_matches(matches)?,
        };
        let failed = |e: toml::ser::Error| clap::Error::raw(ErrorKind::Format, e);
        let mut given = toml::Table::try_from(&architecture).map_err(failed)?;
        given.remove("name");
        given.retain(|key, _| {
            let source = options.value_source(&key.replace('-', "_"));
            source == Some(ValueSource::CommandLine) || (chooses_recurrence && key == "recurrence")
        });
        Ok(GivenModel { architecture, given })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = GivenModel::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for GivenModel {
    fn augment_subcommands(command: Command) -> Command {
        let mut command = Architecture::augment_subcommands(command);
        let Some(char_rnn) = command.find_subcommand("char-rnn").cloned() else { return command };
        let char_rnn = char_rnn.visible_alias(Resettable::Reset);
        for name in RECURRENCES {
            let recurrent = char_rnn.clone().name(name).hide(true);
            command = command.subcommand(recurrent.mut_arg("recurrence", |arg| arg.default_value(name)));
        }
        // The help shows these names as aliases.
        let about = char_rnn.get_about().map(ToString::to_string).unwrap_or_default();
        let with_names = format!("{about} [aliases: {}]", RECURRENCES.join(", "));
        let char_rnn = char_rnn.about(with_names).long_about(about);
        command.mut_subcommands(|c| if c.get_name() == "char-rnn" { char_rnn.clone() } else { c })
    }

    fn augment_subcommands_for_update(command: Command) -> Command {
        GivenModel::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        RECURRENCES.contains(&name) || Architecture::has_subcommand(name)
    }
}

/// `train` with models that show only the options that they take. The others are hidden, and rejected later with the reason.
pub(crate) fn offer_what_models_take(mut train: Command) -> Command {
    let shared: Vec<Arg> = train.get_arguments().cloned().collect();
    let names: Vec<String> = train.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    for name in names {
        let Some(architecture) = Architecture::named(&name) else { continue };
        let model = architecture.model();
        let changed = shared.iter().filter_map(|arg| match arg.get_id().as_str() {
            "data" => Some(arg.clone().value_parser(data_of(model))),
            id if model.about().refuses.contains(&id) => Some(arg.clone().hide(true)),
            _ => None,
        });
        let changed: Vec<Arg> = changed.collect();
        train = train.mut_subcommand(name, |c| c.args(changed));
    }
    train
}

/// The parser of `--data` that shows only the data that a model learns from.
fn data_of(model: &dyn Model) -> impl TypedValueParser<Value = Data> + use<> {
    let fits = model.about().data;
    let values = Data::value_variants().iter().filter_map(|data| {
        let value = data.to_possible_value()?;
        Some(value.hide(!fits.contains(data)))
    });
    // Every other name has been rejected before.
    PossibleValuesParser::new(values).map(|name| Data::from_str(&name, false).unwrap_or(Data::Digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> GivenModel {
        GivenModel::parse(line.split(' ').map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_recurrence_is_a_name_of_the_model_that_has_it() {
        let same = |line: &str, long: &str| {
            let (short, long) = (parsed(line), parsed(long));
            assert_eq!((&short.architecture, &short.given), (&long.architecture, &long.given), "{line}");
        };
        same("lstm --layers 2", "char-rnn --recurrence lstm --layers 2");
        same("gru", "char-rnn --recurrence gru");
        same("rnn --recurrence gru", "char-rnn --recurrence gru");
        same("transformer", "gpt");
        same("cnn", "vgg");
    }

    #[test]
    fn what_is_given_wins_and_a_default_does_not() {
        let file = parsed("vae --convolutional --latent 3 --gaussian 0.5").architecture;
        let over = |line: &str| parsed(line).over(file.clone()).unwrap();
        assert_eq!(over("vae"), file);
        assert_eq!(
            over("vae --latent 8 --beta 2"),
            parsed("vae --convolutional --latent 8 --gaussian 0.5 --beta 2").architecture
        );
    }
}
