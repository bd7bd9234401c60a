//! Says in our own words what the argument parser refuses.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What is wrong with the command line, and what to do. `None` for help and the version, which are no errors.
pub(super) fn sentence(error: &clap::Error) -> Option<String> {
    let text = |kind| error.get(kind).map(joined).unwrap_or_default();
    let (option, value) = (name(&text(ContextKind::InvalidArg)), text(ContextKind::InvalidValue));
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::DisplayVersion => {
            return None;
        }
        ErrorKind::InvalidSubcommand => {
            let wrong = text(ContextKind::InvalidSubcommand);
            format!("unknown command \"{wrong}\"; {}", meant(error, ContextKind::SuggestedSubcommand))
        }
        ErrorKind::UnknownArgument if option.starts_with('-') => {
            format!("unknown option {option}; {}", meant(error, ContextKind::SuggestedArg))
        }
        ErrorKind::UnknownArgument => format!("\"{option}\" is one argument too many; {}", see_help(error)),
        ErrorKind::InvalidValue if value.is_empty() => format!("{option} needs a value; {}", see_help(error)),
        ErrorKind::InvalidValue => {
            format!("{option}: \"{value}\" is unknown; use one of {}", text(ContextKind::ValidValue))
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
        ErrorKind::MissingRequiredArgument => format!("{option} is missing; {}", see_help(error)),
        ErrorKind::ArgumentConflict => {
            format!("{option} cannot be used with {}; leave one of them out", name(&text(ContextKind::PriorArg)))
        }
        _ => {
            let rendered = error.render().to_string();
            // After an empty line follow usage and hints.
            let lines = rendered.lines().take_while(|line| !line.is_empty()).map(str::trim);
            let first = lines.collect::<Vec<_>>().join(" ");
            format!("{}; {}", first.trim_start_matches("error: "), see_help(error))
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

/// `did you mean …?` if the parser knows a similar name, or else where to look.
fn meant(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        // The parser lists the most similar one last.
        Some(ContextValue::Strings(similar)) if let Some(best) = similar.last() => format!("did you mean {best}?"),
        Some(ContextValue::String(similar)) => format!("did you mean {}?", name(similar)),
        _ => see_help(error),
    }
}

/// Names the help of the command that was typed.
fn see_help(error: &clap::Error) -> String {
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    // The first word is the program, under whatever name it was called.
    let words = usage.trim_start_matches("Usage:").split_whitespace().skip(1);
    let is_command = |word: &&str| word.starts_with(|char: char| char.is_ascii_lowercase());
    let command: Vec<&str> = std::iter::once("volley").chain(words.take_while(is_command)).collect();
    let command = command.join(" ");
    format!("see `{command} --help`")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use crate::cli::Cli;

    #[test]
    fn a_wrong_command_line_is_explained_in_one_sentence() {
        for (line, sentence) in [
            ("lanch", "unknown command \"lanch\"; see `volley --help`"),
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
            ("campaign launch a.toml --wait maybe", "--wait: \"maybe\" is unknown; use one of finished, settled"),
            ("campaign pause x --step 0", "--step: invalid step \"0\"; write its number, such as 1 for the first step"),
            (
                "audience check a.csv --map Name",
                "--map: invalid mapping \"Name\"; write NAME=COLUMN, such as number=\"Cell phone\" or FirstName=Vorname",
            ),
        ] {
            let error = Cli::command().try_get_matches_from(["volley"].into_iter().chain(line.split(' '))).unwrap_err();
            assert_eq!(super::sentence(&error).as_deref(), Some(sentence), "{line}");
        }
        let help = Cli::command().try_get_matches_from(["volley", "--help"]).unwrap_err();
        assert_eq!(super::sentence(&help), None);
    }
}
