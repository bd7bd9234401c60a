//! The rules of templates.

use super::{Findings, URL_MAX, bare, text_max};
use crate::base::domain::{
    Button, ButtonAction, Category, Channel, ContentPart, Header, Span, TEMPLATE_NAME_MAX, TemplateCard,
    TemplateContent, VoiceCall, ZaloTemplate, is_template_language, is_template_name,
};

const BUTTONS_MAX: usize = 10;
pub(in crate::rules::template) const HEADER_TEXT_MAX: usize = 60;
pub(in crate::rules::template) const BODY_MAX: usize = 1_024;
pub(in crate::rules::template) const COPY_CODE_MAX: usize = 15;
const CARDS_MAX: usize = 10;
pub(in crate::rules::template) const CARD_BODY_MAX: usize = 160;
const CARD_BUTTONS_MAX: usize = 2;
/// How long the button of a voice call may work.
const CALL_TTL: std::ops::RangeInclusive<Span> = Span::from_secs(60)..=Span::from_secs(43_200 * 60);

impl Findings {
    pub(super) fn check_template(&mut self, template: &TemplateContent) {
        if !is_template_name(&template.name) || template.name.len() > TEMPLATE_NAME_MAX {
            let sentence = format!(
                "invalid template name \"{}\"; write it as at the provider, in at most {TEMPLATE_NAME_MAX} lowercase letters, \
                 digits and _",
                template.name
            );
            self.add(ContentPart::Template("name"), sentence);
        }
        if !is_template_language(&template.language) {
            let sentence =
                format!("invalid language \"{}\"; write it as at the provider, such as en or en_US", template.language);
            self.add(ContentPart::Template("language"), sentence);
        }
        if let Some(header) = &template.header {
            self.check_header(header, template.category);
        }
        for (index, text) in template.body.iter().enumerate() {
            self.check_not_empty(ContentPart::Body(index + 1), text);
        }
        let body: usize = template.body.iter().map(|text| bare(text).len()).sum();
        if body > BODY_MAX {
            let sentence =
                format!("the body parameters have {body} characters, and a body allows {BODY_MAX}; shorten them");
            self.add(ContentPart::Template("body"), sentence);
        }
        self.check_buttons(&template.buttons, template.category);
        if !template.carousel.is_empty() {
            self.check_cards(template);
        }
        if template.category == Category::Authentication {
            self.check_code(template);
        }
    }

    /// The code stands in the body and in the button that copies it.
    fn check_code(&mut self, template: &TemplateContent) {
        let [code] = &template.body[..] else {
            let sentence = "an AUTHENTICATION template has one parameter, the code; write otp = \"{{Code}}\"";
            return self.add(ContentPart::Template("body"), sentence);
        };
        let copies = |button: &Button| button.index == 0 && button.action == ButtonAction::Url(code.clone());
        if !matches!(&template.buttons[..], [button] if copies(button)) {
            let sentence = "an AUTHENTICATION template has one button, which repeats the code; write otp = \"{{Code}}\" \
                            instead of body and buttons";
            self.add(ContentPart::Template("buttons"), sentence);
        }
    }

    pub(super) fn check_zalo_template(&mut self, template: &ZaloTemplate) {
        for (name, text) in &template.params {
            self.check_not_empty(ContentPart::Param(name.as_str().into()), text);
        }
        let (all, most) =
            (template.params.values().map(|text| bare(text).len()).sum(), text_max(Channel::ZaloNotification));
        let sentence =
            |len: usize| format!("the params have {len} characters, and a message allows {most}; shorten them");
        if all > most {
            self.add(ContentPart::Template("params"), sentence(all));
        }
    }

    fn check_header(&mut self, header: &Header, category: Category) {
        match header {
            Header::Text(text) => {
                let part = ContentPart::Header("text");
                self.check_not_empty(part.clone(), text);
                self.check_length(part, text, HEADER_TEXT_MAX);
            }
            Header::Image(url) => self.check_media_url(ContentPart::Header("image"), url),
            Header::Video(url) => self.check_media_url(ContentPart::Header("video"), url),
            Header::Document(url) => self.check_media_url(ContentPart::Header("document"), url),
            Header::Gif(url) => {
                if category != Category::Marketing {
                    let sentence = "only a MARKETING template can have a GIF; use a video";
                    self.add(ContentPart::Header("gif"), sentence);
                }
                self.check_media_url(ContentPart::Header("gif"), url);
            }
            Header::Location(location) => {
                if category == Category::Authentication {
                    let sentence = "an AUTHENTICATION template cannot have a location; remove it";
                    self.add(ContentPart::Header("location"), sentence);
                }
                self.check_place(location, ContentPart::Header);
            }
        }
    }

    fn check_buttons(&mut self, buttons: &[Button], category: Category) {
        if buttons.len() > BUTTONS_MAX {
            let sentence = format!("{} are more than the {BUTTONS_MAX} allowed; remove some", buttons.len());
            self.add(ContentPart::Template("buttons"), sentence);
        }
        for (position, button) in buttons.iter().enumerate() {
            if usize::from(button.index) >= BUTTONS_MAX {
                self.add(
                    ContentPart::Button(button.index, "index"),
                    "the index of a button is from 0 to 9, as in the template",
                );
            } else if buttons[..position].iter().any(|earlier| earlier.index == button.index) {
                self.add(
                    ContentPart::Button(button.index, "index"),
                    "two buttons have this index; number them as in the template",
                );
            }
            match &button.action {
                ButtonAction::Url(text) => {
                    self.check_not_empty(ContentPart::Button(button.index, "url"), text);
                    self.check_length(ContentPart::Button(button.index, "url"), text, URL_MAX);
                }
                ButtonAction::Payload(text) => self.check_not_empty(ContentPart::Button(button.index, "payload"), text),
                ButtonAction::CopyCode(text) => {
                    self.check_copy_code(ContentPart::Button(button.index, "copy_code"), text, category);
                }
                ButtonAction::Flow(flow) if flow.screen.is_none() && !flow.data.is_empty() => self.add(
                    ContentPart::Button(button.index, "flow"),
                    "data belongs to a screen; write screen = \"…\" as well",
                ),
                ButtonAction::Flow(_) => {}
                ButtonAction::VoiceCall(call) => self.check_voice_call(button.index, call, category),
            }
        }
        for (kind, most) in [("url", 2), ("copy_code", 1), ("flow", 1)] {
            let count = buttons.iter().filter(|button| kind_of(&button.action) == kind).count();
            if count > most {
                let sentence = format!("{count} {kind} buttons are more than the {most} allowed; remove some");
                self.add(ContentPart::Template("buttons"), sentence);
            }
        }
    }

    fn check_voice_call(&mut self, index: u8, call: &VoiceCall, category: Category) {
        let part = || ContentPart::Button(index, "voice_call");
        if category == Category::Authentication {
            self.add(part(), "an AUTHENTICATION template cannot have a call; remove the button");
        }
        if call.ttl.is_some_and(|ttl| !CALL_TTL.contains(&ttl) || ttl.millis() % 60_000 != 0) {
            self.add(part(), "ttl must be whole minutes, from 1m to 30d");
        }
        if let Some(payload) = &call.payload {
            self.check_not_empty(ContentPart::Button(index, "voice_call payload"), payload);
        }
    }

    /// The cards of a carousel, which all have the layout that is approved for the template.
    fn check_cards(&mut self, template: &TemplateContent) {
        let part = || ContentPart::Template("carousel");
        if template.category != Category::Marketing {
            self.add(part(), "only a MARKETING template can have a carousel; change the category or remove it");
        }
        self.check_count(part(), template.carousel.len(), 1..=CARDS_MAX, "card");
        for (number, card) in (1..).zip(&template.carousel) {
            let before = self.found.len();
            self.check_card_of_template(card, template.category);
            for finding in self.found.iter_mut().skip(before) {
                finding.part = ContentPart::Card(number, Box::new(finding.part.clone()));
            }
            if template.carousel.first().is_some_and(|first| layout(first) != layout(card)) {
                let sentence = format!(
                    "card {number} differs from card 1 in its header, its number of texts or its buttons; all cards have \
                     the same layout"
                );
                self.add(part(), sentence);
            }
        }
    }

    fn check_card_of_template(&mut self, card: &TemplateCard, category: Category) {
        match &card.header {
            Header::Image(_) | Header::Video(_) => self.check_header(&card.header, category),
            Header::Text(_) | Header::Gif(_) | Header::Document(_) | Header::Location(_) => {
                self.add(ContentPart::key("header"), "a card has an image or a video; use one of them");
            }
        }
        for (number, text) in (1..).zip(&card.body) {
            self.check_not_empty(ContentPart::Body(number), text);
        }
        let body: usize = card.body.iter().map(|text| bare(text).len()).sum();
        if body > CARD_BODY_MAX {
            let sentence = format!("{body} characters are more than the {CARD_BODY_MAX} of a card; shorten them");
            self.add(ContentPart::key("body"), sentence);
        }
        self.check_count(ContentPart::key("buttons"), card.buttons.len(), 0..=CARD_BUTTONS_MAX, "button");
        self.check_buttons(&card.buttons, category);
        for button in &card.buttons {
            let kind = kind_of(&button.action);
            if !matches!(button.action, ButtonAction::Url(_) | ButtonAction::Payload(_)) {
                let sentence = "a card has buttons with url and payload only; remove it";
                self.add(ContentPart::Button(button.index, kind), sentence);
            } else if usize::from(button.index) >= CARD_BUTTONS_MAX {
                self.add(ContentPart::Button(button.index, "index"), "the index of a card's button is 0 or 1");
            }
        }
    }

    fn check_copy_code(&mut self, part: ContentPart, text: &str, category: Category) {
        let bare = bare(text);
        if bare.len() > COPY_CODE_MAX || (bare.variables == 0 && bare.len() < 4) {
            self.add(part.clone(), format!("invalid coupon code \"{text}\"; it must have 4 to 15 characters"));
        }
        if category != Category::Marketing {
            self.add(
                part,
                "only a MARKETING template can have a coupon code; change the category or remove the button",
            );
        }
    }
}

fn kind_of(action: &ButtonAction) -> &'static str {
    match action {
        ButtonAction::Url(_) => "url",
        ButtonAction::Payload(_) => "payload",
        ButtonAction::CopyCode(_) => "copy_code",
        ButtonAction::Flow(_) => "flow",
        ButtonAction::VoiceCall(_) => "voice_call",
    }
}

/// What the cards of a carousel have in common: the kind of header, the number of texts, and the buttons.
fn layout(card: &TemplateCard) -> (std::mem::Discriminant<Header>, usize, Vec<(u8, &'static str)>) {
    let buttons = card.buttons.iter().map(|button| (button.index, kind_of(&button.action))).collect();
    (std::mem::discriminant(&card.header), card.body.len(), buttons)
}
