//! The header `traceparent` of W3C Trace Context: to which trace a request belongs.

use axum::http::HeaderValue;

pub(super) const TRACEPARENT: &str = "traceparent";

/// The ids of a trace and of the client's span in it, as hexadecimal digits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traceparent<'a> {
    pub(super) trace_id: &'a str,
    pub(super) parent_id: &'a str,
}

impl<'a> Traceparent<'a> {
    /// Reads a header; `None` if it is invalid, because an invalid trace is not to be continued.
    ///
    /// Later versions may add parts after those of version 00.
    pub(super) fn read(header: &'a HeaderValue) -> Option<Self> {
        let mut parts = header.to_str().ok()?.split('-');
        let mut part = |length| parts.next().filter(|part| part.len() == length && is_hex(part));
        let (version, trace_id, parent_id, _flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
        let has_more = parts.next().is_some();
        let is_known = version != "ff" && !(version == "00" && has_more);
        (is_known && !is_zero(trace_id) && !is_zero(parent_id)).then_some(Self { trace_id, parent_id })
    }
}

fn is_hex(part: &str) -> bool {
    part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_header_names_a_trace() {
        let (trace_id, parent_id) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let valid = format!("00-{trace_id}-{parent_id}-01");
        let later = format!("01-{trace_id}-{parent_id}-01-more");
        for text in [&valid, &later] {
            let header = HeaderValue::from_str(text).unwrap();
            assert_eq!(Traceparent::read(&header), Some(Traceparent { trace_id, parent_id }), "{text}");
        }
        let zeros = "0".repeat(32);
        for text in [
            String::new(),
            format!("00-{trace_id}-{parent_id}"),
            format!("00-{trace_id}-{parent_id}-01-more"),
            format!("ff-{trace_id}-{parent_id}-01"),
            format!("00-{}-{parent_id}-01", trace_id.to_uppercase()),
            format!("00-{zeros}-{parent_id}-01"),
            format!("00-{trace_id}-{}-01", &zeros[..16]),
            format!("00-{}-{parent_id}-01", &trace_id[1..]),
        ] {
            assert_eq!(Traceparent::read(&HeaderValue::from_str(&text).unwrap()), None, "{text}");
        }
        assert_eq!(Traceparent::read(&HeaderValue::from_bytes(b"\xff").unwrap()), None);
    }
}
