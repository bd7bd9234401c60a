//! The stored rejected rows of an audience: pages of them, and all of them as a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::outputs::{header_of_rejects, own_columns};
use super::{ImportRecord, Keep, Readings, Reason, Summary, UnreadableRecord};
use crate::base::domain::{AudienceId, Fields, InvalidFields};
use crate::store::{Audience, AudiencePart, Audiences, Error, RejectedRow, Result};

/// A position among the rejected rows of an audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RejectedPlace {
    pub part: AudienceId,
    /// The number of the row in the part.
    pub n: u32,
}

/// A rejected row as it is shown and mended.
#[derive(Debug, Clone)]
pub struct ListedReject {
    pub place: RejectedPlace,
    pub line: u64,
    pub reason: Reason,
    /// Both numbers that the row can be read as, if it is rejected for that.
    pub readings: Option<Readings>,
    /// One cell for each column of the audience. Cells after the last column are joined into it.
    pub cells: Vec<String>,
    /// Whether long cells are cut, so that the row is corrected in its file.
    pub is_cut: bool,
}

/// What an import has rejected, of all files of an audience.
#[derive(Debug, Clone, Default)]
pub struct Rejection {
    /// Rows by reason, the commonest first.
    pub reasons: Vec<(Reason, u64)>,
    pub rows: u64,
    /// Those that are stored. An import of an earlier version stored none.
    pub stored: u64,
}

impl Rejection {
    pub fn of(audience: &Audience) -> Self {
        let records = || audience.parts.iter().map(|part| ImportRecord::of(part).unwrap_or_default());
        let stored: u64 = records().map(|record| u64::from(record.rejects)).sum();
        let corrected: u64 = records().flat_map(|record| record.corrected.into_values()).sum();
        let mut reasons: Vec<_> =
            whole_summary(audience).map(|summary| summary.reasons).unwrap_or_default().into_iter().collect();
        reasons.sort_by_key(|(_, rows)| std::cmp::Reverse(*rows));
        let rows = reasons.iter().map(|(_, rows)| rows).sum();
        Self { rows, stored: stored.saturating_sub(corrected), reasons }
    }
}

/// The rejected rows that a file replaces. They are removed once it is imported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectedRows {
    /// The numbers of the rows in each part.
    pub places: BTreeMap<AudienceId, Vec<u32>>,
    /// How many of them were rejected for which reason.
    pub reasons: BTreeMap<Reason, u64>,
}

impl CorrectedRows {
    pub fn add(&mut self, row: &ListedReject) {
        self.places.entry(row.place.part).or_default().push(row.place.n);
        *self.reasons.entry(row.reason).or_default() += 1;
    }
}

/// What the imports have counted, of all files of an audience together. A corrected row counts as it is now.
pub fn whole_summary(audience: &Audience) -> Option<Summary> {
    let records = audience.parts.iter().filter_map(|part| ImportRecord::of(part).ok());
    let parts = records.filter_map(|record| Some((record.summary?, record.corrected)));
    let added = |mut all: Summary, part: Summary| {
        all.rows += part.rows;
        all.valid += part.valid;
        all.invalid += part.invalid;
        all.duplicates += part.duplicates;
        all.opted_out += part.opted_out;
        all.not_selected += part.not_selected;
        for (country, count) in part.countries {
            *all.countries.entry(country).or_default() += count;
        }
        for (reason, count) in part.reasons {
            *all.reasons.entry(reason).or_default() += count;
        }
        for field in &mut all.fields {
            field.filled += part.fields.iter().find(|of| of.name == field.name).map_or(0, |of| of.filled);
        }
        all
    };
    let mut whole: Option<Summary> = None;
    for (mut part, corrected) in parts {
        if !corrected.is_empty() {
            // The cells of corrected rows were counted where the rows were rejected.
            part.fields.clear();
        }
        let mut all = match whole {
            Some(all) => added(all, part),
            None => part,
        };
        corrected.into_iter().for_each(|(reason, rows)| all.take_back(reason, rows));
        whole = Some(all);
    }
    whole
}

/// Rejected rows that are stored of an audience. A file with more of them is mended in whole, not by its rows.
pub const REJECTS_MAX: u32 = 100_000;

/// How many rejected rows of an import are stored. Those of an audience without a name are not: nothing would lead to them.
pub(super) fn rejects_max(keep: Keep<'_>) -> std::result::Result<u32, UnreadableRecord> {
    match keep {
        Keep::Unnamed => Ok(0),
        Keep::Named(_) | Keep::Asking(_) => Ok(REJECTS_MAX),
        Keep::AddTo(audience) => Ok(room_for_rejects(audience, 0)?),
        // Those that it replaces make room.
        Keep::Correct(audience, rows) => Ok(room_for_rejects(audience, rows.reasons.values().sum())?),
    }
}

/// How many more rejected rows of an audience may be stored, once `replaced` of them are not any more.
fn room_for_rejects(audience: &Audience, replaced: u64) -> std::result::Result<u32, UnreadableRecord> {
    let (mut stored, mut corrected) = (0, replaced);
    for part in &audience.parts {
        let record = ImportRecord::of(part)?;
        stored += u64::from(record.rejects);
        corrected += record.corrected.values().sum::<u64>();
    }
    let left = u64::from(REJECTS_MAX).saturating_sub(stored.saturating_sub(corrected));
    Ok(u32::try_from(left).unwrap_or(REJECTS_MAX))
}

/// Whether a part may have stored rows of this reason.
fn may_have(part: &AudiencePart, reason: Option<Reason>) -> bool {
    let record = ImportRecord::of(part).unwrap_or_default();
    let has = |reason| record.summary.as_ref().is_none_or(|summary| summary.reasons.contains_key(&reason));
    record.rejects > 0 && reason.is_none_or(has)
}

/// Bytes of a rejected row that are stored. More of them show nothing that helps to correct it.
const ROW_BYTES: usize = 64 << 10;
/// Ends a cell that was cut.
const CUT: &str = "… (cut)";

/// The fields of a rejected row as they are stored, and whether they were cut: of a row that is too long, each cell keeps an
/// even share.
pub(super) fn bounded(fields: Fields) -> std::result::Result<(Fields, bool), InvalidFields> {
    if fields.as_str().len() <= ROW_BYTES {
        return Ok((fields, false));
    }
    let cells = fields.unpack()?;
    let share = ROW_BYTES / cells.len().max(1);
    let cut = |cell: &str| {
        if cell.len() <= share {
            return cell.to_owned();
        }
        let end = cell.floor_char_boundary(share.saturating_sub(CUT.len()));
        format!("{}{CUT}", &cell[..end])
    };
    let cells: Vec<String> = cells.iter().map(|cell| cut(cell)).collect();
    Ok((Fields::pack(cells.iter().map(String::as_str)), true))
}

/// Rows are read until their cells have so many bytes.
const READ_BYTES: usize = 1 << 20;

/// Reads up to `limit` rejected rows from a place on: all, or those of one reason. Also returns the place of the next one.
///
/// - Returns fewer rows if they are long.
pub async fn rejected_rows(
    store: &dyn Audiences,
    audience: &Audience,
    reason: Option<Reason>,
    from: Option<RejectedPlace>,
    limit: usize,
) -> Result<(Vec<ListedReject>, Option<RejectedPlace>)> {
    let (mut rows, mut bytes) = (Vec::new(), 0);
    let parts = audience.parts.iter().skip_while(|part| from.is_some_and(|from| part.id != from.part));
    for part in parts.filter(|part| may_have(part, reason)) {
        let mut first = from.filter(|from| from.part == part.id).map_or(0, |from| from.n);
        loop {
            let wanted = u32::try_from(limit + 1 - rows.len()).unwrap_or(u32::MAX);
            let word = reason.map(|reason| reason.as_str().to_owned());
            let read = store.rejected_rows(part.id, word, first, wanted).await?;
            let Some((last, _)) = read.last() else { break };
            first = last.saturating_add(1);
            for (n, row) in &read {
                let place = RejectedPlace { part: part.id, n: *n };
                if rows.len() == limit || bytes >= READ_BYTES {
                    return Ok((rows, Some(place)));
                }
                bytes += row.fields.as_str().len();
                rows.push(listed(place, row, audience.columns.len())?);
            }
        }
    }
    Ok((rows, None))
}

/// Reads the row at a place.
pub async fn rejected_row(
    store: &dyn Audiences,
    audience: &Audience,
    place: RejectedPlace,
) -> Result<Option<ListedReject>> {
    if !audience.parts.iter().any(|part| part.id == place.part) {
        return Ok(None);
    }
    let found = store.rejected_rows(place.part, None, place.n, 1).await?;
    let found = found.iter().find(|(n, _)| *n == place.n);
    found.map(|(_, row)| listed(place, row, audience.columns.len())).transpose()
}

fn listed(place: RejectedPlace, row: &RejectedRow, width: usize) -> Result<ListedReject> {
    let damaged = |what: &str| Error::InvalidRow { what: what.to_owned(), place: "rejected_row".to_owned() };
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == row.reason).copied();
    let reason = reason.ok_or_else(|| damaged("an unknown reason"))?;
    let mut cells = own_columns(&row.fields, width).map_err(|_| damaged("the fields of a rejected row"))?;
    cells.resize(width, String::new());
    let readings = row.msisdn.zip(row.other_msisdn).map(|(one, other)| Readings([one, other]));
    Ok(ListedReject { place, line: row.line, reason, readings, cells, is_cut: row.is_cut })
}

/// The rows of a table that can be corrected and imported, page by page.
#[derive(Debug)]
pub struct RejectTable {
    audience: Audience,
    reason: Option<Reason>,
    /// `None` after the last page.
    from: Option<Option<RejectedPlace>>,
}

/// Rows that one page of the table has.
const PAGE: usize = 2_000;

impl RejectTable {
    pub const fn of(audience: Audience, reason: Option<Reason>) -> Self {
        Self { audience, reason, from: Some(None) }
    }

    /// The columns of the audience, and then `line` and `reason`.
    pub fn header(&self) -> Vec<String> {
        header_of_rejects(&self.audience.columns)
    }

    /// The next rows, in the order of the files; `None` after the last.
    pub async fn next(&mut self, store: &dyn Audiences) -> Result<Option<Vec<Vec<String>>>> {
        let Some(from) = self.from else { return Ok(None) };
        let (rows, next) = rejected_rows(store, &self.audience, self.reason, from, PAGE).await?;
        self.from = next.map(Some);
        let table = |row: ListedReject| {
            let ListedReject { line, reason, readings, mut cells, .. } = row;
            cells.extend([line.to_string(), reason.in_file(readings).into_owned()]);
            cells
        };
        Ok(Some(rows.into_iter().map(table).collect()))
    }
}

/// The bytes of a file with these rows as they are, for an import.
pub fn file_of(header: &[String], rows: &[Vec<String>]) -> std::io::Result<Vec<u8>> {
    let quoted = csv::QuoteStyle::Always;
    let mut csv = csv::WriterBuilder::new().quote_style(quoted).flexible(true).from_writer(Vec::new());
    csv.write_record(header)?;
    for cells in rows {
        csv.write_record(cells)?;
    }
    csv.into_inner().map_err(csv::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipients::audience::Survey;

    #[test]
    fn an_audience_without_a_name_stores_none_and_a_further_file_what_is_left() {
        let record = |rejects| {
            let mut record = ImportRecord::new(&Summary::default(), &Survey::default());
            record.rejects = rejects;
            record
        };
        let part = |id, rejects: u32| AudiencePart {
            id: AudienceId(id),
            source: "members.csv".to_owned(),
            recipients: 1,
            summary: Some(record(rejects).json()),
            begun_at: crate::base::domain::Timestamp::from_millis(0),
        };
        let parts = vec![part(1, REJECTS_MAX - 10), part(2, 7)];
        let audience = Audience { name: "members".to_owned(), columns: Vec::new(), parts };
        let limits = [Keep::Unnamed, Keep::Named("a"), Keep::AddTo(&audience)].map(|keep| rejects_max(keep).unwrap());
        assert_eq!(limits, [0, REJECTS_MAX, 3]);
        // Those that are corrected make room.
        let corrects = |rows| CorrectedRows { reasons: [(Reason::TooShort, rows)].into(), ..CorrectedRows::default() };
        assert_eq!(rejects_max(Keep::Correct(&audience, &corrects(90))).unwrap(), 93);
        let mut record = record(4);
        record.corrected = corrects(50).reasons;
        let mut audience = audience;
        audience.parts.push(AudiencePart { summary: Some(record.json()), ..part(3, 0) });
        assert_eq!(rejects_max(Keep::AddTo(&audience)).unwrap(), 49);
    }
}
