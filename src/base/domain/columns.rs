//! Finds the column of a file that a name means.

use super::meaning::Meaning;
use super::suggest::nearest;

/// Why a name finds no column.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnError {
    #[error("unknown column \"{name}\"; {}", columns_or_nearest(name, columns))]
    Unknown { name: String, columns: Vec<String> },

    #[error("`{name}` matches the columns `{first}` and `{second}`; write it exactly as in the file")]
    Ambiguous { name: String, first: String, second: String },
}

/// The most columns that an error lists.
const LISTED: usize = 50;

fn columns_or_nearest(name: &str, columns: &[String]) -> String {
    let (listed, others) = columns.split_at(columns.len().min(LISTED));
    let list = match others.len() {
        _ if columns.is_empty() => "none".to_owned(),
        0 => listed.join(", "),
        more => format!("{} and {more} more", listed.join(", ")),
    };
    match nearest(name, columns.iter().map(String::as_str)) {
        Some(right) => format!("did you mean \"{right}\"? The columns are {list}"),
        None => format!("the columns are {list}; use one of them"),
    }
}

/// Finds the index of the column that a name means. The first of these that matches counts:
///
/// 1. the column with exactly this name,
/// 2. the only column that differs in letter case or in spaces around it,
/// 3. the only column with the same meaning in another language or spelling.
pub fn find_column(name: &str, columns: &[String]) -> Result<usize, ColumnError> {
    let indexes = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        columns.iter().enumerate().filter(|(_, column)| same(column.trim())).map(|(index, _)| index).collect()
    };
    let mut found = indexes(&|column| column == name);
    if found.is_empty() {
        let lower = name.to_lowercase();
        found = indexes(&|column| column.to_lowercase() == lower);
    }
    if found.is_empty()
        && let Some(meaning) = Meaning::of(name)
    {
        found = indexes(&|column| Meaning::of(column) == Some(meaning));
    }
    match found[..] {
        [index] => Ok(index),
        [] => Err(ColumnError::Unknown { name: name.to_owned(), columns: columns.to_vec() }),
        [first, second, ..] => Err(ColumnError::Ambiguous {
            name: name.to_owned(),
            first: columns[first].clone(),
            second: columns[second].clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_a_column_of_the_same_meaning_if_none_has_the_name() {
        let columns = ["Handy", "Vorname", "Nachname"].map(str::to_owned);
        assert_eq!(find_column("FirstName", &columns).unwrap(), 1);
        assert_eq!(find_column("last name", &columns).unwrap(), 2);
        assert_eq!(find_column("Vorname", &columns).unwrap(), 1);
        let columns = ["Vorname", "firstname", "Prénom"].map(str::to_owned);
        assert_eq!(find_column("FirstName", &columns).unwrap(), 1);
        assert!(matches!(find_column("Given name", &columns), Err(ColumnError::Ambiguous { .. })));
    }

    #[test]
    fn a_column_is_found_in_any_letter_case_unless_two_match() {
        let columns = ["Mobile", " FirstName ", "code", "Code"].map(str::to_owned);
        assert_eq!(find_column("firstname", &columns).unwrap(), 1);
        assert_eq!(find_column("Code", &columns).unwrap(), 3);
        assert!(matches!(find_column("CODE", &columns), Err(ColumnError::Ambiguous { .. })));
        assert!(matches!(find_column("LastName", &columns), Err(ColumnError::Unknown { .. })));
    }

    #[test]
    fn an_unknown_column_lists_fifty_of_the_others() {
        let columns: Vec<String> = (1..=1_000).map(|n| format!("C{n}")).collect();
        let sentence = find_column("Age", &columns).unwrap_err().to_string();
        assert!(sentence.ends_with(", C49, C50 and 950 more; use one of them"), "{sentence}");
    }
}
