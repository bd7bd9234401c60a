//! The documents against the program: links resolve, commands exist, configuration is accepted, outputs are what
//! the commands print, and the pages of keys and commands are generated from the code.
//!
//! `VOLLEY_BLESS=1 cargo test --test it documents` rewrites outputs and generated parts.

pub(crate) mod json;
mod keys;
mod metrics;
mod normalise;
mod outputs;
mod profile;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use volley::cli::Cli;

use super::cli::{installation, run};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path below the project.
fn pages() -> Vec<PathBuf> {
    fn walk(folder: &Path, pages: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, pages);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path);
            }
        }
    }
    let mut pages = Vec::new();
    walk(&root().join("docs"), &mut pages);
    pages.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "benches/README.md"].map(|name| root().join(name)));
    pages.sort();
    pages
}

fn name_of(page: &Path) -> String {
    page.strip_prefix(root()).unwrap().display().to_string()
}

/// A fenced block: its info string and its lines.
struct Block {
    info: String,
    text: String,
}

fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(info), None) => open = Some(Block { info: info.trim().to_owned(), text: String::new() }),
            (None, Some(block)) => {
                block.text += line;
                block.text += "\n";
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// The text without its blocks, in which brackets and backticks mean something else.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
        } else if !inside {
            prose += line;
            prose += "\n";
        }
    }
    prose
}

/// The anchor of a heading in a link.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let text = prose(&fs::read_to_string(page).unwrap());
    text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_resolves() {
    let mut lost = Vec::new();
    for page in pages() {
        let text = prose(&fs::read_to_string(&page).unwrap());
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            let (file, part) = target.split_once('#').unwrap_or((target, ""));
            let there = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            if !there.exists() || !part.is_empty() && !anchors(&there).contains(part) {
                lost.push(format!("{}: {target}", name_of(&page)));
            }
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}

/// `./check` says how many storms it runs; pages that say so too agree.
#[test]
fn pages_count_the_storms_that_a_check_runs() {
    let check = fs::read_to_string(root().join("check")).unwrap();
    let counts: Vec<u64> =
        check.split("${VOLLEY_STORMS:-").skip(1).map(|rest| rest.split('}').next().unwrap().parse().unwrap()).collect();
    let [long, usual] = counts[..] else { panic!("{counts:?}") };
    let grouped = volley::base::domain::grouped(long);
    for (page, said) in [
        ("README.md", format!("{usual} simulated histories")),
        ("ARCHITECTURE.md", format!("`./check` runs {usual}, `./check --long` {grouped}")),
        ("docs/decisions/storms.md", format!("`./check` runs {usual} seeds")),
    ] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        assert!(text.contains(&said), "{page} does not say {said:?}");
    }
}

#[test]
fn every_page_of_the_guide_is_in_its_table_of_contents() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let is_missing = |page: &PathBuf| {
        let name = page.strip_prefix(root().join("docs")).map(|name| name.display().to_string());
        name.is_ok_and(|name| name != "SUMMARY.md" && !summary.contains(&format!("({name})")))
    };
    let missing: Vec<_> = pages().into_iter().filter(is_missing).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The commands of a page, each with whether it is whole: a line of a block is; one in a sentence may lack arguments.
fn commands(text: &str) -> Vec<(String, bool)> {
    let line_of = |info: &str, line: &str| match info {
        "sh" | "" => Some(line.to_owned()),
        info if info.starts_with("console") => line.strip_prefix("$ ").map(str::to_owned),
        _ => None,
    };
    let lines_of = |block: Block| block.text.lines().filter_map(|line| line_of(&block.info, line)).collect::<Vec<_>>();
    let lines = blocks(text).into_iter().flat_map(lines_of);
    let text = prose(text);
    let in_text = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let own = |(line, is_whole): (String, bool)| {
        line.starts_with("volley ")
            .then(|| (line.split(" | ").next().unwrap().split(" > ").next().unwrap().to_owned(), is_whole))
    };
    lines.map(|line| (line, true)).chain(in_text.map(|line| (line, false))).filter_map(own).collect()
}

#[test]
fn every_command_of_a_page_exists() {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, InvalidValue, MissingRequiredArgument,
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    // The changelog names commands loosely, and the help is not made of commands.
    let told = ["CHANGELOG.md", "docs/commands.md"].map(|name| root().join(name));
    for page in pages().into_iter().filter(|page| !told.contains(page)) {
        for (command, is_whole) in commands(&fs::read_to_string(&page).unwrap()) {
            let words = shlex::split(&command).unwrap_or_else(|| panic!("{command} is no command line"));
            seen += 1;
            let Err(error) = Cli::try_parse_from(&words) else { continue };
            let lacks = [MissingRequiredArgument, InvalidValue, DisplayHelpOnMissingArgumentOrSubcommand];
            if error.kind() != DisplayHelp && (is_whole || !lacks.contains(&error.kind())) {
                wrong.push(format!("{}: {command}: {error}", name_of(&page)));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 50, "{seen} commands");
}

/// Moves the dates of examples into the future.
fn of_next_year(text: &str) -> String {
    use chrono::Datelike;
    let year = chrono::DateTime::from_timestamp(seconds_now(), 0).unwrap().year();
    text.replace("2026-", &format!("{}-", year + 1))
}

fn seconds_now() -> i64 {
    use volley::base::clock::Clock;
    volley::base::clock::RealClock::new().now().millis() / 1_000
}

/// The samples with their prices, and files for keys.
fn practice() -> tempfile::TempDir {
    let folder = installation();
    let at = folder.path();
    for key in ["8x8.key", "hook.key"] {
        fs::write(at.join(key), "secret").unwrap();
    }
    fs::copy(crate::support::proxy::AUTHORITY, at.join("ca.pem")).unwrap();
    let tls = Path::new(crate::support::proxy::AUTHORITY).parent().unwrap();
    fs::copy(tls.join("provider.pem"), at.join("server.pem")).unwrap();
    fs::copy(tls.join("provider.key"), at.join("server.key")).unwrap();
    let config = sample("volley.toml").replace("# [prices]", "[prices]").replace("# file =", "file =");
    fs::write(at.join("volley.toml"), config).unwrap();
    fs::write(at.join("prices.csv"), sample("prices.csv")).unwrap();
    folder
}

fn sample(name: &str) -> String {
    fs::read_to_string(root().join("samples").join(name)).unwrap()
}

/// Before an example of a step, and after an example of anything else that needs a step.
const HEAD: &str = "audience = \"members.csv\"\ncountry = \"SG\"\n";
const STEP: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";

/// Recipients with every column that an example of a step names.
const MEMBERS: &str = "Mobile,FirstName,LastName,Title,Code,Pic,Slug,LineId,Tier,Event,Date,Seat\n\
                       +6591234567,Ann,Lee,Ms,A1,a.png,sale,Ua12b345678c1de0fa1a1234567891011,gold,Fair,2 May,7\n";

/// Lanes on the channels that the samples have none on.
const MORE_LANES: &str = "[[lane]]\nname = \"rcs\"\nchannel = \"RCS\"\n[[lane]]\nname = \"line\"\nchannel = \"LINE\"\n\
                          [[lane]]\nname = \"lon\"\nchannel = \"LineNotification\"\n\
                          [[lane]]\nname = \"zalo\"\nchannel = \"ZaloNotification\"\n";

/// Completes a fragment of a campaign file.
const STEPS: &str = "audience = \"recipients.csv\"\ncountry = \"SG\"\n[[step]]\nchannel = \"Viber\"\ntext = \"Hi\"\n\
                     [[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";

#[test]
fn every_campaign_and_configuration_of_a_page_is_accepted() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        for Block { info, text } in blocks(&fs::read_to_string(&page).unwrap()) {
            let Some(kind) = info.strip_prefix("toml") else { continue };
            if kind.trim() == "profile" {
                volley::practice::simulator::Profile::from_toml(&text).unwrap();
                continue;
            }
            let folder = practice();
            let at = folder.path();
            let text = of_next_year(&text);
            let (file, whole, check): (_, _, &[&str]) = match kind.trim() {
                "fragment" => ("page.toml", text + STEPS, &["campaign", "plan", "page.toml"]),
                "step" => {
                    fs::write(at.join("members.csv"), MEMBERS).unwrap();
                    fs::write(at.join("volley.toml"), sample("volley.toml") + MORE_LANES).unwrap();
                    let step = if text.contains("[[step]]") { "" } else { STEP };
                    ("page.toml", [HEAD, &text, step].concat(), &["campaign", "plan", "page.toml", "--offline"])
                }
                "fragment-config" => ("volley.toml", sample("volley.toml") + &text, &["config", "check"]),
                _ if text.contains("audience = ") => ("page.toml", text, &["campaign", "plan", "page.toml"]),
                _ => ("volley.toml", text, &["config", "check"]),
            };
            fs::write(at.join(file), &whole).unwrap();
            let ran = run(at, check);
            // A page need not repeat all that a server needs to start.
            let is_accepted = ran.code == 0 || ran.stderr.contains("`volley serve` would not start");
            if !is_accepted {
                wrong.push(format!("{}: {}\n{whole}", name_of(&page), ran.stderr));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 5, "{seen} blocks");
}

/// Compares the part of a page between two marks with the text made from the code, or writes that there.
fn compare(page: &str, part: &str, made: &str) {
    let path = root().join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin {part} -->\n"), format!("<!-- end {part} -->"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{page} has no {begin}"));
    let (is, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{page} has no {end}"));
    if std::env::var_os("VOLLEY_BLESS").is_some() {
        fs::write(&path, format!("{before}{begin}{made}{end}{after}")).unwrap();
        return;
    }
    let differs = is.lines().zip(made.lines()).find(|(is, made)| is != made);
    assert!(is == made, "{page}, {part}: VOLLEY_BLESS=1 rewrites it; the first difference: {differs:#?}");
}

#[test]
fn the_page_of_commands_is_their_help() {
    fn add_help(command: &mut clap::Command, path: &str, page: &mut String) {
        let help = command.clone().term_width(100).render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        *page += &format!("## {path}\n\n```text\n{}\n```\n\n", help.join("\n").trim_end());
        let inner: Vec<String> = command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
        for name in inner.into_iter().filter(|name| name != "help") {
            let path = format!("{path} {name}");
            add_help(command.find_subcommand_mut(&name).unwrap(), &path, page);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut page = String::new();
    add_help(&mut command, "volley", &mut page);
    compare("docs/commands.md", "commands", &page);
}
