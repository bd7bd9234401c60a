//! Whether the content of a step fits the provider's template.

use super::known::{Catalogue, KnownTemplate, Lookup};
use super::shape::{ButtonNeed, HeaderNeed, Shape};
use crate::base::config::Lane;
use crate::base::domain::text::plural;
use crate::base::domain::{Button, ButtonAction, Category, Content, Header, TemplateContent, TemplateName, suggestion};
use crate::rules::wire::{HeaderFormat, TemplateButton, placeholders};

/// What of a step does not fit its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The key of `[step.template]` that is wrong; empty for the template as a whole.
    pub key: &'static str,
    /// What is wrong, and what to do.
    pub sentence: String,
}

impl Misfit {
    fn new(key: &'static str, sentence: String) -> Self {
        Self { key, sentence }
    }
}

/// Holds the template of a step against what is known of it on a lane. Of a template of a channel that was never fetched, only a
/// reported category is known.
///
/// - `waits_for_approval`: the campaign begins once the template is approved, so a pending one is right.
/// - A paused template is right: the provider resumes it, and its messages wait until then.
pub fn problems(catalogue: &Catalogue, lane: &Lane, content: &Content, waits_for_approval: bool) -> Vec<Misfit> {
    let Some(TemplateName { name, language }) = content.template() else { return Vec::new() };
    match catalogue.find(lane, name, language) {
        Lookup::NotFetched => match (catalogue.category(lane, name, language), content.category()) {
            (Some(real), Some(stated)) if real != stated => {
                vec![other_category(&format!("template {name} ({language})"), real, stated)]
            }
            _ => Vec::new(),
        },
        Lookup::Missing { nearest } => {
            let advice =
                suggestion(nearest, "see `volley template list`, or fetch the list again: volley template pull");
            vec![Misfit::new(
                "name",
                format!("the provider has no template \"{name}\" for lane {}; {advice}", lane.name),
            )]
        }
        Lookup::InOtherLanguages(languages) => {
            let has = languages.join(", ");
            vec![Misfit::new("language", format!("template {name} does not exist in {language}; it exists in {has}"))]
        }
        Lookup::Found(template) => {
            let mut misfits: Vec<Misfit> = status(template, waits_for_approval).into_iter().collect();
            if let Content::Template(content) = content {
                misfits.extend(category(template, content.category));
                misfits.extend(template.parts.iter().flat_map(|parts| parts_of(template, &Shape::of(parts), content)));
            }
            misfits
        }
    }
}

/// `template promo (en)`.
fn named(template: &KnownTemplate) -> String {
    format!("template {} ({})", template.name, template.language)
}

fn status(template: &KnownTemplate, waits_for_approval: bool) -> Option<Misfit> {
    let KnownTemplate { status, rejection, .. } = template;
    let named = named(template);
    let sentence = if template.is_approved() || status == "PAUSED" {
        return None;
    } else if template.is_lost() {
        let because = rejection.as_ref().map(|reason| format!(" because of {reason}")).unwrap_or_default();
        format!("{named} is {status} at the provider{because}, so no message of it is accepted; use another one")
    } else if waits_for_approval {
        return None;
    } else {
        format!(
            "{named} is {status} at the provider; wait until it is APPROVED and fetch it (volley template pull), or write \
             when = \"approved\" in the campaign"
        )
    };
    Some(Misfit::new("", sentence))
}

/// The category sets the price, and how long the provider tries to deliver.
fn category(template: &KnownTemplate, stated: Category) -> Option<Misfit> {
    let real = template.category().filter(|real| *real != stated)?;
    Some(other_category(&named(template), real, stated))
}

fn other_category(named: &str, real: Category, stated: Category) -> Misfit {
    let sentence = format!("{named} is {real} at the provider, not {stated}; write {real}, or remove category");
    Misfit::new("category", sentence)
}

fn parts_of(template: &KnownTemplate, shape: &Shape<'_>, content: &TemplateContent) -> Vec<Misfit> {
    let mut misfits = values(template, shape, content.header.as_ref(), &content.body, &content.buttons);
    let (needed, given) = (shape.cards.len(), content.carousel.len());
    if needed != given {
        let [cards, given] = [needed, given].map(|count| plural(count as u64, "card", "cards"));
        let sentence = match needed {
            0 => format!("{} has no cards; remove carousel", named(template)),
            _ => format!("{} has {cards}, but carousel has {given}; write one for each card", named(template)),
        };
        misfits.push(Misfit::new("carousel", sentence));
        return misfits;
    }
    for (number, (card, given)) in (1..).zip(shape.cards.iter().zip(&content.carousel)) {
        let of_card = values(template, card, Some(&given.header), &given.body, &given.buttons);
        let placed =
            |misfit: Misfit| Misfit::new("carousel", format!("card {number}, {}: {}", misfit.key, misfit.sentence));
        misfits.extend(of_card.into_iter().map(placed));
    }
    misfits
}

/// What is wrong with the values of a template without its cards, or with those of one card.
fn values(
    template: &KnownTemplate,
    shape: &Shape<'_>,
    given_header: Option<&Header>,
    given_body: &[String],
    given_buttons: &[Button],
) -> Vec<Misfit> {
    let named =
        [("header", shape.header.and_then(|header| header.text.as_deref()).unwrap_or_default()), ("body", shape.body)];
    let named: Vec<Misfit> = named.into_iter().filter_map(|(key, text)| named_parameter(template, key, text)).collect();
    if !named.is_empty() {
        return named;
    }
    let mut misfits: Vec<Misfit> = header(template, shape, given_header).into_iter().collect();
    misfits.extend(body(template, shape, given_body.len()));
    misfits.extend(given_buttons.iter().filter_map(|button| given_button(template, shape, button)));
    misfits.extend(shape.buttons.iter().enumerate().filter_map(|(index, button)| {
        let is_given = given_buttons.iter().any(|given| usize::from(given.index) == index);
        missing_button(template, index, button).filter(|_| !is_given)
    }));
    misfits
}

/// The provider does not document how a message fills parameters with names.
fn named_parameter(template: &KnownTemplate, key: &'static str, text: &str) -> Option<Misfit> {
    let name = placeholders(text).into_iter().find(|name| name.parse::<usize>().is_err())?;
    let sentence = format!(
        "{} has the named parameter {{{{{name}}}}}, and only numbered ones are filled in; create the template with \
         {{{{1}}}}, or write the provider's own JSON with raw",
        named(template)
    );
    Some(Misfit::new(key, sentence))
}

fn header(template: &KnownTemplate, shape: &Shape<'_>, given: Option<&Header>) -> Option<Misfit> {
    let kind = |format: HeaderFormat| format.as_str().to_ascii_lowercase();
    let given_as = given.map(|header| match header {
        Header::Text(_) => HeaderFormat::Text,
        Header::Image(_) => HeaderFormat::Image,
        Header::Video(_) => HeaderFormat::Video,
        Header::Gif(_) => HeaderFormat::Gif,
        Header::Document(_) => HeaderFormat::Document,
        Header::Location(_) => HeaderFormat::Location,
    });
    let needed = match shape.header_need() {
        HeaderNeed::Nothing => None,
        HeaderNeed::Text => Some(HeaderFormat::Text),
        HeaderNeed::Media(media) => Some(media),
    };
    let named = named(template);
    let sentence = match (needed, given_as) {
        (needed, given) if needed == given => return None,
        (Some(needed), None) => {
            let needed = kind(needed);
            format!("{named} has a header of kind {needed}, which needs a value; add header = {{ {needed} = … }}")
        }
        (Some(needed), Some(given)) => {
            let [needed, given] = [needed, given].map(kind);
            format!("{named} has a header of kind {needed}, not {given}; write header = {{ {needed} = … }}")
        }
        (None, _) if shape.header.is_some() => {
            format!("the header of {named} is a text without a variable, so it takes no value; remove it")
        }
        (None, _) => format!("{named} has no header; remove it"),
    };
    Some(Misfit::new("header", sentence))
}

fn body(template: &KnownTemplate, shape: &Shape<'_>, given: usize) -> Option<Misfit> {
    let needed = shape.body_parameters(template.category());
    if needed == given {
        return None;
    }
    let named = named(template);
    let given = plural(given as u64, "value", "values");
    let sentence = match needed {
        0 => format!("the text of {named} has no variable, but body has {given}; remove body"),
        _ => {
            let needed = plural(needed as u64, "variable", "variables");
            format!("the text of {named} has {needed}, but body has {given}; write one value for each variable")
        }
    };
    Some(Misfit::new("body", sentence))
}

/// `button 0 (URL "Track order")`.
fn button_named(index: usize, button: &TemplateButton) -> String {
    let kind = button.kind.as_deref().unwrap_or("unknown").to_ascii_uppercase();
    let text = button.text.as_ref().map(|text| format!(" \"{text}\"")).unwrap_or_default();
    format!("button {index} ({kind}{text})")
}

/// What is wrong with a button that the step gives a value.
fn given_button(template: &KnownTemplate, shape: &Shape<'_>, given: &Button) -> Option<Misfit> {
    let named = named(template);
    let index = usize::from(given.index);
    let Some(button) = shape.buttons.get(index) else {
        let sentence = match shape.buttons.len() {
            0 => format!("{named} has no buttons; remove button {index}"),
            count => format!("{named} has no button {index}; its buttons are 0 to {}", count - 1),
        };
        return Some(Misfit::new("buttons", sentence));
    };
    let need = ButtonNeed::of(button);
    let fits = match &given.action {
        ButtonAction::Url(_) => need == ButtonNeed::Url,
        ButtonAction::Payload(_) => need == ButtonNeed::Payload,
        ButtonAction::CopyCode(_) => need == ButtonNeed::CopyCode,
        ButtonAction::Flow(_) => need == ButtonNeed::Flow,
        ButtonAction::VoiceCall(_) => need == ButtonNeed::VoiceCall,
    };
    if fits {
        return None;
    }
    let button = button_named(index, button);
    let sentence = match key_of(need) {
        Some(key) => format!("{button} of {named} takes {key}; write {key} for it"),
        None => format!("{button} of {named} takes no value; remove it"),
    };
    Some(Misfit::new("buttons", sentence))
}

/// A button that needs a value.
fn missing_button(template: &KnownTemplate, index: usize, button: &TemplateButton) -> Option<Misfit> {
    let need = ButtonNeed::of(button);
    let key = key_of(need).filter(|_| need.is_required())?;
    let (button, named) = (button_named(index, button), named(template));
    let sentence = format!("{button} of {named} needs a value; add {{ index = {index}, {key} = … }}");
    Some(Misfit::new("buttons", sentence))
}

/// The key by which a step gives a button its value.
const fn key_of(need: ButtonNeed) -> Option<&'static str> {
    match need {
        ButtonNeed::Nothing => None,
        ButtonNeed::Url => Some("url"),
        ButtonNeed::CopyCode => Some("copy_code"),
        ButtonNeed::Payload => Some("payload"),
        ButtonNeed::Flow => Some("flow"),
        ButtonNeed::VoiceCall => Some("voice_call"),
    }
}

#[cfg(test)]
mod tests;
