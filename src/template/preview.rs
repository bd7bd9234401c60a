//! Shows an operator the message of a recipient.

use serde::Serialize;

use super::bound::{BoundPiece, BoundText};
use super::error::{ContentProblem, Error};
use super::sms::segments;
use crate::domain::{Content, ContentPart, Names, SmsEncoding, TemplateName};

/// One part of a message, such as `body 1` or `header image`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviewLine {
    pub label: String,
    pub text: String,
}

/// The message of one recipient, part by part. A missing value shows as `‹Column is missing›`.
pub fn preview<T: AsRef<str>>(content: &Content, names: Names<'_>, fields: &[T]) -> Result<Vec<PreviewLine>, Error> {
    let mut lines = Vec::new();
    if let Some(TemplateName { name, language }) = content.template() {
        let text = match content.category() {
            Some(category) => format!("{name} ({language}, {category})"),
            None => format!("{name} ({language})"),
        };
        lines.push(PreviewLine { label: ContentPart::Template("").to_string(), text });
    }
    content.each_text(|part, text| {
        let label = part.to_string();
        let text = with_values(text, names, fields).map_err(|problem| Error { part, problem })?;
        lines.push(PreviewLine { label, text });
        Ok(())
    })?;
    Ok(lines)
}

/// A content with the values of one recipient in place of its variables.
pub fn filled_in<T: AsRef<str>>(content: &Content, names: Names<'_>, fields: &[T]) -> Result<Content, Error> {
    let mut content = content.clone();
    content.change_texts(|part, text| {
        *text = with_values(text, names, fields).map_err(|problem| Error { part, problem })?;
        Ok(())
    })?;
    Ok(content)
}

/// A text with the values of one recipient.
fn with_values<T: AsRef<str>>(text: &str, names: Names<'_>, fields: &[T]) -> Result<String, ContentProblem> {
    let mut whole = String::new();
    for piece in BoundText::bind(text, names)?.0 {
        match piece {
            BoundPiece::Literal(literal) => whole.push_str(&literal),
            BoundPiece::Variable(variable) => {
                if let Err(name) = variable.write(fields, &mut whole) {
                    whole.extend(["‹", name, " is missing›"]);
                }
            }
        }
    }
    Ok(whole)
}

impl PreviewLine {
    /// Adds the SMS segments of the text to the label.
    pub fn with_segments(mut self, encoding: Option<SmsEncoding>) -> Self {
        let counted = segments(&self.text, encoding.unwrap_or(SmsEncoding::Auto));
        self.label = format!("{} ({counted})", self.label);
        self
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sources;

    #[test]
    fn a_preview_shows_each_part_of_the_message() {
        let content: Content = serde_json::from_str(
            r#"{"template": {"name": "promo", "language": "en", "category": "MARKETING",
                "header": {"image": "https://media.example/{{pic}}"}, "body": ["{{FirstName|there}}", "{{Code}}"],
                "buttons": [{"index": 0, "url": "{{slug}}"}]}}"#,
        )
        .unwrap();
        let columns = ["FirstName", "Code", "Pic", "Slug"].map(str::to_owned);
        let lines = preview(&content, Names::of_columns(&columns), &["", "A1", "a.png", ""]).unwrap();
        let shown: Vec<String> = lines.iter().map(|line| format!("{}: {}", line.label, line.text)).collect();
        assert_eq!(
            shown,
            [
                "template: promo (en, MARKETING)",
                "header image: https://media.example/a.png",
                "body 1: there",
                "body 2: A1",
                "button 0 url: ‹Slug is missing›",
            ]
        );
    }

    #[test]
    fn a_preview_names_each_part_of_a_rich_content() {
        let content: Content = serde_json::from_str(
            r#"{"rich": {"text": "Hi {{Name}}", "media": {"kind": "image", "url": "https://h/{{Pic}}"},
                "button": {"caption": "View", "url": "https://h/{{Name|all}}"}}}"#,
        )
        .unwrap();
        let columns = ["Name", "Pic"].map(str::to_owned);
        let lines = preview(&content, Names::of_columns(&columns), &["", "a.png"]).unwrap();
        let shown: Vec<String> = lines.iter().map(|line| format!("{}: {}", line.label, line.text)).collect();
        assert_eq!(
            shown,
            [
                "image: https://h/a.png",
                "text: Hi ‹Name is missing›",
                "button caption: View",
                "button url: https://h/all"
            ]
        );
    }

    #[test]
    fn the_label_of_an_sms_shows_its_segments() {
        let content = Content::Text { text: "Hi {{A}}".to_owned(), source: Sources::default(), encoding: None };
        let lines = preview(&content, Names::of_columns(&["A".to_owned()]), &["you"]).unwrap();
        let line = lines.into_iter().next().unwrap().with_segments(None);
        assert_eq!(line.label, "text (1 part, 6 characters in GSM-7)");
    }
}
