//! Parses TOML, and explains single brackets where a section is repeated.

/// The sections that are written with double brackets, here and in campaign files.
const REPEATED: [&str; 5] = ["lane", "account", "route", "route.step", "step"];

/// Why a text is no TOML, and in which line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotToml {
    pub line: usize,
    pub message: String,
}

/// Parses a file that has repeated sections. Refuses one of these that is written with single brackets.
pub fn parse_toml(text: &str) -> Result<toml::Table, NotToml> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let offset = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let message = match repeated_in(text.lines().nth(line - 1).unwrap_or_default()) {
            Some(name) if error.message().contains("duplicate key") => format!(
                "there is more than one `{name}`, and not all of them have double brackets; write [[{name}]] for each"
            ),
            Some(_) | None => format!("invalid TOML: {}", error.message()),
        };
        NotToml { line, message }
    })?;
    match single_brackets(text, &table) {
        Some(error) => Err(error),
        None => Ok(table),
    }
}

/// The first header with single brackets, or with the plural of its name, where a repeated section was meant.
fn single_brackets(text: &str, table: &toml::Table) -> Option<NotToml> {
    (1..).zip(text.lines()).find_map(|(line, written)| {
        let written = written.trim().strip_prefix('[').filter(|rest| !rest.starts_with('['))?.split(']').next()?.trim();
        let name =
            REPEATED.into_iter().find(|name| written.strip_prefix(name).is_some_and(|end| matches!(end, "" | "s")))?;
        // A line of a longer text may look like a header.
        is_single(table, written).then(|| NotToml {
            line,
            message: format!("every {} has double brackets; write [[{name}]] instead of [{written}]", last_of(name)),
        })
    })
}

/// Whether the header opens one table, or a table within the last entry of a repeated section.
fn is_single(table: &toml::Table, header: &str) -> bool {
    match header.split_once('.') {
        None => table.get(header).is_some_and(toml::Value::is_table),
        Some((outer, inner)) => match table.get(outer) {
            Some(toml::Value::Array(entries)) => {
                entries.iter().any(|entry| entry.get(inner).is_some_and(toml::Value::is_table))
            }
            Some(toml::Value::Table(entry)) => entry.get(inner).is_some_and(toml::Value::is_table),
            _ => false,
        },
    }
}

fn last_of(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
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
            ("x = 1\n[lane]\nname = \"a\"\n", 2, "every lane has double brackets; write [[lane]] instead of [lane]"),
            ("[lanes]\nname = \"a\"\n", 1, "every lane has double brackets; write [[lane]] instead of [lanes]"),
            (
                "[[route]]\n[ route.step ] # b\n",
                2,
                "every step has double brackets; write [[route.step]] instead of [route.step]",
            ),
            ("[server]\n[server]\n", 2, "duplicate key"),
            ("[lane]\nname = \"a\"\nname = \"b\"\n", 3, "duplicate key"),
        ] {
            let error = parse_toml(text).unwrap_err();
            assert!(error.line == line && error.message.contains(message), "{text}: {error:?}");
        }
        for text in [
            "[[step]]\ntext = \"\"\"\n[step]\n\"\"\"\n",
            "[step.template]\nname = \"a\"\n",
            "[lane.a]\nrate = \"1/s\"\n",
        ] {
            assert!(parse_toml(text).is_ok(), "{text}");
        }
    }
}
