//! The text of a template as the handset shows it.

use super::known::KnownTemplate;
use super::shape::Shape;
use crate::template::preview::{ApprovedButton, ApprovedTemplate, ButtonKind as Shown};
use crate::wire::{ButtonKind, HeaderFormat, TemplateButton};

impl KnownTemplate {
    /// Its texts and buttons for a preview; `None` if its components cannot be read.
    pub fn approved(&self) -> Option<ApprovedTemplate> {
        Some(approved(&Shape::of(self.parts.as_ref()?)))
    }
}

fn approved(shape: &Shape<'_>) -> ApprovedTemplate {
    let is_text = |format: Option<HeaderFormat>| matches!(format, None | Some(HeaderFormat::Text));
    let header = shape.header.filter(|header| is_text(header.header_format()));
    ApprovedTemplate {
        header: header.and_then(|header| header.text.clone()),
        // The fixed text of an authentication template is not listed.
        body: Some(shape.body.to_owned()).filter(|body| !body.is_empty()),
        footer: shape.footer.map(str::to_owned),
        buttons: shape.buttons.iter().map(|button| approved_button(button)).collect(),
        cards: shape.cards.iter().map(approved).collect(),
    }
}

fn approved_button(button: &TemplateButton) -> ApprovedButton {
    let kind = match button.button_kind() {
        Some(ButtonKind::Url) => Shown::Url,
        Some(ButtonKind::Otp | ButtonKind::CopyCode) => Shown::CopyCode,
        Some(ButtonKind::Flow) => Shown::Flow,
        Some(ButtonKind::VoiceCall | ButtonKind::PhoneNumber) => Shown::Call,
        Some(ButtonKind::QuickReply) => Shown::QuickReply,
        // Of an unknown kind, only the address may tell what the button does.
        None if button.url.is_some() => Shown::Url,
        None => Shown::QuickReply,
    };
    let target = button.url.clone().or_else(|| button.phone_number.clone());
    ApprovedButton { kind, title: button.text.clone(), target }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::template_parts;

    #[test]
    fn every_part_of_a_template_is_known_to_a_preview() {
        let parts = template_parts(
            r#"[{"type":"HEADER","format":"TEXT","text":"News for {{1}}"},{"type":"BODY","text":"Hi {{1}}"},
                {"type":"FOOTER","text":"Acme"},
                {"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://a.example/{{1}}"},
                    {"type":"PHONE_NUMBER","text":"Call","phoneNumber":"+6561234567"},{"type":"OTP","text":"Copy"}]},
                {"type":"CAROUSEL","cards":[{"components":[{"type":"HEADER","format":"IMAGE"},
                    {"type":"BODY","text":"Card {{1}}"},
                    {"type":"BUTTONS","buttons":[{"type":"QUICK_REPLY","text":"Yes"}]}]}]}]"#,
        );
        let button = |kind, title: &str, target: Option<&str>| ApprovedButton {
            kind,
            title: Some(title.to_owned()),
            target: target.map(str::to_owned),
        };
        let card = ApprovedTemplate {
            body: Some("Card {{1}}".to_owned()),
            buttons: vec![button(Shown::QuickReply, "Yes", None)],
            ..ApprovedTemplate::default()
        };
        let expected = ApprovedTemplate {
            header: Some("News for {{1}}".to_owned()),
            body: Some("Hi {{1}}".to_owned()),
            footer: Some("Acme".to_owned()),
            buttons: vec![
                button(Shown::Url, "Go", Some("https://a.example/{{1}}")),
                button(Shown::Call, "Call", Some("+6561234567")),
                button(Shown::CopyCode, "Copy", None),
            ],
            cards: vec![card],
        };
        assert_eq!(approved(&Shape::of(&parts.unwrap())), expected);
    }

    #[test]
    fn a_template_without_a_listed_text_has_none() {
        let parts = template_parts(r#"[{"type":"BODY"},{"type":"HEADER","format":"IMAGE","text":"x"}]"#).unwrap();
        assert_eq!(approved(&Shape::of(&parts)), ApprovedTemplate::default());
    }
}
