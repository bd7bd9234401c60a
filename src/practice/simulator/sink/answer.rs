//! Answers, written directly into one buffer for each connection.

use std::sync::atomic::Ordering;

use uuid::Uuid;

use super::Shared;
use super::http::Request;
use super::receipts::SinkMessage;
use crate::base::domain::{Timestamp, push_json_string};

/// Writes the answers of one connection.
pub(super) struct Writer<'a> {
    shared: &'a Shared,
    output: Vec<u8>,
    body: String,
    /// A time, and the same time as text.
    stamp: (Timestamp, String),
    messages: Vec<SinkMessage>,
}

/// How old the text of the time may be; no user of the sink needs its times to be exact.
const STAMP_MS: i64 = 50;

impl<'a> Writer<'a> {
    pub(super) fn new(shared: &'a Shared) -> Self {
        let now = shared.clock.now();
        Self {
            shared,
            output: Vec::with_capacity(64 * 1024),
            body: String::with_capacity(1_024),
            stamp: (now, now.rfc3339()),
            messages: Vec::new(),
        }
    }

    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    pub(super) fn clear(&mut self) {
        self.output.clear();
        let now = self.shared.clock.now();
        if now.since(self.stamp.0).millis() >= STAMP_MS {
            self.stamp = (now, now.rfc3339());
        }
    }

    pub(super) fn answer(&mut self, request: &Request<'_>) {
        let path = request.path.split('?').next().unwrap_or_default();
        self.body.clear();
        let status = match request.method {
            "POST" if path.ends_with("/messages") => {
                self.shared.requests.fetch_add(1, Ordering::Relaxed);
                self.send(path, request.body);
                OK
            }
            "POST" if path.ends_with("/messages/batch") => {
                self.shared.requests.fetch_add(1, Ordering::Relaxed);
                self.batch(path, request.body);
                OK
            }
            "GET" if path == "/sink/count" => {
                self.body = serde_json::to_string(&self.shared.count()).unwrap_or_default();
                OK
            }
            _ => {
                self.body.push_str(
                    r#"{"code":1300,"message":"The sink accepts messages and batches, and serves /sink/count"}"#,
                );
                NOT_FOUND
            }
        };
        self.finish(status);
    }

    pub(super) fn refuse(&mut self, why: &str) {
        self.body.clear();
        self.body.push_str(r#"{"code":1000,"message":"#);
        push_json_string(&mut self.body, why);
        self.body.push('}');
        self.finish(BAD_REQUEST);
    }

    fn finish(&mut self, status: &str) {
        let mut digits = [0; 20];
        self.output.extend_from_slice(status.as_bytes());
        self.output.extend_from_slice(decimal(self.body.len(), &mut digits));
        self.output.extend_from_slice(b"\r\n\r\n");
        self.output.extend_from_slice(self.body.as_bytes());
    }

    fn send(&mut self, path: &str, body: &str) {
        let n = self.shared.take(1);
        let id = texts(body, "\"clientMessageId\"").next();
        self.accepted(n, id);
        self.queue_receipts(path, body, n, id.into_iter());
    }

    fn batch(&mut self, path: &str, body: &str) {
        let ids = || texts(body, "\"clientMessageId\"");
        // A message is counted by its id, which Volley's client always sends; the first pass counts them.
        let count = u32::try_from(ids().count()).unwrap_or(u32::MAX);
        let first = self.shared.take(count);
        self.body.push_str(r#"{"batchId":""#);
        self.push_id(self.shared.batches.of(first));
        self.body.push_str(r#"","acceptedCount":"#);
        let mut digits = [0; 20];
        let digits = decimal(count as usize, &mut digits);
        self.body.extend(digits.iter().map(|digit| char::from(*digit)));
        self.body.push_str(r#","rejectedCount":0,"messages":["#);
        for (index, id) in (0..count).zip(ids()) {
            if index > 0 {
                self.body.push(',');
            }
            self.accepted(first.wrapping_add(index), Some(id));
        }
        self.body.push_str("]}");
        self.queue_receipts(path, body, first, ids());
    }

    fn accepted(&mut self, n: u32, id: Option<&str>) {
        self.body.push_str(r#"{"umid":""#);
        self.push_id(self.shared.umids.of(n));
        if let Some(id) = id {
            // As it was in the request, escapes included.
            self.body.push_str(r#"","clientMessageId":""#);
            self.body.push_str(id);
        }
        self.body.push_str(r#"","status":{"state":"queued","timestamp":""#);
        self.body.push_str(&self.stamp.1);
        self.body.push_str("\"}}");
    }

    fn push_id(&mut self, id: Uuid) {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        self.body.push_str(id.hyphenated().encode_lower(&mut text));
    }

    /// Queues the messages for which receipts will be posted.
    fn queue_receipts<'b>(&mut self, path: &str, body: &'b str, first: u32, ids: impl Iterator<Item = &'b str>) {
        let Some(receipts) = &self.shared.receipts else { return };
        let mut numbers = texts(body, "\"msisdn\"");
        let mut channels = texts(body, "\"channel\"");
        let mut channel = "WhatsApp";
        let sub_account = path.split('/').nth(4).unwrap_or_default();
        for (n, id) in (first..).zip(ids) {
            channel = channels.next().unwrap_or(channel);
            self.messages.push(SinkMessage::new(n, id, numbers.next(), channel));
        }
        receipts.note(sub_account, &mut self.messages);
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: ";
const BAD_REQUEST: &str =
    "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ";

/// Returns the texts of a key, wherever it is in the JSON, as they are written. Inside a text, a key has a backslash
/// before its second quote, so it is not found. A key that is itself a value has no colon after it.
fn texts<'a>(body: &'a str, quoted_key: &'a str) -> impl Iterator<Item = &'a str> {
    body.match_indices(quoted_key).filter_map(move |(at, _)| {
        let value = body[at + quoted_key.len()..].trim_ascii_start().strip_prefix(':')?.trim_ascii_start();
        let text = value.strip_prefix('"')?;
        let mut escaped = false;
        let end = text.bytes().position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        })?;
        Some(&text[..end])
    })
}

/// Writes a number's digits without a formatter.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        // The remainder of ten is one digit.
        digits[start] = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_only_as_a_key() {
        let body = r#"{"a":"clientMessageId","clientMessageId" : "x\"y","text":"\"clientMessageId\":\"no\"",
            "messages":[{"clientMessageId":"z"},{"clientMessageId":7}]}"#;
        assert_eq!(texts(body, "\"clientMessageId\"").collect::<Vec<_>>(), [r#"x\"y"#, "z"]);
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 7, 10, 1_234_567, usize::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
