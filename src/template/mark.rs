//! Replaces the variables of a content by markers, so that they can be found again in the provider's JSON.

use std::sync::Arc;

use super::error::{ContentPart, Error, Problem};
use super::text::{Piece, find_column, pieces};
use crate::domain::{ButtonAction, Content, Header, Span};

// Unicode noncharacters: they never stand for text, and JSON keeps them unchanged.
pub(super) const OPEN: char = '\u{FDD0}';
pub(super) const CLOSE: char = '\u{FDD1}';

/// The marker of the recipient's number in a marked JSON.
pub const MSISDN_MARK: &str = "\u{FDD0}msisdn\u{FDD1}";
/// The marker of the attempt's id in a marked JSON.
pub const ATTEMPT_MARK: &str = "\u{FDD0}attempt\u{FDD1}";

/// The marker of the time `ttl` after the submission in a marked JSON.
pub fn expiry_mark(ttl: Span) -> String {
    format!("{OPEN}{EXPIRY}{}{CLOSE}", ttl.millis())
}

pub(super) const EXPIRY: &str = "expiry ";

/// A variable that is bound to its column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The index of the column in a recipient's fields.
    pub column: usize,
    /// The column's name.
    pub name: Arc<str>,
    /// The value for an empty cell.
    pub default: Option<String>,
}

/// The variables of a content, in the order of its texts. The number of a marker is an index into them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables(pub(super) Vec<Variable>);

impl Variables {
    pub fn iter(&self) -> std::slice::Iter<'_, Variable> {
        self.0.iter()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Binds every variable of a content to its column, and replaces it by a marker.
pub fn mark(content: &Content, columns: &[String]) -> Result<(Content, Variables), Error> {
    let mut marked = content.clone();
    let mut variables = Variables::default();
    walk(&mut marked, &mut |part, text| {
        let at = |problem| Error { part, problem };
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
                    with_markers.push_str(&variables.0.len().to_string());
                    with_markers.push(CLOSE);
                    variables.0.push(Variable {
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
    Ok((marked, variables))
}

/// Whether a character is reserved for markers.
pub(super) fn is_reserved(c: char) -> bool {
    ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

pub(super) type Visit<'a> = dyn FnMut(ContentPart, &mut String) -> Result<(), Error> + 'a;

/// Calls `visit` for each text that may hold variables, in reading order.
pub(super) fn walk(content: &mut Content, visit: &mut Visit<'_>) -> Result<(), Error> {
    let template = match content {
        Content::Text { text, source: _, encoding: _ } => return visit(ContentPart::Text, text),
        Content::Template(template) => template,
    };
    match &mut template.header {
        None => {}
        Some(Header::Text(text)) => visit(ContentPart::Header("text"), text)?,
        Some(Header::Image(url)) => visit(ContentPart::Header("image"), url)?,
        Some(Header::Video(url)) => visit(ContentPart::Header("video"), url)?,
        Some(Header::Document(url)) => visit(ContentPart::Header("document"), url)?,
        Some(Header::Location { latitude, longitude, name, address }) => {
            visit(ContentPart::Header("latitude"), latitude)?;
            visit(ContentPart::Header("longitude"), longitude)?;
            visit(ContentPart::Header("name"), name)?;
            visit(ContentPart::Header("address"), address)?;
        }
    }
    for (index, text) in template.body.iter_mut().enumerate() {
        visit(ContentPart::Body(index + 1), text)?;
    }
    for button in &mut template.buttons {
        let (kind, text) = match &mut button.action {
            ButtonAction::Url(text) => ("url", text),
            ButtonAction::Payload(text) => ("payload", text),
            ButtonAction::CopyCode(text) => ("copy_code", text),
            ButtonAction::Flow(text) => ("flow", text),
        };
        visit(ContentPart::Button(button.index, kind), text)?;
    }
    Ok(())
}
