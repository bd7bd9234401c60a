//! The words of a command line as its server gets them: without the options that name the server.

use std::ffi::OsString;

use crate::cli::exit::Usage;

/// The options that are for this process, and whether a value follows.
const OWN: [(&str, bool); 3] = [("--server", true), ("--key-file", true), ("--allow-plain-http", false)];

/// Returns the words without the options of this process.
pub(super) fn of_server(line: impl Iterator<Item = OsString>) -> Result<Vec<String>, Usage> {
    let mut words = Vec::new();
    let mut line = line.map(|word| {
        word.into_string().map_err(|word| {
            let word = word.to_string_lossy().into_owned();
            Usage(format!("\"{word}\" is not UTF-8, and cannot be sent to a server"))
        })
    });
    while let Some(word) = line.next().transpose()? {
        let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
        match OWN.iter().find(|(own, _)| *own == name) {
            Some((_, true)) if value.is_none() => {
                line.next().transpose()?;
            }
            Some(_) => {}
            // What follows is no option.
            None if word == "--" => {
                words.push(word);
                for rest in line.by_ref() {
                    words.push(rest?);
                }
            }
            None => words.push(word),
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> String {
        of_server(line.split(' ').map(OsString::from)).unwrap().join(" ")
    }

    #[test]
    fn the_options_that_name_the_server_stay_here() {
        assert_eq!(of("--server https://x campaign list --json"), "campaign list --json");
        assert_eq!(of("campaign --key-file k show --server=https://x latest"), "campaign show latest");
        assert_eq!(of("campaign list --allow-plain-http --all"), "campaign list --all");
    }

    #[test]
    fn a_name_that_looks_like_an_option_stays() {
        assert_eq!(of("--server https://x campaign show -- --server"), "campaign show -- --server");
        assert_eq!(of("campaign launch promo.toml --name=--server"), "campaign launch promo.toml --name=--server");
    }
}
