//! The model of a command line with the options that are given for it, and nothing that is there by default.

use super::{Architecture, Model, RECURRENCES};
use crate::options::names::Data;
use anyhow::Result;
use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, ValueEnum};

/// A model as the command line names it, which also has names that choose an option: `lstm` is `char-rnn --recurrence lstm`.
#[derive(Debug, Clone)]
pub(crate) struct GivenModel {
    /// With defaults for the options that are not given.
    pub(crate) architecture: Architecture,
    /// The options that are given, by their names in a config.toml.
    given: toml::Table,
}

impl GivenModel {
    /// A model's name and the words of its options, understood.
    pub(super) fn parse(words: impl IntoIterator<Item = String>) -> Result<Self, clap::Error> {
        let models = Command::new("models").disable_help_subcommand(true).subcommand_required(true);
        let words = std::iter::once("models".to_owned()).chain(words);
        GivenModel::from_arg_matches(&GivenModel::augment_subcommands(models).try_get_matches_from(words)?)
    }

    /// The options that are given, and those of the same model in a file, where these are not given.
    pub(crate) fn over(self, defaults: Architecture) -> Result<Architecture> {
        let mut options = toml::Table::try_from(defaults)?;
        options.extend(self.given);
        Ok(options.try_into()?)
    }
}

impl FromArgMatches for GivenModel {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let (architecture, recurrence) = match matches.subcommand() {
            Some((name, options)) if RECURRENCES.contains(&name) => {
                (Architecture::CharRnn(FromArgMatches::from_arg_matches(options)?), true)
            }
            _ => (Architecture::from_arg_matches(matches)?, false),
        };
        let failed = |e: toml::ser::Error| clap::Error::raw(ErrorKind::Format, e);
        let mut given = toml::Table::try_from(&architecture).map_err(failed)?;
        given.retain(|key, _| {
            let source = |(_, options): (_, &ArgMatches)| options.value_source(&key.replace('-', "_"));
            key != "name"
                && (matches.subcommand().and_then(source) == Some(ValueSource::CommandLine)
                    || (recurrence && key == "recurrence"))
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
        // In the help they are what they are for the user.
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

/// `train` with models that offer only what they take. What is not offered is still understood, so that it can be refused with the
/// reason.
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

/// The data that a model learns from, of which only these are shown.
fn data_of(model: &dyn Model) -> impl TypedValueParser<Value = Data> + use<> {
    let fits = model.about().data;
    let values = Data::value_variants().iter().filter_map(|data| {
        let value = data.to_possible_value()?;
        Some(value.hide(!fits.contains(data)))
    });
    // Whatever is no name of any was refused before.
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
    fn what_is_given_wins_and_nothing_that_is_there_by_default() {
        let file = parsed("vae --convolutional --latent 3 --gaussian 0.5").architecture;
        let over = |line: &str| parsed(line).over(file.clone()).unwrap();
        assert_eq!(over("vae"), file);
        assert_eq!(
            over("vae --latent 8 --beta 2"),
            parsed("vae --convolutional --latent 8 --gaussian 0.5 --beta 2").architecture
        );
    }
}
