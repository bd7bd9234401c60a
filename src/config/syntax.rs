//! Parses TOML, and explains single brackets where a section is repeated.

/// The sections that are written with double brackets, here and in campaign files.
const REPEATED: [&str; 5] = ["lane", "account", "route", "route.step", "step"];

/// Why a text is no TOML, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotToml {
    pub line: usize,
    pub message: String,
}

pub fn parse_toml(text: &str) -> Result<toml::Table, NotToml> {
    text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let message = match repeated_in(text.lines().nth(line - 1).unwrap_or_default()) {
            Some(name) if error.message().contains("duplicate key") => format!(
                "there is more than one `{name}`, and not all of them have double brackets; write [[{name}]] for each"
            ),
            Some(_) | None => error.message().to_owned(),
        };
        NotToml { line, message }
    })
}

/// The repeated section that a line opens, with single or double brackets.
fn repeated_in(line: &str) -> Option<&'static str> {
    let name = line.trim().strip_prefix('[')?.trim_start_matches('[').split(']').next()?.trim();
    REPEATED.into_iter().find(|known| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_brackets_of_a_repeated_section_are_explained() {
        for (text, line, message) in [
            ("[lane]\nname = \"a\"\n[lane] # b\nname = \"b\"\n", 3, "write [[lane]] for each"),
            ("[[lane]]\nname = \"a\"\n[lane]\nname = \"b\"\n", 3, "write [[lane]] for each"),
            ("[step]\nchannel = \"SMS\"\n\n[step]\nchannel = \"SMS\"\n", 4, "write [[step]] for each"),
            ("[server]\n[server]\n", 2, "duplicate key"),
            ("[lane]\nname = \"a\"\nname = \"b\"\n", 3, "duplicate key"),
        ] {
            let error = parse_toml(text).unwrap_err();
            assert!(error.line == line && error.message.contains(message), "{text}: {error:?}");
        }
    }
}
