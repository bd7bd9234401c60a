//! The outputs on the pages against the commands that print them.
//!
//! - In a `console` block, a line `$ volley …` is a command, and the lines after it are its output as a terminal shows
//!   it: stdout and stderr together. A line `...` stands for any lines.
//! - The commands of a page run in order, in a folder with the samples. `volley simulate` and `volley serve` run until the
//!   page ends, and only their first line is compared.
//! - A line `<!-- $ volley … -->` outside a block is a command that readers do not see; its output is not compared.
//! - A block `toml NAME.toml` is written to that file before the commands after it run, and a block `toml fragment-config`
//!   is added to `volley.toml`.
//! - In a `console varies` block every number may differ.
//!
//! `VOLLEY_BLESS=1` rewrites the blocks whose outputs differ, and keeps each `...` whose neighbours are still there.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::normalise::{Numbers, normalised};
use super::{name_of, pages, root};
use crate::cli::volley;
use crate::support::free_address;

/// Stands for any lines.
const LEFT_OUT: &str = "...";
/// How a reader runs the program who has not installed it.
const FROM_SOURCE: &str = "cargo run --release -- ";
/// The addresses of `samples/volley.toml`, which the pages show.
const SERVER: &str = "127.0.0.1:8688";
const PROVIDER: &str = "127.0.0.1:8690";
/// Stands for the folder in which the commands run.
const FOLDER: &str = "/srv/volley";

/// How often a command looks for the report of a server, which comes within a second or two.
const LOOKS_MAX: u32 = 1_000;

/// A part of a page that has an effect, in the order of the page.
enum Part {
    /// A file, or what is added to the configuration.
    File { name: String, text: String },
    /// `shown` are the lines of the page with the output; a hidden command has none.
    Command { line: String, shown: Option<Range<usize>>, numbers: Numbers },
}

/// The info string of a block that is added to the configuration.
const OF_CONFIG: &str = "fragment-config";
const CONFIG: &str = "volley.toml";

fn parts(page: &[String]) -> Vec<Part> {
    let (mut parts, mut info): (Vec<Part>, Option<Vec<&str>>) = (Vec::new(), None);
    for (at, line) in page.iter().enumerate() {
        match (&info, line.strip_prefix("```")) {
            (Some(_), Some(_)) => info = None,
            (None, Some(opened)) => {
                let words: Vec<&str> = opened.split_whitespace().collect();
                parts.extend(file_of(&words).map(|name| Part::File { name: name.to_owned(), text: String::new() }));
                info = Some(words);
            }
            (None, None) => {
                let hidden = line.strip_prefix("<!-- $ ").and_then(|line| line.strip_suffix(" -->"));
                let command = |line: &str| Part::Command { line: line.to_owned(), shown: None, numbers: Numbers::Same };
                parts.extend(hidden.map(command));
            }
            (Some(words), None) if words.first() == Some(&"console") => {
                let numbers = if words.contains(&"varies") { Numbers::Vary } else { Numbers::Same };
                match (line.strip_prefix("$ "), parts.last_mut()) {
                    (Some(command), _) => {
                        parts.push(Part::Command { line: command.to_owned(), shown: Some(at + 1..at + 1), numbers });
                    }
                    (None, Some(Part::Command { shown: Some(shown), .. })) if shown.end == at => shown.end = at + 1,
                    (None, _) => panic!("a console block begins with a command, not with {line:?}"),
                }
            }
            (Some(words), None) => {
                if let (Some(_), Some(Part::File { text, .. })) = (file_of(words), parts.last_mut()) {
                    *text += line;
                    *text += "\n";
                }
            }
        }
    }
    parts
}

/// The file into which a block with this info string is written.
fn file_of<'a>(info: &[&'a str]) -> Option<&'a str> {
    match info {
        ["toml", name] if name.ends_with(".toml") => Some(name),
        ["toml", kind] if *kind == OF_CONFIG => Some(CONFIG),
        _ => None,
    }
}

/// The folder in which the commands of one page run, and what runs there until the page ends.
struct Scratch {
    folder: tempfile::TempDir,
    server: String,
    provider: String,
    /// Added to the dates of the page, so that they are in the future whenever this runs.
    shift: Days,
    running: Vec<Child>,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Scratch {
    fn new(parts: &[Part]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(root().join("samples")).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                continue;
            }
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let (server, provider) = (free_address().to_string(), free_address().to_string());
        let scratch = Self {
            folder,
            server,
            provider,
            shift: shift_of(parts, DateTime::from_timestamp(super::seconds_now(), 0).unwrap()),
            running: Vec::new(),
        };
        let config = fs::read_to_string(scratch.folder.path().join(CONFIG)).unwrap();
        scratch.write(CONFIG, &config);
        scratch
    }

    /// The text with the addresses and the dates of this run.
    fn localised(&self, text: &str) -> String {
        let text = text.replace(SERVER, &self.server).replace(PROVIDER, &self.provider);
        with_dates(&text, |date| date.checked_add_days(self.shift).unwrap())
    }

    /// The text with the addresses, the folder and the dates of the page.
    fn as_on_the_page(&self, text: &str) -> String {
        let folder = self.folder.path().display().to_string();
        let text = text.replace(&self.server, SERVER).replace(&self.provider, PROVIDER).replace(&folder, FOLDER);
        with_dates(&text, |date| date.checked_sub_days(self.shift).unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), self.localised(text)).unwrap();
    }

    fn add_to_config(&self, text: &str) {
        let config = fs::read_to_string(self.folder.path().join(CONFIG)).unwrap();
        self.write(CONFIG, &(config + "\n" + text));
    }

    /// Runs a command and returns what a terminal would show.
    fn run(&mut self, line: &str) -> Vec<String> {
        let line = self.localised(line.strip_prefix(FROM_SOURCE).map_or(line, |rest| rest).trim());
        let words = shlex::split(&line).unwrap_or_else(|| panic!("{line} is not a command line"));
        let arguments: Vec<&str> = words.iter().map(String::as_str).skip_while(|word| *word == "volley").collect();
        let mut command = volley(self.folder.path(), &arguments);
        // Recipients and their results are the same in each run.
        let printed = match arguments.first() {
            Some(&"simulate") => {
                command.args(["--listen", &self.provider]);
                if !arguments.contains(&"--seed") {
                    command.args(["--seed", "8"]);
                }
                self.start(command)
            }
            Some(&"serve") => {
                let line = self.start(command);
                self.until_lanes_are_reported();
                line
            }
            _ => to_its_end(command),
        };
        let printed = self.as_on_the_page(&printed);
        printed.trim_matches('\n').lines().map(|line| line.trim_end().to_owned()).collect()
    }

    /// Waits until a server has reported its lanes, which the commands of a page may show.
    fn until_lanes_are_reported(&self) {
        for _ in 0..LOOKS_MAX {
            let listed = crate::cli::run(self.folder.path(), &["lane", "list", "--json"]).json();
            let lanes = listed.as_array().unwrap_or_else(|| panic!("no list of lanes: {listed}"));
            if lanes.iter().all(|lane| !lane["now"].is_null()) {
                return;
            }
        }
        panic!("the server has not reported its lanes");
    }

    /// Starts a command that runs until the page ends, and returns its first line, which says that it listens.
    fn start(&mut self, mut command: Command) -> String {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        self.running.push(child);
        line
    }
}

/// Runs a command to its end; stdout and stderr are one pipe, as they are one terminal.
fn to_its_end(mut command: Command) -> String {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    // Its ends of the pipe would keep the pipe open.
    drop(command);
    let mut printed = String::new();
    reader.read_to_string(&mut printed).unwrap();
    child.wait().unwrap();
    printed
}

/// Moves the dates in files and commands into the future, by whole weeks: a date keeps its day of the week. The earliest becomes the
/// day after tomorrow or later, because tomorrow has already begun in the first time zones.
fn shift_of(parts: &[Part], now: DateTime<Utc>) -> Days {
    let mut earliest: Option<NaiveDate> = None;
    for part in parts {
        let (Part::File { text, .. } | Part::Command { line: text, .. }) = part;
        with_dates(text, |date| {
            earliest = Some(earliest.map_or(date, |earliest| earliest.min(date)));
            date
        });
    }
    let floor = now.date_naive() + Days::new(2);
    let late = earliest.map_or(0, |earliest| (floor - earliest).num_days().max(0));
    Days::new(u64::try_from((late + 6) / 7 * 7).unwrap())
}

/// The text with each date replaced.
fn with_dates(text: &str, mut replace: impl FnMut(NaiveDate) -> NaiveDate) -> String {
    let date = regex::Regex::new(r"\b\d{4}-\d{2}-\d{2}").unwrap();
    let replaced = date.replace_all(text, |found: &regex::Captures<'_>| {
        found[0].parse().map_or_else(|_| found[0].to_owned(), |date| replace(date).to_string())
    });
    replaced.into_owned()
}

/// Whether the lines of a page are what a command printed, apart from lines left out.
fn agrees(shown: &[String], printed: &[String], numbers: Numbers) -> bool {
    let normalised = |lines: &[String]| lines.iter().map(|line| normalised(line, numbers)).collect::<Vec<_>>();
    let (shown, mut printed) = (normalised(shown), normalised(printed));
    let pieces: Vec<&[String]> = shown.split(|line| line == LEFT_OUT).collect();
    let [first, between @ .., last] = &pieces[..] else { return shown == printed };
    if !printed.starts_with(first) {
        return false;
    }
    printed.drain(..first.len());
    for piece in between.iter().filter(|piece| !piece.is_empty()) {
        let Some(at) = printed.windows(piece.len()).position(|window| window == *piece) else { return false };
        printed.drain(..at + piece.len());
    }
    printed.ends_with(last)
}

/// What a command printed, without the lines that the page has left out, if the lines around them are still there.
fn shortened(shown: &[String], printed: &[String], numbers: Numbers) -> Vec<String> {
    let place = |line: &String, from: usize| {
        let wanted = normalised(line, numbers);
        printed[from..].iter().position(|line| normalised(line, numbers) == wanted).map(|at| from + at)
    };
    let (mut kept, mut from) = (Vec::new(), 0);
    for (at, _) in shown.iter().enumerate().filter(|(_, line)| *line == LEFT_OUT) {
        let before = if at == 0 { Some(from) } else { place(&shown[at - 1], from).map(|before| before + 1) };
        let after = match (before, shown.get(at + 1)) {
            (Some(before), Some(after)) => place(after, before),
            (_, None) => Some(printed.len()),
            (None, _) => None,
        };
        let (Some(before), Some(after)) = (before, after) else { return printed.to_vec() };
        kept.extend_from_slice(&printed[from..before]);
        kept.push(LEFT_OUT.to_owned());
        from = after;
    }
    kept.extend_from_slice(&printed[from..]);
    kept
}

/// Runs the commands of a page and returns what differs, or rewrites the page.
fn differences(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let parts = parts(&lines);
    if !parts.iter().any(|part| matches!(part, Part::Command { .. })) {
        return Vec::new();
    }
    let mut scratch = Scratch::new(&parts);
    let (mut wrong, mut rewritten) = (Vec::new(), Vec::new());
    for part in parts {
        match part {
            Part::File { name, text } if name == CONFIG => scratch.add_to_config(&text),
            Part::File { name, text } => scratch.write(&name, &text),
            Part::Command { line, shown, numbers } => {
                let printed = scratch.run(&line);
                let Some(shown) = shown else { continue };
                if !agrees(&lines[shown.clone()], &printed, numbers) {
                    let is = lines[shown.clone()].join("\n");
                    wrong.push(format!(
                        "{}: $ {line}\n{}\n--- but the page has\n{is}\n",
                        name_of(page),
                        printed.join("\n")
                    ));
                    rewritten.push((shown.clone(), shortened(&lines[shown], &printed, numbers)));
                }
            }
        }
    }
    if std::env::var_os("VOLLEY_BLESS").is_none() {
        return wrong;
    }
    if !rewritten.is_empty() {
        for (shown, printed) in rewritten.into_iter().rev() {
            lines.splice(shown, printed);
        }
        fs::write(page, lines.join("\n") + "\n").unwrap();
    }
    Vec::new()
}

#[test]
fn every_output_of_a_page_is_what_its_commands_print() {
    let pages = pages();
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let running: Vec<_> = pages.iter().map(|page| scope.spawn(|| differences(page))).collect();
        running.into_iter().flat_map(|page| page.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "VOLLEY_BLESS=1 rewrites them:\n{}", wrong.join("\n"));
}

#[test]
fn no_date_of_a_page_has_begun_anywhere_when_its_commands_run() {
    let line = "volley campaign move Sale 2026-12-01".to_owned();
    let parts = [Part::Command { line, shown: None, numbers: Numbers::Same }];
    for hour in 0..24 * 14 {
        let now = "2026-11-28T00:30:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hour);
        let moved = "2026-12-01".parse::<NaiveDate>().unwrap() + shift_of(&parts, now);
        // The first time zone is 14 hours ahead.
        let begins = moved.and_hms_opt(0, 0, 0).unwrap().and_utc() - TimeDelta::hours(14);
        assert!(begins > now, "{moved} has begun at {now}");
    }
}

#[test]
fn lines_left_out_match_any_lines_and_stay_left_out() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let printed = lines("a 1\nb\nc\nd\ne");
    for (shown, agree) in [
        ("a 1\nb\nc\nd\ne", true),
        ("a 1\n...\ne", true),
        ("...\nc\n...", true),
        ("a 1\n...\nd\n...\ne", true),
        ("a 1\n...", true),
        ("a 1\nb", false),
        ("...\nd\nc\n...", false),
        ("a 2\n...", false),
    ] {
        assert_eq!(agrees(&lines(shown), &printed, Numbers::Same), agree, "{shown}");
    }
    assert!(agrees(&lines("a 2\n..."), &printed, Numbers::Vary));
    assert_eq!(shortened(&lines("a 1\n...\ne"), &lines("a 1\nx\ne\nf"), Numbers::Same), lines("a 1\n...\ne\nf"));
    assert_eq!(shortened(&lines("a 1\n...\ne"), &lines("a 1\nx"), Numbers::Same), lines("a 1\nx"));
}
