//! The lines of the file on which settings are written.

use std::collections::HashMap;

use toml::de::{DeTable, DeValue};

use super::keys::{LANE, PROVIDER};
use super::layers::Source;
use super::read::Setting;

/// The line of each key, by the title of its section.
#[derive(Debug, Default)]
pub(super) struct Lines(HashMap<(String, String), u32>);

impl Lines {
    /// Reads a file that is valid. Of another one no line is known.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        let Ok(file) = DeTable::parse(text) else { return lines };
        for (name, value) in file.get_ref() {
            match value.get_ref() {
                DeValue::Table(keys) => lines.add(text, name.get_ref(), keys),
                DeValue::Array(tables) => {
                    for keys in tables.iter().filter_map(|table| table.get_ref().as_table()) {
                        let title = format!("{} {}", name.get_ref(), text_of(keys, "name").unwrap_or_default());
                        lines.add(text, &title, keys);
                        let steps = keys.get("step").and_then(|steps| steps.get_ref().as_array());
                        for (number, step) in (1..).zip(steps.into_iter().flat_map(|steps| steps.iter())) {
                            let Some(keys) = step.get_ref().as_table() else { continue };
                            lines.add(text, &format!("{title}, step {number}"), keys);
                        }
                    }
                }
                _ => {}
            }
        }
        lines
    }

    fn add(&mut self, text: &str, section: &str, keys: &DeTable<'_>) {
        for key in keys.keys() {
            self.0.insert((section.to_owned(), key.get_ref().to_string()), line_at(text, key.span().start));
        }
    }

    /// Notes the line of each setting from the file. A lane has values of its provider.
    pub(super) fn note(&self, settings: &mut [Setting]) {
        for setting in settings.iter_mut().filter(|setting| matches!(setting.source, Source::File(_))) {
            let is_of_lane = setting.section.split(' ').next() == Some(LANE.name);
            let find = |section: &str| self.0.get(&(section.to_owned(), setting.key.to_owned())).copied();
            setting.line = find(&setting.section).or_else(|| is_of_lane.then(|| find(PROVIDER.name))?);
        }
    }
}

fn line_at(text: &str, offset: usize) -> u32 {
    let before = text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    u32::try_from(before).map_or(u32::MAX, |before| before.saturating_add(1))
}

fn text_of<'a>(keys: &'a DeTable<'_>, name: &str) -> Option<&'a str> {
    keys.get(name)?.get_ref().as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_the_line_on_which_it_is_written() {
        let text = "# A comment\n[provider]\nsub_account = \"acme\"\n\n[[lane]]\nname = \"a\"\n[[lane]]\n\
                    rate = \"\"\"\n1/s\"\"\"\nname = \"b\"\nchannel = \"SMS\"\n[[route]]\nname = \"promo\"\n\
                    [[route.step]]\nchannel = \"SMS\"\n[[route.step]]\nchannel = \"Viber\"\n";
        let lines = Lines::of(text);
        let line = |section: &str, key: &str| lines.0.get(&(section.to_owned(), key.to_owned())).copied();
        assert_eq!(line("provider", "sub_account"), Some(3));
        assert_eq!((line("lane a", "name"), line("lane b", "name")), (Some(6), Some(10)));
        assert_eq!((line("lane b", "rate"), line("lane b", "channel")), (Some(8), Some(11)));
        assert_eq!(line("route promo, step 2", "channel"), Some(17));
        assert_eq!(line("lane a", "rate"), None);
        assert!(Lines::of("[provider\n").0.is_empty());
    }
}
