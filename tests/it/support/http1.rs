//! HTTP/1.1 as bytes arrive: just enough to find the end of a head, the begin of a body, and whether the body is
//! whole.

use serde_json::Value;

/// The part of the present request that has arrived on one connection.
#[derive(Debug, Default)]
pub(crate) struct Incoming(Vec<u8>);

/// A whole request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) body: Value,
}

enum Length {
    Known(usize),
    Chunked,
}

struct Head {
    path: String,
    /// Where the body begins.
    end: usize,
    length: Length,
}

impl Incoming {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn head(&self) -> Option<Head> {
        let end = self.0.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let text = std::str::from_utf8(&self.0[..end]).unwrap();
        let header = |wanted: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
        };
        let length = match (header("transfer-encoding"), header("content-length")) {
            (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => Length::Chunked,
            (_, Some(length)) => Length::Known(length.parse().unwrap()),
            _ => Length::Known(0),
        };
        Some(Head { path: text.split(' ').nth(1).unwrap().to_owned(), end, length })
    }

    pub(crate) fn has_head(&self) -> bool {
        self.head().is_some()
    }

    /// Bytes of the body that have arrived, framing included.
    pub(crate) fn of_body(&self) -> usize {
        self.head().map_or(0, |head| self.0.len() - head.end)
    }

    /// Half of the body's bytes; of a body without a stated length, a few.
    pub(crate) fn half(&self) -> usize {
        match self.head() {
            Some(Head { length: Length::Known(length), .. }) => length / 2,
            Some(Head { length: Length::Chunked, .. }) | None => 16,
        }
    }

    /// The head, the body, and where the next request begins; none before all of it has arrived.
    fn whole(&self) -> Option<(Head, Vec<u8>, usize)> {
        let head = self.head()?;
        let rest = &self.0[head.end..];
        let (body, length) = match head.length {
            Length::Known(length) => (rest.get(..length)?.to_vec(), length),
            Length::Chunked => unchunked(rest)?,
        };
        let end = head.end + length;
        Some((head, body, end))
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.whole().is_some()
    }

    /// The request, once it is whole. What follows it is the next one's.
    pub(crate) fn take(&mut self) -> Option<Request> {
        let (head, body, end) = self.whole()?;
        self.0.drain(..end);
        Some(Request { path: head.path, body: serde_json::from_slice(&body).unwrap_or_default() })
    }
}

/// A chunked body, and how many bytes it took.
fn unchunked(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = at + bytes.get(at..)?.windows(2).position(|end| end == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[at..line]).unwrap().split(';').next().unwrap();
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        at = line + 2 + size + 2;
        body.extend_from_slice(bytes.get(line + 2..at)?.get(..size)?);
        if size == 0 {
            return Some((body, at));
        }
    }
}

impl Request {
    fn messages(&self) -> Vec<&Value> {
        match self.body["messages"].as_array() {
            Some(messages) => messages.iter().collect(),
            None => vec![&self.body],
        }
    }

    pub(crate) fn is_batch(&self) -> bool {
        self.path.ends_with("/batch")
    }

    /// Our ids of its messages.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.messages().iter().filter_map(|message| Some(message["clientMessageId"].as_str()?.to_owned())).collect()
    }

    pub(crate) fn channel(&self) -> String {
        self.messages()
            .first()
            .and_then(|first| first["channels"][0]["channel"].as_str())
            .unwrap_or_default()
            .to_owned()
    }
}
