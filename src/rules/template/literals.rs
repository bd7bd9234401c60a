//! The texts of a content as far as they are the same for every recipient.

use super::bound::BoundText;
use super::error::Error;
use crate::base::domain::{Content, ContentPart, Names};

/// The texts of a content as far as they are the same for every recipient: without the variables that differ.
pub fn literals(content: &Content, names: Names<'_>) -> Result<Vec<(ContentPart, String)>, Error> {
    let mut found = Vec::new();
    content.each_text(|part, text| {
        let bound = BoundText::bind(text, names).map_err(|problem| Error { part: part.clone(), problem })?;
        found.push((part, bound.constant()));
        Ok(())
    })?;
    Ok(found)
}
