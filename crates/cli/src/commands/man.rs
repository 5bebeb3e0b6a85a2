//! `wengert man`: the manual pages, made from the same descriptions as the help.

use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_mangen::Man;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::{fs, str};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ManArgs {
    /// Write the page of every command into this folder, which is created; without it, wengert(1) is printed
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  wengert man | man -l -                read the page of the command
  wengert man --output ~/.local/share/man/man1";

impl ManArgs {
    pub(crate) fn run(self) -> Result<String> {
        let mut command = crate::command().disable_help_subcommand(true);
        command.build();
        let Some(folder) = &self.output else { return Ok(page(&command)?.trim_end().to_owned()) };
        let cannot = || format!("{}: the pages cannot be written", folder.display());
        fs::create_dir_all(folder).with_context(cannot)?;
        let pages = write(&command, folder).with_context(cannot)?;
        Ok(format!("{pages} pages in {}", folder.display()))
    }
}

/// Writes the pages of a command and of those below it, and returns their number.
fn write(command: &Command, folder: &Path) -> io::Result<usize> {
    fs::write(folder.join(format!("{}.1", name(command))), page(command)?)?;
    let mut pages = 1;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages += write(below, folder)?;
    }
    Ok(pages)
}

/// `wengert-train-mlp`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// One page. The title has no date, so that the same version has the same pages.
fn page(command: &Command) -> io::Result<String> {
    let man = Man::new(command.clone());
    let mut sections = Vec::new();
    man.render_name_section(&mut sections)?;
    man.render_synopsis_section(&mut sections)?;
    man.render_description_section(&mut sections)?;
    man.render_options_section(&mut sections)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut sections)?;
    }
    let sections = str::from_utf8(&sections).map_err(io::Error::other)?;
    // The definition of apostrophes, which precedes each section, is needed once.
    let apostrophe = sections.split(".SH").next().unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let title = format!(".TH {} 1 \"\" \"wengert {version}\" \"wengert\"\n", name(command));
    let mut page = format!("{apostrophe}{title}{}", sections.replace(apostrophe, ""));
    // An empty line between the help of an option and its values is vertical space.
    page = page.replace("\n.br\n\n.br\n", "\n.sp\n");
    if let Some(text) = command.get_after_help() {
        page.push_str(&examples(&text.to_string()));
    }
    Ok(ascii(&page))
}

/// The examples after the help, line by line as they are: `Man` would fill them into paragraphs.
fn examples(text: &str) -> String {
    let (title, lines) = text.split_once('\n').unwrap_or((text, ""));
    let mut section = format!(".SH {}\n.nf\n", title.trim_end_matches(':').to_uppercase());
    for line in lines.lines() {
        let line = line.trim_start().replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        let _ = writeln!(section, "\\&{line}");
    }
    section + ".fi\n"
}

/// The page with other characters as their escapes, which do not depend on the locale of the reader.
fn ascii(page: &str) -> String {
    page.chars().fold(String::new(), |mut text, c| {
        match c.is_ascii() {
            true => text.push(c),
            false => drop(write!(text, "\\[u{:04X}]", u32::from(c))),
        }
        text
    })
}
