//! Cuts a text after some characters, as a reader counts them.

use std::fmt::{self, Write};

use unicode_segmentation::UnicodeSegmentation;

use super::FilterProblem;
use super::call::Argument;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rules::template) struct Truncate {
    /// The most characters, the mark included.
    limit: usize,
    /// What a cut text ends with.
    mark: Box<str>,
    /// The characters of the mark.
    mark_len: usize,
}

impl Truncate {
    /// Reads `truncate(20)` or `truncate(20, "…")`; `None` for other arguments.
    pub(super) fn of(arguments: &[Argument<'_>]) -> Result<Option<Self>, FilterProblem> {
        let (limit, mark) = match arguments {
            [Argument::Number(limit)] => (*limit, ""),
            [Argument::Number(limit), Argument::Text(mark)] => (*limit, *mark),
            _ => return Ok(None),
        };
        let Ok(limit) = usize::try_from(limit) else { return Ok(None) };
        let mark_len = mark.graphemes(true).count();
        if limit == 0 {
            return Ok(None);
        }
        if mark_len >= limit {
            return Err(FilterProblem::LongMark { limit, mark: mark.to_owned() });
        }
        Ok(Some(Self { limit, mark: mark.into(), mark_len }))
    }

    pub(super) fn write(&self, text: &str, out: &mut dyn Write) -> fmt::Result {
        // A text has no more characters than bytes.
        if text.len() <= self.limit || text.graphemes(true).nth(self.limit).is_none() {
            return out.write_str(text);
        }
        let kept = text.grapheme_indices(true).nth(self.limit - self.mark_len).map_or(text.len(), |(end, _)| end);
        out.write_str(text[..kept].trim_end())?;
        out.write_str(&self.mark)
    }
}
