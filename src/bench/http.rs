//! A connection that speaks HTTP/1.1 by hand, so that a load costs little beside what is measured.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Error;
use crate::base::clock::Clock;
use crate::base::domain::{Span, Timestamp};

const HEAD_END: &[u8] = b"\r\n\r\n";
const NO_CONTENT: &str = "HTTP/1.1 204";
const LENGTH: &str = "content-length:";

pub(super) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// The server drops silent connections when it has many, so send at once.
    pub(super) async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request: Vec::new(), answer: vec![0; 4_096] })
    }

    /// Posts JSON, and returns the body of the answer. Fails unless it succeeded.
    pub(super) async fn post(&mut self, path: &str, authorization: &str, body: &[u8]) -> Result<&[u8], Error> {
        self.send(["POST ", path], authorization, "content-type: application/json", body).await
    }

    /// Sends a body to a path, and returns the body of the answer. Fails unless it succeeded. `headers` are those of the
    /// body, in lines.
    pub(super) async fn send(
        &mut self,
        [method, path]: [&str; 2],
        authorization: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<&[u8], Error> {
        let length = body.len().to_string();
        self.request.clear();
        let head = [method, path, " HTTP/1.1\r\nhost: localhost\r\nauthorization: ", authorization];
        let content = ["\r\n", headers, "\r\ncontent-length: ", &length, "\r\n\r\n"];
        for part in head.into_iter().chain(content) {
            self.request.extend_from_slice(part.as_bytes());
        }
        self.request.extend_from_slice(body);
        self.exchange().await
    }

    /// Gets a path, and returns the body of the answer. Fails unless it succeeded. `credentials` is a header, as a line.
    pub(super) async fn get(&mut self, path: &str, credentials: &str) -> Result<&[u8], Error> {
        self.request.clear();
        for part in ["GET ", path, " HTTP/1.1\r\nhost: localhost\r\n", credentials, "\r\n\r\n"] {
            self.request.extend_from_slice(part.as_bytes());
        }
        self.exchange().await
    }

    async fn exchange(&mut self) -> Result<&[u8], Error> {
        self.stream.write_all(&self.request).await?;
        let mut read = 0;
        loop {
            if read == self.answer.len() {
                self.answer.resize(2 * read, 0);
            }
            let more = self.stream.read(&mut self.answer[read..]).await?;
            read += more;
            let answer = &self.answer[..read];
            if more == 0 || (read >= 12 && !answer.starts_with(b"HTTP/1.1 2")) {
                return Err(format!("answered {:?}", String::from_utf8_lossy(answer)).into());
            }
            if let Some((from, until)) = body_of(answer)?
                && until <= read
            {
                return Ok(&self.answer[from..until]);
            }
        }
    }
}

/// Waits until request `number` is due, and returns when that is: at once without a rate.
pub(super) async fn due(begun: Timestamp, number: u32, rate: Option<NonZeroU32>, clock: &dyn Clock) -> Timestamp {
    let Some(rate) = rate else { return clock.now() };
    let due = begun + Span::from_millis(i64::from(number) * 1_000 / i64::from(rate.get()));
    clock.sleep_until(due).await;
    due
}

/// Returns where the body begins and ends; `None` as long as the head is not complete.
fn body_of(answer: &[u8]) -> Result<Option<(usize, usize)>, Error> {
    let Some(end) = answer.windows(HEAD_END.len()).position(|bytes| bytes == HEAD_END) else { return Ok(None) };
    let head = str::from_utf8(&answer[..end])?;
    let from = end + HEAD_END.len();
    if head.starts_with(NO_CONTENT) {
        return Ok(Some((from, from)));
    }
    let named = |line: &&str| line.get(..LENGTH.len()).is_some_and(|name| name.eq_ignore_ascii_case(LENGTH));
    let length = head.lines().find(named).ok_or("the answer has no content-length")?;
    Ok(Some((from, from + length[LENGTH.len()..].trim().parse::<usize>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_declared_length() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx: 1\r\n\r\n{}";
        for cut in 0..answer.len() - 2 {
            assert_eq!(body_of(&answer[..cut]).unwrap(), None, "{cut} bytes");
        }
        assert_eq!(body_of(answer).unwrap(), Some((answer.len() - 2, answer.len())));
        let nothing = b"HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(body_of(nothing).unwrap(), Some((nothing.len(), nothing.len())));
        assert!(body_of(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
