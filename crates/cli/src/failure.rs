//! What a failure says: every cause once, in one line where they fit.

use wengert::data::Printable;

/// The message of an error with those of its causes.
pub(crate) fn message(e: &anyhow::Error) -> String {
    let mut message = String::new();
    for cause in e.chain() {
        let cause = cause.to_string();
        // Some errors quote their cause themselves.
        if message.contains(&cause) {
            continue;
        }
        if !message.is_empty() {
            message.push_str(": ");
        }
        message.push_str(&cause);
    }
    printable(&message)
}

/// A message as it may be printed: what is no visible character stands there as an escape, but for the ends of lines. Messages quote
/// files and command lines, and a terminal obeys what it is sent.
pub(crate) fn printable(message: &str) -> String {
    message.split('\n').map(|line| Printable(line).to_string()).collect::<Vec<_>>().join("\n")
}

/// The same of a result, in which tabs are as good as the ends of lines.
pub(crate) fn visible(text: &str) -> String {
    text.split('\t').map(printable).collect::<Vec<_>>().join("\t")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn nothing_in_a_message_steers_a_terminal() {
        let e = anyhow!("unknown field `\u{1b}]0;x\u{7}\u{9b}2J\r\u{202e}\0é\"'\\\n`");
        assert_eq!(message(&e), "unknown field `\\u{1b}]0;x\\u{7}\\u{9b}2J\\r\\u{202e}\\0é\"'\\\n`");
    }

    #[test]
    fn every_cause_is_said_once() {
        let e = anyhow!("file.json: gone").context("the options cannot be read");
        assert_eq!(message(&e), "the options cannot be read: file.json: gone");
        let e = anyhow!("gone").context("file.json: gone");
        assert_eq!(message(&e), "file.json: gone");
    }
}
