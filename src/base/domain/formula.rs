//! Cells of a CSV file that a spreadsheet program would take for a formula.
//!
//! Volley writes an apostrophe before each of them, and takes it off again when it reads a table that it has written.

use std::borrow::Cow;

/// The cell as a CSV file has it: a formula begins with an apostrophe. A number stays a number.
pub fn marked(cell: &str) -> Cow<'_, str> {
    if needs_mark(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell that [`marked`] has written.
pub fn unmarked(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| needs_mark(rest)).unwrap_or(cell)
}

/// A formula that begins with apostrophes gets another one, so that it is not mistaken for a marked one.
fn needs_mark(cell: &str) -> bool {
    let text = cell.trim_start_matches('\'');
    text.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(text)
}

fn is_number(text: &str) -> bool {
    let rest = text.trim_start_matches(['+', '-']);
    text.len() - rest.len() == 1 && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | ' '))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_marked_and_numbers_stay_numbers() {
        for (cell, wanted) in [
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-2+3", "'-2+3"),
            ("-20 %", "'-20 %"),
            ("\tx", "'\tx"),
            ("'=1", "''=1"),
            ("+6591000001", "+6591000001"),
            ("-1,5", "-1,5"),
            ("'quoted'", "'quoted'"),
            ("", ""),
        ] {
            assert_eq!(marked(cell), wanted);
        }
    }

    proptest! {
        #[test]
        fn a_marked_cell_is_read_as_it_was(cell in "'{0,3}[-=+@\t\r]?[-=+@'0-9a. ]{0,4}") {
            let written = marked(&cell);
            prop_assert_eq!(unmarked(&written), &cell);
        }
    }
}
