//! Groups the cells of a sheet into rows.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use super::book::Cells;
use crate::audience::Error;
use crate::audience::block::Block;
use crate::audience::table::{MAX_COLUMNS, Source};

pub(super) struct SheetRows<'a> {
    path: &'a Path,
    sheet: &'a str,
    cells: Cells<'a>,
    /// Row and column of the cell that was read last and is not part of a row yet; its text is in `text`.
    next: Option<(u32, u32)>,
    text: String,
    at: Rc<Cell<u64>>,
}

impl<'a> SheetRows<'a> {
    pub(super) fn new(path: &'a Path, sheet: &'a str, cells: Cells<'a>, at: Rc<Cell<u64>>) -> Self {
        Self { path, sheet, cells, next: None, text: String::new(), at }
    }

    /// Reads up to the next filled cell; false at the end of the sheet.
    pub(super) fn fill(&mut self) -> Result<bool, Error> {
        let after_row = self.next.map_or(0, |(row, _)| u64::from(row) + 1);
        loop {
            self.text.clear();
            let position = self.cells.next(&mut self.text).map_err(|source| Error::Sheet {
                file: self.path.to_owned(),
                sheet: self.sheet.to_owned(),
                after_row,
                source,
            })?;
            self.next = position;
            if position.is_none() || !self.text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Ok(position.is_some());
            }
        }
    }
}

impl Source for SheetRows<'_> {
    fn row(&mut self, block: &mut Block) -> Result<bool, Error> {
        loop {
            let Some((row, _)) = self.next else { return Ok(false) };
            while let Some((cell_row, column)) = self.next
                && cell_row == row
            {
                // A cell beyond the limit counts as one cell too many; the gap before it does not count.
                let index = usize::try_from(column).unwrap_or(usize::MAX).min(MAX_COLUMNS);
                if index >= block.open_cells() {
                    while block.open_cells() < index {
                        block.end_cell();
                    }
                    block.push(self.text.as_bytes());
                    block.end_cell();
                }
                self.fill()?;
            }
            if block.end_row(u64::from(row) + 1) {
                return Ok(true);
            }
        }
    }

    fn bytes_done(&self) -> u64 {
        self.at.get()
    }
}
