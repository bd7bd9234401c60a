//! The text of a template as the handset shows it.

use super::known::KnownTemplate;
use super::shape::Shape;
use crate::base::domain::{Channel, ContentPart};
use crate::rules::template::preview::{
    ApprovedButton, ApprovedTemplate, Bubble, BubbleButton, BubbleCard, BubbleFile, BubbleHeader, ButtonKind as Shown,
    FileKind, ShownText, TemplateLabel, TemplateParameter, Wording,
};
use crate::rules::wire::{ButtonKind, HeaderFormat, TemplateButton, TemplatePart, placeholders};

impl KnownTemplate {
    /// Its texts and buttons for a preview; `None` if its components cannot be read.
    pub fn approved(&self) -> Option<ApprovedTemplate> {
        Some(approved(&Shape::of(self.parts.as_ref()?)))
    }

    /// The template as a handset shows it, with the names of its parameters; `None` if its components cannot be read.
    pub fn bubble(&self) -> Option<Bubble> {
        let shape = Shape::of(self.parts.as_ref()?);
        let (name, language, category) = (self.name.clone(), self.language.clone(), self.category());
        Some(Bubble {
            template: Some(TemplateLabel { name, language, category }),
            header: bubble_header(&shape),
            body: wording("body", shape.body),
            footer: shape.footer.map(|text| shown("footer", text)),
            buttons: shape.buttons.iter().map(|button| bubble_button(button)).collect(),
            cards: shape.cards.iter().map(bubble_card).collect(),
            ..Bubble::empty(Channel::WhatsApp)
        })
    }

    /// What a message fills in, part by part.
    pub fn parameters(&self) -> Vec<TemplateParameter> {
        let mut found = Vec::new();
        add_parameters("", self.parts.as_deref().unwrap_or_default(), &mut found);
        found
    }
}

fn add_parameters(within: &str, parts: &[TemplatePart], found: &mut Vec<TemplateParameter>) {
    let mut add = |part: String, text: &str, examples: Vec<&str>| {
        let examples = examples.into_iter().map(Some).chain(std::iter::repeat(None));
        found.extend(placeholders(text).into_iter().zip(examples).map(|(name, example)| TemplateParameter {
            part: part.clone(),
            name: name.to_owned(),
            example: example.map(str::to_owned),
        }));
    };
    for part in parts {
        let kind = part.kind.as_deref().unwrap_or_default().to_lowercase();
        add(format!("{within}{kind}"), part.text.as_deref().unwrap_or_default(), part.all_examples());
        for (number, button) in (1..).zip(&part.buttons) {
            let url = button.url.as_deref().unwrap_or_default();
            add(format!("{within}button {number}"), url, button.all_examples());
        }
    }
    for (number, card) in (1..).zip(parts.iter().flat_map(|part| &part.cards)) {
        add_parameters(&format!("{within}card {number}, "), &card.components, found);
    }
}

fn shown(part: &'static str, text: &str) -> ShownText {
    ShownText::new(ContentPart::Template(part), text)
}

/// A text of the template; the fixed text of an authentication template is not listed.
fn wording(part: &'static str, text: &str) -> Wording<ShownText> {
    if text.is_empty() { Wording::none() } else { Wording::of(shown(part, text), None) }
}

fn bubble_header(shape: &Shape<'_>) -> Option<BubbleHeader<ShownText>> {
    if let Some(file) = bubble_file(shape) {
        return Some(BubbleHeader::Media(file));
    }
    let text = shape.header?.text.as_deref().filter(|text| !text.is_empty())?;
    Some(BubbleHeader::Text(wording("header", text)))
}

/// The file of the header, with its example as the address.
fn bubble_file(shape: &Shape<'_>) -> Option<BubbleFile<ShownText>> {
    let header = shape.header?;
    let kind = match header.header_format()? {
        HeaderFormat::Image => FileKind::Image,
        HeaderFormat::Gif => FileKind::Gif,
        HeaderFormat::Video => FileKind::Video,
        HeaderFormat::Document => FileKind::Document,
        HeaderFormat::Text | HeaderFormat::Location => return None,
    };
    let address = header.all_examples().first().copied().unwrap_or_default();
    Some(BubbleFile { kind, address: shown("header", address), details: Vec::new() })
}

fn bubble_button(button: &TemplateButton) -> BubbleButton<ShownText> {
    let ApprovedButton { kind, title, target } = approved_button(button);
    let text = |text: String| shown("buttons", &text);
    BubbleButton { kind, title: title.map(text), target: target.map(text), data: Vec::new() }
}

fn bubble_card(card: &Shape<'_>) -> BubbleCard<ShownText> {
    BubbleCard {
        media: bubble_file(card),
        title: None,
        body: wording("body", card.body),
        buttons: card.buttons.iter().map(|button| bubble_button(button)).collect(),
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
    use crate::rules::wire::template_parts;

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

    fn known(components: &str) -> KnownTemplate {
        KnownTemplate {
            place: crate::store::TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() },
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category_word: "MARKETING".to_owned(),
            status: "APPROVED".to_owned(),
            quality: None,
            rejection: None,
            parts: template_parts(components).ok(),
            flagged_until: None,
            updated_at: None,
            fetched_at: crate::base::domain::Timestamp::default(),
        }
    }

    #[test]
    fn a_template_shows_its_parameters_by_name_with_their_examples() {
        let template = known(
            r#"[{"type":"HEADER","format":"IMAGE","example":{"headerHandle":["https://a.example/x.png"]}},
                {"type":"BODY","text":"Hi {{1}}, {{2}}","example":{"bodyText":["Ann"]}},
                {"type":"BUTTONS","buttons":[{"type":"URL","text":"Go","url":"https://a.example/{{1}}","examples":["z"]}]},
                {"type":"CAROUSEL","cards":[{"components":[{"type":"BODY","text":"Card {{1}}"}]}]}]"#,
        );
        let parameters: Vec<_> = template
            .parameters()
            .into_iter()
            .map(|TemplateParameter { part, name, example }| (part, name, example.unwrap_or_default()))
            .collect();
        let expected = [("body", "1", "Ann"), ("body", "2", ""), ("button 1", "1", "z"), ("card 1, body", "1", "")];
        assert_eq!(parameters, expected.map(|(part, name, example)| (part.into(), name.into(), example.into())));
        let bubble = template.bubble().unwrap();
        let shown: Vec<String> = bubble.shown().into_iter().map(ToString::to_string).collect();
        let texts = ["https://a.example/x.png", "Hi {{1}}, {{2}}", "Go", "https://a.example/{{1}}", "Card {{1}}"];
        assert_eq!(shown, texts);
        assert!(known("not JSON").bubble().is_none() && known("not JSON").parameters().is_empty());
    }

    #[test]
    fn a_template_without_a_listed_text_has_none() {
        let parts = template_parts(r#"[{"type":"BODY"},{"type":"HEADER","format":"IMAGE","text":"x"}]"#).unwrap();
        assert_eq!(approved(&Shape::of(&parts)), ApprovedTemplate::default());
    }
}
