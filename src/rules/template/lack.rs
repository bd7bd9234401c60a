//! Why a variable has no value for a recipient.

use std::fmt;
use std::sync::Arc;

use super::bound::{Bound, BoundText, Origin};
use super::text::{filled, shortened};

/// What a recipient lacks for a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The column, or a value of the campaign.
    pub name: Arc<str>,
    pub cause: LackCause,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LackCause {
    /// The cell is empty.
    Empty,
    /// A filter cannot read the text.
    Unreadable { text: String },
    /// A choice without `others` has no text for this value.
    Unmatched { value: String },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, cause } = self;
        match cause {
            LackCause::Empty => f.write_str(name),
            LackCause::Unreadable { text } => write!(f, "{name}: \"{text}\" cannot be read"),
            LackCause::Unmatched { value } => write!(f, "{name}: no text for \"{value}\""),
        }
    }
}

impl BoundText {
    fn lack<T: AsRef<str>>(&self, fields: &[T]) -> Option<Lack> {
        self.variables().find_map(|variable| variable.lack(fields))
    }

    fn whole<T: AsRef<str>>(&self, fields: &[T]) -> String {
        let mut whole = String::new();
        // Only a text without a missing value is asked for.
        self.write(fields, &mut whole).unwrap_or_default();
        whole
    }
}

impl Bound {
    /// What a recipient lacks for it; `None` if it has a value or a default.
    pub(super) fn lack<T: AsRef<str>>(&self, fields: &[T]) -> Option<Lack> {
        if self.write(fields, &mut String::new()).is_ok() {
            return None;
        }
        let of = |cause| Some(Lack { name: Arc::clone(&self.name), cause });
        let unreadable = |text: &str| of(LackCause::Unreadable { text: shortened(text) });
        match &self.origin {
            Origin::Cell(column) => match filled(fields, *column) {
                None => of(LackCause::Empty),
                Some(text) => unreadable(text),
            },
            Origin::Text(text) => text.lack(fields).or_else(|| unreadable(&text.whole(fields))),
            Origin::Choice(choice) => {
                if let Ok(text) = choice.text(fields) {
                    return text.lack(fields).or_else(|| unreadable(&text.whole(fields)));
                }
                let mut value = String::new();
                match choice.by.write(fields, &mut value) {
                    Ok(()) => of(LackCause::Unmatched { value: shortened(&value) }),
                    Err(_) => choice.by.lack(fields),
                }
            }
        }
    }
}
