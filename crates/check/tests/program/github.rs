//! The runner of GitHub Actions, as far as it reads a log: `src/Runner.Common/ActionCommand.cs` and `ActionCommandManager.cs` of
//! `actions/runner`.

/// A command that the runner carries out.
#[derive(Debug, PartialEq)]
pub(crate) struct Command {
    pub(crate) name: String,
    pub(crate) properties: Vec<(String, String)>,
    pub(crate) data: String,
}

impl Command {
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The commands of a log, which are carried out unless they have been stopped with a token that has not come again.
pub(crate) fn commands(log: &str) -> Vec<Command> {
    let (mut commands, mut stopped): (Vec<Command>, Option<String>) = (Vec::new(), None);
    for line in log.lines() {
        let Some(command) = parse(line) else {
            // The old form, anywhere in a line, is read too.
            assert!(stopped.is_some() || !line.contains("##["), "{line}");
            continue;
        };
        match &stopped {
            Some(token) => {
                if command.name == *token {
                    stopped = None;
                }
            }
            None if command.name == "stop-commands" => stopped = Some(command.data),
            None => commands.push(command),
        }
    }
    assert_eq!(stopped, None, "commands stay stopped");
    commands
}

fn parse(line: &str) -> Option<Command> {
    let rest = line.trim_start().strip_prefix("::")?;
    let (head, data) = rest.split_once("::")?;
    let (name, properties) = head.split_once(' ').unwrap_or((head, ""));
    let properties = properties.split(',').filter_map(|p| p.split_once('='));
    let property = |(name, value): (&str, &str)| (name.trim().to_owned(), unescaped(value, true));
    Some(Command {
        name: name.to_owned(),
        properties: properties.map(property).collect(),
        data: unescaped(data, false),
    })
}

/// In the order of the runner: the percent sign last.
fn unescaped(text: &str, property: bool) -> String {
    let text = text.replace("%0D", "\r").replace("%0A", "\n");
    let text = if property { text.replace("%3A", ":").replace("%2C", ",") } else { text };
    text.replace("%25", "%")
}
