//! Prints data to stdout, messages to stderr, and a live view on either. No other module prints.
//!
//! Log lines appear above the live view and do not break it. A command that runs for a caller of the API prints there
//! instead (`callers::printer`).

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use console::{Style, Term};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::CommandContext;
use super::callers::{Printer, printer};
use super::exit::Usage;
use super::marks;
use crate::base::config::Secret;
use crate::campaigns::report::Sheets;

/// Prints a line of data.
pub(super) fn data(line: impl Display) -> anyhow::Result<()> {
    Ok(text(To::Stdout, format!("{line}\n"))?)
}

/// Prints text that has its line ends.
pub(super) fn text(to: To, text: String) -> io::Result<()> {
    if let Some(printer) = printer() {
        return printer.text(to, text);
    }
    let text = to.fitting(text);
    match to {
        To::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(text.as_bytes())?;
            // A reader of the pipe gets the text at once.
            stdout.flush()
        }
        To::Stderr => {
            let mut live = live();
            live.erase();
            io::stderr().lock().write_all(text.as_bytes())
        }
    }
}

/// Prints lines of data.
pub(super) fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> anyhow::Result<()> {
    if printer().is_some() {
        return lines.into_iter().try_for_each(data);
    }
    let shows_ascii = To::Stdout.shows_ascii();
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for line in lines {
        // A list may have millions of lines: what the stream shows is asked once.
        match shows_ascii {
            true => writeln!(stdout, "{}", marks::in_ascii(&line.to_string()))?,
            false => writeln!(stdout, "{line}")?,
        }
    }
    stdout.flush()?;
    Ok(())
}

/// Prints JSON: indented on a terminal, else on one line.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text =
        if To::Stdout.is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    data(text?)
}

/// Prints a line for the operator, on stderr.
pub(super) fn talk(line: impl Display) {
    // Without a stderr the line is lost.
    let _ = text(To::Stderr, format!("{line}\n"));
}

/// Asks for a secret on the terminal, which does not show it.
pub(super) fn ask_secret(question: &str) -> anyhow::Result<Secret> {
    let term = Term::stderr();
    term.write_str(question)?;
    Ok(Secret::new(term.read_secure_line()?))
}

/// The stream that output goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Stdout,
    Stderr,
}

impl To {
    pub(super) fn is_terminal(self) -> bool {
        if let Some(printer) = printer() {
            return printer.output(self).terminal;
        }
        match self {
            Self::Stdout => io::stdout().is_terminal(),
            Self::Stderr => io::stderr().is_terminal(),
        }
    }

    pub(super) fn line(self, line: impl Display) -> anyhow::Result<()> {
        match self {
            Self::Stdout => data(line),
            Self::Stderr => {
                talk(line);
                Ok(())
            }
        }
    }

    pub(super) fn paint(self) -> Paint {
        let on = match (printer(), self) {
            (Some(printer), to) => printer.output(to).colours,
            (None, Self::Stdout) => console::colors_enabled(),
            (None, Self::Stderr) => console::colors_enabled_stderr(),
        };
        Paint { on }
    }

    /// Whether it is a terminal that shows no more than ASCII. A pipe or a file gets every character.
    fn shows_ascii(self) -> bool {
        marks::are_ascii() && self.is_terminal()
    }

    /// The text as this stream shows it.
    fn fitting(self, text: String) -> String {
        if self.shows_ascii() { marks::in_ascii(&text) } else { text }
    }

    /// Columns of the terminal; 80 without one.
    pub(super) fn width(self) -> usize {
        printer().map_or_else(|| usize::from(self.term().size().1), |printer| printer.width())
    }

    fn term(self) -> Term {
        match self {
            Self::Stdout => Term::stdout(),
            Self::Stderr => Term::stderr(),
        }
    }
}

/// Colours text; does nothing without a terminal or with NO_COLOR.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    on: bool,
}

impl Paint {
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self { on: false };

    pub(super) const fn is_on(self) -> bool {
        self.on
    }

    fn with(self, style: &Style, text: impl Display) -> String {
        style.clone().force_styling(self.on).apply_to(text).to_string()
    }

    pub(super) fn bold(self, text: impl Display) -> String {
        self.with(&Style::new().bold(), text)
    }

    pub(super) fn dim(self, text: impl Display) -> String {
        self.with(&Style::new().dim(), text)
    }

    pub(super) fn good(self, text: impl Display) -> String {
        self.with(&Style::new().green(), text)
    }

    pub(super) fn so_so(self, text: impl Display) -> String {
        self.with(&Style::new().yellow(), text)
    }

    pub(super) fn bad(self, text: impl Display) -> String {
        self.with(&Style::new().red(), text)
    }
}

/// The frame on the terminal that the next one replaces.
#[derive(Debug, Default)]
struct Live {
    term: Option<Term>,
    drawn: usize,
}

static LIVE: Mutex<Live> = Mutex::new(Live { term: None, drawn: 0 });

fn live() -> MutexGuard<'static, Live> {
    // After a panic while drawing, the screen has at worst a line too many.
    LIVE.lock()
}

impl Live {
    /// Removes the frame, so that a permanent line can be printed above the next one.
    fn erase(&mut self) {
        if let Some(term) = self.term.as_ref().filter(|_| self.drawn > 0) {
            let _ = term.clear_last_lines(self.drawn);
        }
        self.drawn = 0;
    }
}

/// A view that is redrawn in the same place.
#[derive(Debug)]
pub(super) struct Screen {
    to: To,
    term: Term,
    /// The caller who sees the view.
    printer: Option<Printer>,
}

impl Screen {
    pub(super) fn new(to: To) -> Self {
        let (term, printer) = (to.term(), printer());
        if printer.is_none() {
            let _ = term.hide_cursor();
            *live() = Live { term: Some(term.clone()), drawn: 0 };
        }
        Self { to, term, printer }
    }

    /// Width of the terminal, in columns.
    pub(super) fn width(&self) -> usize {
        self.to.width()
    }

    /// Replaces the previous frame in one write, to avoid flicker.
    pub(super) fn draw(&self, lines: &[String]) {
        if let Some(printer) = &self.printer {
            return printer.view(self.to, lines);
        }
        let (height, width) = self.term.size();
        let shown = lines.len().min(usize::from(height).saturating_sub(1));
        let mut live = live();
        let mut frame = String::new();
        if live.drawn > 0 {
            frame.push_str(&format!("\x1b[{}A", live.drawn));
        }
        for line in &lines[..shown] {
            frame.push('\r');
            frame.push_str(&console::truncate_str(line, usize::from(width), "…"));
            frame.push_str("\x1b[K\n");
        }
        frame.push_str("\x1b[J");
        let _ = self.term.write_str(&self.to.fitting(frame)).and_then(|()| self.term.flush());
        live.drawn = shown;
    }

    /// Removes the view.
    pub(super) fn clear(&self) {
        match &self.printer {
            Some(printer) => printer.clear(),
            None => live().erase(),
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.printer.is_some() {
            return;
        }
        *live() = Live::default();
        let _ = self.term.show_cursor();
    }
}

/// Writes log lines to stderr, above a live view.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut live = live();
        live.erase();
        io::stderr().lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Whether the name of an output file means standard output.
pub(super) fn is_stdout(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Refuses a file name that does not end like a table's.
pub(super) fn is_table(file: &Path) -> anyhow::Result<()> {
    if Sheets::fits(file) {
        return Ok(());
    }
    let name = file.display();
    Err(Usage(format!("unsupported file type \"{name}\"; use a name that ends in .csv or .xlsx")).into())
}

/// Opens a table for writing, in a file or on standard output.
pub(super) fn table_into(context: &CommandContext, file: &Path, header: Vec<String>) -> anyhow::Result<Sheets> {
    is_table(file)?;
    let is_own = printer().is_none();
    Ok(if is_stdout(file) && is_own {
        Sheets::straight(Box::new(io::stdout()), header)?
    } else {
        Sheets::create(&context.output(file), header)?
    })
}
