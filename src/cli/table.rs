//! Tables with aligned columns, without a frame.

use console::{Alignment, measure_text_width, pad_str};

use super::out::Paint;

/// Space between two columns.
const GAP: &str = "  ";

/// Rows under a dim header. Cells may contain colours; only visible characters count for the width.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    aligned: Vec<Alignment>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table with these column titles. A title that begins with `>` makes a right-aligned column.
    pub(super) fn new(columns: &[&str]) -> Self {
        let right = |name: &&str| if name.starts_with('>') { Alignment::Right } else { Alignment::Left };
        Self {
            header: columns.iter().map(|name| name.trim_start_matches('>').to_owned()).collect(),
            aligned: columns.iter().map(right).collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        let widths: Vec<usize> = (0..self.header.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.chain([&self.header[column]]).map(|cell| measure_text_width(cell)).max().unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let padded: Vec<_> = cells
                .iter()
                .zip(&widths)
                .zip(&self.aligned)
                .map(|((cell, width), aligned)| pad_str(cell, *width, *aligned, None))
                .collect();
            padded.join(GAP).trim_end().to_owned()
        };
        let header = self.header.iter().any(|name| !name.is_empty()).then(|| paint.dim(line(&self.header)));
        header.into_iter().chain(self.rows.iter().map(|row| line(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_aligned_and_lines_have_no_trailing_spaces() {
        let mut table = Table::new(&["name", ">recipients", "note"]);
        table.row(["a", "3,000", ""]);
        table.row(["longer", "7", "ok"]);
        assert_eq!(
            table.lines(Paint::PLAIN),
            ["name    recipients  note", "a            3,000", "longer           7  ok"]
        );
    }
}
