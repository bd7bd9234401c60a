//! The rules of the channels, as far as a content can break them before it is sent.
//!
//! Lengths are those of the text without its variables: what is too long so is too long for everybody.

use super::error::{Error, Place, Problem};
use super::mark::is_reserved;
use super::preview::each_text;
use super::sms::{PARTS_MAX, beyond_gsm7, segments};
use super::text::{Piece, pieces};
use crate::domain::{Button, ButtonAction, Category, Channel, Content, Header, SmsEncoding, Sources, TemplateContent};

const BUTTONS_MAX: usize = 10;
const HEADER_TEXT_MAX: usize = 60;
const BODY_MAX: usize = 1_024;
const URL_MAX: usize = 2_000;
const SOURCE_MAX: usize = 16;
const NAME_MAX: usize = 512;

/// Everything about a content that its channel would refuse, or that nobody could render.
pub fn check(channel: Channel, content: &Content) -> Vec<Error> {
    let mut findings = Findings::default();
    findings.variables(content);
    match content {
        Content::Template(_) if channel != Channel::WhatsApp => findings
            .rule(Place::Template(""), format!("{channel} takes no WhatsApp template; write `text = \"…\"` instead")),
        Content::Template(template) => findings.template(template),
        Content::Text { text, source, encoding } => {
            if channel == Channel::Sms {
                findings.sms(text, source, encoding.unwrap_or(SmsEncoding::Auto));
            } else {
                findings.text(channel, text);
                findings.only_sms(channel, Place::Source, !source.is_empty());
                findings.only_sms(channel, Place::Encoding, encoding.is_some());
            }
        }
    }
    findings.0
}

/// How many characters a text may have.
fn text_max(channel: Channel) -> usize {
    match channel {
        Channel::WhatsApp => 4_096,
        Channel::Viber => 1_000,
        Channel::Rcs => 3_072,
        Channel::ZaloNotification => 400,
        Channel::LineNotification => 500,
        // The provider's bound for any text. An SMS is counted in parts instead.
        Channel::Line | Channel::Sms => 35_000,
    }
}

/// A text without its variables, and how many of those it has.
struct Bare {
    literal: String,
    variables: usize,
}

/// Malformed variables have their own finding, so here they count as plain text.
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
    fn rule(&mut self, place: Place, sentence: impl Into<String>) {
        self.0.push(Error { place, problem: Problem::Rule(sentence.into()) });
    }

    fn variables(&mut self, content: &Content) {
        let seen = each_text(content, |place, text| {
            if let Err(problem) = pieces(text) {
                self.0.push(Error { place, problem });
            }
            if text.contains(is_reserved) {
                self.0.push(Error { place, problem: Problem::Reserved });
            }
            Ok(())
        });
        self.0.extend(seen.err());
    }

    fn length(&mut self, place: Place, text: &str, max: usize) {
        let len = bare(text).len();
        if len > max {
            self.rule(place, format!("{len} characters are more than the {max} allowed; shorten it"));
        }
    }

    fn not_empty(&mut self, place: Place, text: &str) {
        if bare(text).is_empty() {
            self.rule(place, "is empty; write something, or remove it");
        }
    }

    fn text(&mut self, channel: Channel, text: &str) {
        self.not_empty(Place::Text, text);
        let (len, max) = (bare(text).len(), text_max(channel));
        if len > max {
            self.rule(Place::Text, format!("{channel} takes {max} characters, these are {len}; shorten it"));
        }
    }

    fn only_sms(&mut self, channel: Channel, place: Place, given: bool) {
        if given {
            self.rule(place, format!("belongs to an SMS, not to {channel}; remove it"));
        }
    }

    fn sms(&mut self, text: &str, source: &Sources, encoding: SmsEncoding) {
        self.not_empty(Place::Text, text);
        let literal = bare(text).literal;
        let counted = segments(&literal, encoding);
        if counted.parts > PARTS_MAX {
            self.rule(Place::Text, format!("an SMS has at most {PARTS_MAX} parts, this is {counted}; shorten it"));
        }
        if encoding == SmsEncoding::Gsm7
            && let Some(c) = beyond_gsm7(&literal)
        {
            self.rule(
                Place::Text,
                format!("'{c}' cannot be written in GSM7; replace it, or write encoding = \"AUTO\""),
            );
        }
        let fits = |source: &str| (1..=SOURCE_MAX).contains(&source.trim().chars().count()) && !source.contains("{{");
        if !source.all().all(fits) {
            let sentence = format!("a sender has from 1 to {SOURCE_MAX} characters and no variables; shorten it");
            self.rule(Place::Source, sentence);
        }
    }

    fn template(&mut self, template: &TemplateContent) {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if template.name.is_empty() || template.name.len() > NAME_MAX || !template.name.bytes().all(plain) {
            let sentence = format!(
                "\"{}\" is no template name; write it as at the provider, in small letters, digits and _",
                template.name
            );
            self.rule(Place::Template("name"), sentence);
        }
        if !is_language(&template.language) {
            let sentence =
                format!("\"{}\" is no language; write it as at the provider, such as en or en_US", template.language);
            self.rule(Place::Template("language"), sentence);
        }
        if let Some(header) = &template.header {
            self.header(header, template.category);
        }
        for (place, text) in template.body.iter().enumerate() {
            self.not_empty(Place::Body(place + 1), text);
        }
        let body: usize = template.body.iter().map(|text| bare(text).len()).sum();
        if body > BODY_MAX {
            let sentence =
                format!("its body parameters have {body} characters, and a body takes {BODY_MAX}; shorten them");
            self.rule(Place::Template("body"), sentence);
        }
        self.buttons(&template.buttons, template.category);
    }

    fn header(&mut self, header: &Header, category: Category) {
        match header {
            Header::Text(text) => {
                let place = Place::Header("text");
                self.not_empty(place, text);
                self.length(place, text, HEADER_TEXT_MAX);
                if bare(text).variables > 1 {
                    self.rule(place, "a header takes one variable; put the others into the body");
                }
            }
            Header::Image(url) => self.address(Place::Header("image"), url),
            Header::Video(url) => self.address(Place::Header("video"), url),
            Header::Document(url) => self.address(Place::Header("document"), url),
            Header::Location { latitude, longitude, name, address } => {
                if category == Category::Authentication {
                    let sentence = "an AUTHENTICATION template has no location; remove it";
                    self.rule(Place::Header("location"), sentence);
                }
                self.degrees(Place::Header("latitude"), latitude, 90.0);
                self.degrees(Place::Header("longitude"), longitude, 180.0);
                self.not_empty(Place::Header("name"), name);
                self.not_empty(Place::Header("address"), address);
            }
        }
    }

    fn address(&mut self, place: Place, url: &str) {
        let begins_well = match pieces(url).as_deref() {
            Ok([Piece::Literal(literal), ..]) => literal.starts_with("https://") || literal.starts_with("http://"),
            // A column may hold the whole address; what is malformed has its own finding.
            Ok([Piece::Variable { .. }, ..]) | Err(_) => true,
            Ok([]) => false,
        };
        if !begins_well {
            self.rule(place, "must be a web address that begins with https://, where the provider can fetch the file");
        }
        self.length(place, url, URL_MAX);
    }

    fn degrees(&mut self, place: Place, text: &str, most: f64) {
        if bare(text).variables > 0 {
            return;
        }
        let fits = text.trim().parse().is_ok_and(|degrees: f64| degrees.abs() <= most);
        if !fits {
            self.rule(place, format!("\"{text}\" is not a number of degrees from -{most} to {most}"));
        }
    }

    fn buttons(&mut self, buttons: &[Button], category: Category) {
        if buttons.len() > BUTTONS_MAX {
            let sentence = format!("{} are more than the {BUTTONS_MAX} allowed; remove some", buttons.len());
            self.rule(Place::Template("buttons"), sentence);
        }
        for (place, button) in buttons.iter().enumerate() {
            if usize::from(button.index) >= BUTTONS_MAX {
                self.rule(
                    Place::Button(button.index, "index"),
                    "the index of a button is from 0 to 9, as in the template",
                );
            } else if buttons[..place].iter().any(|earlier| earlier.index == button.index) {
                self.rule(
                    Place::Button(button.index, "index"),
                    "two buttons have this index; number them as in the template",
                );
            }
            match &button.action {
                ButtonAction::Url(text) => {
                    self.not_empty(Place::Button(button.index, "url"), text);
                    self.length(Place::Button(button.index, "url"), text, URL_MAX);
                }
                ButtonAction::Payload(text) => self.not_empty(Place::Button(button.index, "payload"), text),
                ButtonAction::CopyCode(text) => {
                    self.copy_code(Place::Button(button.index, "copy_code"), text, category);
                }
                ButtonAction::Flow(_) => {}
            }
        }
        for (kind, most) in [("url", 2), ("copy_code", 1), ("flow", 1)] {
            let count = buttons.iter().filter(|button| kind_of(&button.action) == kind).count();
            if count > most {
                let sentence = format!("{count} {kind} buttons are more than the {most} allowed; remove some");
                self.rule(Place::Template("buttons"), sentence);
            }
        }
    }

    fn copy_code(&mut self, place: Place, text: &str, category: Category) {
        let bare = bare(text);
        if bare.len() > 15 || (bare.variables == 0 && bare.len() < 4) {
            self.rule(place, format!("\"{text}\" is no coupon code; it has from 4 to 15 characters"));
        }
        if category != Category::Marketing {
            self.rule(place, "only a MARKETING template has a coupon code; change the category or remove the button");
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

/// `en`, `fil`, `en_US`.
fn is_language(text: &str) -> bool {
    let (language, region) = text.split_once('_').map_or((text, None), |(language, region)| (language, Some(region)));
    (2..=3).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_lowercase())
        && region.is_none_or(|region| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()))
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
