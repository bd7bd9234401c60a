//! The message that a recipient of a template reads.

use super::known::KnownTemplate;
use super::shape::Shape;
use crate::domain::{Button, ButtonAction, Header, Location, TemplateContent};
use crate::template::PreviewLine;
use crate::wire::{TemplateButton, TemplatePart, placeholders, with_parameters};

/// The whole message of a template: header, text, footer and buttons, with the values of a content without variables.
///
/// `None` if the components of the template cannot be read.
pub fn whole_text(template: &KnownTemplate, content: &TemplateContent) -> Option<Vec<PreviewLine>> {
    let shape = Shape::of(template.parts.as_ref()?);
    let mut lines = Vec::new();
    add(&mut lines, "", &shape, content.header.as_ref(), &content.body, &content.buttons);
    for (number, (card, given)) in (1..).zip(shape.cards.iter().zip(&content.carousel)) {
        add(&mut lines, &format!("card {number} "), card, Some(&given.header), &given.body, &given.buttons);
    }
    Some(lines)
}

/// Adds the lines of a template without its cards, or those of one card.
fn add(
    lines: &mut Vec<PreviewLine>,
    of: &str,
    shape: &Shape<'_>,
    given_header: Option<&Header>,
    given_body: &[String],
    given_buttons: &[Button],
) {
    let mut add = |label: &str, text: String| lines.push(PreviewLine { label: format!("{of}{label}"), text });
    if let Some(header) = shape.header {
        add("header", header_text(header, given_header));
    }
    add("body", body_text(shape.body, given_body));
    if let Some(footer) = shape.footer {
        add("footer", footer.to_owned());
    }
    for (index, button) in shape.buttons.iter().enumerate() {
        let given = given_buttons.iter().find(|given| usize::from(given.index) == index);
        add(&format!("button {index}"), button_text(button, given.map(|given| &given.action)));
    }
}

fn header_text(header: &TemplatePart, given: Option<&Header>) -> String {
    match given {
        Some(Header::Text(text)) => {
            with_parameters(header.text.as_deref().unwrap_or_default(), |_| Some(text.as_str()))
        }
        Some(Header::Image(url)) => format!("[image] {url}"),
        Some(Header::Video(url)) => format!("[video] {url}"),
        Some(Header::Document(url)) => format!("[document] {url}"),
        Some(Header::Gif(url)) => format!("[gif] {url}"),
        Some(Header::Location(Location { latitude, longitude, name, address })) => {
            format!("[location] {name}, {address} ({latitude}, {longitude})")
        }
        None => header.text.clone().unwrap_or_default(),
    }
}

/// The text with its parameters in the order in which they are numbered, or in which named ones first stand.
fn body_text(text: &str, values: &[String]) -> String {
    if text.is_empty() {
        // The fixed text of an authentication template is not listed.
        return values.join(", ");
    }
    let names = placeholders(text);
    with_parameters(text, |name| {
        let numbered = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let index = numbered.or_else(|| names.iter().position(|known| *known == name))?;
        values.get(index).map(String::as_str)
    })
}

/// `[Track order] https://shop.example/t/123`.
fn button_text(button: &TemplateButton, given: Option<&ButtonAction>) -> String {
    let kind = button.kind.as_deref().unwrap_or_default().to_ascii_lowercase().replace('_', " ");
    let text = button.text.as_deref().unwrap_or(&kind);
    let more = match given {
        Some(ButtonAction::Url(end)) => match &button.url {
            Some(url) => with_parameters(url, |_| Some(end.as_str())),
            None => end.clone(),
        },
        Some(ButtonAction::CopyCode(code)) => code.clone(),
        Some(ButtonAction::Payload(payload)) => format!("({payload})"),
        Some(ButtonAction::Flow(_) | ButtonAction::VoiceCall(_)) | None => {
            button.url.clone().or_else(|| button.phone_number.clone()).unwrap_or_default()
        }
    };
    format!("[{text}] {more}").trim_end().to_owned()
}
