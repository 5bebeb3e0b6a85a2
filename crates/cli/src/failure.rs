//! What a failure says: every cause once, in one line where they fit.

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
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn every_cause_is_said_once() {
        let e = anyhow!("file.json: gone").context("the options cannot be read");
        assert_eq!(message(&e), "the options cannot be read: file.json: gone");
        let e = anyhow!("gone").context("file.json: gone");
        assert_eq!(message(&e), "file.json: gone");
    }
}
