//! Whether the values of a message fit its template: as many and of the same types, in its header, its body, each of its
//! buttons and each card of its carousel.

use super::record::Doom;
use crate::rules::wire::rules::SubType;
use crate::rules::wire::{
    ButtonKind, Component, HeaderFormat, Parameter, PartKind, TemplateButton, TemplateCardParts, TemplatePart,
    placeholders,
};

/// Holds the components of a message against those that the template was created with. The error is how the message
/// fails. The text of a template of codes has the code as its parameter, whatever was written.
pub(super) fn check(own: &[TemplatePart], given: &[Component<'_>], is_code: bool) -> Result<(), Doom> {
    let part = |kind: PartKind| own.iter().find(move |part| part.part_kind() == Some(kind));
    check_header(part(PartKind::Header), &values(given, "header"))?;
    let in_text = part(PartKind::Body).map_or(0, parameters);
    count(values(given, "body").len(), if is_code { in_text.max(1) } else { in_text })?;
    let buttons = part(PartKind::Buttons).map_or(&[][..], |part| &part.buttons);
    check_buttons(buttons, given)?;
    check_cards(part(PartKind::Carousel).map_or(&[][..], |part| &part.cards), given)
}

fn is(component: &Component<'_>, kind: &str) -> bool {
    component.kind.eq_ignore_ascii_case(kind)
}

fn values<'c, 'a>(given: &'c [Component<'a>], kind: &str) -> Vec<&'c Parameter<'a>> {
    given.iter().filter(|component| is(component, kind)).flat_map(|component| &component.parameters).collect()
}

fn parameters(part: &TemplatePart) -> usize {
    part.text.as_deref().map_or(0, |text| placeholders(text).len())
}

fn count(given: usize, needed: usize) -> Result<(), Doom> {
    if given == needed { Ok(()) } else { Err(Doom::ParameterCount) }
}

fn check_header(own: Option<&TemplatePart>, given: &[&Parameter<'_>]) -> Result<(), Doom> {
    let Some(own) = own else { return count(given.len(), 0) };
    let (types, needed): (&[&str], usize) = match own.header_format() {
        None | Some(HeaderFormat::Text) => (&["text"], parameters(own)),
        Some(HeaderFormat::Image) => (&["image"], 1),
        Some(HeaderFormat::Video) => (&["video"], 1),
        // It is documented as a .gif, and as the address of a video.
        Some(HeaderFormat::Gif) => (&["gif", "video"], 1),
        Some(HeaderFormat::Document) => (&["document"], 1),
        Some(HeaderFormat::Location) => (&["location"], 1),
    };
    count(given.len(), needed)?;
    let is_fitting = |value: &&Parameter<'_>| types.iter().any(|known| value.kind.eq_ignore_ascii_case(known));
    if given.iter().all(is_fitting) { Ok(()) } else { Err(Doom::ParameterFormat) }
}

fn check_buttons(own: &[TemplateButton], given: &[Component<'_>]) -> Result<(), Doom> {
    let given = || given.iter().filter(|component| is(component, "button"));
    let index_of = |component: &Component<'_>| component.index.and_then(|index| usize::try_from(index).ok());
    if given().any(|component| index_of(component).is_none_or(|index| index >= own.len())) {
        return Err(Doom::ParameterCount);
    }
    for (index, button) in own.iter().enumerate() {
        check_button(button, given().find(|component| index_of(component) == Some(index)))?;
    }
    Ok(())
}

fn check_button(own: &TemplateButton, given: Option<&Component<'_>>) -> Result<(), Doom> {
    // Its component, and how few and how many values that has.
    let (sub_type, least, most) = match own.button_kind() {
        Some(ButtonKind::Url) if own.has_variable_url() => (Some(SubType::Url), 1, 1),
        Some(ButtonKind::Url) => (Some(SubType::Url), 0, 0),
        Some(ButtonKind::Otp) => (Some(SubType::Url), 1, 1),
        Some(ButtonKind::CopyCode) => (Some(SubType::CopyCode), 1, 1),
        Some(ButtonKind::QuickReply) => (Some(SubType::QuickReply), 0, 1),
        Some(ButtonKind::Flow) => (Some(SubType::Flow), 0, 1),
        Some(ButtonKind::VoiceCall) => (Some(SubType::VoiceCall), 0, 2),
        Some(ButtonKind::PhoneNumber) | None => (None, 0, 0),
    };
    let values = given.map_or(0, |component| component.parameters.len());
    if !(least..=most).contains(&values) {
        return Err(Doom::ParameterCount);
    }
    match given {
        Some(component) if SubType::of(component) != sub_type => Err(Doom::ParameterFormat),
        _ => Ok(()),
    }
}

fn check_cards(own: &[TemplateCardParts], given: &[Component<'_>]) -> Result<(), Doom> {
    let cards: Vec<_> = given.iter().filter(|part| is(part, "carousel")).flat_map(|part| &part.cards).collect();
    count(cards.len(), own.len())?;
    for (index, card) in (0..).zip(own) {
        let given = cards.iter().find(|given| given.card_index == Some(index)).ok_or(Doom::ParameterCount)?;
        check(&card.components, &given.components, false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
