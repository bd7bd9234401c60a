//! What whoever gave a file should know of it, beside its counts.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// Something that was understood of a file and might not have been meant. Serialises to an object of `kind` and `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    HiddenSheet {
        sheet: String,
    },
    OtherSheets {
        sheets: Vec<String>,
    },
    HiddenRows {
        rows: u64,
    },
    /// Areas of several rows that are one cell.
    MergedCells {
        areas: u64,
    },
    /// Cells whose formula came to an error.
    ErrorCells {
        cells: u64,
    },
    /// Cells that hold the text of such an error, as files do that were made of a spreadsheet.
    ErrorTexts {
        cells: u64,
    },
    /// Rows above the header, each with its line and what stands in it.
    Titles {
        rows: Vec<(u64, String)>,
    },
    NoHeader,
    /// Columns without a name of their own, or with that of another.
    NamedColumns {
        names: Vec<String>,
    },
    /// Cells that hold several numbers.
    SeveralNumbers(Rows),
    /// Cells that hold something beside their number.
    Words(Rows),
    Extensions(Rows),
    /// Accepted all the same.
    FixedLines(Rows),
    /// Numbers of which neither a `+` nor a country says whose they are.
    UntoldCountry(Rows),
    /// Numbers without a `+` of another country than the one that is told.
    OtherCountry(Rows),
    /// Rows of a sheet with something right of the table.
    BesideTable(Rows),
    /// It is called a country's, and names none that is known.
    NotACountry {
        column: String,
    },
    /// Columns that hold numbers as well as the one that was taken.
    OtherNumbers {
        taken: String,
        columns: Vec<String>,
    },
    /// Numbers lacked it, and have got it.
    AreaCodes {
        column: String,
        number: String,
    },
    /// Quoted cells over several lines with delimiters in them.
    LongQuotes {
        cells: u64,
        line: u64,
    },
    /// Accepted rows whose `ClientMessageId` an earlier one has.
    RepeatedIds {
        rows: u64,
    },
    /// Characters that are none in the encoding of the file.
    Damaged {
        characters: u64,
        encoding: &'static str,
    },
}

/// How many rows something concerns, and the line of the first of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rows {
    pub number: u64,
    pub line: u64,
}

impl Rows {
    pub(super) fn add(&mut self, line: u64) {
        if self.number == 0 {
            self.line = line;
        }
        self.number += 1;
    }

    /// Adds rows that come behind these.
    pub(super) fn take_in(&mut self, later: Self) {
        if self.number == 0 {
            self.line = later.line;
        }
        self.number += later.number;
    }
}

/// Names and titles that are shown.
const SHOWN: usize = 3;

impl Note {
    /// A word for programs.
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
            Self::FixedLines(_) => "fixed_lines",
            Self::UntoldCountry(_) => "untold_country",
            Self::OtherCountry(_) => "other_country",
            Self::BesideTable(_) => "beside_table",
            Self::NotACountry { .. } => "not_a_country",
            Self::OtherNumbers { .. } => "other_numbers",
            Self::AreaCodes { .. } => "area_codes",
            Self::LongQuotes { .. } => "long_quotes",
            Self::RepeatedIds { .. } => "repeated_ids",
            Self::Damaged { .. } => "damaged",
        }
    }

    /// A sentence for people.
    pub fn text(&self) -> String {
        match self {
            Self::HiddenSheet { sheet } => {
                format!("Sheet \"{sheet}\" is hidden in the spreadsheet; it was read all the same.")
            }
            Self::OtherSheets { sheets } => {
                format!("There are other sheets, which were not read: {}; choose one with --sheet.", listed(sheets))
            }
            Self::HiddenRows { rows: 1 } => {
                "1 row is hidden in the spreadsheet, by a filter perhaps; it was read all the same.".to_owned()
            }
            Self::HiddenRows { rows } => {
                format!("{rows} rows are hidden in the spreadsheet, by a filter perhaps; they were read all the same.")
            }
            Self::MergedCells { areas } => format!(
                "{} merged over several rows: what stands there belongs to the first of them, and the others have nothing.",
                if *areas == 1 { "1 area is".to_owned() } else { format!("{areas} areas are") }
            ),
            Self::ErrorCells { cells } => format!(
                "{} an error such as #N/A and no value; that is taken for empty.",
                if *cells == 1 { "1 cell holds".to_owned() } else { format!("{cells} cells hold") }
            ),
            Self::ErrorTexts { cells } => format!(
                "{} the text of a spreadsheet's error, such as #N/A; it stands in messages as it is, so mend the file.",
                if *cells == 1 { "1 cell holds".to_owned() } else { format!("{cells} cells hold") }
            ),
            Self::Titles { rows } => {
                let titles: Vec<String> = rows.iter().map(|(_, title)| title.clone()).collect();
                let (first, last) = (rows.first().map_or(0, |row| row.0), rows.last().map_or(0, |row| row.0));
                let lines = if first == last {
                    format!("Line {first} was taken for a title")
                } else {
                    format!("Lines {first} to {last} were taken for titles")
                };
                format!("{lines} of the table and left out: {}.", listed(&titles))
            }
            Self::NoHeader => {
                "The first row holds data, so the columns were named by their place; say what they are with --map."
                    .to_owned()
            }
            Self::NamedColumns { names } => {
                format!("Columns without a name, or with one that another has, are called {}.", listed(names))
            }
            Self::SeveralNumbers(rows) => {
                format!("{} several numbers{}; the first that exists was taken.", holding(*rows), from(*rows))
            }
            Self::Words(rows) => {
                format!("{} something beside the number{}, which was left out.", holding(*rows), from(*rows))
            }
            Self::Extensions(rows) => {
                format!("{} a number with an extension{}, which was left out.", holding(*rows), from(*rows))
            }
            Self::FixedLines(rows) => format!(
                "{} a fixed line or a service number{}, which messages hardly reach; --lines mobile leaves them out.",
                holding(*rows),
                from(*rows)
            ),
            Self::UntoldCountry(rows) => format!(
                "{} a number without + and without a country{}: its first digits were taken for a calling code. If the \
                 numbers are national, say of where with --country.",
                holding(*rows),
                from(*rows)
            ),
            Self::OtherCountry(rows) => format!(
                "{} a number of another country without its +{}; most numbers of the column begin with their calling code, \
                 so these were accepted.",
                holding(*rows),
                from(*rows)
            ),
            Self::BesideTable(rows) => {
                format!("{} something beside the table{}, which was left out.", holding(*rows), from(*rows))
            }
            Self::NotACountry { column } => {
                format!("\"{column}\" names no country that is known, so that of --country was taken for every row.")
            }
            Self::OtherNumbers { taken, columns } => format!(
                "There are phone numbers in {} as well; those of \"{taken}\" were taken. --map number=Column takes others.",
                listed(columns)
            ),
            Self::AreaCodes { column, number } => {
                format!("The numbers begin in \"{column}\" and go on in \"{number}\"; they were put together.")
            }
            Self::LongQuotes { cells, line } => format!(
                "{} over several lines that look like rows{}; if rows are missing, a quote there lacks its other half.",
                if *cells == 1 { "1 cell in quotes goes".to_owned() } else { format!("{cells} cells in quotes go") },
                from(Rows { number: *cells, line: *line })
            ),
            Self::RepeatedIds { rows } => format!(
                "{} a ClientMessageId that an earlier row has; each is a message of its own all the same.",
                if *rows == 1 { "1 row has".to_owned() } else { format!("{rows} rows have") }
            ),
            Self::Damaged { characters, encoding } => format!(
                "{} none in {encoding} and became \u{fffd}; say what the file is written in with \
                 --encoding.",
                if *characters == 1 { "1 character is".to_owned() } else { format!("{characters} characters are") }
            ),
        }
    }
}

fn holding(rows: Rows) -> String {
    if rows.number == 1 { "1 row holds".to_owned() } else { format!("{} rows hold", rows.number) }
}

fn from(rows: Rows) -> String {
    if rows.number == 1 { format!(" (line {})", rows.line) } else { format!(" (the first is line {})", rows.line) }
}

fn listed(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(SHOWN).map(|name| format!("\"{name}\"")).collect();
    if let Some(more) = names.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        list.push(format!("{more} more"));
    }
    list.join(", ")
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut note = serializer.serialize_struct("Note", 2)?;
        note.serialize_field("kind", self.kind())?;
        note.serialize_field("text", &self.text())?;
        note.end()
    }
}
