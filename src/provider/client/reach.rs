//! Whether the provider itself answers: which ends of a request prove that it can be reached.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::answer::cleaned;
use super::http_client::{Broken, Client, Endpoint, RawAnswer, Transport};
use super::offer::Gate;
use crate::base::domain::{Timestamp, Umid};
use crate::rules::wire::{BatchAnswer, ErrorBody, MessageAnswer};

/// What the end of one request proves about the path to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// The provider itself answered: a success of its API, or an error with a code, as it documents them.
    Proven,
    /// The provider did not answer: refused, timed out, cut, or answered by another host (a gateway's 502, a captive
    /// portal).
    Failed { why: String },
    /// A 4xx without a code. The provider or a proxy may have written it, so it proves neither.
    Unclear,
}

/// A umid of no message. The provider documents an error with a code for it, and reading it changes nothing.
pub(super) const NO_MESSAGE: &str = "00000000-0000-0000-0000-000000000000";

impl Client {
    /// Reads the details of a message that does not exist: harmless, and any documented answer is a proof.
    pub async fn probe(&self) -> Reach {
        reach_of_details(&self.transport.details(&Umid::new(NO_MESSAGE)).await)
    }
}

/// Observes how each request to a provider ends.
pub trait Observer: Send + Sync + std::fmt::Debug {
    fn now(&self) -> Timestamp;
    /// Reports the end of a request that began at `begun`.
    fn ended(&self, begun: Timestamp, reach: &Reach);
}

/// A transport that reports the end of each request to an observer, and changes nothing else.
#[derive(Debug)]
pub struct Observed<O> {
    inner: Box<dyn Transport>,
    observer: O,
}

impl<O: Observer> Observed<O> {
    pub const fn new(inner: Box<dyn Transport>, observer: O) -> Self {
        Self { inner, observer }
    }
}

#[async_trait::async_trait]
impl<O: Observer> Transport for Observed<O> {
    async fn post(&self, to: Endpoint, body: Vec<u8>, gate: Arc<dyn Gate>) -> Result<RawAnswer, Broken> {
        let begun = self.observer.now();
        let answer = self.inner.post(to, body, gate).await;
        let is_success = if to.is_batch() { is_batch } else { is_message };
        // A withdrawn request proves nothing about the path: this server stopped it.
        if !matches!(answer, Err(Broken::Withdrawn)) {
            self.observer.ended(begun, &reach(&answer, is_success));
        }
        answer
    }

    async fn details(&self, umid: &Umid) -> Result<RawAnswer, Broken> {
        let begun = self.observer.now();
        let answer = self.inner.details(umid).await;
        self.observer.ended(begun, &reach_of_details(&answer));
        answer
    }
}

fn reach_of_details(answer: &Result<RawAnswer, Broken>) -> Reach {
    reach(answer, is_details)
}

fn reach(answer: &Result<RawAnswer, Broken>, is_success: impl Fn(&[u8]) -> bool) -> Reach {
    let RawAnswer { status, body, .. } = match answer {
        Ok(answer) => answer,
        Err(Broken::Withdrawn) => return Reach::Unclear,
        Err(Broken::NotOffered { why } | Broken::Sent { why }) => return Reach::Failed { why: cleaned(why) },
    };
    match status {
        200..=299 if is_success(body) => Reach::Proven,
        400.. if has_code(body) => Reach::Proven,
        400..=499 => Reach::Unclear,
        status => Reach::Failed { why: format!("HTTP status {status}, not from the provider itself") },
    }
}

fn has_code(body: &[u8]) -> bool {
    serde_json::from_slice::<ErrorBody<'_>>(body).is_ok_and(|error| error.code.is_some())
}

fn is_message(body: &[u8]) -> bool {
    serde_json::from_slice::<MessageAnswer<'_>>(body)
        .is_ok_and(|message| message.umid.is_some() || !message.status.state.is_empty())
}

fn is_batch(body: &[u8]) -> bool {
    serde_json::from_slice::<BatchAnswer<'_>>(body).is_ok_and(|batch| !batch.messages.is_empty())
}

/// Details without a message are also an object with `data`. The SMS API answers with the record itself.
fn is_details(body: &[u8]) -> bool {
    serde_json::from_slice::<std::collections::HashMap<String, IgnoredAny>>(body)
        .is_ok_and(|object| object.contains_key("data") || object.contains_key("umid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(reach: &Reach) -> &'static str {
        match reach {
            Reach::Proven => "proven",
            Reach::Failed { .. } => "failed",
            Reach::Unclear => "unclear",
        }
    }

    #[test]
    fn only_a_documented_answer_proves_the_provider_reachable() {
        let raw = |status, body: &str| Ok(RawAnswer { status, retry_after: None, body: body.to_owned().into() });
        for (status, body, expected) in [
            (200, r#"{"umid":"u-1","status":{"state":"queued"}}"#, "proven"),
            (200, r#"{"umid":"u-1","status":{"state":"rejected","errorCode":1002}}"#, "proven"),
            (200, "<html>", "failed"),
            (200, r#"{"error":"no route"}"#, "failed"),
            (302, "", "failed"),
            (400, r#"{"code":1002,"message":"Invalid MSISDN"}"#, "proven"),
            (401, r#"{"code":1200}"#, "proven"),
            (403, "<html>", "unclear"),
            (407, "", "unclear"),
            (429, r#"{"code":429,"message":"Quota exceeded"}"#, "proven"),
            (500, r#"{"code":2000}"#, "proven"),
            (502, "<html>", "failed"),
            (503, "", "failed"),
            (504, r#"{"message":"Endpoint request timed out"}"#, "failed"),
        ] {
            assert_eq!(class(&reach(&raw(status, body), is_message)), expected, "{status} {body}");
        }
        let entries = r#"{"messages":[{"umid":"u-1","status":{"state":"queued"}}]}"#;
        assert_eq!(reach(&raw(200, entries), is_batch), Reach::Proven);
        assert_eq!(class(&reach(&raw(200, "{}"), is_batch)), "failed");
        for (body, expected) in [(r#"{"data":[]}"#, "proven"), (r#"{"data":null}"#, "proven"), ("{}", "failed")] {
            assert_eq!(class(&reach_of_details(&raw(200, body))), expected, "{body}");
        }
        let absent = raw(404, r#"{"code":1300,"message":"Object wasn't found or is already expired"}"#);
        assert_eq!(reach_of_details(&absent), Reach::Proven);
        let why = || "timed out for +6591234567".to_owned();
        for broken in [Err(Broken::NotOffered { why: why() }), Err(Broken::Sent { why: why() })] {
            assert_eq!(reach_of_details(&broken), Reach::Failed { why: "timed out for +***67".to_owned() });
        }
    }
}
