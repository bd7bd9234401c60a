//! Puts the parameters of a message into the approved text of its template.

use super::bound::{ApprovedButton, ApprovedTemplate};
use super::bubble::BubbleButton;
use super::measure::TextRules;
use super::text::MessageText;
use crate::base::domain::ContentPart;
use crate::rules::template::bound::{BoundPiece, BoundText};

/// An approved text with its parameters filled in: by their numbers, or in the order in which their names first stand.
/// What names no parameter stays as it is.
pub(super) fn approved_text(part: ContentPart, text: &str, parameters: &[MessageText]) -> MessageText {
    let mut pieces = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((before, name, after)) = next_placeholder(rest) {
        let number = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let index = number.unwrap_or_else(|| {
            names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        });
        match parameters.get(index) {
            Some(parameter) => {
                pieces.push(BoundPiece::Literal(before.into()));
                pieces.extend_from_slice(&parameter.text.0);
            }
            None => pieces.push(BoundPiece::Literal(rest[..rest.len() - after.len()].into())),
        }
        rest = after;
    }
    pieces.push(BoundPiece::Literal(rest.into()));
    MessageText { part, rules: TextRules::REPEATED, text: BoundText(pieces) }
}

/// The next `{{name}}` of an approved text, with what stands before and after it.
fn next_placeholder(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name.trim(), after))
}

/// The buttons of a message, with what the approved template knows about them. The template may have more of them.
/// `place` makes the part of a button's text.
pub(super) fn with_titles(
    mut sent: Vec<(u8, BubbleButton<MessageText>)>,
    approved: Option<&ApprovedTemplate>,
    place: impl Fn(u8, &'static str) -> ContentPart,
) -> Vec<BubbleButton<MessageText>> {
    let Some(approved) = approved else { return sent.into_iter().map(|(_, button)| button).collect() };
    let mut buttons = Vec::new();
    for (index, ApprovedButton { kind, title, target }) in (0..).zip(&approved.buttons) {
        let title = title.as_deref().map(|title| MessageText::literal(place(index, "title"), title));
        let own = sent.iter().position(|(at, _)| *at == index).map(|at| sent.remove(at).1);
        let (end, data) = own.map(|own| (own.target, own.data)).unwrap_or_default();
        let target = whole_target(end, target.as_deref(), || place(index, "target"));
        // The template knows better than the message: the code of a password is sent as the end of an address.
        buttons.push(BubbleButton { kind: *kind, title, target, data });
    }
    buttons.extend(sent.into_iter().map(|(_, button)| button));
    buttons
}

/// The address of a button, whose variable end the message sends.
fn whole_target(
    end: Option<MessageText>,
    approved: Option<&str>,
    place: impl FnOnce() -> ContentPart,
) -> Option<MessageText> {
    match (end, approved) {
        (Some(end), Some(approved)) if next_placeholder(approved).is_some() => {
            let whole = approved_text(end.part.clone(), approved, std::slice::from_ref(&end));
            Some(MessageText { rules: end.rules, ..whole })
        }
        (Some(end), _) => Some(end),
        (None, approved) => approved.map(|text| MessageText::literal(place(), text)),
    }
}
