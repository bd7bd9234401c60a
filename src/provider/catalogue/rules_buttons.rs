//! The provider's documented rules of buttons.

use super::rules::Found;
use crate::base::domain::Category;
use crate::base::domain::text::plural;
use crate::rules::wire::{ButtonKind, TemplateButton, placeholders};

const BUTTONS_MAX: usize = 10;
const TEXT_MAX: usize = 25;
/// The same by the schema of the request.
const SCHEMA_TEXT_MAX: usize = 20;
const URL_MAX: usize = 2_000;
const PHONE_MAX: usize = 20;
const COUPON: std::ops::RangeInclusive<usize> = 4..=15;
const CALL_TTL: std::ops::RangeInclusive<i64> = 1_440..=43_200;
const FLOW_ACTIONS: [&str; 2] = ["navigate", "data_exchange"];

/// The most buttons of a kind in one template.
const fn most(kind: ButtonKind) -> usize {
    match kind {
        ButtonKind::QuickReply => BUTTONS_MAX,
        ButtonKind::Url => 2,
        ButtonKind::PhoneNumber | ButtonKind::Otp | ButtonKind::CopyCode | ButtonKind::Flow | ButtonKind::VoiceCall => {
            1
        }
    }
}

/// Checks the buttons of a template.
pub(super) fn buttons(all: &[TemplateButton], category: Option<Category>, found: &mut Found<'_>) {
    if !(1..=BUTTONS_MAX).contains(&all.len()) {
        let count = plural(all.len() as u64, "button", "buttons");
        found.add("buttons", format!("there are {count}; a template has 1 to {BUTTONS_MAX}"));
    }
    for (index, one) in all.iter().enumerate() {
        button(one, category, &mut found.at(format_args!("button {index}")));
    }
    let kinds: Vec<ButtonKind> = all.iter().filter_map(TemplateButton::button_kind).collect();
    for kind in ButtonKind::ALL.iter().copied() {
        let count = kinds.iter().filter(|other| **other == kind).count();
        if count > most(kind) {
            found.add("buttons", format!("{count} are of type {}; the maximum is {}", kind.as_str(), most(kind)));
        }
    }
    if kinds.contains(&ButtonKind::Otp) && all.len() > 1 {
        found.add("buttons", "an OTP button is the only button of its template; remove the others");
    }
    let mut runs = kinds.clone();
    runs.dedup();
    if ButtonKind::ALL.iter().any(|kind| runs.iter().filter(|run| *run == kind).count() > 1) {
        found.add("buttons", "buttons of one type must be next to each other; reorder them");
    }
}

/// Checks the buttons of a carousel's card.
pub(super) fn card_buttons(all: &[&TemplateButton], found: &mut Found<'_>) {
    if !(1..=2).contains(&all.len()) {
        found.add("", format!("has {}; a card has 1 or 2", plural(all.len() as u64, "button", "buttons")));
    }
    for (index, one) in all.iter().enumerate() {
        let mut found = found.at(format_args!("button {index}"));
        match one.button_kind() {
            Some(ButtonKind::Url | ButtonKind::QuickReply) => button(one, Some(Category::Marketing), &mut found),
            _ => found.add("type", "a button of a card is a URL or a QUICK_REPLY"),
        }
    }
}

fn button(button: &TemplateButton, category: Option<Category>, found: &mut Found<'_>) {
    let Some(kind) = button.button_kind() else {
        let known = ButtonKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
        return found.add("type", format!("is missing or unknown; use one of {known}"));
    };
    let text = button.text.as_deref().unwrap_or_default();
    // The texts of code buttons are fixed, and that of a call is optional.
    let has_own_text = !matches!(kind, ButtonKind::Otp | ButtonKind::CopyCode | ButtonKind::VoiceCall);
    if text.is_empty() && has_own_text {
        found.add("text", "is missing; write what the button shows");
    }
    found.at_most("text", text, TEXT_MAX);
    let length = text.chars().count();
    if (SCHEMA_TEXT_MAX + 1..=TEXT_MAX).contains(&length) {
        let sentence = format!(
            "has {length} characters; the provider's reference of components allows {TEXT_MAX}, but the schema of its \
             request {SCHEMA_TEXT_MAX}; if the provider refuses the template, shorten it"
        );
        found.note("text", &sentence);
    }
    match kind {
        ButtonKind::Url => url(button, found),
        ButtonKind::PhoneNumber => phone_number(button, found),
        ButtonKind::Otp => {
            if category.is_some_and(|category| category != Category::Authentication) {
                found.add("type", "an OTP button is for AUTHENTICATION templates only");
            }
        }
        ButtonKind::CopyCode => copy_code(button, category, found),
        ButtonKind::Flow => {
            if button.flow_id.as_deref().is_none_or(str::is_empty) {
                found.add("flowId", "is missing; write the id of a published flow");
            }
            if button.flow_action.as_deref().is_some_and(|action| !FLOW_ACTIONS.contains(&action)) {
                found.add("flowAction", "is unknown; use navigate or data_exchange");
            }
        }
        ButtonKind::VoiceCall => {
            if category == Some(Category::Authentication) {
                found.add("type", "a VOICE_CALL button is for MARKETING and UTILITY templates only");
            }
            if button.ttl_minutes.is_some_and(|minutes| !CALL_TTL.contains(&minutes)) {
                found.add("ttlMinutes", format!("must be from {} to {}", CALL_TTL.start(), CALL_TTL.end()));
            }
        }
        ButtonKind::QuickReply => {}
    }
}

fn url(button: &TemplateButton, found: &mut Found<'_>) {
    let url = button.url.as_deref().unwrap_or_default();
    if url.is_empty() {
        found.add("url", "is missing; write the address that the button opens");
    }
    found.at_most("url", url, URL_MAX);
    let variables = url.matches("{{").count();
    if variables > 1 || variables == 1 && !url.ends_with("}}") {
        found.add("url", "an address has one parameter at most, at its end");
    }
    let examples = button.all_examples().len();
    if examples != placeholders(url).len().min(1) {
        let needed = if variables > 0 { "one example for its parameter" } else { "no example without a parameter" };
        found.add("examples", format!("an address needs {needed}"));
    }
}

fn phone_number(button: &TemplateButton, found: &mut Found<'_>) {
    let number = button.phone_number.as_deref().unwrap_or_default();
    if number.is_empty() {
        found.add("phoneNumber", "is missing; write the number that the button calls");
    }
    found.at_most("phoneNumber", number, PHONE_MAX);
    match button.country.as_deref() {
        Some(country) if country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_alphabetic()) => {}
        Some(_) => found.add("country", "must be the two letters of a country, such as SG"),
        None if number.starts_with('+') => {}
        None => found.add("country", "is missing; write the two letters of the number's country, such as SG"),
    }
}

fn copy_code(button: &TemplateButton, category: Option<Category>, found: &mut Found<'_>) {
    if category.is_some_and(|category| category != Category::Marketing) {
        found.add("type", "a COPY_CODE button is for MARKETING templates only");
    }
    match button.all_examples()[..] {
        [code] if COUPON.contains(&code.chars().count()) => {}
        [_] => found.add("examples", format!("a code has {} to {} characters", COUPON.start(), COUPON.end())),
        _ => found.add("examples", "a COPY_CODE button needs one example of its code"),
    }
}
