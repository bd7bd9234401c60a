//! Recognizes an exported audience, which imports again as it was.

use super::block::Row;
use super::columns::Columns;
use super::number::{self, Home};
use super::outputs::BEFORE;
use super::read::Reading;

/// Finds the columns of a file that begins with the two columns of an export: the number and the country of each recipient.
///
/// - The other columns are those of the audience. They hold the number once more, as its file wrote it: a file of an operator
///   with two columns of these names does not, and is read like any other file.
/// - `None` for any other file.
pub(super) fn find<'a, I: Iterator<Item = Row<'a>>>(
    left: usize,
    header: Option<Row<'a>>,
    data: &dyn Fn() -> I,
    reading: &Reading<'_>,
) -> Option<Columns> {
    let names = header?;
    if !BEFORE.iter().enumerate().all(|(index, name)| names.cell(left + index).trim() == *name) {
        return None;
    }
    let home = |row: &Row<'_>| Home::of_cell(row.cell(left + 1), reading.default);
    let reading = Reading { default: data().next().map_or(reading.default, |row| home(&row)), ..*reading };
    let own = Columns::find_from(left + BEFORE.len(), header, data, &reading).ok()?;
    let is_twice = |row: &Row<'_>| {
        let (cell, home) = (row.cell(left).trim(), home(row));
        let whole = number::read(cell, Home::Missing).ok().filter(|_| cell.starts_with('+'));
        let is_user = own.user(row).is_some_and(|user| user.id == cell);
        is_user || whole.is_some_and(|whole| own.read(row, home).is_ok_and(|number| number.msisdn == whole.msisdn))
    };
    let (twice, all) = data().fold((0, 0), |(twice, all), row| (twice + usize::from(is_twice(&row)), all + 1));
    // The rules for numbers may have changed since the import.
    (twice > 0 && twice * 2 >= all).then(|| own.of_export())
}
