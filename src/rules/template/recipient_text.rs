//! A text of a step for one recipient after another, outside of any request.

use std::collections::BTreeSet;

use super::bound::{BoundPiece, BoundText};
use crate::base::domain::{ContentPart, Names, Step};

/// A text of a step with its variables bound.
#[derive(Debug, Clone)]
pub struct RecipientText {
    pub part: ContentPart,
    text: BoundText,
}

impl RecipientText {
    /// The id by which a step addresses its recipients; `None` if it addresses them by number.
    pub fn user_id(step: &Step, names: Names<'_>) -> Option<Self> {
        let text = BoundText::bind(step.user_id.as_deref()?, names).ok()?;
        Some(Self { part: ContentPart::LineUserId, text })
    }

    /// The addresses of a step's files that begin with a variable: only the values tell where the file is.
    pub fn file_addresses(step: &Step, names: Names<'_>) -> Vec<Self> {
        let bound = step.content.media().into_iter().filter_map(|media| {
            let text = BoundText::bind(&media.text, names).ok()?;
            let begins_with_cell =
                matches!(text.0.first(), Some(BoundPiece::Variable(variable)) if !variable.is_constant());
            begins_with_cell.then_some(Self { part: media.part, text })
        });
        bound.collect()
    }

    /// The text of a recipient; `None` if a variable has no value.
    pub fn fill<T: AsRef<str>>(&self, fields: &[T]) -> Option<String> {
        let mut out = String::new();
        self.text.write(fields, &mut out).ok().map(|()| out)
    }

    /// The columns that it takes values from.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        self.text.columns(&mut found);
        found
    }
}
