//! Variables out, markers in: how a content goes through the provider's JSON and comes back with its holes known.

use std::sync::Arc;

use super::error::{Error, Place, Problem};
use super::text::{Piece, find_column, pieces};
use crate::domain::{ButtonAction, Content, Header, Span};

// Noncharacters: Unicode promises that they never stand for text, and JSON carries them untouched.
pub(super) const OPEN: char = '\u{FDD0}';
pub(super) const CLOSE: char = '\u{FDD1}';

/// Stands for the recipient's number in a marked JSON.
pub const MSISDN_MARK: &str = "\u{FDD0}msisdn\u{FDD1}";
/// Stands for the attempt's id in a marked JSON.
pub const ATTEMPT_MARK: &str = "\u{FDD0}attempt\u{FDD1}";

/// Stands for the moment so long after the hand-over, in a marked JSON.
pub fn expiry_mark(ttl: Span) -> String {
    format!("{OPEN}{EXPIRY}{}{CLOSE}", ttl.millis())
}

pub(super) const EXPIRY: &str = "expiry ";

/// What a marker stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The column's place in a recipient's fields.
    pub column: usize,
    /// The column's name.
    pub name: Arc<str>,
    /// What holds where the cell is empty.
    pub default: Option<String>,
}

/// What the markers of a content stand for, by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots(pub(super) Vec<Slot>);

impl Slots {
    /// Every variable of the content, in the order of its texts.
    pub fn iter(&self) -> std::slice::Iter<'_, Slot> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Binds every variable of a content to its column, and puts a marker where it stood.
pub fn mark(content: &Content, columns: &[String]) -> Result<(Content, Slots), Error> {
    let mut marked = content.clone();
    let mut slots = Slots::default();
    walk(&mut marked, &mut |place, text| {
        let at = |problem| Error { place, problem };
        if text.contains(is_reserved) {
            return Err(at(Problem::Reserved));
        }
        let mut with_markers = String::with_capacity(text.len());
        for piece in pieces(text).map_err(at)? {
            match piece {
                Piece::Literal(literal) => with_markers.push_str(literal),
                Piece::Variable { name, default } => {
                    let column = find_column(name, columns).map_err(at)?;
                    with_markers.push(OPEN);
                    with_markers.push_str(&slots.0.len().to_string());
                    with_markers.push(CLOSE);
                    slots.0.push(Slot {
                        column,
                        name: columns[column].as_str().into(),
                        default: default.map(str::to_owned),
                    });
                }
            }
        }
        *text = with_markers;
        Ok(())
    })?;
    Ok((marked, slots))
}

/// Characters that could be taken for a marker.
pub(super) fn is_reserved(c: char) -> bool {
    ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

/// What is done with each text.
pub(super) type Visit<'a> = dyn FnMut(Place, &mut String) -> Result<(), Error> + 'a;

/// Goes through the texts that may hold variables, in the order in which people read them.
pub(super) fn walk(content: &mut Content, visit: &mut Visit<'_>) -> Result<(), Error> {
    let template = match content {
        Content::Text { text, source: _, encoding: _ } => return visit(Place::Text, text),
        Content::Template(template) => template,
    };
    match &mut template.header {
        None => {}
        Some(Header::Text(text)) => visit(Place::Header("text"), text)?,
        Some(Header::Image(url)) => visit(Place::Header("image"), url)?,
        Some(Header::Video(url)) => visit(Place::Header("video"), url)?,
        Some(Header::Document(url)) => visit(Place::Header("document"), url)?,
        Some(Header::Location { latitude, longitude, name, address }) => {
            visit(Place::Header("latitude"), latitude)?;
            visit(Place::Header("longitude"), longitude)?;
            visit(Place::Header("name"), name)?;
            visit(Place::Header("address"), address)?;
        }
    }
    for (place, text) in template.body.iter_mut().enumerate() {
        visit(Place::Body(place + 1), text)?;
    }
    for button in &mut template.buttons {
        let (kind, text) = match &mut button.action {
            ButtonAction::Url(text) => ("url", text),
            ButtonAction::Payload(text) => ("payload", text),
            ButtonAction::CopyCode(text) => ("copy_code", text),
            ButtonAction::Flow(text) => ("flow", text),
        };
        visit(Place::Button(button.index, kind), text)?;
    }
    Ok(())
}
