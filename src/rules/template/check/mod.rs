//! Checks a content against the rules of its channel before it is sent.
//!
//! Lengths are those of the text without its variables: a text too long without them is too long for every recipient.

pub(super) mod cards;
mod fits;
pub(super) mod interactive;
mod notification;
pub(super) mod rich;
pub(super) mod template;

use super::error::{ContentProblem, Error};
use super::plain::as_it_is_sent;
use super::sms::{PARTS_MAX, beyond_gsm7, segments};
use super::text::{Piece, pieces};
use crate::base::domain::{
    Channel, Content, ContentPart, RawContent, Reachable, SmsEncoding, Sources, is_reserved, plural,
};

pub(super) const URL_MAX: usize = 2_000;
const SOURCE_MAX: usize = 16;

/// How a content is sent.
#[derive(Debug, Clone, Copy)]
pub struct Sending {
    pub channel: Channel,
    /// Whether an SMS is written in plain characters.
    pub transliterates: bool,
    /// Where the provider fetches files.
    pub reachable: Reachable,
}

/// Returns all errors of a content: what its channel would reject, and what cannot be composed or rendered.
pub fn check(sending: Sending, content: &Content) -> Vec<Error> {
    let channel = sending.channel;
    let mut findings = Findings { found: Vec::new(), reachable: sending.reachable };
    findings.check_variables(content);
    findings.check_fixed_texts(content);
    if !findings.check_fit(channel, content) {
        // The rules below are those of a channel that takes the content.
        return findings.found;
    }
    match content {
        Content::Template(template) => findings.check_template(template),
        Content::ZaloTemplate(template) => findings.check_zalo_template(template),
        Content::Text { text, source, encoding } => {
            if channel == Channel::Sms {
                findings.check_sms(text, source, (encoding.unwrap_or(SmsEncoding::Auto), sending.transliterates));
            } else {
                findings.check_text(channel, text);
                findings.check_sms_only(channel, ContentPart::Source, !source.is_empty());
                findings.check_sms_only(channel, ContentPart::Encoding, encoding.is_some());
            }
        }
        Content::Rich(message) => findings.check_rich(channel, message),
        Content::Location(location) => findings.check_location(channel, location),
        Content::Interactive(interactive) => findings.check_interactive(interactive),
        Content::Card(message) => findings.check_rich_card(message),
        Content::Carousel(carousel) => findings.check_carousel(carousel),
        Content::Notification(notification) => findings.check_notification(notification),
        Content::Raw(raw) => findings.check_raw(raw),
    }
    findings.found
}

/// The most characters of a text.
pub(super) fn text_max(channel: Channel) -> usize {
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
            Piece::Variable(_) => bare.variables += 1,
        }
    }
    bare
}

/// A text without its variables, and whether it has some.
pub(super) fn without_variables(text: &str) -> (String, bool) {
    let bare = bare(text);
    (bare.literal, bare.variables > 0)
}

impl Bare {
    fn is_empty(&self) -> bool {
        self.variables == 0 && self.literal.trim().is_empty()
    }

    fn len(&self) -> usize {
        self.literal.chars().count()
    }
}

struct Findings {
    found: Vec<Error>,
    reachable: Reachable,
}

impl Findings {
    fn add(&mut self, part: ContentPart, sentence: impl Into<String>) {
        self.found.push(Error { part, problem: ContentProblem::Rule(sentence.into()) });
    }

    fn check_variables(&mut self, content: &Content) {
        let seen = content.each_text::<Error>(|part, text| {
            if let Err(problem) = pieces(text) {
                self.found.push(Error { part: part.clone(), problem });
            }
            if text.contains(is_reserved) {
                self.found.push(Error { part, problem: ContentProblem::Reserved });
            }
            Ok(())
        });
        self.found.extend(seen.err());
    }

    fn check_fixed_texts(&mut self, content: &Content) {
        content.each_fixed_text(|part, text| {
            if text.contains("{{") {
                let sentence =
                    format!("\"{text}\" is the same for every recipient, so it has no variables; remove them");
                self.add(part.clone(), sentence);
            }
            if text.contains(is_reserved) {
                self.found.push(Error { part, problem: ContentProblem::Reserved });
            }
        });
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

    /// A text that must not be empty, of at most `max` characters.
    fn check_label(&mut self, part: ContentPart, text: &str, max: usize) {
        self.check_not_empty(part.clone(), text);
        self.check_length(part, text, max);
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

    fn check_sms(&mut self, text: &str, source: &Sources, (encoding, transliterates): (SmsEncoding, bool)) {
        self.check_not_empty(ContentPart::Text, text);
        let literal = bare(text).literal;
        let counted = segments(&as_it_is_sent(&literal, transliterates), encoding);
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
        let fits = |source: &str| (1..=SOURCE_MAX).contains(&source.trim().chars().count());
        if !source.all().all(fits) {
            let sentence = format!("a sender has from 1 to {SOURCE_MAX} characters; shorten it");
            self.add(ContentPart::Source, sentence);
        }
    }

    /// Only what would break Volley's own promises: the provider's rules for its own JSON are the provider's.
    fn check_raw(&mut self, raw: &RawContent) {
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

    /// The address of a file that the provider fetches.
    fn check_media_url(&mut self, part: ContentPart, url: &str) {
        if !begins_with(url, beginnings(self.reachable)) {
            let sentence = "must be a web address that begins with https://, where the provider can fetch the file";
            self.add(part.clone(), sentence);
        }
        self.check_length(part, url, URL_MAX);
    }

    /// The address that a button opens.
    fn check_link(&mut self, part: ContentPart, url: &str) {
        if !begins_with(url, &["https://", "http://"]) {
            self.add(
                part.clone(),
                "must be a web address that begins with https:// or http://, which the button opens",
            );
        }
        self.check_length(part, url, URL_MAX);
    }

    fn check_degrees(&mut self, part: ContentPart, text: &str, most: f64) {
        if bare(text).variables > 0 {
            return;
        }
        let fits = is_figure(text) && text.parse().is_ok_and(|degrees: f64| degrees.abs() <= most);
        if !fits {
            self.add(part, format!("invalid degrees \"{text}\"; give a number from -{most} to {most}"));
        }
    }

    /// A number that the channel takes as a number, so it cannot hold a variable.
    fn check_is_fixed(&mut self, channel: Channel, part: ContentPart, text: &str) {
        if bare(text).variables > 0 {
            let sentence = format!("{channel} takes a number here, which cannot come from a column; write the number");
            self.add(part, sentence);
        }
    }

    fn check_count(&mut self, part: ContentPart, count: usize, allowed: std::ops::RangeInclusive<usize>, what: &str) {
        let (least, most) = (allowed.start(), allowed.end());
        let counted = || plural(count as u64, what, &format!("{what}s"));
        if count < *least {
            self.add(part, format!("has {}, but needs at least {least}; add some", counted()));
        } else if count > *most {
            self.add(part, format!("has {}, but {most} are allowed; remove some", counted()));
        }
    }

    /// Texts that have to differ, each with its place.
    fn check_unique<'t>(&mut self, texts: impl Iterator<Item = (ContentPart, &'t str)>) {
        let mut seen = std::collections::BTreeSet::new();
        for (part, text) in texts {
            if !seen.insert(text) {
                self.add(part, format!("\"{text}\" is there twice; change one of them"));
            }
        }
    }
}

/// Whether a provider can fetch a file from this whole address, as far as its beginning tells.
pub fn is_fetchable(address: &str, reachable: Reachable) -> bool {
    beginnings(reachable).iter().any(|beginning| address.starts_with(beginning))
}

const fn beginnings(reachable: Reachable) -> &'static [&'static str] {
    match reachable {
        Reachable::Public => &["https://"],
        Reachable::Any => HOSTED_HERE,
    }
}

/// Beginnings of addresses where a provider on this machine fetches files: the practice provider hosts them here.
const HOSTED_HERE: &[&str] = &[
    "https://",
    "http://127.0.0.1:",
    "http://127.0.0.1/",
    "http://localhost:",
    "http://localhost/",
    "http://[::1]:",
    "http://[::1]/",
];

/// Whether a text is a number as JSON writes it, which is how it is sent: `+1.3`, `.5` and `007` are none.
fn is_figure(text: &str) -> bool {
    text.parse::<serde_json::Number>().is_ok()
}

/// Whether a text begins with one of these. A column may hold the whole text, and a malformed variable gets an error of
/// its own.
fn begins_with(text: &str, beginnings: &[&str]) -> bool {
    match pieces(text).as_deref() {
        Ok([Piece::Literal(literal), ..]) => beginnings.iter().any(|beginning| literal.starts_with(beginning)),
        Ok([Piece::Variable(_), ..]) | Err(_) => true,
        Ok([]) => false,
    }
}

#[cfg(test)]
mod tests;
