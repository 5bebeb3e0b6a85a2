//! The command line: our options, and those with which `cargo test` and `cargo nextest` call a test program.

use crate::schedule::Shard;
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::time::Duration;
use wengert_tape::gradcheck::Property;

/// The number of cases of an op, if neither `--cases` nor `--time` is given.
const CASES: u64 = 100;
/// Seeds that are drawn are below this number: short enough to be typed.
const RANDOM_SEEDS: u64 = 1_000_000_000;

/// The options of the command line, as the program understood them.
///
/// They are arguments for [`clap`], so that a program with other commands can take them too:
///
/// ```
/// use clap::{Args, Command, FromArgMatches};
/// use wengert_check::Options;
/// use wengert_tape::case;
/// use wengert_tape::gradcheck::{Domain, Spec};
///
/// let command = Options::augment_args(Command::new("mine"));
/// let options = Options::from_arg_matches(&command.get_matches_from(["mine", "--cases", "20", "--threads", "1"]))?;
/// let cube = Spec::unary("cube", Domain::Real, |x| case!(x, [], |x| x[0] * x[0] * x[0]));
/// assert_eq!(wengert_check::run([cube], &options, Some("mine")), 0);
/// # Ok::<(), clap::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    /// Names and patterns of ops, each of which must fit at least one.
    pub(crate) ops: Vec<String>,
    /// The filters of a test program: parts of names, or patterns.
    pub(crate) filters: Vec<String>,
    pub(crate) skip: Vec<String>,
    pub(crate) exact: bool,
    pub(crate) list: bool,
    pub(crate) seed: u64,
    /// Whether the seed was drawn.
    pub(crate) random: bool,
    pub(crate) cases: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) shard: Option<Shard>,
    pub(crate) properties: Vec<Property>,
    pub(crate) fail_fast: bool,
    pub(crate) mutants: bool,
    pub(crate) threads: Option<usize>,
    /// The report of the standard output.
    pub(crate) shown: Format,
    /// The reports that are written to files.
    pub(crate) written: Vec<(Format, PathBuf)>,
    pub(crate) color: Color,
    pub(crate) quiet: bool,
    /// `--ignored`, or a benchmark run: there are no such tests.
    pub(crate) nothing: bool,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    JUnit,
    GitHub,
    Markdown,
    /// Of test programs, for lists: `name: test`.
    Terse,
}

impl Format {
    const ALL: [(&'static str, Format); 7] = [
        ("text", Format::Text),
        ("json", Format::Json),
        ("junit", Format::JUnit),
        ("github", Format::GitHub),
        ("markdown", Format::Markdown),
        ("terse", Format::Terse),
        ("pretty", Format::Terse),
    ];
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Options {
    /// The number of threads, if it is given.
    pub fn threads(&self) -> Option<usize> {
        self.threads
    }
}

/// The arguments that select and run checks; those of test programs are hidden.
fn arguments() -> Vec<Arg> {
    let option = |name: &'static str| Arg::new(name).long(name);
    let many = |name| option(name).action(ArgAction::Append);
    let flag = |name| option(name).action(ArgAction::SetTrue);
    let hidden = |name| flag(name).hide(true);
    vec![
        Arg::new("filter").value_name("FILTER").action(ArgAction::Append).help(
            "Only ops whose name contains FILTER, or fits it if it has a `*` or `?`; several select those that fit any of them",
        ),
        many("op").value_name("NAME").help(
            "Only ops with this name, in which `*` is any text and `?` any character; it is an error if there is none. Can be \
             given several times",
        ),
        many("skip").value_name("FILTER").help("Leave out ops whose name contains FILTER, or fits it"),
        many("property")
            .value_name("PROPERTY")
            .value_delimiter(',')
            .value_parser(PossibleValuesParser::new(Property::ALL.map(Property::name)))
            .hide_possible_values(true)
            .help(format!("Only these properties: {}", Property::ALL.map(Property::name).join(", "))),
        flag("list").help("List the ops, and check none"),
        option("seed")
            .value_name("N")
            .value_parser(seed)
            .help("Seed of the first case, or `random`; case i of an op is drawn from seed + i [default: 0]"),
        option("cases")
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..=1_000_000_000))
            .help("Cases for each op [default: 100, or as many as fit into --time]"),
        option("case")
            .value_name("SEED")
            .value_parser(value_parser!(u64))
            .conflicts_with_all(["seed", "cases", "time", "shard"])
            .help("Only the case that is drawn from SEED, as a failure names it"),
        option("time")
            .value_name("TIME")
            .value_parser(duration)
            .help("Draw cases until this time is over, such as 60s, 5m or 8h, with the same share of it for each op"),
        option("shard")
            .value_name("I/N")
            .value_parser(shard)
            .help("Only the I-th of N parts, which together are the whole: blocks of ten cases"),
        flag("fail-fast").help("End after the first failure"),
        flag("mutants").help(
            "Check the checks: break every rule in each of the ways known, and print the share that is caught. At most --cases \
             cases are drawn for each",
        ),
        option("threads")
            .alias("test-threads")
            .value_name("N")
            .value_parser(value_parser!(u64).range(1..=1024))
            .help("The number of threads [default: one per core]"),
        many("format").value_name("FORMAT[=FILE]").value_parser(format).help(
            "The report: text, json, junit, github or markdown, to the standard output or to a file. Can be given several \
             times [default: text]",
        ),
        option("output")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The file for the --format that has none; the text report goes to the standard output"),
        option("color")
            .value_name("WHEN")
            .value_parser(PossibleValuesParser::new(["auto", "always", "never"]))
            .help("Colours: by default in a terminal, unless NO_COLOR is set"),
        flag("quiet").short('q').help("No progress, and no text unless something is wrong"),
        hidden("exact"),
        hidden("ignored"),
        hidden("include-ignored"),
        hidden("nocapture").alias("no-capture"),
        hidden("show-output"),
        hidden("test"),
        hidden("bench"),
        hidden("report-time"),
        Arg::new("unstable").short('Z').value_name("FLAG").action(ArgAction::Append).hide(true),
    ]
}

impl clap::Args for Options {
    fn augment_args(command: Command) -> Command {
        command.args(arguments())
    }
    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let texts = |name: &str| -> Vec<String> {
            matches.get_many::<String>(name).unwrap_or_default().cloned().collect()
        };
        let number = |name: &str| matches.get_one::<u64>(name).copied();
        let wrong = |message: String| clap::Error::raw(ErrorKind::ValueValidation, format!("{message}\n"));
        let case = number("case");
        let time = matches.get_one::<Duration>("time").copied();
        let cases = match (case, number("cases"), time) {
            (Some(_), ..) => Some(1),
            (None, Some(cases), _) => Some(cases),
            (None, None, None) => Some(variable("WENGERT_CASES").map_err(wrong)?.unwrap_or(CASES)),
            (None, None, Some(_)) => variable("WENGERT_CASES").map_err(wrong)?,
        };
        let (seed, random) = match (case, matches.get_one::<Seed>("seed").copied()) {
            (Some(seed), _) | (None, Some(Seed::Given(seed))) => (seed, false),
            (None, Some(Seed::Drawn(seed))) => (seed, true),
            (None, None) => (variable("WENGERT_SEED").map_err(wrong)?.unwrap_or(0), false),
        };
        let named = |name: String| Property::ALL.into_iter().find(|p| p.name() == name);
        let (shown, written) = reports(matches).map_err(wrong)?;
        let color = match matches.get_one::<String>("color").map(String::as_str) {
            Some("always") => Color::Always,
            Some("never") => Color::Never,
            _ => Color::Auto,
        };
        Ok(Options {
            ops: texts("op"),
            filters: texts("filter"),
            skip: texts("skip"),
            exact: matches.get_flag("exact"),
            list: matches.get_flag("list"),
            seed,
            random,
            cases: cases.map(|n| n.clamp(1, u64::from(u32::MAX))),
            time,
            shard: matches.get_one::<Shard>("shard").copied(),
            properties: texts("property").into_iter().filter_map(named).collect(),
            fail_fast: matches.get_flag("fail-fast"),
            mutants: matches.get_flag("mutants"),
            threads: number("threads").and_then(|n| usize::try_from(n).ok()),
            shown,
            written,
            color,
            quiet: matches.get_flag("quiet"),
            nothing: matches.get_flag("ignored") || matches.get_flag("bench"),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The report of the standard output, and those of files.
fn reports(matches: &ArgMatches) -> Result<(Format, Vec<(Format, PathBuf)>), String> {
    let asked = matches.get_many::<(Format, Option<PathBuf>)>("format").unwrap_or_default();
    let (mut shown, mut written) = (Vec::new(), Vec::new());
    for (format, file) in asked.cloned() {
        match file {
            Some(file) => written.push((format, file)),
            None => shown.push(format),
        }
    }
    if shown.len() > 1 {
        return Err(
            "several reports for the standard output: name files, as in --format junit=report.xml".to_owned()
        );
    }
    match (matches.get_one::<PathBuf>("output"), shown.pop()) {
        (None, shown) => Ok((shown.unwrap_or(Format::Text), written)),
        (Some(_), None) if !written.is_empty() => Err("--output needs a --format without a file".to_owned()),
        (Some(file), shown) => {
            written.push((shown.unwrap_or(Format::Text), file.clone()));
            Ok((Format::Text, written))
        }
    }
}

/// A number of the environment, for runs whose command line is not the user's, such as those of `cargo nextest`.
fn variable(name: &str) -> Result<Option<u64>, String> {
    let Ok(text) = std::env::var(name) else { return Ok(None) };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(format!("{name}: expected a number that is not negative, found {text:?}")),
    }
}

/// A seed, and whether it was drawn.
#[derive(Debug, Clone, Copy)]
enum Seed {
    Given(u64),
    Drawn(u64),
}

fn seed(text: &str) -> Result<Seed, String> {
    if text == "random" {
        return Ok(Seed::Drawn(RandomState::new().build_hasher().finish() % RANDOM_SEEDS));
    }
    let number = text.parse().map(Seed::Given);
    number.map_err(|_| "expected a whole number that is not negative, or `random`".to_owned())
}

/// A time with its unit; seconds without one.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let parsed = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let seconds = parsed.and_then(|(number, unit)| Some(number.trim().parse::<f64>().ok()? * unit));
    let positive = seconds.filter(|s| *s > 0.0).and_then(|s| Duration::try_from_secs_f64(s).ok());
    positive.ok_or_else(|| "expected a positive time such as 60s, 5m or 8h".to_owned())
}

fn shard(text: &str) -> Result<Shard, String> {
    let number = |text: &str| text.parse::<u64>().ok();
    let parts = text.split_once('/').and_then(|(i, n)| Some((number(i)?, number(n)?)));
    match parts {
        Some((i, n)) if 1 <= i && i <= n => Ok(Shard { index: i - 1, count: n }),
        _ => Err("expected the number of a part and the number of parts, such as 1/4".to_owned()),
    }
}

fn format(text: &str) -> Result<(Format, Option<PathBuf>), String> {
    let (name, file) = match text.split_once('=') {
        Some((name, file)) => (name, Some(PathBuf::from(file))),
        None => (text, None),
    };
    let Some((_, format)) = Format::ALL.into_iter().find(|(known, _)| *known == name) else {
        return Err("expected text, json, junit, github or markdown".to_owned());
    };
    match file {
        Some(file) if file.as_os_str().is_empty() => Err(format!("expected a file after `{name}=`")),
        file => Ok((format, file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn parse(words: &str) -> Result<Options, String> {
        let command = Options::augment_args(Command::new("check").no_binary_name(true));
        let matches = command.try_get_matches_from(words.split_whitespace());
        matches.and_then(|m| Options::from_arg_matches(&m)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::augment_args(Command::new("check")).debug_assert();
    }

    #[test]
    fn times_have_units() {
        let seconds = |text: &str| duration(text).map(|t| t.as_secs_f64());
        assert_eq!(seconds("60s"), Ok(60.0));
        assert_eq!(seconds("90"), Ok(90.0));
        assert_eq!(seconds("1.5h"), Ok(5400.0));
        assert_eq!(seconds("5m"), Ok(300.0));
        assert_eq!(seconds("250ms"), Ok(0.25));
        assert!(
            ["", "s", "-1s", "0s", "nan", "1e99h", "5d", "inf"].iter().all(|text| seconds(text).is_err())
        );
    }

    #[test]
    fn shards_are_counted_from_one() {
        assert_eq!(shard("2/4"), Ok(Shard { index: 1, count: 4 }));
        assert!(["0/4", "5/4", "4", "a/b", "1/0", "-1/2", "1/2/3"].iter().all(|text| shard(text).is_err()));
    }

    #[test]
    fn reports_go_to_one_standard_output_and_to_files() {
        let reports = |words: &str| parse(words).map(|o| (o.shown, o.written));
        let file = |format, name: &str| (format, PathBuf::from(name));
        assert_eq!(reports(""), Ok((Format::Text, vec![])));
        assert_eq!(reports("--format json"), Ok((Format::Json, vec![])));
        assert_eq!(
            reports("--format github --format junit=a.xml --format json=b=c.json"),
            Ok((Format::GitHub, vec![file(Format::JUnit, "a.xml"), file(Format::Json, "b=c.json")]))
        );
        assert_eq!(reports("--format json --output a"), Ok((Format::Text, vec![file(Format::Json, "a")])));
        assert_eq!(reports("--output a"), Ok((Format::Text, vec![file(Format::Text, "a")])));
        for wrong in
            ["--format json --format junit", "--format junit=a --output b", "--format xml", "--format json="]
        {
            assert!(reports(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_case_is_a_run_of_one() {
        let o = parse("--case 47").unwrap();
        assert_eq!((o.seed, o.cases, o.time), (47, Some(1), None));
        assert!(parse("--case 47 --cases 2").is_err());
        let (a, b) = (parse("--seed random").unwrap(), parse("--seed random").unwrap());
        assert!(a.seed != b.seed && a.seed < RANDOM_SEEDS);
        assert_eq!(parse("--time 2s").unwrap().cases, None);
        assert_eq!(parse("--seed 18446744073709551615").unwrap().seed, u64::MAX);
    }

    #[test]
    fn test_programs_are_called_in_these_ways() {
        assert!(parse("--list --format terse").unwrap().list);
        assert!(parse("--list --format terse --ignored").unwrap().nothing);
        let one = parse("gelu --exact --nocapture").unwrap();
        assert!(one.exact && one.filters == ["gelu"]);
        let all =
            parse("--test-threads 1 --skip slow -q --show-output -Z unstable-options --include-ignored")
                .unwrap();
        assert!(all.threads == Some(1) && all.skip == ["slow"] && all.quiet && !all.nothing);
        assert!(parse("--test-threads=1 --color=always --no-capture").is_ok());
    }
}
