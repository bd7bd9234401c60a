//! Prints data to stdout, messages to stderr, and a live view on either. No other module prints.
//!
//! Log lines appear above the live view and do not break it.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use console::{Style, Term};
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::exit::Usage;
use crate::config::Secret;
use crate::report::Sheets;

/// Prints a line of data.
pub(super) fn data(line: impl Display) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    // A reader of the pipe gets the line at once.
    stdout.flush()?;
    Ok(())
}

/// Prints lines of data.
pub(super) fn lines<T: Display>(lines: impl IntoIterator<Item = T>) -> anyhow::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for line in lines {
        writeln!(stdout, "{line}")?;
    }
    stdout.flush()?;
    Ok(())
}

/// Prints JSON: indented on a terminal, else on one line.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let text =
        if io::stdout().is_terminal() { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    data(text?)
}

/// Prints a line for the operator, on stderr.
pub(super) fn talk(line: impl Display) {
    let mut live = live();
    live.erase();
    // Without a stderr the line is lost.
    let _ = writeln!(io::stderr().lock(), "{line}");
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
        let on = match self {
            Self::Stdout => console::colors_enabled(),
            Self::Stderr => console::colors_enabled_stderr(),
        };
        Paint { on }
    }

    /// Columns of the terminal; 80 without one.
    pub(super) fn width(self) -> usize {
        usize::from(self.term().size().1)
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
    term: Term,
}

impl Screen {
    pub(super) fn new(to: To) -> Self {
        let term = to.term();
        let _ = term.hide_cursor();
        *live() = Live { term: Some(term.clone()), drawn: 0 };
        Self { term }
    }

    /// Width of the terminal, in columns.
    pub(super) fn width(&self) -> usize {
        usize::from(self.term.size().1)
    }

    /// Replaces the previous frame in one write, to avoid flicker.
    pub(super) fn draw(&self, lines: &[String]) {
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
        let _ = self.term.write_str(&frame).and_then(|()| self.term.flush());
        live.drawn = shown;
    }

    /// Removes the view.
    pub(super) fn clear(&self) {
        live().erase();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
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
pub(super) fn table_into(file: &Path, header: Vec<String>) -> anyhow::Result<Sheets> {
    is_table(file)?;
    Ok(if is_stdout(file) { Sheets::straight(Box::new(io::stdout()), header)? } else { Sheets::create(file, header)? })
}
