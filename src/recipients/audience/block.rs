//! Blocks of rows: the cells of many rows share one buffer, so no cell costs an allocation.

/// The character that old programs put at the end of a text.
const END_OF_TEXT: u8 = 0x1a;
/// Memory that each cell takes beside its text.
const CELL_BYTES: usize = size_of::<usize>();

/// Rows that are being read.
#[derive(Debug, Default)]
pub(super) struct Block {
    text: Vec<u8>,
    /// End of each cell in `text`.
    cell_ends: Vec<usize>,
    rows: Vec<RowEnd>,
    /// Whether text of the unfinished row was left out.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy)]
struct RowEnd {
    line: u64,
    is_cut: bool,
    /// Number of cells up to the end of this row.
    cells: usize,
}

impl Block {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    pub(super) fn end_cell(&mut self) {
        self.cell_ends.push(self.text.len());
    }

    /// Notes that text of the unfinished row was left out, because it is over a limit.
    pub(super) fn mark_cut(&mut self) {
        self.is_cut = true;
    }

    /// Ends the row that began on `line`. Drops a blank row and returns false.
    pub(super) fn end_row(&mut self, line: u64) -> bool {
        let (cells, text) = self.finished();
        let is_cut = std::mem::take(&mut self.is_cut);
        if !is_cut && self.text[text..].iter().all(|byte| byte.is_ascii_whitespace() || *byte == END_OF_TEXT) {
            self.text.truncate(text);
            self.cell_ends.truncate(cells);
            return false;
        }
        self.rows.push(RowEnd { line, is_cut, cells: self.cell_ends.len() });
        true
    }

    /// Number of cells in the unfinished row.
    pub(super) fn open_cells(&self) -> usize {
        self.cell_ends.len() - self.finished().0
    }

    /// Length of the unfinished row, in bytes.
    pub(super) fn open_bytes(&self) -> usize {
        self.text.len() - self.finished().1
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Memory that the rows take. A cell without text takes some too.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + self.cell_ends.len() * CELL_BYTES
    }

    /// Memory that the unfinished row takes.
    pub(super) fn open_memory(&self) -> usize {
        self.open_bytes() + self.open_cells() * CELL_BYTES
    }

    /// Number of cells in each row.
    pub(super) fn widths(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().scan(0, |from, row| Some(row.cells - std::mem::replace(from, row.cells)))
    }

    /// Number of cells and bytes of text in finished rows.
    fn finished(&self) -> (usize, usize) {
        let cells = self.rows.last().map_or(0, |row| row.cells);
        let text = cells.checked_sub(1).and_then(|last| self.cell_ends.get(last)).copied().unwrap_or(0);
        (cells, text)
    }

    /// Turns the block into readable rows; `None` if the text is not UTF-8.
    pub(super) fn seal(self) -> Option<Rows> {
        let text = String::from_utf8(self.text).ok()?;
        Some(Rows { text, cell_ends: self.cell_ends, rows: self.rows, first: 0 })
    }
}

/// Rows that have been read.
#[derive(Debug, Default)]
pub(super) struct Rows {
    text: String,
    cell_ends: Vec<usize>,
    rows: Vec<RowEnd>,
    /// The first row of the view; earlier rows are skipped.
    first: usize,
}

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.first
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Skips the first `count` rows.
    pub(super) fn skip(self, count: usize) -> Self {
        Self { first: (self.first + count).min(self.rows.len()), ..self }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let before = self.first.checked_sub(1).and_then(|last| self.rows.get(last)).map_or(0, |row| row.cells);
        self.rows.iter().skip(self.first).scan(before, |from, row| {
            let first = std::mem::replace(from, row.cells);
            let start = first.checked_sub(1).and_then(|last| self.cell_ends.get(last)).copied().unwrap_or(0);
            let ends = self.cell_ends.get(first..row.cells).unwrap_or_default();
            Some(Row { text: &self.text, start, ends, line: row.line, is_cut: row.is_cut })
        })
    }
}

/// One row, borrowed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a> {
    text: &'a str,
    start: usize,
    ends: &'a [usize],
    pub(super) line: u64,
    /// Text of it was left out, because it is over a limit.
    pub(super) is_cut: bool,
}

impl<'a> Row<'a> {
    /// Number of cells; rows may differ.
    pub(super) fn width(&self) -> usize {
        self.ends.len()
    }

    /// The text of a cell; empty if the cell is missing.
    pub(super) fn cell(&self, index: usize) -> &'a str {
        let Some(end) = self.ends.get(index) else { return "" };
        let start = index.checked_sub(1).map_or(self.start, |before| self.ends[before]);
        // Cells end at ASCII delimiters, so no cell boundary splits a character.
        self.text.get(start..*end).unwrap_or_default()
    }

    pub(super) fn cells(self) -> impl Iterator<Item = &'a str> + Clone {
        (0..self.width()).map(move |index| self.cell(index))
    }
}
