//! JUnit XML, in the form that Jenkins and GitLab read: one suite, a test case per op.

use super::{ended, nothing};
use crate::place::Places;
use crate::results::{Ended, Mode, OpVerdict, Results};
use std::fmt::Write as _;

pub(crate) fn write(results: &Results, places: &Places) -> String {
    let (suite, kind) = match results.mode {
        Mode::Gradients => ("gradients", "gradient"),
        Mode::Mutants => ("mutants", "mutants"),
    };
    let failures = results.count(OpVerdict::Failed) + results.count(OpVerdict::Survived);
    // An op for which there was no time is an error, as in the exit code. After a failure or a signal it is only skipped.
    let late = results.ended == Ended::Time;
    let incomplete = results.count(OpVerdict::Incomplete);
    let errors =
        if late { incomplete } else { 0 } + usize::from(nothing(results).is_some() && !results.may_be_empty);
    let skipped = results.count(OpVerdict::Skipped) + if late { 0 } else { incomplete };
    let tests = results.ops.len().max(errors);
    let time = results.elapsed.as_secs_f64();
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\" time=\"{time:.3}\""
    );
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{suite}\" {counts}>\n<testsuite name=\"{suite}\" {counts}>\n<properties>\n"
    );
    let cases = results.cases.map_or(String::new(), |n| n.to_string());
    let shard = results.shard.map_or(String::new(), |s| format!("{}/{}", s.index + 1, s.count));
    let seed = results.seed.to_string();
    for (name, value) in
        [("seed", seed), ("cases", cases), ("shard", shard), ("command", results.command.clone())]
    {
        if !value.is_empty() {
            let _ = writeln!(out, "<property name=\"{name}\" value=\"{}\"/>", escaped(&value));
        }
    }
    out.push_str("</properties>\n");
    if let (Some(nothing), false) = (nothing(results), results.may_be_empty) {
        let _ = writeln!(
            out,
            "<testcase name=\"all\" classname=\"{suite}\" time=\"0\"><error message=\"{nothing}\" type=\"incomplete\"/></testcase>"
        );
    }
    for op in &results.ops {
        let _ = write!(
            out,
            "<testcase name=\"{}\" classname=\"{suite}\" file=\"{}\" line=\"{}\" time=\"{:.3}\"",
            escaped(op.name),
            escaped(&places.in_repository(op.file)),
            op.line,
            op.spent.as_secs_f64()
        );
        let why = || escaped(&ended(results).unwrap_or_default());
        let _ = match op.verdict {
            OpVerdict::Passed => writeln!(out, "/>"),
            OpVerdict::Failed | OpVerdict::Survived => writeln!(
                out,
                "><failure message=\"{}\" type=\"{kind}\">{}</failure></testcase>",
                escaped(&op.first_line()),
                escaped(&op.lines(results).join("\n"))
            ),
            OpVerdict::Incomplete if late => {
                writeln!(out, "><error message=\"{}\" type=\"incomplete\"/></testcase>", why())
            }
            OpVerdict::Incomplete => writeln!(out, "><skipped message=\"{}\"/></testcase>", why()),
            OpVerdict::Skipped => {
                writeln!(out, "><skipped message=\"the properties do not apply\"/></testcase>")
            }
        };
    }
    out.push_str("</testsuite>\n</testsuites>\n");
    out
}

/// Text in XML, as content or as an attribute. Characters that no XML document can have become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // In an attribute, the characters themselves would be read as spaces.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parser_reads_what_was_escaped() {
        let all: String = ('\0'..='\u{2ff}').chain(['\u{fffd}', '\u{fffe}', '\u{ffff}', '😀']).collect();
        let text = format!("<a b=\"{0}\">{0}</a>", escaped(&all));
        let document = roxmltree::Document::parse(&text).unwrap();
        let invalid = |c: char| (c < ' ' && !"\n\r\t".contains(c)) || c == '\u{fffe}' || c == '\u{ffff}';
        let expected: String = all.chars().map(|c| if invalid(c) { '\u{fffd}' } else { c }).collect();
        let root = document.root_element();
        assert_eq!(root.attribute("b"), Some(&*expected));
        assert_eq!(root.text(), Some(&*expected));
    }
}
