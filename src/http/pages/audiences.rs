//! The audiences: the list, one of them, its rejected rows, and the question before it is deleted.

use askama::Template;

use super::figures::Portion;
use super::file_fields::{CountryQuestion, FileFields};
use super::frame::Frame;
use super::show::{Plain, percent_encoded, visible};
use super::texts::ENGLISH;
use super::writing::FieldKind;
use crate::base::domain::{BatchState, Timestamp};
use crate::recipients::audience::{
    ColumnMeaning, Field as ColumnSummary, ImportNote, ListedReject, Reason, RejectedPlace, Rejection, Summary,
};

/// Countries that are shown with a bar.
const COUNTRIES_SHOWN: usize = 12;
/// Countries of an audience in the list.
const COUNTRIES_LISTED: usize = 3;
/// Columns of an audience that are shown.
const COLUMNS_SHOWN: usize = 60;
/// Columns of rejected rows that are shown.
const CELLS_SHOWN: usize = 16;
/// Bytes of the cells of a page in HTML, so that a file with long cells gives no long page.
const BYTES_SHOWN: usize = 48_000;
/// The most bytes of one cell.
const CELL_BYTES: usize = 400;
/// Characters of a note on a file. One may contain rows above the header.
const NOTE_MAX: usize = 400;
/// The longest number that can be corrected. A longer text is no number.
const NUMBER_MAX: usize = 100;

/// The address of an audience's page.
pub fn audience_path(name: &str) -> String {
    format!("/audiences/{}", percent_encoded(name))
}

/// A text in an address.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// The address of the rejected rows of an audience: of all, or of one reason; for an unfinished campaign, or not.
pub fn rejected_path(name: &str, reason: Option<Reason>, sketch: Option<&str>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if let Some(reason) = reason {
        query.append_pair("reason", reason.as_str());
    }
    if let Some(sketch) = sketch {
        query.append_pair("sketch", sketch);
    }
    let query = query.finish();
    format!("{}/rejected{}{query}", audience_path(name), if query.is_empty() { "" } else { "?" })
}

/// The list of audiences, latest first.
#[derive(Debug, Template)]
#[template(path = "audiences.html")]
pub struct AudiencesPage {
    pub frame: Frame,
    pub rows: Vec<AudienceRow>,
    /// What the list was filtered by.
    pub name: Option<String>,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
    /// The fields of the form for a new audience.
    pub file: FileFields,
}

impl AudiencesPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// An audience of a list.
#[derive(Debug)]
pub struct AudienceRow {
    pub name: String,
    /// The file, or the latest of several.
    pub file: String,
    pub files: usize,
    pub recipients: u32,
    /// With most recipients first.
    pub countries: Vec<(String, u64)>,
    /// Rejected rows; `None` if nothing is recorded about the import.
    pub rejected: Option<u64>,
    /// When the latest file was imported, and by whom.
    pub at: Timestamp,
    pub by: Option<String>,
}

impl AudienceRow {
    pub fn path(&self) -> String {
        audience_path(&self.name)
    }

    pub fn rejected_path(&self) -> String {
        rejected_path(&self.name, None, None)
    }

    /// `SG, MY, ID and 4 more`.
    pub fn countries_text(&self) -> String {
        let named: Vec<&str> = self.countries.iter().take(COUNTRIES_LISTED).map(|(code, _)| code.as_str()).collect();
        match self.countries.len().saturating_sub(COUNTRIES_LISTED) {
            0 => named.join(", "),
            more => format!("{} +{more}", named.join(", ")),
        }
    }
}

/// What is in an audience: columns, countries and rejected rows.
#[derive(Debug)]
pub struct AudienceContents {
    pub name: String,
    pub recipients: u32,
    /// `None` if nothing is recorded about the import.
    pub summary: Option<Summary>,
    pub rejection: Rejection,
    /// What should be known about its files, each with its file if there are several.
    pub notes: Vec<(Option<String>, ImportNote)>,
    /// The unfinished campaign to which corrected rows are added.
    pub sketch: Option<String>,
}

impl AudienceContents {
    pub fn path(&self) -> String {
        audience_path(&self.name)
    }

    /// The countries with most recipients first, each with its part of the recipients.
    pub fn countries(&self) -> Vec<(String, Portion)> {
        let all = countries(self.summary.as_ref()).into_iter().take(COUNTRIES_SHOWN);
        let whole = self.summary.as_ref().map_or(0, |summary| summary.valid);
        all.map(|(country, count)| (country, portion(count, whole))).collect()
    }

    /// The number of countries that are not shown, and of their recipients.
    pub fn other_countries(&self) -> Option<(usize, Portion)> {
        let rest: Vec<u64> =
            countries(self.summary.as_ref()).into_iter().skip(COUNTRIES_SHOWN).map(|(_, count)| count).collect();
        let whole = self.summary.as_ref().map_or(0, |summary| summary.valid);
        (!rest.is_empty()).then(|| (rest.len(), portion(rest.iter().sum(), whole)))
    }

    pub fn number_of_countries(&self) -> usize {
        self.summary.as_ref().map_or(0, |summary| summary.countries.len())
    }

    pub fn columns(&self) -> &[ColumnSummary] {
        let all = self.summary.as_ref().map_or(&[][..], |summary| &summary.fields);
        &all[..all.len().min(COLUMNS_SHOWN)]
    }

    pub fn other_columns(&self) -> usize {
        self.summary.as_ref().map_or(0, |summary| summary.fields.len().saturating_sub(COLUMNS_SHOWN))
    }

    /// What the import takes a column for.
    pub fn meaning(&self, field: &ColumnSummary) -> String {
        match &field.meaning {
            None => String::new(),
            Some(ColumnMeaning::Number) => ENGLISH.number.to_owned(),
            Some(ColumnMeaning::Named(meaning)) => meaning.name().to_owned(),
        }
    }

    /// The rows with text in a column.
    pub fn filled(&self, field: &ColumnSummary) -> Portion {
        let rows = self.summary.as_ref().map_or(0, |summary| summary.rows - summary.not_selected.min(summary.rows));
        portion(field.filled, rows)
    }

    pub fn samples(&self, field: &ColumnSummary) -> String {
        field.samples.iter().map(visible).collect::<Vec<_>>().join(" · ")
    }

    /// How its files were read where that may be unintended, and what to do about it.
    pub fn notes_and_advice(&self) -> impl Iterator<Item = (String, Option<String>)> {
        self.notes.iter().map(|(file, note)| {
            let fact: String = visible(note.fact()).chars().take(NOTE_MAX).collect();
            let fact = match file {
                Some(file) => format!("{}: {fact}", visible(file)),
                None => fact,
            };
            (fact, ENGLISH.audiences.note_advice(note))
        })
    }

    /// Whether a file has to be uploaded again to follow an advice.
    pub fn has_advice(&self) -> bool {
        self.notes.iter().any(|(_, note)| ENGLISH.audiences.note_advice(note).is_some())
    }

    /// The page with all of its rejected rows.
    pub fn all_rejected_path(&self) -> String {
        rejected_path(&self.name, None, self.sketch.as_deref())
    }

    /// The page with its rejected rows of one reason.
    pub fn rejected_path(&self, reason: impl Plain<Reason>) -> String {
        rejected_path(&self.name, Some(reason.plain()), self.sketch.as_deref())
    }
}

/// Recipients by country, most first.
pub fn countries(summary: Option<&Summary>) -> Vec<(String, u64)> {
    let all = summary.iter().flat_map(|summary| &summary.countries);
    let mut all: Vec<(String, u64)> = all.map(|(country, count)| (country.to_string(), *count)).collect();
    all.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    all
}

fn portion(part: u64, whole: u64) -> Portion {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    Portion::of(number(part), number(whole))
}

/// One audience.
#[derive(Debug, Template)]
#[template(path = "audience.html")]
pub struct AudiencePage {
    pub frame: Frame,
    pub contents: AudienceContents,
    /// Its files: name, recipients, when each was imported and by whom.
    pub files: Vec<(String, u32, Timestamp, Option<String>)>,
    pub campaigns: Vec<CampaignUse>,
    /// Whether more campaigns use it than are listed.
    pub has_older_campaigns: bool,
}

/// A campaign that uses an audience.
#[derive(Debug)]
pub struct CampaignUse {
    pub name: String,
    pub path: String,
    pub state: BatchState,
    pub created_at: Timestamp,
}

impl AudiencePage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The rejected rows of an audience, with fields for corrected numbers.
#[derive(Debug, Template)]
#[template(path = "rejected.html")]
pub struct RejectedPage {
    pub frame: Frame,
    pub name: String,
    pub rejection: Rejection,
    /// The reason whose rows are shown; `None` for all.
    pub reason: Option<Reason>,
    pub columns: Vec<String>,
    /// Index of the column with the numbers.
    pub number: Option<usize>,
    pub rows: Vec<ListedReject>,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
    /// Sent along with the form, to come back to this page.
    pub cursor: String,
    pub file: FileFields,
    /// The fields of the form for a corrected file.
    pub corrected_file: FileFields,
    /// The id of the unfinished campaign.
    pub sketch: Option<String>,
}

impl RejectedPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        audience_path(&self.name)
    }

    /// The reasons: name, number of rows, address, and whether it is this page.
    fn reasons(&self) -> Vec<(String, u64, String, &'static str)> {
        let current = |is_it: bool| if is_it { "page" } else { "false" };
        let path = |reason| rejected_path(&self.name, reason, self.sketch.as_deref());
        let all =
            (ENGLISH.audiences.all_reasons.to_owned(), self.rejection.rows, path(None), current(self.reason.is_none()));
        let each = |(reason, rows): &(Reason, u64)| {
            (ENGLISH.audiences.reason_name(*reason), *rows, path(Some(*reason)), current(self.reason == Some(*reason)))
        };
        std::iter::once(all).chain(self.rejection.reasons.iter().map(each)).collect()
    }

    /// The rows of one reason, with what to do about it.
    fn reason_path(&self, reason: impl Plain<Reason>) -> String {
        rejected_path(&self.name, Some(reason.plain()), self.sketch.as_deref())
    }

    fn csv_path(&self) -> String {
        match self.reason {
            Some(reason) => format!("{}/rejected/csv?reason={}", self.path(), encoded(reason.as_str())),
            None => format!("{}/rejected/csv", self.path()),
        }
    }

    /// The other columns that are shown: index and name.
    fn shown(&self) -> Vec<(usize, &str)> {
        let others = self.columns.iter().enumerate().filter(|(index, _)| Some(*index) != self.number);
        others.take(CELLS_SHOWN).map(|(index, name)| (index, name.as_str())).collect()
    }

    fn hidden(&self) -> usize {
        self.columns.len().saturating_sub(usize::from(self.number.is_some()) + CELLS_SHOWN)
    }

    fn cell(&self, row: &ListedReject, index: &usize) -> String {
        let cells = self.rows.len() * self.columns.len().clamp(1, CELLS_SHOWN);
        shortened(row.cells.get(*index).map_or("", String::as_str), CELL_BYTES.min(BYTES_SHOWN / cells.max(1)))
    }

    fn number_of(&self, row: &ListedReject) -> String {
        editable(self.number.and_then(|number| row.cells.get(number)).map_or("", String::as_str))
    }

    fn may_mend(&self, row: &ListedReject) -> bool {
        self.frame.may_manage() && is_mendable(row)
    }

    fn has_cut(&self) -> bool {
        self.rows.iter().any(|row| row.is_cut)
    }

    fn can_mend_any(&self) -> bool {
        self.number.is_some() && self.rows.iter().any(|row| self.may_mend(row))
    }

    /// How many rows of the reason there are, if this page does not have all of them.
    fn all_of_reason(&self) -> Option<u64> {
        let reason = self.reason.filter(|_| self.is_later || self.next.is_some())?;
        self.rejection.reasons.iter().find(|(of, _)| *of == reason).map(|(_, rows)| *rows)
    }

    fn field_name(&self, row: &ListedReject) -> String {
        mend_field(row.place)
    }
}

/// A cell with its control characters shown as signs, and at most so many bytes of HTML.
fn shortened(cell: &str, most: usize) -> String {
    let head: String = cell.chars().take(most).collect();
    let (mut text, mut bytes) = (String::new(), 0);
    for c in visible(head).chars() {
        bytes += if matches!(c, '<' | '>' | '&' | '"' | '\'') { "&#60;".len() } else { c.len_utf8() };
        if bytes > most {
            return format!("{text}…");
        }
        text.push(c);
    }
    if cell.chars().nth(most).is_some() { format!("{text}…") } else { text }
}

/// The name of the field with the number of a row.
fn mend_field(RejectedPlace { part, n }: RejectedPlace) -> String {
    format!("n-{}-{n}", part.0)
}

/// The row of a field with a number.
pub fn mended_place(field: &str) -> Option<RejectedPlace> {
    let (part, n) = field.strip_prefix("n-")?.split_once('-')?;
    Some(RejectedPlace { part: crate::base::domain::AudienceId(part.parse().ok()?), n: n.parse().ok()? })
}

/// A number as a field of a form can hold it: one line, in the order of its characters.
pub fn editable(cell: &str) -> String {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line: String = cell.chars().filter(|c| !c.is_control() && !turns(*c)).take(NUMBER_MAX).collect();
    line.trim().to_owned()
}

/// Whether another number makes a row valid. Of a row that is cut, texts would be missing.
pub const fn is_mendable(row: &ListedReject) -> bool {
    !row.is_cut
        && !matches!(
            row.reason,
            Reason::Duplicate
                | Reason::EarlierSource
                | Reason::OptedOut
                | Reason::IdTooLong
                | Reason::TooManyCells
                | Reason::TooMuchText
        )
}

/// Asks before an audience is deleted.
#[derive(Debug, Template)]
#[template(path = "delete_audience.html")]
pub struct DeleteAudiencePage {
    pub frame: Frame,
    pub name: String,
    pub recipients: u32,
    /// Campaigns that use it, which prevent it.
    pub campaigns: Vec<CampaignUse>,
    /// Unfinished campaigns with it: name and address.
    pub sketches: Vec<(String, String)>,
}

impl DeleteAudiencePage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        audience_path(&self.name)
    }
}

/// An import that is running, asks, or has failed.
#[derive(Debug, Template)]
#[template(path = "import.html")]
pub struct ImportPage {
    pub frame: Frame,
    pub file: String,
    pub rows: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub question: Option<CountryQuestion>,
    pub failed: Option<String>,
}

impl ImportPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn done(&self) -> String {
        portion(self.bytes_done, self.bytes_total).width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_has_at_most_so_many_bytes_of_html() {
        assert_eq!(shortened("Grüße", 7), "Grüße");
        assert_eq!(shortened("Grüße", 6), "Grüß…");
        assert_eq!(shortened("<b>&", 11), "<b>…");
        assert_eq!(shortened(&"x".repeat(9), 8), "xxxxxxxx…");
        assert_eq!(shortened("a\u{1b}b", 9), "a␛b");
    }

    #[test]
    fn a_field_names_its_row_and_holds_one_line() {
        let place = RejectedPlace { part: crate::base::domain::AudienceId(7), n: 12 };
        assert_eq!(mended_place(&mend_field(place)), Some(place));
        for wrong in ["n-7", "n--1-2", "n-7-", "m-7-12", "n-7-12-1"] {
            assert_eq!(mended_place(wrong), None, "{wrong}");
        }
        assert_eq!(editable(" 91\n23\u{202e} \u{2066}4 "), "9123 4");
        assert_eq!(editable(&"1".repeat(300)).len(), NUMBER_MAX);
    }
}
