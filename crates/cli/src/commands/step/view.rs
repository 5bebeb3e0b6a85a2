//! The interactive view: a list of nodes next to a description of the step, controlled by keys.

use anyhow::{Context, Result};
use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph};
use unicode_width::UnicodeWidthStr;
use wengert::trace::{Kind, Markup, Step, Trace, text};

/// The width of a value in the list, in columns.
const VALUE: usize = 24;
/// The colour of the paths from a node to the output.
const PATH: Color = Color::Magenta;
/// The number of rows that the list and the step need, one above the other.
const HIGH: u16 = 9;
/// The least number of columns at which the list and the step are side by side.
const WIDE: u16 = 90;

const HELP: &str = "\
→ l space   one step forward
← h         one step back
Home End    to the start, to the end
PgUp PgDn   ten steps
↑ ↓ k j     look at another node: where its gradient comes from
[ ]         scroll what is said of the step
/           search for a name, an operation or a formula; n for the next
g           jump to the step that computes a node
Esc         let go of the node, close this
q           quit";

/// Shows the trace until the user quits, and returns the text of the last step.
pub(super) fn show(trace: &Trace) -> Result<String> {
    let mut terminal = ratatui::try_init().context("the terminal cannot be set up")?;
    let mut view = View::new(trace);
    let outcome = loop {
        if let Err(e) = terminal.draw(|frame| view.draw(frame)) {
            break Err(e);
        }
        match event::read() {
            Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                if view.key(key) {
                    break Ok(());
                }
            }
            // The next frame has the new size.
            Ok(_) => {}
            Err(e) => break Err(e),
        }
    };
    ratatui::restore();
    outcome.context("the terminal cannot be read")?;
    Ok(match view.step() {
        Some(step) => text::step(trace, step, 100).trim_end().to_owned(),
        None => trace.title.clone(),
    })
}

/// The mode, which determines what keys do.
enum Mode {
    Stepping,
    Search(String),
    Jump(String),
    Help,
}

struct View<'t> {
    trace: &'t Trace,
    steps: Vec<Step>,
    names: Vec<String>,
    /// The number of steps done.
    position: usize,
    selected: Option<usize>,
    sought: String,
    message: String,
    mode: Mode,
    /// The number of lines of the step above the visible part.
    scrolled: usize,
    /// Whether colours are off (<https://no-color.org>).
    plain: bool,
}

impl<'t> View<'t> {
    fn new(trace: &'t Trace) -> Self {
        View {
            trace,
            steps: trace.steps(),
            names: trace.names(),
            position: 0,
            selected: None,
            sought: String::new(),
            message: String::new(),
            mode: Mode::Stepping,
            scrolled: 0,
            plain: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// The style with a colour, or with another mark if colours are off.
    fn coloured(&self, style: Style, colour: Color) -> Style {
        match (self.plain, colour) {
            (false, colour) => style.fg(colour),
            (true, PATH) => style.add_modifier(Modifier::UNDERLINED),
            (true, _) => style,
        }
    }

    fn step(&self) -> Option<Step> {
        self.position.checked_sub(1).and_then(|i| self.steps.get(i)).copied()
    }

    /// The node that the step changes, and the node that it reads.
    fn active(&self) -> (Option<usize>, Option<usize>) {
        match self.step() {
            None => (None, None),
            Some(Step::Forward(i)) => (Some(i), None),
            Some(Step::Seed) => (Some(self.trace.output), None),
            Some(Step::Reverse(i)) => (Some(self.trace.reverse[i].to), Some(self.trace.reverse[i].from)),
        }
    }

    /// Handles a key, and returns whether it quits.
    fn key(&mut self, key: KeyEvent) -> bool {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return true;
        }
        match &mut self.mode {
            Mode::Stepping => return self.stepping(key.code),
            Mode::Help if matches!(key.code, KeyCode::Char('[' | ']')) => return self.stepping(key.code),
            Mode::Help => {
                self.mode = Mode::Stepping;
                self.scrolled = 0;
            }
            Mode::Search(line) | Mode::Jump(line) => match key.code {
                KeyCode::Esc => self.mode = Mode::Stepping,
                KeyCode::Backspace => {
                    line.pop();
                }
                KeyCode::Char(c) => line.push(c),
                KeyCode::Enter => {
                    let line = std::mem::take(line);
                    let search = matches!(self.mode, Mode::Search(_));
                    self.mode = Mode::Stepping;
                    if search {
                        self.sought = line;
                        self.search();
                    } else {
                        self.jump(line.trim());
                    }
                }
                _ => {}
            },
        }
        false
    }

    fn stepping(&mut self, code: KeyCode) -> bool {
        self.message.clear();
        let last = self.steps.len();
        match code {
            KeyCode::Char(']') => {
                self.scrolled = self.scrolled.saturating_add(3);
                return false;
            }
            KeyCode::Char('[') => {
                self.scrolled = self.scrolled.saturating_sub(3);
                return false;
            }
            _ => self.scrolled = 0,
        }
        match code {
            KeyCode::Char('q') => return true,
            KeyCode::Right | KeyCode::Char('l' | ' ') => self.position = (self.position + 1).min(last),
            KeyCode::Left | KeyCode::Char('h') => self.position = self.position.saturating_sub(1),
            KeyCode::PageDown => self.position = (self.position + 10).min(last),
            KeyCode::PageUp => self.position = self.position.saturating_sub(10),
            KeyCode::Home => self.position = 0,
            KeyCode::End => self.position = last,
            KeyCode::Down | KeyCode::Char('j') => self.look(1),
            KeyCode::Up | KeyCode::Char('k') => self.look(-1),
            KeyCode::Char('/') => self.mode = Mode::Search(String::new()),
            KeyCode::Char('n') => self.search(),
            KeyCode::Char('g') => self.mode = Mode::Jump(String::new()),
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Esc => self.selected = None,
            _ => {}
        }
        false
    }

    fn look(&mut self, by: isize) {
        let last = self.trace.nodes.len() - 1;
        let from = self.selected.or(self.active().0);
        self.selected = Some(from.map_or(0, |i| i.saturating_add_signed(by).min(last)));
    }

    /// Selects the next node whose name, operation or formula contains the text sought.
    fn search(&mut self) {
        let sought = self.sought.to_lowercase();
        if sought.is_empty() {
            return;
        }
        let count = self.trace.nodes.len();
        let start = self.selected.map_or(0, |i| i + 1);
        let matches = |i: &usize| {
            let n = &self.trace.nodes[*i];
            let formula = n.formula.as_ref().map(|m| self.trace.text(m)).unwrap_or_default();
            let op = n.op.clone().unwrap_or_default();
            let own = n.name.clone().unwrap_or_default();
            [&self.names[*i], &own, &op, &formula].iter().any(|t| t.to_lowercase().contains(&sought))
        };
        match (0..count).map(|k| (start + k) % count).find(matches) {
            Some(i) => self.selected = Some(i),
            None => self.message = format!("nothing has {:?} in it", self.sought),
        }
    }

    /// Moves to the step that computes a node or, for a leaf, to the first step that adds to its cotangent.
    fn jump(&mut self, name: &str) {
        let node = match self.trace.find(name) {
            Ok(node) => node,
            Err(e) => {
                self.message = e.to_string();
                return;
            }
        };
        let to = |s: &Step| match *s {
            Step::Forward(i) => i == node,
            Step::Seed => false,
            Step::Reverse(i) => self.trace.reverse[i].to == node,
        };
        if let Some(i) = self.steps.iter().position(to) {
            self.position = i + 1;
        }
        self.selected = Some(node);
    }

    fn draw(&mut self, frame: &mut Frame<'_>) {
        let [main, status] =
            Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
        let [list, what] = if main.width >= WIDE {
            Layout::horizontal([Constraint::Percentage(46), Constraint::Min(1)]).areas(main)
        } else if main.height < HIGH {
            [Rect::ZERO, main]
        } else {
            let [what, list] = Layout::vertical([Constraint::Percentage(60), Constraint::Min(1)]).areas(main);
            [list, what]
        };
        self.draw_list(frame, list);
        match self.mode {
            Mode::Help => {
                let lines = HELP.lines().map(|l| Line::from(l.to_owned())).collect();
                self.draw_text(frame, what, " keys ", lines);
            }
            _ => self.draw_step(frame, what),
        }
        frame.render_widget(self.status(status.width), status);
    }

    fn status(&self, width: u16) -> Paragraph<'static> {
        let line = match &self.mode {
            Mode::Search(line) => format!("/{line}▏"),
            Mode::Jump(line) => format!("jump to node: {line}▏"),
            _ if !self.message.is_empty() => self.message.clone(),
            _ => {
                let at = format!("{}/{}", self.position, self.steps.len());
                let keys = "← → step  / search  g jump  ? help  q quit";
                if usize::from(width) >= at.width() + keys.width() + 3 {
                    format!("{at}   {keys}")
                } else {
                    format!("{at}  ? help")
                }
            }
        };
        Paragraph::new(line).style(Style::new().add_modifier(Modifier::REVERSED))
    }

    fn draw_list(&self, frame: &mut Frame<'_>, area: Rect) {
        let block = Block::new().borders(Borders::ALL).title(" nodes ");
        let inner = block.inner(area);
        frame.render_widget(block, area);
        let state = self.trace.after(self.position);
        let (active, from) = self.active();
        let room = usize::from(inner.width);
        let widest = self.names.iter().map(|n| n.width()).max().unwrap_or(1);
        let name_width = widest.min(room / 3).clamp(1, 32);
        // The node of interest stays visible.
        let rows = usize::from(inner.height);
        let interest = self.selected.or(active).unwrap_or(0);
        let top = (interest + 1).saturating_sub(rows * 2 / 3).min(state.len().saturating_sub(rows));
        let seen = top..state.len().min(top + rows);
        let shown = |i: usize| self.trace.nodes[i].value.as_ref().filter(|_| state[i].0);
        let value_width =
            seen.clone().filter_map(shown).map(|v| v.brief(VALUE).width()).max().unwrap_or(0).clamp(10, 24);
        let path = self.selected.map(|i| self.trace.paths(i));
        let line = |i: usize| {
            let (known, cotangent) = &state[i];
            let mark = match i {
                i if Some(i) == active => "▶",
                i if Some(i) == from => "◁",
                _ => " ",
            };
            let mut style = Style::new();
            if Some(i) == active {
                style = self.coloured(style, self.colour()).add_modifier(Modifier::BOLD);
            } else if path.as_ref().is_some_and(|p| p[i]) {
                style = self.coloured(style, PATH);
            }
            if Some(i) == self.selected {
                style = style.add_modifier(Modifier::REVERSED);
            }
            let value = match (&self.trace.nodes[i].value, known) {
                (Some(v), true) => v.brief(VALUE),
                (None, true) => "freed".into(),
                _ => "·".into(),
            };
            let name = padded(&ending(&self.names[i], name_width), name_width);
            let start = format!("{mark} {name} = {}", padded(&value, value_width));
            let left = room.saturating_sub(start.width() + 2);
            let mut spans = vec![Span::styled(start, style)];
            if let Some(c) = cotangent {
                // The cotangent has the shape of the value, so the shape is not repeated.
                let c = if c.summary.is_some() { c.range() } else { c.brief(VALUE) };
                let whole = format!("{} = {c}", self.trace.cotangent_name(i, Markup::Text));
                // A name is omitted if it leaves no room for the number.
                let text = if whole.width() <= left { whole } else { format!("∂ = {c}") };
                spans.push(Span::styled(format!("  {text}"), self.coloured(Style::new(), Color::Red)));
            }
            Line::from(spans)
        };
        let lines: Vec<Line<'_>> = seen.map(line).collect();
        frame.render_widget(Paragraph::new(lines), inner);
    }

    fn colour(&self) -> Color {
        if matches!(self.step(), Some(Step::Forward(_)) | None) { Color::Blue } else { Color::Red }
    }

    fn draw_step(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let dim = Style::new().add_modifier(Modifier::DIM);
        let mut lines: Vec<Line<'static>> = Vec::new();
        let phase = match self.step() {
            None => " start ",
            Some(Step::Forward(_)) => " forward ",
            Some(_) => " reverse ",
        };
        match self.step() {
            None => {
                lines.push(Line::from(self.trace.title.clone()));
                lines.push(Line::from("→ takes the first step."));
            }
            Some(step) => {
                let d = self.trace.describe(step);
                let strong = self.coloured(Style::new(), self.colour()).add_modifier(Modifier::BOLD);
                lines.push(Line::styled(d.title.clone(), strong));
                for ((caption, _), equation) in d.equations.iter().zip(self.trace.equations(&d)) {
                    lines.push(Line::styled(caption.clone(), dim));
                    lines.push(Line::from(format!("  {equation}")));
                }
            }
        }
        if let Some(i) = self.selected {
            lines.push(Line::default());
            lines.extend(self.about(i));
        }
        self.draw_text(frame, area, phase, lines);
    }

    /// Draws lines, wrapped where they are too long, without those above the visible part.
    fn draw_text(
        &mut self,
        frame: &mut Frame<'_>,
        area: Rect,
        title: &'static str,
        lines: Vec<Line<'static>>,
    ) {
        let mut block = Block::new().borders(Borders::ALL).title(title);
        let inner = block.inner(area);
        let broken: Vec<Line<'static>> =
            lines.into_iter().flat_map(|l| broken(l, usize::from(inner.width))).collect();
        let most = broken.len().saturating_sub(usize::from(inner.height));
        self.scrolled = self.scrolled.min(most);
        if most > 0 {
            let more = if self.scrolled < most { " ] more " } else { " [ back " };
            block = block.title_bottom(Line::from(more).right_aligned());
        }
        let seen: Vec<Line<'static>> = broken.into_iter().skip(self.scrolled).collect();
        frame.render_widget(Paragraph::new(seen).block(block), area);
    }

    /// The lines that describe a node.
    fn about(&self, i: usize) -> Vec<Line<'static>> {
        let n = &self.trace.nodes[i];
        let kind = match n.kind {
            Kind::Computed => n.op.as_deref().unwrap_or(""),
            Kind::Input => "an input",
            Kind::Parameter => "a parameter",
            Kind::Constant => "a constant",
        };
        let bold = self.coloured(Style::new(), PATH).add_modifier(Modifier::BOLD);
        let mut lines = vec![Line::styled(format!("{}: {kind}", self.names[i]), bold)];
        if let Some(m) = &n.formula {
            lines.push(Line::from(format!("  {} = {}", self.names[i], self.trace.text(m))));
        }
        lines.extend(n.source.as_ref().map(|s| Line::from(format!("  at {s}"))));
        let module = n.module.as_ref().filter(|m| !m.is_empty() && Some(*m) != n.name.as_ref());
        lines.extend(module.map(|m| Line::from(format!("  in {m}"))));
        if let Ok(why) = self.trace.explain(i) {
            lines.extend(why.to_string().lines().map(|l| Line::from(l.to_owned())));
        }
        lines
    }
}

/// A text padded to a width, in columns.
fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// A line in pieces of at most this width; all but the first are indented.
fn broken(line: Line<'static>, width: usize) -> Vec<Line<'static>> {
    let whole: String = line.spans.iter().map(|s| s.content.as_ref()).collect();
    let text = whole.trim_start_matches(' ');
    let indent = " ".repeat(whole.len() - text.len());
    text::wrapped(text, &indent, width).lines().map(|l| Line::styled(l.to_owned(), line.style)).collect()
}

/// The end of a name that is too long, since the end of a path is more specific.
fn ending(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let letters: Vec<char> = name.chars().collect();
    let cut = (1..letters.len()).map(|i| letters[i..].iter().collect::<String>());
    cut.into_iter().find(|end| end.width() < width).map_or_else(String::new, |end| format!("…{end}"))
}
