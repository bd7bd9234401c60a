//! A page's tables of keys, made from the code: a table for each section of a file, with every key that the code knows.

use std::collections::BTreeSet;

/// A section of a file, as its page documents it.
pub(super) trait Section {
    const COLUMNS: &'static [&'static str];

    fn title(&self) -> &str;

    /// The names in the order of the page.
    fn names(&self) -> Vec<&str>;

    /// The names that the code knows.
    fn known(&self) -> BTreeSet<String>;

    /// The cells of a key. Adds what the page states and the code does not confirm to `wrong`.
    fn row(&self, name: &str, wrong: &mut Vec<String>) -> Vec<String>;

    /// Text after the table.
    fn after(&self) -> String {
        String::new()
    }
}

/// The tables of all sections. Panics with everything that is wrong, such as a key that no table has.
pub(super) fn tables<S: Section>(sections: &[&S]) -> String {
    let (mut text, mut wrong) = (String::new(), Vec::new());
    for section in sections {
        text += &format!("## {}\n\n", section.title());
        text += &table(S::COLUMNS, section.names().into_iter().map(|name| section.row(name, &mut wrong)));
        text += "\n";
        text += &section.after();
        let names: BTreeSet<String> = section.names().into_iter().map(str::to_owned).collect();
        let known = section.known();
        if names != known {
            wrong.push(format!("{}: the page has {names:?}, the code knows {known:?}", section.title()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    text
}

/// A table in Markdown.
pub(super) fn table<T: AsRef<str>>(header: &[T], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = line(header.iter().map(AsRef::as_ref).collect());
    text += &line(vec!["---"; header.len()]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}
