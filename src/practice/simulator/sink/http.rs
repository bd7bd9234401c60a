//! The minimum of HTTP/1.1 that finds the end of a request.

/// A request in the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) body: &'a str,
    /// Whether the connection closes after the answer.
    pub(super) closes: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Request {
        request: Request<'a>,
        len: usize,
    },
    /// The rest has not arrived; `total` is the length of the request, if known.
    NeedsMore {
        total: Option<usize>,
    },
    Invalid(&'static str),
}

/// A longer head is an attack or a mistake.
const HEAD_MAX: usize = 16 * 1024;
/// Enough for batches of ten thousand.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// Returns the first request in the input.
pub(super) fn next(input: &[u8]) -> Next<'_> {
    let mut lines = Lines { input, at: 0 };
    let Some(first) = lines.next() else { return unfinished(input) };
    let mut words = first.split(|byte| *byte == b' ').map(std::str::from_utf8);
    let (Some(Ok(method)), Some(Ok(path)), Some(Ok(version))) = (words.next(), words.next(), words.next()) else {
        return Next::Invalid("the first line is not an HTTP request");
    };
    let mut length = 0;
    let mut closes = version == "HTTP/1.0";
    loop {
        let Some(line) = lines.next() else { return unfinished(input) };
        if line.is_empty() {
            break;
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Next::Invalid("a header has no colon");
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // The length of a name separates the few relevant headers from the others before any letter is compared.
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                match std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) {
                    Some(read) if read <= BODY_MAX => length = read,
                    _ => return Next::Invalid("the Content-Length is not a number, or too large"),
                }
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                return Next::Invalid("chunked bodies are not supported; send a Content-Length");
            }
            10 if name.eq_ignore_ascii_case(b"connection") => closes |= value.eq_ignore_ascii_case(b"close"),
            _ => {}
        }
    }
    let len = lines.at + length;
    let Some(body) = input.get(lines.at..len) else { return Next::NeedsMore { total: Some(len) } };
    match std::str::from_utf8(body) {
        Ok(body) => Next::Request { request: Request { method, path, body, closes }, len },
        Err(_) => Next::Invalid("the body is not UTF-8"),
    }
}

fn unfinished(input: &[u8]) -> Next<'_> {
    if input.len() > HEAD_MAX { Next::Invalid("the head is too long") } else { Next::NeedsMore { total: None } }
}

/// The complete lines, without their ends.
struct Lines<'a> {
    input: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = &self.input[self.at..];
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        self.at += end + 1;
        Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] =
        b"POST /a HTTP/1.1\r\nHost: x\r\nCONTENT-LENGTH: 2\r\n\r\n{}GET /b HTTP/1.1\r\nConnection: Close\r\n\r\n";

    #[test]
    fn pipelined_requests_are_separated() {
        let Next::Request { request, len } = next(TWO) else { panic!("no request") };
        assert_eq!(request, Request { method: "POST", path: "/a", body: "{}", closes: false });
        let Next::Request { request, len: second } = next(&TWO[len..]) else { panic!("no second request") };
        assert_eq!(request, Request { method: "GET", path: "/b", body: "", closes: true });
        assert_eq!(len + second, TWO.len());
    }

    #[test]
    fn a_partial_request_waits_for_the_rest() {
        let Next::Request { len, .. } = next(TWO) else { panic!("no request") };
        for end in 0..len {
            assert!(matches!(next(&TWO[..end]), Next::NeedsMore { .. }), "at {end}");
        }
        assert_eq!(next(&TWO[..len - 1]), Next::NeedsMore { total: Some(len) });
    }

    #[test]
    fn invalid_requests_are_refused() {
        let long = vec![b'x'; HEAD_MAX + 1];
        for wrong in [
            &b"\r\n\r\n"[..],
            b"POST\r\n\r\n",
            b"POST / HTTP/1.1\r\nno colon\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\xff",
            &long,
        ] {
            assert!(matches!(next(wrong), Next::Invalid(_)), "{:?}", String::from_utf8_lossy(wrong));
        }
    }
}
