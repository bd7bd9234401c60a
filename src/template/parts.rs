//! Counts the parts of each recipient's SMS without rendering the request.

use std::borrow::Cow;

use super::error::Error;
use super::sms::segments;
use super::text::{Piece, filled, pieces};
use crate::domain::{ContentPart, SmsEncoding, find_column};

/// A parsed SMS text whose parts are counted for one recipient after another.
#[derive(Debug, Clone)]
pub struct PartsOf {
    pieces: Vec<Counted>,
    encoding: SmsEncoding,
    /// The parts of every recipient's text, if it has no variables.
    of_all: Option<u64>,
}

#[derive(Debug, Clone)]
enum Counted {
    Literal(String),
    Field { column: usize, default: Option<String> },
}

impl PartsOf {
    pub fn new(text: &str, encoding: SmsEncoding, columns: &[String]) -> Result<Self, Error> {
        let at = |problem| Error { part: ContentPart::Text, problem };
        let counted = |piece: Piece<'_>| match piece {
            Piece::Literal(text) => Ok(Counted::Literal(text.to_owned())),
            Piece::Variable { name, default } => {
                let column = find_column(name, columns).map_err(|error| at(error.into()))?;
                Ok(Counted::Field { column, default: default.map(str::to_owned) })
            }
        };
        let all = pieces(text).map_err(at)?;
        let differs = all.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        let pieces = all.into_iter().map(counted).collect::<Result<_, Error>>()?;
        let of_all = (!differs).then(|| segments(text, encoding).parts as u64);
        Ok(Self { pieces, encoding, of_all })
    }

    /// Counts the parts for a recipient. A missing value counts as empty: such a recipient gets no message anyway.
    pub fn count(&self, fields: &[Cow<'_, str>]) -> u64 {
        if let Some(parts) = self.of_all {
            return parts;
        }
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Counted::Literal(literal) => text.push_str(literal),
                Counted::Field { column, default } => {
                    text.push_str(filled(fields, *column).or(default.as_deref()).unwrap_or_default());
                }
            }
        }
        segments(&text, self.encoding).parts as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_for_each_recipients_own_text() {
        let columns = ["Name".to_owned()];
        let of = |text: &str, name: &str| {
            PartsOf::new(text, SmsEncoding::Auto, &columns).unwrap().count(&[Cow::Borrowed(name)])
        };
        assert_eq!((of("Hello", ""), of(&"x".repeat(161), "")), (1, 2));
        assert_eq!((of("Hi {{Name|you}}", "Ann"), of("Hi {{Name|you}}", &"x".repeat(160))), (1, 2));
        // With one letter beyond GSM-7, a part holds 70 characters.
        assert_eq!(
            (
                of(&format!("{}{{{{Name}}}}", "x".repeat(100)), "Ann"),
                of(&format!("{}{{{{Name}}}}", "x".repeat(100)), "Žofie")
            ),
            (1, 2)
        );
        assert!(PartsOf::new("Hi {{Nobody}}", SmsEncoding::Auto, &columns).is_err());
    }
}
