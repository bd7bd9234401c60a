//! Tables with aligned columns, without a frame.

use console::{Alignment, measure_text_width, pad_str};

use super::out::{Paint, To};

/// Space between two columns.
const GAP: &str = "  ";

/// The end of a text that is cut.
const CUT: &str = "…";

/// The width below which no text is cut.
const NARROWEST: usize = 10;

/// The most that a table is indented by.
const INDENT: usize = 4;

/// The text of an empty cell under a title.
const EMPTY: &str = "–";

/// Rows under a dim header. Cells may contain colours; only visible characters count for the width.
#[derive(Debug, Default)]
pub(super) struct Table {
    header: Vec<String>,
    aligned: Vec<Alignment>,
    /// The columns that are never cut.
    whole: Vec<bool>,
    /// The columns that a narrow terminal does without.
    spare: Vec<bool>,
    rows: Vec<Vec<String>>,
    /// The widths of the pages that were printed; `None` before the first one.
    printed: Option<Vec<Option<usize>>>,
}

impl Table {
    /// Makes a table with these column titles. A title that begins with `>` makes a right-aligned column; one that begins with
    /// `=`, a column that is never cut, because its texts are copied. A `?` before that makes a column that is left out, the
    /// last one first, where a row would not fit on the terminal.
    pub(super) fn new(columns: &[&str]) -> Self {
        let mark = |name: &str| name.trim_start_matches('?').chars().next();
        let right = |name: &&str| if mark(name) == Some('>') { Alignment::Right } else { Alignment::Left };
        Self {
            header: columns.iter().map(|name| name.trim_start_matches(['?', '>', '=']).to_owned()).collect(),
            whole: columns.iter().map(|name| matches!(mark(name), Some('>' | '='))).collect(),
            spare: columns.iter().map(|name| name.starts_with('?')).collect(),
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
        self.printed = Some(self.widths_within(most()));
        self.rows.clear();
        lines
    }

    fn widths(&self) -> Vec<usize> {
        let of_column = |column: usize| {
            let printed = self.printed.as_ref().and_then(|widths| widths[column]).unwrap_or(0);
            let cells = self.rows.iter().filter_map(|row| row.get(column)).chain([&self.header[column]]);
            cells.map(|cell| measure_text_width(cell)).fold(printed, usize::max)
        };
        (0..self.header.len()).map(of_column).collect()
    }

    /// The rows as lines. On a terminal, long texts are cut so that each row fits on a line; a pipe or a file gets them whole.
    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        self.lines_within(paint, most())
    }

    /// On a terminal, later pages have the widths of the first one. A column without a width is left out.
    fn widths_within(&self, most: Option<usize>) -> Vec<Option<usize>> {
        let widths = || self.widths().into_iter().map(Some).collect();
        match (&self.printed, most) {
            (Some(printed), Some(_)) => printed.clone(),
            (None, Some(most)) => self.narrowed(widths(), most),
            (_, None) => widths(),
        }
    }

    /// Leaves out spare columns until a row fits with its texts cut, and cuts no more of them than needed.
    fn narrowed(&self, mut widths: Vec<Option<usize>>, most: usize) -> Vec<Option<usize>> {
        let least = |width: usize, whole: bool| if whole { width } else { width.min(NARROWEST) };
        for column in (0..widths.len()).rev().filter(|column| self.spare[*column]) {
            let cut = widths.iter().zip(&self.whole).map(|(width, whole)| width.map(|width| least(width, *whole)));
            if row_of(cut) <= most {
                break;
            }
            widths[column] = None;
        }
        narrow(&mut widths, &self.whole, most);
        widths
    }

    fn lines_within(&self, paint: Paint, most: Option<usize>) -> Vec<String> {
        let widths = self.widths_within(most);
        let line = |cells: &[String]| {
            let columns = cells.iter().zip(&widths).zip(self.aligned.iter().zip(&self.whole));
            let padded = columns.filter_map(|((cell, width), (aligned, whole))| {
                Some(pad_str(cell, (*width)?, *aligned, (!whole).then_some(CUT)))
            });
            padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
        };
        let has_header = self.printed.is_none() && self.header.iter().any(|name| !name.is_empty());
        let header = has_header.then(|| paint.dim(line(&self.header)));
        let titles = self.header.iter().zip(&widths);
        let left_out: Vec<&str> =
            titles.filter_map(|(title, width)| width.is_none().then_some(title.as_str())).collect();
        let left_out = (!left_out.is_empty())
            .then(|| paint.dim(format_args!("a wider terminal also shows: {}", left_out.join("; "))));
        header.into_iter().chain(self.rows.iter().map(|row| line(row))).chain(left_out).collect()
    }
}

/// The width of a row with these columns.
fn row_of(widths: impl Iterator<Item = Option<usize>>) -> usize {
    let (columns, width) = widths.flatten().fold((0_usize, 0), |(columns, sum), width| (columns + 1, sum + width));
    width + GAP.len() * columns.saturating_sub(1)
}

/// The width of the terminal, without the indent; `None` for a pipe or a file.
fn most() -> Option<usize> {
    To::Stdout.is_terminal().then(|| To::Stdout.width().saturating_sub(INDENT))
}

/// Makes the widest texts narrower until a row fits.
fn narrow(widths: &mut [Option<usize>], whole: &[bool], most: usize) {
    while row_of(widths.iter().copied()) > most {
        let texts = widths.iter_mut().zip(whole).filter(|(_, whole)| !**whole).filter_map(|(width, _)| width.as_mut());
        let widest = texts.filter(|width| **width > NARROWEST).max_by_key(|width| **width);
        let Some(widest) = widest else { return };
        *widest -= 1;
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
    fn a_row_fits_on_the_terminal_as_long_as_any_text_can_be_cut() {
        let mut table = Table::new(&["name", "=id", ">recipients"]);
        table.row(["November promo of the shop", "7f0c52f4-1111", "3,000"]);
        let lines = |most| table.lines_within(Paint::PLAIN, most);
        assert_eq!(lines(None)[1], "November promo of the shop  7f0c52f4-1111       3,000");
        assert_eq!(
            lines(Some(40)),
            ["name           id             recipients", "November pro…  7f0c52f4-1111       3,000"]
        );
        assert_eq!(lines(Some(9))[1], "November …  7f0c52f4-1111       3,000", "an id is copied");
    }

    #[test]
    fn a_narrow_terminal_does_without_spare_columns() {
        let mut table = Table::new(&["name", "?>recipients", "?created", "?=id"]);
        table.row(["November promo of the shop", "3,000", "2026-12-01", "7f0c52f4-1111"]);
        let lines = |most| table.lines_within(Paint::PLAIN, Some(most));
        assert_eq!(
            lines(50),
            ["name         recipients  created     id", "November p…       3,000  2026-12-01  7f0c52f4-1111"]
        );
        assert_eq!(
            lines(40),
            [
                "name              recipients  created",
                "November promo …       3,000  2026-12-01",
                "a wider terminal also shows: id"
            ]
        );
        assert_eq!(lines(20)[2], "a wider terminal also shows: recipients; created; id");
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
