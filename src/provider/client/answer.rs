//! Classifies the provider's answers: pure, and the only place that reads HTTP statuses.

use std::collections::HashMap;

use super::http_client::{Broken, RawAnswer};
use crate::base::domain::{AttemptId, Fault, RefusalSubject, Span, Umid, without_numbers};
use crate::rules::wire::codes::{self, Entry};
use crate::rules::wire::{BatchAnswer, ErrorBody, MessageAnswer};

/// The result of sending a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendAnswer {
    /// The provider accepted it under this id.
    Accepted { umid: Umid },
    /// A definite refusal, by the provider or by a host on the way: nothing was processed.
    Refused(Refusal),
    /// No connection took it: the same attempt may be sent again.
    NotOffered { detail: String },
    /// Its gate was closed when a connection was ready: nothing was sent.
    Withdrawn,
    /// It may have been processed: it is never resent automatically.
    Unknown { detail: String, retry_after: Option<Span> },
}

/// A definite refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub fault: Fault,
    pub subject: RefusalSubject,
    pub code: Option<u32>,
    /// The provider's text, or ours for its code.
    pub detail: String,
    pub retry_after: Option<Span>,
    /// Whether the code is a known one. Otherwise the fault is an assumption.
    pub is_known: bool,
}

impl Refusal {
    /// Whether it has no known code, so the message or the sender may be the cause.
    pub const fn is_unclear(&self) -> bool {
        !self.is_known && matches!(self.fault, Fault::Sender(_))
    }
}

impl SendAnswer {
    fn unknown(detail: impl Into<String>) -> Self {
        Self::Unknown { detail: detail.into(), retry_after: None }
    }
}

/// Characters kept of the provider's text about a refusal: enough to act on, too few to fill a disk.
const DETAIL_MAX: usize = 200;

/// The longest wait that an answer can ask for: some hosts write a Unix time into `Retry-After`. After a shorter wait the
/// next answer can ask again.
const LONGEST_WAIT: Span = Span::from_secs(900);

/// How long the provider asks us to wait.
pub(super) fn requested_wait(answer: &RawAnswer, body: &ErrorBody<'_>) -> Option<Span> {
    let asked = answer.retry_after.or_else(|| body.retry_after())?;
    Some(asked.clamp(Span::ZERO, LONGEST_WAIT))
}

/// Prepares a text of the provider for holds, events and logs: one line, phone numbers masked, at most [`DETAIL_MAX`].
pub(super) fn cleaned(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Masking comes first: a number that is cut off would not be recognized.
    without_numbers(&one_line).chars().take(DETAIL_MAX).collect()
}

fn refusal(entry: &Entry, code: Option<i64>, reason: Option<&str>, retry_after: Option<Span>) -> SendAnswer {
    let detail = reason.filter(|reason| !reason.is_empty()).map_or_else(|| entry.meaning.to_owned(), cleaned);
    SendAnswer::Refused(Refusal {
        fault: entry.fault,
        subject: entry.subject,
        code: code.and_then(|code| u32::try_from(code).ok()),
        detail,
        retry_after,
        is_known: entry.known,
    })
}

/// The one result of all messages of a request; `None` if the body has a result for each.
///
/// Only a refusal proves that nothing was processed: every 3xx, and every 4xx except 408. A gateway answers 502, 503
/// and 504 also after it has passed the request on, so a 5xx proves nothing.
fn whole(answer: &Result<RawAnswer, Broken>) -> Option<SendAnswer> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Broken::NotOffered { why }) => return Some(SendAnswer::NotOffered { detail: cleaned(why) }),
        Err(Broken::Withdrawn) => return Some(SendAnswer::Withdrawn),
        Err(Broken::Sent { why }) => return Some(SendAnswer::unknown(cleaned(why))),
    };
    match answer.status {
        200..=299 => None,
        300..=407 | 409..=499 => Some(refused(answer)),
        status => {
            let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
            let retry_after = requested_wait(answer, &body);
            Some(SendAnswer::Unknown { detail: format!("HTTP status {status}"), retry_after })
        }
    }
}

/// Reads the refusal of a whole request.
///
/// A refusal without a documented code may come from any host on the way. Except for a 429, another message then tests
/// the lane, and operators see the text of the body.
fn refused(answer: &RawAnswer) -> SendAnswer {
    let RawAnswer { status, .. } = *answer;
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let entry = codes::of_answer(status, body.code);
    let retry_after = requested_wait(answer, &body);
    let words = match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => Some(message.to_owned()),
        None if entry.known => None,
        None => {
            let text = without_tags(&String::from_utf8_lossy(&answer.body));
            let text = if text.is_empty() { entry.meaning } else { &text };
            Some(format!("HTTP status {status}: {text}"))
        }
    };
    refusal(entry, body.code.or(Some(i64::from(status))), words.as_deref(), retry_after)
}

/// The text of an error page.
fn without_tags(page: &str) -> String {
    let mut text = String::new();
    for part in page.split('<') {
        let shown = part.split_once('>').map_or(part, |(_, shown)| shown);
        for word in shown.split_whitespace() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        if text.len() > 4 * DETAIL_MAX {
            break;
        }
    }
    text
}

/// Reads the answer to the request of one message.
pub fn single_answer(answer: &Result<RawAnswer, Broken>) -> SendAnswer {
    if let Some(whole) = whole(answer) {
        return whole;
    }
    let Ok(raw) = answer else { return unreadable() };
    match serde_json::from_slice::<MessageAnswer<'_>>(&raw.body) {
        Ok(message) => of_message(&message),
        Err(_) => unreadable(),
    }
}

fn unreadable() -> SendAnswer {
    SendAnswer::unknown("the provider's answer was a success that cannot be read")
}

fn of_message(message: &MessageAnswer<'_>) -> SendAnswer {
    if message.umid.is_none() && message.status.state.is_empty() {
        // JSON without a umid and a state neither accepts nor refuses: another host may have answered.
        return unreadable();
    }
    if message.is_accepted() {
        return match message.umid.as_deref().filter(|umid| !umid.is_empty()) {
            Some(umid) => SendAnswer::Accepted { umid: Umid::new(umid) },
            // The provider documents a umid for every message that it accepts.
            None => SendAnswer::unknown(
                "the provider's answer has no umid, so it is unknown whether the message was accepted",
            ),
        };
    }
    let code = message.status.code();
    refusal(codes::of_answer(200, code), code, message.status.error_message.as_deref(), None)
}

/// The result of sending a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchAnswers {
    /// One answer for the whole request.
    Whole(SendAnswer),
    /// One answer for each attempt, in their order.
    Each(Vec<SendAnswer>),
}

/// Reads the answer to a batch, message by message, in the order of `attempts`.
///
/// The provider promises no order, so entries are matched by our ids. A message that the answer does not name may have
/// been accepted or not.
pub fn batch_answers(answer: &Result<RawAnswer, Broken>, attempts: &[AttemptId]) -> BatchAnswers {
    if let Some(whole) = whole(answer) {
        return BatchAnswers::Whole(whole);
    }
    let Ok(raw) = answer else { return BatchAnswers::Whole(unreadable()) };
    let Ok(batch) = serde_json::from_slice::<BatchAnswer<'_>>(&raw.body) else {
        return BatchAnswers::Whole(unreadable());
    };
    let mut named: HashMap<AttemptId, SendAnswer> = HashMap::with_capacity(batch.messages.len());
    for message in &batch.messages {
        if let Some(id) = message.client_message_id.as_deref().and_then(|id| id.parse().ok()) {
            let answer = || of_message(message);
            named.entry(id).and_modify(|first| *first = agreed(first, answer())).or_insert_with(answer);
        }
    }
    let missing = || SendAnswer::unknown("the provider's answer does not name the message");
    BatchAnswers::Each(attempts.iter().map(|id| named.remove(id).unwrap_or_else(missing)).collect())
}

/// Merges two entries for one message: if they differ, only an acceptance proves anything.
fn agreed(first: &SendAnswer, second: SendAnswer) -> SendAnswer {
    match (first, second) {
        (SendAnswer::Accepted { .. }, _) => first.clone(),
        (_, second @ SendAnswer::Accepted { .. }) => second,
        (first, second) if *first == second => second,
        _ => SendAnswer::unknown("the provider's answer names the message twice with different results"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{BatchId, MessageKey, SenderPart, StepIndex, Tag};

    fn raw(status: u16, body: &str) -> Result<RawAnswer, Broken> {
        Ok(RawAnswer { status, retry_after: None, body: body.as_bytes().to_vec().into() })
    }

    fn class(answer: &SendAnswer) -> &'static str {
        match answer {
            SendAnswer::Accepted { .. } => "accepted",
            SendAnswer::Refused(refusal) if refusal.is_unclear() => "unclear",
            SendAnswer::Refused(Refusal { fault: Fault::Recipient | Fault::RecipientLimit, .. }) => "rejected",
            SendAnswer::Refused(Refusal { fault: Fault::Sender(SenderPart::Lane), .. }) => "held: lane",
            SendAnswer::Refused(Refusal { fault: Fault::Sender(SenderPart::Template), .. }) => "held: template",
            SendAnswer::Refused(Refusal { fault: Fault::Sender(SenderPart::Step), .. }) => "held: step",
            SendAnswer::Refused(Refusal { fault: Fault::OptedOut, .. }) => "suppressed",
            SendAnswer::Refused(Refusal { fault: Fault::Temporary, .. }) => "temporary",
            SendAnswer::NotOffered { .. } => "not offered",
            SendAnswer::Withdrawn => "withdrawn",
            SendAnswer::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn each_answer_has_its_class() {
        for (status, body, expected) in [
            (200, r#"{"umid":"u-1","status":{"state":"queued"}}"#, "accepted"),
            (200, r#"{"umid":"u-1","status":{"state":"rejected","errorCode":1002}}"#, "rejected"),
            (200, r#"{"umid":"u-1","status":{"state":"failed","errorCode":2000}}"#, "accepted"),
            (200, r#"{"umid":"u-1","status":{"state":"undelivered","errorCode":1002}}"#, "accepted"),
            (200, r#"{"status":{"state":"error","errorCode":1200}}"#, "unknown"),
            (200, r#"{"umid":"u-1","status":{"code":"QUEUED","description":"accepted"}}"#, "accepted"),
            (200, r#"{"umid":"u-1","status":{"code":"REJECTED","description":"Invalid MSISDN format"}}"#, "rejected"),
            (200, "<html>", "unknown"),
            (200, "", "unknown"),
            (200, r#"{"error":"no route"}"#, "unknown"),
            (400, r#"{"code":1002,"message":"Invalid MSISDN"}"#, "rejected"),
            (400, r#"{"code":3038}"#, "held: template"),
            (400, "not JSON", "unclear"),
            (401, r#"{"code":1200}"#, "held: lane"),
            (403, "", "unclear"),
            (403, r#"{"code":4999}"#, "unclear"),
            (200, r#"{"umid":"u-1","status":{"state":"rejected","errorCode":4999}}"#, "unclear"),
            (200, r#"{"status":{"state":"queued"}}"#, "unknown"),
            (200, r#"{"umid":"","status":{"state":"queued"}}"#, "unknown"),
            (204, "", "unknown"),
            (300, r#"{"code":1002}"#, "unclear"),
            (302, "", "unclear"),
            (399, r#"{"umid":"u-1","status":{"state":"queued"}}"#, "unclear"),
            (404, "<html>", "unclear"),
            (408, r#"{"code":1002}"#, "unknown"),
            (425, "", "unclear"),
            (499, "", "unclear"),
            (429, r#"{"code":429,"message":"Quota exceeded. Please try again in 2 second(s)."}"#, "temporary"),
            (500, r#"{"code":2000}"#, "unknown"),
            (502, "", "unknown"),
            (503, "", "unknown"),
            (503, r#"{"code":1002}"#, "unknown"),
            (504, "", "unknown"),
            (520, "", "unknown"),
        ] {
            assert_eq!(class(&single_answer(&raw(status, body))), expected, "{status} {body}");
        }
        let why = || "it broke".to_owned();
        for (broken, expected) in [
            (Broken::NotOffered { why: why() }, "not offered"),
            (Broken::Withdrawn, "withdrawn"),
            (Broken::Sent { why: why() }, "unknown"),
        ] {
            assert_eq!(class(&single_answer(&Err(broken))), expected);
        }
    }

    #[test]
    fn without_a_code_the_status_decides_the_class() {
        for status in 300..600 {
            let expected = match status {
                408 | 500.. => "unknown",
                429 => "temporary",
                _ => "unclear",
            };
            for body in ["", "<html>no</html>", r#"{"message":"no"}"#, "{}", "null"] {
                assert_eq!(class(&single_answer(&raw(status, body))), expected, "{status} {body}");
            }
        }
    }

    #[test]
    fn a_refusal_without_a_code_shows_the_answers_text() {
        for (status, body, expected) in [
            (404, "<html><h1>404 Not Found</h1>\n<p>nginx</html>", "HTTP status 404: 404 Not Found nginx"),
            (302, "", "HTTP status 302: the address redirects elsewhere; check base_url"),
            (400, r#"{"code":3999,"message":"Try +6591234567"}"#, "Try +***67"),
            (400, r#"{"code":1002}"#, "invalid phone number"),
        ] {
            let SendAnswer::Refused(Refusal { detail, .. }) = single_answer(&raw(status, body)) else {
                panic!("{status}")
            };
            assert_eq!(detail, expected);
        }
    }

    #[test]
    fn the_providers_text_is_kept_without_phone_numbers() {
        let words = format!("Forbidden for +6591234567\n{}6591234568", "x".repeat(DETAIL_MAX - 30));
        let body = serde_json::json!({ "code": 1200, "message": words }).to_string();
        let broken = Err(Broken::NotOffered { why: words.clone() });
        for answer in [single_answer(&raw(401, &body)), single_answer(&broken)] {
            let (SendAnswer::Refused(Refusal { detail, .. }) | SendAnswer::NotOffered { detail }) = answer else {
                panic!("{answer:?}")
            };
            assert!(detail.starts_with("Forbidden for +***67 xxx"), "{detail}");
            assert!(!detail.contains("6591") && detail.chars().count() <= DETAIL_MAX, "{detail}");
        }
    }

    #[test]
    fn a_throttled_answer_has_its_retry_time() {
        let answer = single_answer(&raw(429, r#"{"code":429,"message":"Please try again in 2 second(s)."}"#));
        assert!(
            matches!(answer, SendAnswer::Refused(Refusal { retry_after: Some(span), .. }) if span == Span::from_secs(2))
        );
    }

    #[test]
    fn an_unknown_answer_keeps_its_retry_time() {
        let rest = Some(Span::from_secs(7));
        let answer = Ok(RawAnswer { status: 503, retry_after: rest, body: "".into() });
        assert!(matches!(single_answer(&answer), SendAnswer::Unknown { retry_after, .. } if retry_after == rest));
    }

    #[test]
    fn a_retry_header_of_years_is_capped() {
        for (asked, rest) in [(1_764_547_200, 900), (-5, 0), (900, 900)] {
            for status in [429, 503] {
                let answer = Ok(RawAnswer { status, retry_after: Some(Span::from_secs(asked)), body: "".into() });
                let (SendAnswer::Unknown { retry_after, .. } | SendAnswer::Refused(Refusal { retry_after, .. })) =
                    single_answer(&answer)
                else {
                    panic!("{status}")
                };
                assert_eq!(retry_after, Some(Span::from_secs(rest)), "{asked}");
            }
        }
    }

    fn id(n: u32) -> AttemptId {
        AttemptId { key: MessageKey { batch: BatchId(1), n }, step: StepIndex::FIRST, tag: Tag::from_random(9) }
    }

    #[test]
    fn an_acceptance_wins_and_different_refusals_are_unknown() {
        let entry = |state: &str| {
            format!(r#"{{"umid":"u","clientMessageId":"{}","status":{{"state":"{state}","errorCode":1002}}}}"#, id(1))
        };
        for (first, second, expected) in [
            ("queued", "rejected", "accepted"),
            ("rejected", "queued", "accepted"),
            ("rejected", "rejected", "rejected"),
            ("queued", "queued", "accepted"),
        ] {
            let body = format!(r#"{{"messages":[{},{}]}}"#, entry(first), entry(second));
            let BatchAnswers::Each(answers) = batch_answers(&raw(200, &body), &[id(1)]) else { panic!("{body}") };
            assert_eq!(answers.iter().map(class).collect::<Vec<_>>(), [expected], "{first}, {second}");
        }
        let body = format!(r#"{{"messages":[{},{}]}}"#, entry("rejected"), entry("rejected").replace("1002", "1200"));
        let BatchAnswers::Each(answers) = batch_answers(&raw(200, &body), &[id(1)]) else { panic!("{body}") };
        assert_eq!(class(&answers[0]), "unknown", "two refusals that differ");
    }

    #[test]
    fn a_batch_is_read_by_our_ids_in_any_order() {
        let body = format!(
            r#"{{"messages":[{{"umid":"b","clientMessageId":"{}","status":{{"state":"rejected","errorCode":3003}}}},
                {{"umid":"a","clientMessageId":"{}","status":{{"state":"queued"}}}}]}}"#,
            id(2),
            id(1)
        );
        let BatchAnswers::Each(answers) = batch_answers(&raw(200, &body), &[id(1), id(2), id(3)]) else {
            panic!("read as a whole")
        };
        assert_eq!(answers.iter().map(class).collect::<Vec<_>>(), ["accepted", "rejected", "unknown"]);
        assert_eq!(answers[0], SendAnswer::Accepted { umid: Umid::new("a") });
        let whole = batch_answers(&raw(401, ""), &[id(1), id(2)]);
        assert!(matches!(whole, BatchAnswers::Whole(answer) if class(&answer) == "unclear"));
    }
}
