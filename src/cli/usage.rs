//! Says in our own words what the argument parser refuses.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::base::domain::{hint, nearest};

/// What is wrong with the words of the command line, and what to do. `None` for help and the version, which are no
/// errors.
pub(super) fn sentence(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let see_help = format!("see `{} --help`", command_of(words));
    let text = |kind| error.get(kind).map(joined).unwrap_or_default();
    let (option, value) = (name(&text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => format!("a command is missing; {see_help}"),
        ErrorKind::InvalidSubcommand => {
            let wrong = text(ContextKind::InvalidSubcommand);
            format!(
                "unknown command \"{wrong}\"; {}",
                meant(error, ContextKind::SuggestedSubcommand, &wrong, &see_help)
            )
        }
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            format!("unknown option {option}; {}", meant(error, ContextKind::SuggestedArg, &option, &see_help))
        }
        ErrorKind::UnknownArgument => {
            format!("\"{}\" is one argument too many; {see_help}", text(ContextKind::InvalidArg))
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{option} needs a value; {see_help}"),
        ErrorKind::InvalidValue => {
            let known = text(ContextKind::ValidValue);
            format!("{option}: \"{value}\" is unknown; {}", hint(&value, known.split(", ")))
        }
        ErrorKind::ValueValidation => {
            let source = std::error::Error::source(error);
            let why = match source {
                Some(source) if source.is::<std::num::ParseIntError>() => "write a whole number".to_owned(),
                source => source.map(ToString::to_string).unwrap_or_default(),
            };
            // Most of our own parsers quote the value themselves.
            let quoted = if why.contains(&value) { String::new() } else { format!("\"{value}\" is refused: ") };
            format!("{option}: {quoted}{why}")
        }
        ErrorKind::MissingRequiredArgument => format!("{option} is missing; {see_help}"),
        ErrorKind::ArgumentConflict => match name(&text(ContextKind::PriorArg)) {
            prior if prior == option => format!("{option} is given twice; give it once"),
            prior if prior.is_empty() => format!("{option} stands alone; leave out the other arguments"),
            prior => format!("{option} cannot be used with {prior}; leave one of them out"),
        },
        _ => {
            let rendered = error.render().to_string();
            // After an empty line follow usage and hints.
            let lines = rendered.lines().take_while(|line| !line.is_empty()).map(str::trim);
            let first = lines.collect::<Vec<_>>().join(" ");
            format!("{}; {see_help}", first.trim_start_matches("error: "))
        }
    })
}

fn joined(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(texts) => texts.join(", "),
        other => other.to_string(),
    }
}

/// The name of an argument without its values: `--wait` for `--wait [<UNTIL>]`, `FILE` for `<FILE>`.
fn name(argument: &str) -> String {
    let is_option = argument.starts_with('-');
    let name =
        |one: &str| one.split([' ', '=']).next().unwrap_or(one).trim_matches(['<', '>', '[', ']', '.']).to_owned();
    match is_option {
        true => name(argument),
        false => argument.split(", ").map(name).collect::<Vec<_>>().join(", "),
    }
}

/// `did you mean …?` if a name that the parser suggests is near the wrong one, or else where to look.
fn meant(error: &clap::Error, kind: ContextKind, wrong: &str, see_help: &str) -> String {
    let similar: Vec<String> = match error.get(kind) {
        Some(ContextValue::Strings(similar)) => similar.clone(),
        Some(ContextValue::String(similar)) => vec![name(similar)],
        _ => Vec::new(),
    };
    match nearest(wrong, similar.iter().map(String::as_str)) {
        Some(best) => format!("did you mean {best}?"),
        None => see_help.to_owned(),
    }
}

/// The command that the words name, such as `volley campaign launch`.
fn command_of(words: &[OsString]) -> String {
    let mut command = super::Cli::command();
    let mut path = command.get_name().to_owned();
    for word in words.iter().skip(1) {
        let Some(inner) = command.find_subcommand(word).cloned() else { continue };
        path = format!("{path} {}", inner.get_name());
        command = inner;
    }
    path
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::CommandFactory;

    use crate::cli::Cli;

    fn said(line: &str) -> Option<String> {
        let words: Vec<OsString> = ["volley"].into_iter().chain(line.split(' ')).map(OsString::from).collect();
        let error = Cli::command().try_get_matches_from(&words).unwrap_err();
        super::sentence(&error, &words)
    }

    #[test]
    fn a_wrong_command_line_is_explained_in_one_sentence() {
        for (line, sentence) in [
            ("nonsense", "unknown command \"nonsense\"; see `volley --help`"),
            ("nosuch", "unknown command \"nosuch\"; see `volley --help`"),
            ("campaign lanch x", "unknown command \"lanch\"; did you mean launch?"),
            ("campaign launch a.toml --naem x", "unknown option --naem; did you mean --name?"),
            ("campaign launch a.toml --zzz", "unknown option --zzz; see `volley campaign launch --help`"),
            ("campaign launch", "FILE is missing; see `volley campaign launch --help`"),
            ("campaign launch a.toml --name", "--name needs a value; see `volley campaign launch --help`"),
            (
                "campaign launch a.toml b.toml",
                "\"b.toml\" is one argument too many; see `volley campaign launch --help`",
            ),
            ("events --limit x", "--limit: \"x\" is refused: write a whole number"),
            ("campaign set x --at", "--at needs a value; see `volley campaign set --help`"),
            ("campaign set x --at 1 --at 2", "--at is given twice; give it once"),
            ("message explain --rules x", "--rules stands alone; leave out the other arguments"),
            ("message list x --state quued", "--state: \"quued\" is unknown; did you mean \"queued\"?"),
            ("campaign", "a command is missing; see `volley campaign --help`"),
            ("campaign launch a.toml --wait maybe", "--wait: \"maybe\" is unknown; use one of finished, settled"),
            ("campaign pause x --step 0", "--step: invalid step \"0\"; write its number, such as 1 for the first step"),
            (
                "audience check a.csv --map Name",
                "--map: invalid mapping \"Name\"; write NAME=COLUMN, such as number=\"Cell phone\" or FirstName=Vorname",
            ),
        ] {
            assert_eq!(said(line).as_deref(), Some(sentence), "{line}");
        }
        assert_eq!(said("--help"), None);
    }
}
