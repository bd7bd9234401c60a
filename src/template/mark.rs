//! Replaces the variables of a content by markers, so that they can be found again in the provider's JSON.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{ContentPart, ContentProblem, Error};
use super::text::{Piece, pieces};
use crate::domain::{ButtonAction, Content, Header, Span, TemplateContent, find_column};

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
    /// Where it stands.
    pub part: ContentPart,
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

    /// Replaces the variables of a text by markers.
    fn mark(&mut self, part: &ContentPart, text: &str, columns: &[String]) -> Result<String, Error> {
        let at = |problem| Error { part: part.clone(), problem };
        if text.contains(is_reserved) {
            return Err(at(ContentProblem::Reserved));
        }
        let mut marked = String::with_capacity(text.len());
        for piece in pieces(text).map_err(at)? {
            match piece {
                Piece::Literal(literal) => marked.push_str(literal),
                Piece::Variable { name, default } => {
                    let column = find_column(name, columns).map_err(|error| at(error.into()))?;
                    marked.push(OPEN);
                    marked.push_str(&self.0.len().to_string());
                    marked.push(CLOSE);
                    let (name, default) = (columns[column].as_str().into(), default.map(str::to_owned));
                    self.0.push(Variable { part: part.clone(), column, name, default });
                }
            }
        }
        Ok(marked)
    }
}

/// A content, and how its channel addresses the recipient, with markers in place of variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedContent {
    pub content: Content,
    /// The recipient's id on LINE.
    pub line_user_id: Option<String>,
    pub variables: Variables,
}

/// Binds every variable to its column, and replaces it by a marker.
pub fn mark(content: &Content, line_user_id: Option<&str>, columns: &[String]) -> Result<MarkedContent, Error> {
    let mut variables = Variables::default();
    let mut content = content.clone();
    walk(&mut content, &mut |part, text| {
        *text = variables.mark(&part, text, columns)?;
        Ok(())
    })?;
    let line_user_id = line_user_id.map(|text| variables.mark(&ContentPart::LineUserId, text, columns)).transpose()?;
    Ok(MarkedContent { content, line_user_id, variables })
}

/// Whether a character is reserved for markers.
pub(super) fn is_reserved(c: char) -> bool {
    ('\u{FDD0}'..='\u{FDEF}').contains(&c)
}

pub(super) type Visit<'a> = dyn FnMut(ContentPart, &mut String) -> Result<(), Error> + 'a;

/// Calls `visit` for each text that may hold variables, in reading order.
pub(super) fn walk(content: &mut Content, visit: &mut Visit<'_>) -> Result<(), Error> {
    match content {
        Content::Text { text, source: _, encoding: _ } => visit(ContentPart::Text, text),
        Content::Template(template) => walk_template(template, visit),
        Content::ZaloTemplate(template) => template
            .params
            .iter_mut()
            .try_for_each(|(name, text)| visit(ContentPart::Param(name.as_str().into()), text)),
        Content::Raw(raw) => {
            walk_json(&mut raw.content, "", &mut |path, text| visit(ContentPart::Raw(path.into()), text))
        }
    }
}

fn walk_template(template: &mut TemplateContent, visit: &mut Visit<'_>) -> Result<(), Error> {
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
            ButtonAction::Flow(flow) => {
                walk_json(&mut flow.data, "", &mut |path, text| {
                    visit(ContentPart::Flow(button.index, path.into()), text)
                })?;
                continue;
            }
        };
        visit(ContentPart::Button(button.index, kind), text)?;
    }
    Ok(())
}

type VisitJson<'a> = dyn FnMut(&str, &mut String) -> Result<(), Error> + 'a;

/// Calls `visit` for each string of a JSON object, with its path in it, such as `body.text` or `buttons.0.title`.
fn walk_json(object: &mut Map<String, Value>, path: &str, visit: &mut VisitJson<'_>) -> Result<(), Error> {
    object.iter_mut().try_for_each(|(key, value)| walk_value(value, &beneath(path, key), visit))
}

fn walk_value(value: &mut Value, path: &str, visit: &mut VisitJson<'_>) -> Result<(), Error> {
    match value {
        Value::String(text) => visit(path, text),
        Value::Object(object) => walk_json(object, path, visit),
        Value::Array(values) => values
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, value)| walk_value(value, &beneath(path, &index.to_string()), visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn beneath(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
