//! The forms of a report: each is a function of the results.

mod github;
mod json;
mod junit;
mod markdown;
mod text;

use crate::options::Format;
use crate::place::Places;
use crate::results::Results;
pub(crate) use json::list as json_list;

/// The report in a form. Only the text can be coloured.
pub(crate) fn write(results: &Results, format: Format, places: &Places, colored: bool) -> String {
    match format {
        Format::Text | Format::Terse => text::write(results, places, colored),
        Format::Json => json::write(results, places),
        Format::JUnit => junit::write(results, places),
        Format::GitHub => github::write(results, places, &github::token()),
        Format::Markdown => markdown::write(results, places),
    }
}

/// What is wrong if no op was checked at all.
fn nothing(results: &Results) -> Option<&'static str> {
    match (results.ops.is_empty(), results.may_be_empty) {
        (false, _) => None,
        (true, false) => Some("no operation was selected"),
        (true, true) => Some("there is no operation for this run"),
    }
}

/// A time in seconds, with one digit.
fn seconds(time: std::time::Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// The text of the ends of a run that are not its last case.
fn ended(results: &Results) -> Option<String> {
    use crate::results::Ended;
    match results.ended {
        Ended::Complete => None,
        Ended::Time => Some("the time was over".to_owned()),
        Ended::FailFast => Some("ended after the first failure".to_owned()),
        Ended::Signal(2) => Some("interrupted".to_owned()),
        Ended::Signal(number) => Some(format!("interrupted by signal {number}")),
    }
}
