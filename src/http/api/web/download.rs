//! The files that the pages give out: each is called after its campaign and its content, and its CSV begins with a byte order
//! mark, without which Excel does not read UTF-8.

use std::fmt::Write as _;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;

use crate::campaigns::report::csv_text;
use crate::http::api::Shared;
use crate::http::api::native::{Answer, BYTE_ORDER_MARK, CSV, Problem};
use crate::store;

/// Characters of the name of a campaign that the name of its file has at most.
const NAMED: usize = 60;

/// The value of `Content-Disposition` for a file with this content, such as `messages.csv`, of a campaign or an audience of
/// this name: `spring-sale-messages.csv`. A name with letters beyond ASCII is added as RFC 5987 writes it; programs that
/// cannot read that use the first one.
pub(super) fn attachment(name: Option<&str>, content: &str) -> HeaderValue {
    let Some(name) = name else { return value(&format!("attachment; filename=\"{content}\"")) };
    let plain = joined(name, |c| c.is_ascii_alphanumeric());
    let plain = if plain.is_empty() { content.to_owned() } else { format!("{plain}-{content}") };
    let full = joined(name, char::is_alphanumeric);
    if full.is_ascii() {
        return value(&format!("attachment; filename=\"{plain}\""));
    }
    let mut encoded = String::new();
    for byte in format!("{full}-{content}").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' => encoded.push(char::from(byte)),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    value(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{encoded}"))
}

/// It has only characters of ASCII that a header may have.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// The words of a name in lower case, joined by `-`.
fn joined(name: &str, is_kept: impl Fn(char) -> bool) -> String {
    let words = name.split(|c| !is_kept(c)).filter(|word| !word.is_empty());
    let joined: String = words.collect::<Vec<_>>().join("-").to_lowercase().chars().take(NAMED).collect();
    joined.trim_end_matches('-').to_owned()
}

/// A CSV file with these rows, of which the first is the header.
pub(super) fn csv(name: Option<&str>, content: &str, rows: &[Vec<String>]) -> Answer<Response> {
    let mut text = BYTE_ORDER_MARK.as_bytes().to_vec();
    text.append(&mut csv_text(rows).map_err(|error| Problem::failed(&error))?);
    let mut response = ([(header::CONTENT_TYPE, CSV)], text).into_response();
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment(name, content));
    Ok(response)
}

/// A CSV file of any length, whose pages are read as the browser takes them.
pub(super) fn table(
    shared: &Shared,
    name: Option<&str>,
    content: &str,
    header: Vec<String>,
    pages: impl Stream<Item = store::Result<Vec<Vec<String>>>> + Send + 'static,
) -> Answer<Response> {
    let mut response = shared.0.native.tables().file(header, pages)?;
    response.headers_mut().insert(header::CONTENT_DISPOSITION, attachment(name, content));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_called_after_their_campaign_in_any_script() {
        for (name, wanted) in [
            ("Spring sale", "attachment; filename=\"spring-sale-messages.csv\""),
            ("a\"b\r\nc/../d", "attachment; filename=\"a-b-c-d-messages.csv\""),
            ("!", "attachment; filename=\"messages.csv\""),
            (
                "Größe 1",
                "attachment; filename=\"gr-e-1-messages.csv\"; filename*=UTF-8''gr%C3%B6%C3%9Fe-1-messages.csv",
            ),
            ("春", "attachment; filename=\"messages.csv\"; filename*=UTF-8''%E6%98%A5-messages.csv"),
        ] {
            assert_eq!(attachment(Some(name), "messages.csv"), wanted, "{name}");
        }
        let long = attachment(Some(&"x".repeat(300)), "messages.csv");
        assert!(long.to_str().unwrap().len() < 110, "{long:?}");
        assert_eq!(attachment(None, "replies.csv"), "attachment; filename=\"replies.csv\"");
    }
}
