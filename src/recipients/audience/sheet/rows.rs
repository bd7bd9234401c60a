//! Groups the cells of a sheet into rows.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use super::book::{Cells, Position};
use super::broken;
use super::failed::Failed;
use crate::recipients::audience::Error;
use crate::recipients::audience::block::Block;
use crate::recipients::audience::split::MAX_ROW_BYTES;
use crate::recipients::audience::table::{MAX_COLUMNS, Source};

pub(super) struct SheetRows<'a> {
    path: &'a Path,
    sheet: &'a str,
    cells: Cells<'a>,
    /// The cell that was read last and is not part of a row yet; its text is in `text`.
    next: Option<Position>,
    text: String,
    at: Rc<Cell<u64>>,
    /// What the cells may still hold together: a few bytes can repeat a text any number of times.
    left: u64,
}

impl<'a> SheetRows<'a> {
    pub(super) fn new(path: &'a Path, sheet: &'a str, cells: Cells<'a>, at: Rc<Cell<u64>>, text_max: u64) -> Self {
        Self { path, sheet, cells, next: None, text: String::new(), at, left: text_max }
    }

    /// Reads up to the next filled cell; false at the end of the sheet.
    pub(super) fn fill(&mut self) -> Result<bool, Error> {
        let after_row = self.next.map_or(0, |cell| u64::from(cell.row) + 1);
        loop {
            self.text.clear();
            self.next = self.next_cell().map_err(|failed| broken(self.path, self.sheet, after_row, failed))?;
            if self.next.is_none() || !self.text.bytes().all(|byte| byte.is_ascii_whitespace()) {
                return Ok(self.next.is_some());
            }
        }
    }

    fn next_cell(&mut self) -> Result<Option<Position>, Failed> {
        let position = self.cells.next(&mut self.text)?;
        self.left = self.left.checked_sub(self.text.len() as u64 + 1).ok_or(Failed::Bomb)?;
        Ok(position)
    }
}

impl Source for SheetRows<'_> {
    fn row(&mut self, block: &mut Block) -> Result<bool, Error> {
        loop {
            let Some(Position { row, .. }) = self.next else { return Ok(false) };
            while let Some(cell) = self.next
                && cell.row == row
            {
                // A cell beyond the limit counts as one cell too many; the gap before it does not count.
                let index = usize::try_from(cell.column).unwrap_or(usize::MAX).min(MAX_COLUMNS);
                if index >= block.open_cells() {
                    while block.open_cells() < index {
                        block.end_cell();
                    }
                    let has_room = block.open_memory() + self.text.len() <= MAX_ROW_BYTES;
                    if has_room {
                        block.push(self.text.as_bytes());
                    }
                    if cell.is_too_long || !has_room {
                        block.mark_cut();
                    }
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
