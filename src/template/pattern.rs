//! A request that is known but for its holes: what the hot path renders.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::{InvalidPattern, Missing};
use super::mark::{CLOSE, EXPIRY, OPEN, Slots};
use super::text::filled;
use crate::domain::{AttemptId, Msisdn, Span, Timestamp, push_json_escaped};

/// JSON in pieces, with slots between them. Rendering appends and allocates nothing of its own, but for an expiry.
#[derive(Debug, Clone)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Literal(Box<[u8]>),
    Msisdn,
    Attempt,
    /// So long after the hand-over.
    Expiry(Span),
    /// The default is escaped already.
    Field {
        column: usize,
        name: Arc<str>,
        default: Option<Box<[u8]>>,
    },
}

impl Pattern {
    /// Splits the JSON that a marked content became. Markers stand inside JSON strings, so what fills them is escaped
    /// and never quoted.
    pub fn new(json: &str, slots: &Slots) -> Result<Self, InvalidPattern> {
        // Anything but JSON would fail for each of a million recipients; here it fails once.
        serde_json::from_str::<serde::de::IgnoredAny>(json).map_err(|_| InvalidPattern::NotJson)?;
        let mut parts = Vec::new();
        let mut rest = json;
        while let Some((before, after)) = rest.split_once(OPEN) {
            let (marker, after) = after.split_once(CLOSE).ok_or(InvalidPattern::UnknownMarker)?;
            if !before.is_empty() {
                parts.push(Part::Literal(before.as_bytes().into()));
            }
            parts.push(part(marker, slots)?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.as_bytes().into()));
        }
        Ok(Self { parts })
    }

    /// Appends the request of one message that is handed over at `left`. Where a variable has neither value nor default, `out` stays as it was.
    pub fn render(
        &self,
        msisdn: Msisdn,
        attempt: AttemptId,
        left: Timestamp,
        fields: &[Cow<'_, str>],
        out: &mut Vec<u8>,
    ) -> Result<(), Missing> {
        let before = out.len();
        for part in &self.parts {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Msisdn => msisdn.append_to(out),
                Part::Attempt => attempt.append_to(out),
                Part::Expiry(ttl) => out.extend_from_slice((left + *ttl).rfc3339().as_bytes()),
                Part::Field { column, name, default } => match (filled(fields, *column), default) {
                    (Some(value), _) => push_json_escaped(out, value),
                    (None, Some(default)) => out.extend_from_slice(default),
                    (None, None) => {
                        out.truncate(before);
                        return Err(Missing { column: Arc::clone(name) });
                    }
                },
            }
        }
        Ok(())
    }
}

fn part(marker: &str, slots: &Slots) -> Result<Part, InvalidPattern> {
    match marker {
        "msisdn" => return Ok(Part::Msisdn),
        "attempt" => return Ok(Part::Attempt),
        _ => {}
    }
    if let Some(millis) = marker.strip_prefix(EXPIRY) {
        let millis = millis.parse().map_err(|_| InvalidPattern::UnknownMarker)?;
        return Ok(Part::Expiry(Span::from_millis(millis)));
    }
    let slot = marker.parse().ok().and_then(|number: usize| slots.0.get(number));
    let slot = slot.ok_or(InvalidPattern::UnknownMarker)?;
    let escaped = |text: &String| {
        let mut bytes = Vec::new();
        push_json_escaped(&mut bytes, text);
        bytes.into()
    };
    Ok(Part::Field { column: slot.column, name: Arc::clone(&slot.name), default: slot.default.as_ref().map(escaped) })
}

#[cfg(test)]
mod tests {
    use super::super::mark::{ATTEMPT_MARK, MSISDN_MARK, expiry_mark, mark};
    use super::*;
    use crate::domain::{BatchId, Content, MessageKey, Sources, StepIndex, Tag};
    use proptest::prelude::*;

    fn attempt() -> AttemptId {
        let key = MessageKey { batch: BatchId(1), n: 2 };
        AttemptId { key, step: StepIndex::FIRST, tag: Tag::from_random(3) }
    }

    fn left() -> Timestamp {
        Timestamp::parse_rfc3339("2026-12-01T09:00:00Z").unwrap()
    }

    fn number() -> Msisdn {
        "+6591234567".parse().unwrap()
    }

    /// What the provider room does, in small: serialise the marked content within an envelope.
    fn pattern(text: &str, columns: &[&str]) -> Pattern {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let content = Content::Text { text: text.to_owned(), source: Sources::default(), encoding: None };
        let (marked, slots) = mark(&content, &columns).unwrap();
        let Content::Text { text, .. } = marked else { panic!("a text stays a text") };
        let expiry = expiry_mark(Span::from_secs(90));
        let json = serde_json::json!({ "to": MSISDN_MARK, "id": ATTEMPT_MARK, "text": text, "expiry": expiry });
        Pattern::new(&json.to_string(), &slots).unwrap()
    }

    fn render(pattern: &Pattern, fields: &[&str]) -> Result<serde_json::Value, Missing> {
        let fields: Vec<Cow<'_, str>> = fields.iter().map(|field| Cow::Borrowed(*field)).collect();
        let mut out = Vec::new();
        pattern.render(number(), attempt(), left(), &fields, &mut out)?;
        Ok(serde_json::from_slice(&out).unwrap())
    }

    #[test]
    fn every_slot_gets_its_own() {
        let pattern = pattern("Hi {{name|\"you\"}}, {{CODE}}\n{{code}}", &["Code", "Name"]);
        let json = render(&pattern, &["A\"1\\", " "]).unwrap();
        assert_eq!(json["text"], "Hi \"you\", A\"1\\\nA\"1\\");
        assert_eq!(json["to"], "+6591234567");
        assert_eq!(json["id"], attempt().to_string());
        assert_eq!(json["expiry"], "2026-12-01T09:01:30.000Z");
    }

    #[test]
    fn a_missing_value_names_its_column_and_leaves_the_buffer_alone() {
        let pattern = pattern("{{Name|you}} {{Code}}", &["Code", "Name"]);
        for fields in [&[Cow::Borrowed("")][..], &[]] {
            let mut out = b"before".to_vec();
            let missing = pattern.render(number(), attempt(), left(), fields, &mut out).unwrap_err();
            assert_eq!((&*missing.column, &out[..]), ("Code", &b"before"[..]));
        }
    }

    #[test]
    fn a_marker_that_nobody_set_is_refused() {
        let slots = Slots::default();
        assert_eq!(Pattern::new("\"\u{FDD0}0\u{FDD1}\"", &slots).unwrap_err(), InvalidPattern::UnknownMarker);
        assert_eq!(Pattern::new("\"\u{FDD0}msisdn\"", &slots).unwrap_err(), InvalidPattern::UnknownMarker);
        assert_eq!(Pattern::new("\"\u{FDD0}expiry x\u{FDD1}\"", &slots).unwrap_err(), InvalidPattern::UnknownMarker);
        assert_eq!(Pattern::new("{", &slots).unwrap_err(), InvalidPattern::NotJson);
    }

    proptest! {
        #[test]
        fn what_is_rendered_reads_back_as_what_was_meant(
            literals in proptest::collection::vec("[^{}\u{FDD0}-\u{FDEF}]*", 1..5),
            values in proptest::collection::vec(".*\\PC", 5),
            default in "[^{}\u{FDD0}-\u{FDEF}]*",
        ) {
            let columns = ["a", "b", "c", "d", "empty"];
            let mut text = String::new();
            let mut meant = String::new();
            for (literal, (column, value)) in literals.iter().zip(columns.iter().zip(&values)) {
                text += &format!("{literal}{{{{{column}|x}}}}");
                meant += literal;
                meant += if value.trim().is_empty() { "x" } else { value };
            }
            text += &format!("{{{{EMPTY|{default}}}}}");
            meant += default.trim();
            let mut fields: Vec<&str> = values.iter().map(String::as_str).collect();
            fields[4] = "";
            let json = render(&pattern(&text, &columns), &fields).unwrap();
            prop_assert_eq!(json["text"].as_str().unwrap(), meant);
        }
    }
}
