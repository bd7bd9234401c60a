//! Renders requests: JSON that is the same for each recipient, except for its variables.

use std::borrow::Cow;
use std::sync::Arc;

use super::bound::Bound;
use super::error::{InvalidPattern, Missing};
use super::mark::{CLOSE, EXPIRY, OPEN, Variables};
use super::parts::PartsOf;
use super::plain::ToPlain;
use super::sink::{Json, Sink};
use crate::base::domain::{AttemptId, Extras, Msisdn, Span, Timestamp};

/// JSON in pieces, with variables between them.
///
/// Rendering appends to a buffer. It allocates nothing, unless a filter cuts a text that another one has written, or a
/// transliterated SMS has several parts.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
    /// The same in plain characters, and for which recipients.
    plain: Option<(Vec<Part>, PartsOf)>,
    /// The column with the [`Extras`] of each message.
    extras: Option<usize>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(Box<[u8]>),
    Msisdn,
    /// The id by which the channel knows the recipient.
    User,
    Attempt,
    /// The submission time plus this TTL, or the message's own expiry if that is earlier.
    Expiry(Span),
    Variable(Bound),
}

/// How a request names its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To<'a> {
    Number(Msisdn),
    /// By the id that the channel has for them.
    User(&'a str),
    /// The channel does not know them.
    Unknown,
}

/// The times of a submission, for the expiry that its request names.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionTimes {
    /// When it is submitted.
    pub at: Timestamp,
    /// The message's own expiry.
    pub expires: Option<Timestamp>,
}

impl From<Timestamp> for SubmissionTimes {
    /// The times of a message without an expiry of its own.
    fn from(at: Timestamp) -> Self {
        Self { at, expires: None }
    }
}

impl SubmissionTimes {
    /// When the provider gives up, by the TTL of the step and the message's own expiry.
    fn expiry(self, ttl: Span) -> Timestamp {
        let by_ttl = self.at + ttl;
        self.expires.map_or(by_ttl, |own| own.min(by_ttl))
    }
}

impl Pattern {
    /// Splits the JSON of a marked content at its markers.
    ///
    /// Markers are inside JSON strings, so the values are escaped and not quoted.
    pub fn new(json: &str, variables: &Variables) -> Result<Self, InvalidPattern> {
        // Invalid JSON fails once here, instead of for each recipient.
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|_| InvalidPattern::NotJson)?;
        let mut parts = Vec::new();
        let mut rest = json;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (marker, after) = after.split_once(CLOSE).ok_or(InvalidPattern::UnknownMarker)?;
            if !before.is_empty() {
                parts.push(Part::Literal(before.as_bytes().into()));
            }
            parts.push(part(marker, variables)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.as_bytes().into()));
        }
        Ok(Self { parts, plain: None, extras: None })
    }

    /// Adds to each request the [`Extras`] in a column of its message.
    pub fn with_extras(self, column: Option<usize>) -> Self {
        Self { extras: column, ..self }
    }

    /// Adds the same request in plain characters. It is rendered for the recipients whose text is sent so, and this one for
    /// the others.
    pub fn or_plain(self, plain: Self, text: PartsOf) -> Self {
        Self { plain: Some((plain.parts, text)), ..self }
    }

    /// Appends the request of one message that is submitted at these times.
    ///
    /// If a variable has neither value nor default, or the request cannot name its recipient, `out` is unchanged.
    pub fn render(
        &self,
        to: To<'_>,
        attempt: AttemptId,
        times: SubmissionTimes,
        fields: &[Cow<'_, str>],
        out: &mut Vec<u8>,
    ) -> Result<(), Missing> {
        let before = out.len();
        let plain = self.plain.as_ref().filter(|(_, text)| text.is_sent_plain(fields)).map(|(parts, _)| parts);
        for part in plain.unwrap_or(&self.parts) {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Msisdn | Part::User => match (part, to) {
                    (Part::Msisdn, To::Number(number)) => number.append_to(out),
                    (Part::User, To::User(id)) => Json(out).put(id),
                    _ => {
                        out.truncate(before);
                        return Err(Missing { column: Arc::from("msisdn") });
                    }
                },
                Part::Attempt => attempt.append_to(out),
                Part::Expiry(ttl) => times.expiry(*ttl).append_to(out),
                Part::Variable(variable) => {
                    let written = match plain {
                        Some(_) => variable.write(fields, &mut ToPlain(&mut Json(out))),
                        None => variable.write(fields, &mut Json(out)),
                    };
                    if let Err(name) = written {
                        out.truncate(before);
                        return Err(Missing { column: Arc::clone(name) });
                    }
                }
            }
        }
        // Neither fails: Volley has written both.
        let extras = self.extras.and_then(|column| fields.get(column)).filter(|text| !text.is_empty());
        if let Some(extras) = extras
            && let (Ok(extras), Ok(mut request)) = (Extras::parse(extras), serde_json::from_slice(&out[before..]))
        {
            extras.put_into(&mut request);
            out.truncate(before);
            out.extend_from_slice(request.to_string().as_bytes());
        }
        Ok(())
    }
}

fn part(marker: &str, variables: &Variables) -> Result<Part, InvalidPattern> {
    match marker {
        "msisdn" => return Ok(Part::Msisdn),
        "user" => return Ok(Part::User),
        "attempt" => return Ok(Part::Attempt),
        _ => {}
    }
    if let Some(millis) = marker.strip_prefix(EXPIRY) {
        let millis = millis.parse().map_err(|_| InvalidPattern::UnknownMarker)?;
        return Ok(Part::Expiry(Span::from_millis(millis)));
    }
    let variable = marker.parse().ok().and_then(|index: usize| variables.0.get(index));
    let variable = variable.ok_or(InvalidPattern::UnknownMarker)?;
    Ok(Part::Variable(variable.bound.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::mark::{ATTEMPT_MARK, MSISDN_MARK, MarkedContent, expiry_mark, mark};
    use super::*;
    use crate::base::domain::{BatchId, Content, MessageKey, Names, Sources, StepIndex, Tag};
    use proptest::prelude::*;

    fn attempt() -> AttemptId {
        let key = MessageKey { batch: BatchId(1), n: 2 };
        AttemptId { key, step: StepIndex::FIRST, tag: Tag::from_random(3) }
    }

    fn submitted_at() -> Timestamp {
        Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap()
    }

    fn number() -> To<'static> {
        To::Number("+6591234567".parse().unwrap())
    }

    /// Serializes the marked content within a small envelope, as the room `dispatch` does.
    fn pattern(text: &str, columns: &[&str]) -> Pattern {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let content = Content::Text { text: text.to_owned(), source: Sources::default(), encoding: None };
        let MarkedContent { content, variables, .. } = mark(&content, None, Names::of_columns(&columns)).unwrap();
        let Content::Text { text, .. } = content else { panic!("a text stays a text") };
        let expiry = expiry_mark(Span::from_secs(90));
        let json = serde_json::json!({ "to": MSISDN_MARK, "id": ATTEMPT_MARK, "text": text, "expiry": expiry });
        Pattern::new(&json.to_string(), &variables).unwrap()
    }

    fn render(pattern: &Pattern, fields: &[&str]) -> Result<serde_json::Value, Missing> {
        let fields: Vec<Cow<'_, str>> = fields.iter().map(|field| Cow::Borrowed(*field)).collect();
        let mut out = Vec::new();
        pattern.render(number(), attempt(), submitted_at().into(), &fields, &mut out)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn each_variable_gets_its_own_value() {
        let pattern = pattern("Hi {{name|\"you\"}}, {{CODE}}\n{{code}}", &["Code", "Name"]);
        let json = render(&pattern, &["A\"1\\", " "]).unwrap();
        assert_eq!(json["text"], "Hi \"you\", A\"1\\\nA\"1\\");
        assert_eq!(json["to"], "+6591234567");
        assert_eq!(json["id"], attempt().to_string());
        assert_eq!(json["expiry"], "2026-12-01T09:01:30.000Z");
    }

    #[test]
    fn the_earlier_of_ttl_and_own_expiry_is_written() {
        let pattern = pattern("Hi", &[]);
        for (secs, wanted) in [(89, "2026-12-01T09:01:29.000Z"), (91, "2026-12-01T09:01:30.000Z")] {
            let expires = Some(submitted_at() + Span::from_secs(secs));
            let mut out = Vec::new();
            let times = SubmissionTimes { at: submitted_at(), expires };
            pattern.render(number(), attempt(), times, &[], &mut out).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(json["expiry"], wanted);
        }
    }

    #[test]
    fn a_missing_value_names_its_column_and_keeps_the_buffer() {
        let pattern = pattern("{{Name|you}} {{Code}}", &["Code", "Name"]);
        for fields in [&[Cow::Borrowed("")][..], &[]] {
            let mut out = b"before".to_vec();
            let missing = pattern.render(number(), attempt(), submitted_at().into(), fields, &mut out).unwrap_err();
            assert_eq!((&*missing.column, &out[..]), ("Code", &b"before"[..]));
        }
    }

    #[test]
    fn an_unknown_marker_or_invalid_json_is_refused() {
        let variables = Variables::default();
        assert_eq!(Pattern::new("\"\u{FDD0}0\u{FDD1}\"", &variables).unwrap_err(), InvalidPattern::UnknownMarker);
        assert_eq!(Pattern::new("\"\u{FDD0}msisdn\"", &variables).unwrap_err(), InvalidPattern::UnknownMarker);
        assert_eq!(
            Pattern::new("\"\u{FDD0}expiry x\u{FDD1}\"", &variables).unwrap_err(),
            InvalidPattern::UnknownMarker
        );
        assert_eq!(Pattern::new("{", &variables).unwrap_err(), InvalidPattern::NotJson);
    }

    proptest! {
        #[test]
        fn rendered_json_reads_back_as_the_intended_text(
            literals in proptest::collection::vec("[^{}\u{FDD0}-\u{FDEF}]*", 1..5),
            values in proptest::collection::vec(".*\\PC", 5),
            default in "[^{}\u{FDD0}-\u{FDEF}]*",
        ) {
            let columns = ["a", "b", "c", "d", "empty"];
            let mut text = String::new();
            let mut intended = String::new();
            for (literal, (column, value)) in literals.iter().zip(columns.iter().zip(&values)) {
                text += &format!("{literal}{{{{{column}|x}}}}");
                intended += literal;
                intended += if value.trim().is_empty() { "x" } else { value };
            }
            text += &format!("{{{{EMPTY|{default}}}}}");
            intended += default.trim();
            let mut fields: Vec<&str> = values.iter().map(String::as_str).collect();
            fields[4] = "";
            let json = render(&pattern(&text, &columns), &fields).unwrap();
            prop_assert_eq!(json["text"].as_str().unwrap(), intended);
        }
    }
}
