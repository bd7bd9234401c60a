//! Notes about a file that the operator should know, besides its counts.

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

/// A note: how the import read something in a file that may be unintended. Serialises to its kind and its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ImportNote {
    HiddenSheet {
        sheet: String,
    },
    OtherSheets {
        sheets: Vec<String>,
    },
    HiddenRows {
        rows: u64,
    },
    /// Merged cells that span several rows.
    MergedCells {
        areas: u64,
    },
    /// Cells whose formula gives an error.
    ErrorCells {
        cells: u64,
    },
    /// Cells with the text of a formula error, as in files exported from a spreadsheet.
    ErrorTexts {
        cells: u64,
    },
    /// Rows above the header, each with its line and text.
    Titles {
        rows: Vec<(u64, String)>,
    },
    NoHeader,
    /// Columns without a name, or with a repeated name.
    NamedColumns {
        names: Vec<String>,
    },
    /// Cells with several numbers.
    SeveralNumbers(RowCount),
    /// Cells with other text besides their number.
    Words(RowCount),
    Extensions(RowCount),
    /// Accepted landlines and service numbers.
    Landlines(RowCount),
    /// Numbers with neither a `+` nor a known country.
    UntoldCountry(RowCount),
    /// Numbers without a `+` of another country than expected.
    OtherCountry(RowCount),
    /// National numbers of another country than the given one, with the same calling code.
    SharedCode(RowCount),
    /// Rows of a sheet with text to the right of the table.
    BesideTable(RowCount),
    /// Accepted rows without a number, with an id of WhatsApp.
    WithoutNumber(RowCount),
    /// A country column without any known country.
    NotACountry {
        column: String,
    },
    /// Other columns with phone numbers, besides the one that was used.
    OtherNumbers {
        taken: String,
        columns: Vec<String>,
    },
    /// Area codes of one column were joined with the numbers of another.
    AreaCodes {
        column: String,
        number: String,
    },
    /// Quoted cells that span several lines and contain delimiters.
    LongQuotes {
        cells: u64,
        line: u64,
    },
    /// Accepted rows whose `ClientMessageId` an earlier row has.
    RepeatedIds {
        rows: u64,
    },
    /// Characters that are invalid in the file's encoding.
    Damaged {
        characters: u64,
        encoding: &'static Encoding,
    },
}

/// A number of rows, and the line of the first one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCount {
    pub number: u64,
    pub line: u64,
}

impl RowCount {
    pub(super) fn add(&mut self, line: u64) {
        if self.number == 0 {
            self.line = line;
        }
        self.number += 1;
    }

    /// Adds later rows.
    pub(super) fn merge(&mut self, later: Self) {
        if self.number == 0 {
            self.line = later.line;
        }
        self.number += later.number;
    }

    /// The sentence about rows with several numbers in a list that takes all of them.
    pub(super) fn all_numbers_read(self) -> String {
        format!("{} several numbers{}; each valid one was used.", containing(self), first_line(self))
    }
}

/// Number of names or titles that a note lists.
const SHOWN: usize = 3;

impl ImportNote {
    /// The machine-readable kind.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HiddenSheet { .. } => "hidden_sheet",
            Self::OtherSheets { .. } => "other_sheets",
            Self::HiddenRows { .. } => "hidden_rows",
            Self::MergedCells { .. } => "merged_cells",
            Self::ErrorCells { .. } => "error_cells",
            Self::ErrorTexts { .. } => "error_texts",
            Self::Titles { .. } => "titles",
            Self::NoHeader => "no_header",
            Self::NamedColumns { .. } => "named_columns",
            Self::SeveralNumbers(_) => "several_numbers",
            Self::Words(_) => "words",
            Self::Extensions(_) => "extensions",
            Self::Landlines(_) => "landlines",
            Self::UntoldCountry(_) => "untold_country",
            Self::OtherCountry(_) => "other_country",
            Self::SharedCode(_) => "shared_code",
            Self::BesideTable(_) => "beside_table",
            Self::WithoutNumber(_) => "without_number",
            Self::NotACountry { .. } => "not_a_country",
            Self::OtherNumbers { .. } => "other_numbers",
            Self::AreaCodes { .. } => "area_codes",
            Self::LongQuotes { .. } => "long_quotes",
            Self::RepeatedIds { .. } => "repeated_ids",
            Self::Damaged { .. } => "damaged",
        }
    }

    /// What was found, and what a command can do about it.
    pub fn text(&self) -> String {
        match self.advice() {
            Some(advice) => format!("{} {advice}", self.fact()),
            None => self.fact(),
        }
    }

    /// What only a command can do about it.
    const fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::OtherSheets { .. } => "Choose one with --sheet.",
            Self::NoHeader => "Name them with --map.",
            Self::Landlines(_) => "Leave such numbers out with --lines mobile.",
            Self::UntoldCountry(_) | Self::NotACountry { .. } => {
                "If numbers are national, give their country with --country."
            }
            Self::OtherNumbers { .. } => "Choose others with --map number=Column.",
            Self::Damaged { .. } => "Give the encoding of the file with --encoding.",
            _ => return None,
        })
    }

    /// What was found, as operators see it, with what to do about it wherever they are.
    pub fn fact(&self) -> String {
        match self {
            Self::HiddenSheet { sheet } => {
                format!("Sheet \"{sheet}\" is hidden in the spreadsheet; it was read anyway.")
            }
            Self::OtherSheets { sheets } => {
                format!("Other sheets were not read: {}.", listed(sheets))
            }
            Self::HiddenRows { rows: 1 } => {
                "1 row is hidden in the spreadsheet, perhaps by a filter; it was read anyway.".to_owned()
            }
            Self::HiddenRows { rows } => {
                format!("{rows} rows are hidden in the spreadsheet, perhaps by a filter; they were read anyway.")
            }
            Self::MergedCells { areas } => format!(
                "{} merged over several rows: the first row has the value, and the others are empty.",
                if *areas == 1 { "1 area is".to_owned() } else { format!("{areas} areas are") }
            ),
            Self::ErrorCells { cells } => format!(
                "{} a formula error such as #N/A; these count as empty.",
                if *cells == 1 { "1 cell contains".to_owned() } else { format!("{cells} cells contain") }
            ),
            Self::ErrorTexts { cells } => format!(
                "{} the text of a formula error, such as #N/A; messages would show it, so correct the file.",
                if *cells == 1 { "1 cell contains".to_owned() } else { format!("{cells} cells contain") }
            ),
            Self::Titles { rows } => {
                let titles: Vec<String> = rows.iter().map(|(_, title)| title.clone()).collect();
                let (first, last) = (rows.first().map_or(0, |row| row.0), rows.last().map_or(0, |row| row.0));
                let lines = if first == last {
                    format!("Line {first} was read as a title")
                } else {
                    format!("Lines {first} to {last} were read as titles")
                };
                format!("{lines} and skipped: {}.", listed(&titles))
            }
            Self::NoHeader => "The first row contains data, so the columns are numbered.".to_owned(),
            Self::NamedColumns { names } => {
                format!("Columns without a name, or with a repeated one, are named {}.", listed(names))
            }
            Self::SeveralNumbers(rows) => {
                format!("{} several numbers{}; the first valid one was used.", containing(*rows), first_line(*rows))
            }
            Self::Words(rows) => {
                format!("{} other text besides the number{}; it was ignored.", containing(*rows), first_line(*rows))
            }
            Self::Extensions(rows) => {
                format!(
                    "{} a number with an extension{}; the extension was ignored.",
                    containing(*rows),
                    first_line(*rows)
                )
            }
            Self::Landlines(rows) => format!(
                "{}{}; few messages arrive there.",
                match rows.number {
                    1 => "1 number is a landline or service number".to_owned(),
                    number => format!("{number} numbers are landline or service numbers"),
                },
                first_line(*rows)
            ),
            Self::UntoldCountry(rows) => format!(
                "{} a number without + and without a country{}: its first digits were read as a calling code.",
                containing(*rows),
                first_line(*rows)
            ),
            Self::OtherCountry(rows) => format!(
                "{} a number of another country without its +{}; most numbers in the column begin with their calling code, \
                 so these were accepted.",
                containing(*rows),
                first_line(*rows)
            ),
            Self::SharedCode(rows) => format!(
                "{} a number without + of another country than the given one, which shares its calling code{}; the \
                 number's own country was used, so check that messages may be sent there.",
                containing(*rows),
                first_line(*rows)
            ),
            Self::BesideTable(rows) => {
                format!("{} text beside the table{}; it was ignored.", containing(*rows), first_line(*rows))
            }
            Self::WithoutNumber(rows) => format!(
                "{} no number{}, but the id of a WhatsApp user: only WhatsApp reaches {}.",
                if rows.number == 1 { "1 row has".to_owned() } else { format!("{} rows have", rows.number) },
                first_line(*rows),
                if rows.number == 1 { "this recipient" } else { "these recipients" }
            ),
            Self::NotACountry { column } => {
                format!("\"{column}\" contains no known country, so it was ignored.")
            }
            Self::OtherNumbers { taken, columns } => {
                format!("There are phone numbers in {} too; those of \"{taken}\" were used.", listed(columns))
            }
            Self::AreaCodes { column, number } => {
                format!("The numbers are split over \"{column}\" and \"{number}\"; they were joined.")
            }
            Self::LongQuotes { cells, line } => format!(
                "{} several lines that look like rows{}; if rows are missing, a closing quote is missing there.",
                if *cells == 1 { "1 quoted cell spans".to_owned() } else { format!("{cells} quoted cells span") },
                first_line(RowCount { number: *cells, line: *line })
            ),
            Self::RepeatedIds { rows } => format!(
                "{} a ClientMessageId that an earlier row has; each row still becomes its own message.",
                if *rows == 1 { "1 row has".to_owned() } else { format!("{rows} rows have") }
            ),
            Self::Damaged { characters, encoding } => format!(
                "{} invalid in {} and became \u{fffd}.",
                if *characters == 1 { "1 character is".to_owned() } else { format!("{characters} characters are") },
                encoding.name()
            ),
        }
    }
}

fn containing(rows: RowCount) -> String {
    if rows.number == 1 { "1 row contains".to_owned() } else { format!("{} rows contain", rows.number) }
}

fn first_line(rows: RowCount) -> String {
    if rows.number == 1 { format!(" (line {})", rows.line) } else { format!(" (first in line {})", rows.line) }
}

fn listed(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        list.push(format!("{more} more"));
    }
    list.join(", ")
}
