//! What a client states about a file, as JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DefaultCountry, Lines, Mapping, Options, SheetChoice, delimiter, encoding};

/// What a client states about a file. The import detects the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(example = json!({"country": "SG", "map": {"FirstName": "Vorname"}}))]
pub struct FileSettings {
    /// Default country for numbers without a country code, such as SG, in rows that name no country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<DefaultCountry>,
    /// Encoding of a text file, such as UTF-8, windows-1252 or Shift_JIS. Default: detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    /// Separator between the cells of a text file: , ; | or tab. Default: detected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// Sheet of a spreadsheet, by name or number. Default: the first that contains phone numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The first row contains data. Columns are then named Column 1, Column 2. Default: detected.
    pub no_header: bool,
    /// Meanings of columns: `number`, `country`, `ClientMessageId` or the name that templates use, each with its column.
    pub map: BTreeMap<String, String>,
    /// Accept every occurrence of a number.
    pub keep_duplicates: bool,
    /// Types of numbers to accept, in countries that distinguish them: `any`, or `mobile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "any")]
    pub lines: Option<String>,
}

/// A setting with an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct InvalidSetting {
    pub key: &'static str,
    pub problem: String,
}

fn parsed<T>(
    key: &'static str,
    text: Option<&String>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, InvalidSetting> {
    text.map(|text| parse(text).map_err(|problem| InvalidSetting { key, problem })).transpose()
}

impl FileSettings {
    pub fn options(&self) -> Result<Options, InvalidSetting> {
        let map = self.map.iter().map(|(name, column)| match (name.trim(), column.trim()) {
            ("", _) | (_, "") => {
                let problem = "a name and a column each need a visible character".to_owned();
                Err(InvalidSetting { key: "map", problem })
            }
            (name, column) => Ok(Mapping { name: name.to_owned(), column: column.to_owned() }),
        });
        Ok(Options {
            country: self.country,
            keep_duplicates: self.keep_duplicates,
            encoding: parsed("encoding", self.encoding.as_ref(), encoding)?,
            delimiter: parsed("delimiter", self.delimiter.as_ref(), delimiter)?,
            sheet: parsed("sheet", self.sheet.as_ref(), str::parse::<SheetChoice>)?,
            no_header: self.no_header,
            lines: parsed("lines", self.lines.as_ref(), str::parse::<Lines>)?.unwrap_or_default(),
            map: map.collect::<Result<_, _>>()?,
            ..Options::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_become_options_and_a_wrong_one_is_named() {
        let settings: FileSettings = serde_json::from_str(
            r#"{"country": "SG", "encoding": "Shift_JIS", "delimiter": "tab", "sheet": "2", "no_header": true,
                "map": {"FirstName": " Vorname "}, "keep_duplicates": true, "lines": "mobile"}"#,
        )
        .unwrap();
        let wanted = Options {
            country: Some("SG".parse().unwrap()),
            encoding: Some(encoding_rs::SHIFT_JIS),
            delimiter: Some(b'\t'),
            sheet: Some(SheetChoice::Numbered(2)),
            no_header: true,
            map: vec![Mapping { name: "FirstName".to_owned(), column: "Vorname".to_owned() }],
            keep_duplicates: true,
            lines: Lines::Mobile,
            ..Options::default()
        };
        assert_eq!(settings.options().unwrap(), wanted);
        let back: FileSettings = serde_json::from_str(&serde_json::to_string(&settings).unwrap()).unwrap();
        assert_eq!(back, settings);
        for (text, key) in [
            (r#"{"encoding": "EBCDIC-9"}"#, "encoding"),
            (r#"{"delimiter": "+"}"#, "delimiter"),
            (r#"{"sheet": "0"}"#, "sheet"),
            (r#"{"lines": "all"}"#, "lines"),
            (r#"{"map": {"number": " "}}"#, "map"),
        ] {
            let settings: FileSettings = serde_json::from_str(text).unwrap();
            assert_eq!(settings.options().unwrap_err().key, key);
        }
        assert!(serde_json::from_str::<FileSettings>(r#"{"country": "XX"}"#).is_err());
        assert!(serde_json::from_str::<FileSettings>(r#"{"colour": "red"}"#).is_err());
    }
}
