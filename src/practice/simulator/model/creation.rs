//! The documented rules of a request that creates a template. They are written here from the provider's reference of
//! components, apart from Volley's own check of such a request, so that an error in one of them shows.

use super::account_events::TemplateCategory;
use crate::base::domain::TEMPLATE_NAME_MAX;
use crate::rules::wire::{ButtonKind, HeaderFormat, NewTemplate, PartKind, TemplateButton, TemplatePart, placeholders};

/// The error is a sentence about the first rule that is broken.
type Checked = Result<(), &'static str>;

/// Returns an error unless `is_kept`.
fn rule(is_kept: bool, sentence: &'static str) -> Checked {
    if is_kept { Ok(()) } else { Err(sentence) }
}

fn len(text: &str) -> usize {
    text.chars().count()
}

/// Checks what the template is called, how long its messages live, and each component.
pub(super) fn check(template: &NewTemplate, category: TemplateCategory) -> Checked {
    let name = template.name.as_deref().unwrap_or_default();
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    rule(name.chars().all(is_allowed), "the name has other characters than lowercase letters, digits and underscores")?;
    rule(len(name) <= TEMPLATE_NAME_MAX, "the name has more than 200 characters")?;
    let language = template.language.as_deref().unwrap_or_default();
    rule(len(language) <= 5, "the language has more than 5 characters")?;
    if let Some(ttl) = template.message_send_ttl_seconds {
        let is_allowed = match category {
            TemplateCategory::Authentication => ttl == -1 || (30..=900).contains(&ttl),
            TemplateCategory::Utility => ttl == -1 || (30..=43_200).contains(&ttl),
            TemplateCategory::Marketing => (43_200..=2_592_000).contains(&ttl),
        };
        rule(is_allowed, "message_send_ttl_seconds is outside the range of its category")?;
    }
    check_components(&template.components, category)
}

fn check_components(components: &[TemplatePart], category: TemplateCategory) -> Checked {
    let is_code = category == TemplateCategory::Authentication;
    let mut kinds = Vec::new();
    for part in components {
        let kind = part.part_kind().ok_or("a component has an unknown type")?;
        rule(!kinds.contains(&kind), "a template has each component once at most")?;
        rule(kind == PartKind::Buttons || part.buttons.is_empty(), "buttons belong to the component BUTTONS")?;
        rule(
            is_code || part.add_security_recommendation.is_none(),
            "add_security_recommendation is for AUTHENTICATION",
        )?;
        rule(is_code || part.code_expiration_minutes.is_none(), "code_expiration_minutes is for AUTHENTICATION")?;
        match kind {
            PartKind::Header => check_header(part, category)?,
            PartKind::Body => check_body(part, is_code)?,
            PartKind::Footer => check_footer(part, is_code)?,
            PartKind::Buttons => check_buttons(&part.buttons, category)?,
            PartKind::Carousel => check_carousel(part, category)?,
            PartKind::CallPermissionRequest => {}
        }
        kinds.push(kind);
    }
    rule(kinds.contains(&PartKind::Body), "a template has exactly one BODY")
}

fn check_header(part: &TemplatePart, category: TemplateCategory) -> Checked {
    let text = part.text.as_deref().unwrap_or_default();
    match part.header_format().ok_or("a HEADER has an unknown format, or none")? {
        HeaderFormat::Text => {
            rule((1..=60).contains(&len(text)), "the text of a HEADER has 1 to 60 characters")?;
            rule(placeholders(text).len() <= 1, "a HEADER has one parameter at most")?;
            check_examples(part, text)
        }
        HeaderFormat::Location => {
            rule(category != TemplateCategory::Authentication, "a LOCATION is for UTILITY and MARKETING")
        }
        HeaderFormat::Gif => {
            rule(category == TemplateCategory::Marketing, "a GIF is for MARKETING")?;
            check_media_example(part)
        }
        HeaderFormat::Image | HeaderFormat::Video | HeaderFormat::Document => check_media_example(part),
    }
}

fn check_media_example(part: &TemplatePart) -> Checked {
    let is_given = part.all_examples().iter().any(|example| example.starts_with("http"));
    rule(is_given, "a HEADER of media has the address of an example")
}

/// Each parameter has an example.
fn check_examples(part: &TemplatePart, text: &str) -> Checked {
    rule(part.all_examples().len() >= placeholders(text).len(), "every parameter has an example")
}

fn check_body(part: &TemplatePart, is_code: bool) -> Checked {
    let text = part.text.as_deref().unwrap_or_default();
    // The provider writes the text of a code.
    rule(is_code || !text.is_empty(), "a BODY has a text")?;
    rule(len(text) <= 1_024, "the text of a BODY has more than 1024 characters")?;
    let edges = text.trim();
    rule(!edges.starts_with("{{") && !edges.ends_with("}}"), "a BODY does not begin or end with a parameter")?;
    check_parameters(part, text)
}

/// Parameters are numbered from 1 in the order of the text, or have names; and each has an example.
fn check_parameters(part: &TemplatePart, text: &str) -> Checked {
    let names = placeholders(text);
    let has_numbers = names.iter().any(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let is_in_order = (1..).zip(&names).all(|(number, name): (usize, _)| name.parse() == Ok(number));
    rule(!has_numbers || is_in_order, "parameters are numbered {{1}}, {{2}}, … without a gap")?;
    check_examples(part, text)
}

fn check_footer(part: &TemplatePart, is_code: bool) -> Checked {
    let text = part.text.as_deref().unwrap_or_default();
    rule(is_code || !text.is_empty(), "a FOOTER has a text")?;
    rule(len(text) <= 60, "the text of a FOOTER has more than 60 characters")?;
    rule(placeholders(text).is_empty(), "a FOOTER has no parameters")
}

fn check_buttons(buttons: &[TemplateButton], category: TemplateCategory) -> Checked {
    rule((1..=10).contains(&buttons.len()), "a template has 10 buttons at most, and BUTTONS one at least")?;
    buttons.iter().try_for_each(|button| check_button(button, category))?;
    let kinds: Vec<_> = buttons.iter().filter_map(TemplateButton::button_kind).collect();
    let count = |kind: ButtonKind| kinds.iter().filter(|other| **other == kind).count();
    rule(count(ButtonKind::Url) <= 2, "a template has two URL buttons at most")?;
    for single in [ButtonKind::PhoneNumber, ButtonKind::Otp, ButtonKind::CopyCode, ButtonKind::Flow] {
        rule(count(single) <= 1, "a template has one button at most of PHONE_NUMBER, OTP, COPY_CODE and FLOW")?;
    }
    rule(count(ButtonKind::Otp) == 0 || buttons.len() == 1, "an OTP button is alone")?;
    let is_together = kinds.iter().enumerate().all(|(index, kind)| {
        let is_first = !kinds[..index].contains(kind);
        is_first || kinds[index - 1] == *kind
    });
    rule(is_together, "buttons of the same type are consecutive")
}

fn check_button(button: &TemplateButton, category: TemplateCategory) -> Checked {
    let kind = button.button_kind().ok_or("a button has an unknown type, or none")?;
    let given = |text: &Option<String>| text.as_deref().map_or(0, len);
    let has_fixed_text = matches!(kind, ButtonKind::Otp | ButtonKind::CopyCode | ButtonKind::VoiceCall);
    let shortest = usize::from(!has_fixed_text);
    // 25 in the reference of components; the schema of the request says 20.
    rule((shortest..=25).contains(&given(&button.text)), "the text of a button has 1 to 25 characters")?;
    let is_code = category == TemplateCategory::Authentication;
    match kind {
        ButtonKind::QuickReply => Ok(()),
        ButtonKind::Url => check_url(button),
        ButtonKind::PhoneNumber => {
            rule((1..=20).contains(&given(&button.phone_number)), "the number of a button has 1 to 20 characters")?;
            let is_national = !button.phone_number.as_deref().is_some_and(|number| number.starts_with('+'));
            let is_given = given(&button.country) == 2 || button.country.is_none() && !is_national;
            rule(is_given, "the country of a button has two letters")
        }
        ButtonKind::Otp => rule(is_code, "an OTP button is for AUTHENTICATION"),
        ButtonKind::CopyCode => {
            rule(category == TemplateCategory::Marketing, "a COPY_CODE button is for MARKETING")?;
            let examples = button.all_examples();
            let is_given = examples.len() == 1 && (4..=15).contains(&len(examples[0]));
            rule(is_given, "a COPY_CODE button has an example of 4 to 15 characters")
        }
        ButtonKind::Flow => {
            rule(given(&button.flow_id) > 0, "a FLOW button has a flowId")?;
            let is_known = |action: &String| ["navigate", "data_exchange"].contains(&action.as_str());
            rule(button.flow_action.as_ref().is_none_or(is_known), "a FLOW button has an unknown flowAction")
        }
        ButtonKind::VoiceCall => {
            rule(!is_code, "a VOICE_CALL button is for MARKETING and UTILITY")?;
            let is_allowed = button.ttl_minutes.is_none_or(|minutes| (1_440..=43_200).contains(&minutes));
            rule(is_allowed, "ttlMinutes is from 1440 to 43200")
        }
    }
}

fn check_url(button: &TemplateButton) -> Checked {
    let url = button.url.as_deref().unwrap_or_default();
    rule((1..=2_000).contains(&len(url)), "the url of a button has 1 to 2000 characters")?;
    let parameters = url.matches("{{").count();
    rule(
        parameters == 0 || parameters == 1 && url.ends_with("}}"),
        "the url of a button has one parameter, at its end",
    )?;
    rule(button.all_examples().len() >= parameters, "every parameter has an example")
}

fn check_carousel(part: &TemplatePart, category: TemplateCategory) -> Checked {
    rule(category == TemplateCategory::Marketing, "a CAROUSEL is for MARKETING")?;
    rule((1..=10).contains(&part.cards.len()), "a CAROUSEL has 1 to 10 cards")?;
    let layouts = part.cards.iter().map(|card| check_card(&card.components)).collect::<Result<Vec<_>, _>>()?;
    rule(layouts.windows(2).all(|pair| pair[0] == pair[1]), "all cards have the same buttons")
}

/// Checks a card, and returns the types of its buttons. The documents' own cards end with a parameter.
fn check_card(components: &[TemplatePart]) -> Result<Vec<ButtonKind>, &'static str> {
    let only = |kind: PartKind| {
        let mut of_kind = components.iter().filter(move |part| part.part_kind() == Some(kind));
        of_kind.next().filter(|_| of_kind.next().is_none())
    };
    let all = (only(PartKind::Header), only(PartKind::Body), only(PartKind::Buttons));
    let (Some(header), Some(body), Some(buttons)) = all else {
        return Err("a card has one HEADER, one BODY and BUTTONS");
    };
    rule(components.len() == 3, "a card has one HEADER, one BODY and BUTTONS")?;
    let is_seen = matches!(header.header_format(), Some(HeaderFormat::Image | HeaderFormat::Video));
    rule(is_seen, "the HEADER of a card is an IMAGE or a VIDEO")?;
    check_media_example(header)?;
    let text = body.text.as_deref().unwrap_or_default();
    rule((1..=160).contains(&len(text)), "the BODY of a card has 1 to 160 characters")?;
    check_parameters(body, text)?;
    rule((1..=2).contains(&buttons.buttons.len()), "a card has 1 or 2 buttons")?;
    let kinds: Vec<_> = buttons.buttons.iter().filter_map(TemplateButton::button_kind).collect();
    let is_allowed = |kind: &ButtonKind| matches!(kind, ButtonKind::Url | ButtonKind::QuickReply);
    rule(kinds.iter().all(is_allowed), "the buttons of a card are URL and QUICK_REPLY")?;
    buttons.buttons.iter().try_for_each(|button| check_button(button, TemplateCategory::Marketing))?;
    Ok(kinds)
}

#[cfg(test)]
mod tests;
