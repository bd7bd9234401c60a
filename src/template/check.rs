//! Checks a content against the rules of its channel before it is sent.
//!
//! Lengths are those of the text without its variables: a text too long without them is too long for every recipient.

use super::error::{ContentPart, ContentProblem, Error};
use super::mark::is_reserved;
use super::preview::each_text;
use super::sms::{PARTS_MAX, beyond_gsm7, segments};
use super::text::{Piece, pieces};
use crate::domain::{
    Button, ButtonAction, Category, Channel, Content, Header, RawContent, SmsEncoding, Sources, TemplateContent,
    ZaloTemplate,
};

const BUTTONS_MAX: usize = 10;
const HEADER_TEXT_MAX: usize = 60;
const BODY_MAX: usize = 1_024;
const URL_MAX: usize = 2_000;
const SOURCE_MAX: usize = 16;
const NAME_MAX: usize = 512;

/// Returns all errors of a content: what its channel would reject, and what cannot be rendered.
pub fn check(channel: Channel, content: &Content) -> Vec<Error> {
    let mut findings = Findings::default();
    findings.check_variables(content);
    match content {
        Content::Template(_) if channel != Channel::WhatsApp => findings.add(
            ContentPart::Template(""),
            format!("{channel} does not support WhatsApp templates; write `text = \"…\"` instead"),
        ),
        Content::Template(template) => findings.check_template(template),
        Content::ZaloTemplate(_) if channel != Channel::ZaloNotification => findings.add(
            ContentPart::Template("params"),
            "only a ZaloNotification template has named parameters; write body = [\"…\"] instead",
        ),
        Content::ZaloTemplate(template) => findings.check_zalo_template(template),
        Content::Raw(raw) => findings.check_raw(channel, raw),
        Content::Text { text, source, encoding } => {
            if channel == Channel::Sms {
                findings.check_sms(text, source, encoding.unwrap_or(SmsEncoding::Auto));
            } else {
                findings.check_text(channel, text);
                findings.check_sms_only(channel, ContentPart::Source, !source.is_empty());
                findings.check_sms_only(channel, ContentPart::Encoding, encoding.is_some());
            }
        }
    }
    findings.0
}

/// The most characters of a text.
fn text_max(channel: Channel) -> usize {
    match channel {
        Channel::WhatsApp => 4_096,
        Channel::Viber => 1_000,
        Channel::Rcs => 3_072,
        Channel::ZaloNotification => 400,
        Channel::LineNotification => 500,
        // The provider's limit for any text. For an SMS, the number of parts is checked instead.
        Channel::Line | Channel::Sms => 35_000,
    }
}

/// A text without its variables, and the number of variables.
struct Bare {
    literal: String,
    variables: usize,
}

/// Splits a text. Malformed variables count as plain text, because they get an error of their own.
fn bare(text: &str) -> Bare {
    let mut bare = Bare { literal: String::new(), variables: 0 };
    for piece in pieces(text).unwrap_or_else(|_| vec![Piece::Literal(text)]) {
        match piece {
            Piece::Literal(literal) => bare.literal.push_str(literal),
            Piece::Variable { .. } => bare.variables += 1,
        }
    }
    bare
}

impl Bare {
    fn is_empty(&self) -> bool {
        self.variables == 0 && self.literal.trim().is_empty()
    }

    fn len(&self) -> usize {
        self.literal.chars().count()
    }
}

#[derive(Default)]
struct Findings(Vec<Error>);

impl Findings {
    fn add(&mut self, part: ContentPart, sentence: impl Into<String>) {
        self.0.push(Error { part, problem: ContentProblem::Rule(sentence.into()) });
    }

    fn check_variables(&mut self, content: &Content) {
        let seen = each_text(content, |part, text| {
            if let Err(problem) = pieces(text) {
                self.0.push(Error { part: part.clone(), problem });
            }
            if text.contains(is_reserved) {
                self.0.push(Error { part, problem: ContentProblem::Reserved });
            }
            Ok(())
        });
        self.0.extend(seen.err());
    }

    fn check_length(&mut self, part: ContentPart, text: &str, max: usize) {
        let len = bare(text).len();
        if len > max {
            self.add(part, format!("{len} characters are more than the {max} allowed; shorten it"));
        }
    }

    fn check_not_empty(&mut self, part: ContentPart, text: &str) {
        if bare(text).is_empty() {
            self.add(part, "is empty; write something, or remove it");
        }
    }

    fn check_text(&mut self, channel: Channel, text: &str) {
        self.check_not_empty(ContentPart::Text, text);
        let (len, max) = (bare(text).len(), text_max(channel));
        if len > max {
            self.add(
                ContentPart::Text,
                format!("{channel} allows {max} characters, and this text has {len}; shorten it"),
            );
        }
    }

    fn check_sms_only(&mut self, channel: Channel, part: ContentPart, is_given: bool) {
        if is_given {
            self.add(part, format!("belongs to an SMS, not to {channel}; remove it"));
        }
    }

    fn check_sms(&mut self, text: &str, source: &Sources, encoding: SmsEncoding) {
        self.check_not_empty(ContentPart::Text, text);
        let literal = bare(text).literal;
        let counted = segments(&literal, encoding);
        if counted.parts > PARTS_MAX {
            self.add(
                ContentPart::Text,
                format!("an SMS has at most {PARTS_MAX} parts, and this text has {counted}; shorten it"),
            );
        }
        if encoding == SmsEncoding::Gsm7
            && let Some(c) = beyond_gsm7(&literal)
        {
            self.add(
                ContentPart::Text,
                format!("'{c}' cannot be written in GSM7; replace it, or write encoding = \"AUTO\""),
            );
        }
        let fits = |source: &str| (1..=SOURCE_MAX).contains(&source.trim().chars().count()) && !source.contains("{{");
        if !source.all().all(fits) {
            let sentence = format!("a sender has from 1 to {SOURCE_MAX} characters and no variables; shorten it");
            self.add(ContentPart::Source, sentence);
        }
    }

    fn check_template(&mut self, template: &TemplateContent) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if template.name.is_empty() || template.name.len() > NAME_MAX || !template.name.bytes().all(plain) {
            let sentence = format!(
                "invalid template name \"{}\"; write it as at the provider, in lowercase letters, digits and _",
                template.name
            );
            self.add(ContentPart::Template("name"), sentence);
        }
        if !is_language(&template.language) {
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

    fn check_zalo_template(&mut self, template: &ZaloTemplate) {
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

    /// Only what would break Volley's own promises: the provider's rules for its own JSON are the provider's.
    fn check_raw(&mut self, channel: Channel, raw: &RawContent) {
        if channel == Channel::Sms {
            self.add(ContentPart::Raw("type".into()), "an SMS is a text; write `text = \"…\"` instead");
        }
        if raw.kind.trim().is_empty() {
            self.add(ContentPart::Raw("type".into()), "is empty; write the `type` of the provider's request");
        }
        for (key, why) in [
            ("fallbackText", "Volley falls back itself; write a step with `text` instead"),
            ("sms", "it belongs to an SMS; write a step with `text` instead"),
        ] {
            if raw.content.contains_key(key) {
                self.add(ContentPart::Raw(key.into()), format!("remove it: {why}"));
            }
        }
    }

    fn check_header(&mut self, header: &Header, category: Category) {
        match header {
            Header::Text(text) => {
                let part = ContentPart::Header("text");
                self.check_not_empty(part.clone(), text);
                self.check_length(part, text, HEADER_TEXT_MAX);
            }
            Header::Image(url) => self.check_url(ContentPart::Header("image"), url),
            Header::Video(url) => self.check_url(ContentPart::Header("video"), url),
            Header::Document(url) => self.check_url(ContentPart::Header("document"), url),
            Header::Location { latitude, longitude, name, address } => {
                if category == Category::Authentication {
                    let sentence = "an AUTHENTICATION template cannot have a location; remove it";
                    self.add(ContentPart::Header("location"), sentence);
                }
                self.check_degrees(ContentPart::Header("latitude"), latitude, 90.0);
                self.check_degrees(ContentPart::Header("longitude"), longitude, 180.0);
                self.check_not_empty(ContentPart::Header("name"), name);
                self.check_not_empty(ContentPart::Header("address"), address);
            }
        }
    }

    fn check_url(&mut self, part: ContentPart, url: &str) {
        let begins_well = match pieces(url).as_deref() {
            Ok([Piece::Literal(literal), ..]) => literal.starts_with("https://"),
            // A column may hold the whole address. A malformed variable gets an error of its own.
            Ok([Piece::Variable { .. }, ..]) | Err(_) => true,
            Ok([]) => false,
        };
        if !begins_well {
            let sentence = "must be a web address that begins with https://, where the provider can fetch the file";
            self.add(part.clone(), sentence);
        }
        self.check_length(part, url, URL_MAX);
    }

    fn check_degrees(&mut self, part: ContentPart, text: &str, most: f64) {
        if bare(text).variables > 0 {
            return;
        }
        let fits = text.trim().parse().is_ok_and(|degrees: f64| degrees.abs() <= most);
        if !fits {
            self.add(part, format!("invalid degrees \"{text}\"; give a number from -{most} to {most}"));
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

    fn check_copy_code(&mut self, part: ContentPart, text: &str, category: Category) {
        let bare = bare(text);
        if bare.len() > 15 || (bare.variables == 0 && bare.len() < 4) {
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
    }
}

/// Whether a text has the form of a language code, such as `en`, `fil` or `en_US`.
fn is_language(text: &str) -> bool {
    let (language, region) = text.split_once('_').map_or((text, None), |(language, region)| (language, Some(region)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
