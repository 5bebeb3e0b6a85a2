//! `wengert completions`: the script with which a shell completes this command line.

use anyhow::{Context, Result};
use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "\
Examples:
  wengert completions bash > ~/.local/share/bash-completion/completions/wengert
  wengert completions zsh > ~/.zfunc/_wengert           with ~/.zfunc in fpath, before compinit
  wengert completions fish > ~/.config/fish/completions/wengert.fish
  wengert completions powershell >> $PROFILE
  wengert completions elvish >> ~/.config/elvish/rc.elv";

impl CompletionsArgs {
    pub(crate) fn run(self) -> Result<String> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command(), "wengert", &mut script);
        let script = String::from_utf8(script).context("the script is not UTF-8")?;
        Ok(script.trim_end().to_owned())
    }
}
