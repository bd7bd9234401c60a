//! Variables that are bound to the columns of an audience and to the values of a campaign.
//!
//! A colon may belong to a name or begin a filter: of the names that a variable can begin with, the longest known one
//! counts.

use std::collections::{BTreeSet, HashSet};
use std::fmt::{self, Write};
use std::sync::Arc;

use super::error::ContentProblem;
use super::filter::{self, Filter, calls};
use super::sink::Sink;
use super::text::{Piece, Written, filled, is_blank, pieces};
use crate::base::domain::{Choice, ColumnError, Names, ValueRule, count_steps, find_column, nearest};

/// A text whose variables are bound.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct BoundText(pub(super) Vec<BoundPiece>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BoundPiece {
    Literal(Box<str>),
    Variable(Bound),
}

/// A bound variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    /// The name of the column or of the value.
    pub(super) name: Arc<str>,
    pub(super) origin: Origin,
    filters: Box<[Filter]>,
    /// The text if there is no value.
    default: Option<Box<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The index of a column in a recipient's fields.
    Cell(usize),
    /// A constant, or a text made of other variables.
    Text(BoundText),
    Choice(Box<BoundChoice>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BoundChoice {
    pub(super) by: Bound,
    /// In the order of their values.
    texts: Vec<(Box<str>, BoundText)>,
    others: Option<BoundText>,
}

/// The most literals and variables that the texts of a content may be made of, with what their variables stand for. Values
/// within values could have any number.
const PIECES_MAX: usize = 10_000;
/// The most characters of the same.
const CHARACTERS_MAX: usize = 1_000_000;

/// What is left for the texts of one content.
#[derive(Debug)]
pub(super) struct Budget {
    pieces: usize,
    characters: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { pieces: PIECES_MAX, characters: CHARACTERS_MAX }
    }
}

impl BoundText {
    /// Binds the variables of a text.
    pub(super) fn bind(text: &str, names: Names<'_>) -> Result<Self, ContentProblem> {
        Self::bind_within(text, names, &mut Budget::default())
    }

    /// The same for one of several texts.
    pub(super) fn bind_within(text: &str, names: Names<'_>, left: &mut Budget) -> Result<Self, ContentProblem> {
        Binder::new(names, left).text(text)
    }

    /// Writes the text of a recipient; fails with the name of what has no value.
    pub(super) fn write<T: AsRef<str>>(&self, fields: &[T], out: &mut impl Sink) -> Result<(), &Arc<str>> {
        self.0.iter().try_for_each(|piece| match piece {
            BoundPiece::Literal(text) => {
                out.put(text);
                Ok(())
            }
            BoundPiece::Variable(variable) => variable.write(fields, out),
        })
    }

    /// Whether the text is the same for every recipient.
    pub(super) fn is_constant(&self) -> bool {
        self.variables().all(Bound::is_constant)
    }

    /// The text without the variables that differ between recipients.
    pub(super) fn constant(&self) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                BoundPiece::Literal(literal) => text.push_str(literal),
                BoundPiece::Variable(variable) if variable.is_constant() => {
                    // One without a value adds nothing.
                    variable.write::<&str>(&[], &mut text).unwrap_or_default();
                }
                BoundPiece::Variable(_) => {}
            }
        }
        text
    }

    /// The text, if it is the same for every recipient and stands in one piece.
    fn literal(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [BoundPiece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Adds the columns that it names.
    pub(super) fn columns(&self, found: &mut BTreeSet<usize>) {
        self.variables().for_each(|variable| variable.columns(found));
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = &Bound> {
        self.0.iter().filter_map(|piece| match piece {
            BoundPiece::Literal(_) => None,
            BoundPiece::Variable(variable) => Some(variable),
        })
    }
}

impl Bound {
    /// Binds one variable of a text.
    pub(super) fn bind(written: Written<'_>, names: Names<'_>, left: &mut Budget) -> Result<Self, ContentProblem> {
        Binder::new(names, left).variable(written)
    }

    /// Writes the value of a recipient, else the default. Without both, `out` is unchanged, and the result names what has
    /// no value.
    pub(super) fn write<T: AsRef<str>>(&self, fields: &[T], out: &mut impl Sink) -> Result<(), &Arc<str>> {
        let before = out.len();
        self.write_value(fields, out).or_else(|missing| {
            out.truncate(before);
            out.put(self.default.as_deref().ok_or(missing)?);
            Ok(())
        })
    }

    fn write_value<T: AsRef<str>>(&self, fields: &[T], out: &mut impl Sink) -> Result<(), &Arc<str>> {
        match &self.origin {
            Origin::Cell(column) => self.write_changed(filled(fields, *column).ok_or(&self.name)?, out),
            Origin::Text(text) => self.write_text(text, fields, out),
            Origin::Choice(choice) => self.write_text(choice.text(fields)?, fields, out),
        }
    }

    fn write_text<'a, T: AsRef<str>>(
        &'a self,
        text: &'a BoundText,
        fields: &[T],
        out: &mut impl Sink,
    ) -> Result<(), &'a Arc<str>> {
        match text.literal() {
            _ if self.filters.is_empty() => text.write(fields, out),
            Some(literal) => self.write_changed(literal, out),
            None => {
                let mut whole = String::new();
                text.write(fields, &mut whole)?;
                self.write_changed(&whole, out)
            }
        }
    }

    fn write_changed(&self, value: &str, out: &mut impl Sink) -> Result<(), &Arc<str>> {
        if self.filters.is_empty() {
            out.put(value);
            return Ok(());
        }
        let mut noted = NotesInk { out, has_ink: is_blank(value) };
        match filter::write(&self.filters, value, &mut noted) {
            // A blank text is no value, wherever it comes from.
            Ok(()) if noted.has_ink => Ok(()),
            _ => Err(&self.name),
        }
    }

    /// Whether the value is the same for every recipient.
    pub(super) fn is_constant(&self) -> bool {
        match &self.origin {
            Origin::Cell(_) => false,
            Origin::Text(text) => text.is_constant(),
            Origin::Choice(choice) => {
                let mut all = choice.texts.iter().map(|(_, text)| text).chain(&choice.others);
                choice.by.is_constant() && all.all(BoundText::is_constant)
            }
        }
    }

    /// Whether it can be missing although no cell is empty: a filter cannot read every text, and a choice may have no
    /// text for a value.
    pub(super) fn may_be_unreadable(&self) -> bool {
        self.default.is_none()
            && (self.filters.iter().any(Filter::reads)
                || match &self.origin {
                    Origin::Cell(_) => false,
                    Origin::Text(text) => text.variables().any(Self::may_be_unreadable),
                    Origin::Choice(_) => true,
                })
    }

    /// Adds the columns that it reads, also where only its choice or its values do.
    fn columns(&self, found: &mut BTreeSet<usize>) {
        match &self.origin {
            Origin::Cell(column) => _ = found.insert(*column),
            Origin::Text(text) => text.columns(found),
            Origin::Choice(choice) => {
                choice.by.columns(found);
                choice.texts.iter().map(|(_, text)| text).chain(&choice.others).for_each(|text| text.columns(found));
            }
        }
    }

    /// Adds the columns without whose cell it has no value.
    pub(super) fn needed_columns(&self, found: &mut Vec<(usize, Arc<str>)>) {
        match &self.origin {
            _ if self.default.is_some() => {}
            Origin::Cell(column) => found.push((*column, Arc::clone(&self.name))),
            Origin::Text(text) => text.variables().for_each(|variable| variable.needed_columns(found)),
            Origin::Choice(choice) if choice.others.is_none() => choice.by.needed_columns(found),
            Origin::Choice(_) => {}
        }
    }

    /// Adds the columns whose cells are part of its text.
    pub(super) fn shown_columns(&self, found: &mut Vec<(usize, Arc<str>)>) {
        match &self.origin {
            Origin::Cell(column) => found.push((*column, Arc::clone(&self.name))),
            Origin::Text(text) => text.variables().for_each(|variable| variable.shown_columns(found)),
            Origin::Choice(choice) => {
                let all = choice.texts.iter().map(|(_, text)| text).chain(&choice.others);
                all.flat_map(BoundText::variables).for_each(|variable| variable.shown_columns(found));
            }
        }
    }
}

/// Passes a text on, and notes whether any character of it is visible.
struct NotesInk<'a, S> {
    out: &'a mut S,
    has_ink: bool,
}

impl<S: Sink> Write for NotesInk<'_, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.has_ink = self.has_ink || !is_blank(text);
        self.out.write_str(text)
    }
}

impl BoundChoice {
    /// The text for a recipient; fails with the name of what has no value.
    pub(super) fn text<T: AsRef<str>>(&self, fields: &[T]) -> Result<&BoundText, &Arc<str>> {
        let of = |value: &str| {
            let found = self.texts.binary_search_by(|(own, _)| (**own).cmp(value)).ok();
            found.and_then(|at| self.texts.get(at)).map(|(_, text)| text)
        };
        let chosen = match &self.by {
            Bound { origin: Origin::Cell(column), filters, .. } if filters.is_empty() => {
                filled(fields, *column).and_then(of)
            }
            by => {
                let mut value = String::new();
                by.write(fields, &mut value).ok().and_then(|()| of(&value))
            }
        };
        chosen.or(self.others.as_ref()).ok_or(&self.by.name)
    }
}

/// Binds variables, and the values that they name.
struct Binder<'a, 'b> {
    names: Names<'a>,
    /// The values whose texts are being bound, each within the one before.
    within: Vec<&'a str>,
    /// The names with a colon that a variable can begin with, in lower case. Most audiences have none.
    with_colon: HashSet<String>,
    left: &'b mut Budget,
}

impl<'a, 'b> Binder<'a, 'b> {
    fn new(names: Names<'a>, left: &'b mut Budget) -> Self {
        let all = names.columns.iter().chain(names.values.0.keys());
        let with_colon = all.filter(|name| name.contains(':')).map(|name| name.trim().to_lowercase()).collect();
        Self { names, within: Vec::new(), with_colon, left }
    }

    fn text(&mut self, text: &str) -> Result<BoundText, ContentProblem> {
        let bound = pieces(text)?.into_iter().map(|piece| {
            self.take_piece()?;
            Ok(match piece {
                Piece::Literal(literal) => {
                    self.take_characters(literal)?;
                    BoundPiece::Literal(literal.into())
                }
                Piece::Variable(written) => BoundPiece::Variable(self.variable(written)?),
            })
        });
        Ok(BoundText(bound.collect::<Result<_, ContentProblem>>()?))
    }

    fn take_piece(&mut self) -> Result<(), ContentProblem> {
        let left = self.left.pieces.checked_sub(1);
        self.left.pieces = left.ok_or_else(|| ContentProblem::TooLarge { what: self.what(), most: PIECES_MAX })?;
        Ok(())
    }

    fn take_characters(&mut self, text: &str) -> Result<(), ContentProblem> {
        let left = self.left.characters.checked_sub(text.chars().count());
        self.left.characters =
            left.ok_or_else(|| ContentProblem::TooLong { what: self.what(), most: CHARACTERS_MAX })?;
        Ok(())
    }

    /// What has become too large.
    fn what(&self) -> String {
        self.within.first().map_or_else(|| "the text".to_owned(), |name| format!("\"{name}\""))
    }

    fn variable(&mut self, written: Written<'_>) -> Result<Bound, ContentProblem> {
        let head = written.head;
        let colons = head.match_indices(':').map(|(at, _)| at);
        // From the longest name to the shortest, which alone is also looked for by its meaning.
        for end in std::iter::once(head.len()).chain(colons.rev()) {
            let name = head[..end].trim_end();
            if let Some((name, origin)) = self.origin(name)? {
                let filters = filters_of(written, end)?;
                let default = written.default.unwrap_or_default();
                self.take_characters(default)?;
                return Ok(Bound { name, origin, filters, default: written.default.map(Into::into) });
            }
        }
        Err(self.unknown(head).into())
    }

    /// Finds a value or a column by its name; a column also by the meaning of the name, if that has no colon.
    fn origin(&mut self, name: &str) -> Result<Option<(Arc<str>, Origin)>, ContentProblem> {
        if name.contains(':') && (self.with_colon.is_empty() || !self.with_colon.contains(&name.to_lowercase())) {
            return Ok(None);
        }
        if let Some((name, rule)) = self.names.values.find(name) {
            return Ok(Some((name.into(), self.value(name, rule)?)));
        }
        let columns = self.names.columns;
        count_steps(columns.len());
        match find_column(name, columns) {
            Ok(column) => Ok(Some((columns[column].as_str().into(), Origin::Cell(column)))),
            Err(ColumnError::Unknown { .. }) => Ok(None),
            Err(error @ ColumnError::Ambiguous { .. }) => Err(error.into()),
        }
    }

    fn unknown(&self, head: &str) -> ColumnError {
        let values = self.names.values.0.keys();
        let all: Vec<String> = self.names.columns.iter().chain(values).cloned().collect();
        let name = match head.split_once(':') {
            // A misspelled name with a colon, or a misspelled name before a filter.
            Some((name, _)) if nearest(head, all.iter().map(String::as_str)).is_none() => name.trim_end(),
            Some(_) | None => head,
        };
        ColumnError::Unknown { name: name.to_owned(), columns: all }
    }

    fn value(&mut self, name: &'a str, rule: &'a ValueRule) -> Result<Origin, ContentProblem> {
        if let Some(first) = self.within.iter().position(|within| *within == name) {
            let circle = self.within[first..].iter().chain([&name]).copied().collect::<Vec<_>>();
            return Err(ContentProblem::Circle { names: circle.join(" → ") });
        }
        self.within.push(name);
        let origin = match rule {
            ValueRule::Text(text) => self.text(text).map(Origin::Text),
            ValueRule::Choice(choice) => self.choice(choice).map(|choice| Origin::Choice(Box::new(choice))),
        };
        self.within.pop();
        origin
    }

    fn choice(&mut self, Choice { by, texts, others }: &'a Choice) -> Result<BoundChoice, ContentProblem> {
        let by = self.variable(Written { head: by.trim(), default: None, at: 1 })?;
        let texts = texts.iter().map(|(value, text)| {
            self.take_characters(value)?;
            Ok((value.as_str().into(), self.text(text)?))
        });
        let texts = texts.collect::<Result<_, ContentProblem>>()?;
        Ok(BoundChoice { by, texts, others: others.as_deref().map(|text| self.text(text)).transpose()? })
    }
}

/// The filters after the name of a variable, which ends at `end`.
fn filters_of(Written { head, at, .. }: Written<'_>, end: usize) -> Result<Box<[Filter]>, ContentProblem> {
    let Some(text) = head[end..].strip_prefix(':') else { return Ok(Box::default()) };
    let place = |byte: usize| at + head[..end + 1 + byte].chars().count();
    let calls = calls(text).map_err(|(byte, problem)| ContentProblem::Filter { at: place(byte), problem })?;
    let filters = Filter::all(&calls);
    let filters = filters.map_err(|(call, problem)| ContentProblem::Filter { at: place(call.at), problem })?;
    Ok(filters.into())
}

#[cfg(test)]
#[path = "bound_tests.rs"]
mod tests;
