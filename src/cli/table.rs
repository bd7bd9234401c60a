//! Tables with aligned columns, without a frame.

use console::{Alignment, measure_text_width, pad_str};

use super::out::Paint;

/// Space between two columns.
const GAP: &str = "  ";

/// The text of an empty cell under a title.
const EMPTY: &str = "–";

/// Rows under a dim header. Cells may contain colours; only visible characters count for the width.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    aligned: Vec<Alignment>,
    rows: Vec<Vec<String>>,
    /// The widths of the pages that were printed; `None` before the first one.
    printed: Option<Vec<usize>>,
}

impl Table {
    /// Makes a table with these column titles. A title that begins with `>` makes a right-aligned column.
    pub(super) fn new(columns: &[&str]) -> Self {
        let right = |name: &&str| if name.starts_with('>') { Alignment::Right } else { Alignment::Left };
        Self {
            header: columns.iter().map(|name| name.trim_start_matches('>').to_owned()).collect(),
            aligned: columns.iter().map(right).collect(),
            rows: Vec::new(),
            printed: None,
        }
    }

    pub(super) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let with_title = |(column, cell): (usize, String)| {
            let has_title = self.header.get(column).is_some_and(|title| !title.is_empty());
            if has_title && measure_text_width(&cell) == 0 { EMPTY.to_owned() } else { cell }
        };
        self.rows.push(cells.into_iter().map(Into::into).enumerate().map(with_title).collect());
    }

    /// Takes the rows so far as lines, so that a long table is printed page by page. Only the first page has the header,
    /// and no column becomes narrower on a later page.
    pub(super) fn next_page(&mut self, paint: Paint) -> Vec<String> {
        let lines = self.lines(paint);
        self.printed = Some(self.widths());
        self.rows.clear();
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let of_column = |column: usize| {
            let printed = self.printed.as_ref().map_or(0, |widths| widths[column]);
            let cells = self.rows.iter().filter_map(|row| row.get(column)).chain([&self.header[column]]);
            cells.map(|cell| measure_text_width(cell)).fold(printed, usize::max)
        };
        (0..self.header.len()).map(of_column).collect()
    }

    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        let widths = self.widths();
        let line = |cells: &[String]| {
            let padded: Vec<_> = cells
                .iter()
                .zip(&widths)
                .zip(&self.aligned)
                .map(|((cell, width), aligned)| pad_str(cell, *width, *aligned, None))
                .collect();
            padded.join(GAP).trim_end().to_owned()
        };
        let has_header = self.printed.is_none() && self.header.iter().any(|name| !name.is_empty());
        let header = has_header.then(|| paint.dim(line(&self.header)));
        header.into_iter().chain(self.rows.iter().map(|row| line(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_pages_keep_the_columns_and_have_no_header() {
        let mut table = Table::new(&["name", ">recipients"]);
        table.row(["a longer name", "7"]);
        assert_eq!(table.next_page(Paint::PLAIN), ["name           recipients", "a longer name           7"]);
        table.row(["a", "3,000"]);
        assert_eq!(table.next_page(Paint::PLAIN), ["a                   3,000"]);
    }

    #[test]
    fn numbers_are_right_aligned_and_an_empty_cell_is_a_dash() {
        let mut table = Table::new(&["name", ">recipients", "note"]);
        table.row(["a", "3,000", ""]);
        table.row(["longer", "7", "ok"]);
        assert_eq!(
            table.lines(Paint::PLAIN),
            ["name    recipients  note", "a            3,000  –", "longer           7  ok"]
        );
    }
}
