//! The marks of the output on a terminal whose locale shows no more than ASCII, such as that of `LC_ALL=C`.

use std::sync::OnceLock;

/// The marks that commands print, with the ASCII character for each. It is as wide as the mark, so that tables keep their columns.
const MARKS: [(&str, char); 14] = [
    ("─", '-'),
    ("│", '|'),
    ("╭╮╰╯├┤", '+'),
    ("█▉▊▋▌▍▎▏", '#'),
    ("▒", '='),
    ("░", '.'),
    ("…", '~'),
    ("·•", '*'),
    ("–", '-'),
    ("→›»", '>'),
    ("‹«", '<'),
    ("✓", '+'),
    ("✗×", 'x'),
    ("µ", 'u'),
];

/// Whether the locale of this process shows no more than ASCII.
pub(super) fn are_ascii() -> bool {
    static IS_UNICODE: OnceLock<bool> = OnceLock::new();
    !*IS_UNICODE.get_or_init(|| is_unicode(|variable| std::env::var(variable).ok()))
}

/// A text with its marks in ASCII. Everything else stays as it is.
pub(super) fn in_ascii(text: &str) -> String {
    let shown = |one: char| MARKS.iter().find(|(marks, _)| marks.contains(one)).map_or(one, |(_, ascii)| *ascii);
    text.chars().map(shown).collect()
}

/// The first of these variables that is not empty names the locale; without one, it is taken for one of today.
fn is_unicode(variable: impl Fn(&str) -> Option<String>) -> bool {
    let mut named = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    named.find(|locale| !locale.is_empty()).is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locale(all: &str, lang: &str) -> bool {
        is_unicode(|variable| match variable {
            "LC_ALL" => Some(all.to_owned()),
            "LANG" => Some(lang.to_owned()),
            _ => None,
        })
    }

    #[test]
    fn the_locale_says_what_a_terminal_shows() {
        assert!(is_unicode(|_| None));
        assert!(locale("", "de_DE.UTF-8") && locale("C.utf8", "C") && locale("", ""));
        assert!(!locale("C", "de_DE.UTF-8") && !locale("", "POSIX") && !locale("", "de_DE.ISO-8859-1"));
    }

    #[test]
    fn marks_keep_their_width_and_names_are_not_changed() {
        assert_eq!(in_ascii("✓ Zoë  ██▌▒▒░  5 · 7 – …"), "+ Zoë  ###==.  5 * 7 - ~");
        assert_eq!(in_ascii("╭─ SMS ─╮ │ 日本 │"), "+- SMS -+ | 日本 |");
        for (marks, _) in MARKS {
            assert!(marks.chars().all(|mark| console::measure_text_width(&mark.to_string()) == 1), "{marks}");
        }
    }
}
