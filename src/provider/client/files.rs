//! Uploads files to the provider's media hosting.

use bytes::Bytes;
use http::{HeaderValue, Method};
use url::Url;

use super::answer::cleaned;
use super::http_client::{Broken, Call, Http, RawAnswer};
use crate::base::domain::{Span, size};
use crate::rules::wire::{ErrorBody, UploadAnswer};

/// A file to upload.
#[derive(Debug, Clone, Copy)]
pub struct FileToUpload<'a> {
    /// Its name, without a folder.
    pub name: &'a str,
    pub media_type: &'static str,
    pub bytes: &'a [u8],
    /// Text that is not in the file, such as its own digest.
    pub boundary: &'a str,
}

/// Why a file was not uploaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotUploaded {
    #[error("the provider accepts no file of {} ({said}); make it smaller", size(*bytes))]
    TooLarge { bytes: u64, said: String },
    #[error("the provider does not accept its type, {media_type} ({said}); convert it")]
    Unsupported { media_type: &'static str, said: String },
    #[error("the provider refuses the API key ({said}); `volley doctor` says more")]
    Key { said: String },
    #[error("the provider refuses it ({said})")]
    Refused { said: String },
    /// What was said ends with what to do.
    #[error("the provider cannot be reached: {said}")]
    NotSent { said: String },
    #[error("the provider gave no answer that can be read ({said}); try again")]
    NoAnswer { said: String },
}

/// How long an upload may take: a minute, and its length at 3 Mbit/s.
fn limit(bytes: usize) -> Span {
    const BYTES_PER_MS: usize = 3_000_000 / 8 / 1_000;
    let millis = i64::try_from(bytes / BYTES_PER_MS).unwrap_or(i64::MAX / 2);
    Span::from_millis(millis + 60_000)
}

impl Http {
    /// Uploads a file, and returns the URL under which the provider hosts it.
    pub async fn upload(&self, file: FileToUpload<'_>) -> Result<String, NotUploaded> {
        let (kind, body) = multipart(file);
        let path = ["subaccounts", self.sub_account(), "files"];
        let call = Call { method: Method::POST, path: &path, query: None, body: Some((kind, body)) };
        uploaded(self.call(call, limit(file.bytes.len())).await, file, self.base_url())
    }
}

/// The form with the file as its only part, `file`.
fn multipart(file: FileToUpload<'_>) -> (HeaderValue, Bytes) {
    let FileToUpload { name, media_type, bytes, boundary } = file;
    // Browsers write a quote and a line break in a name this way, too.
    let name = name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: {media_type}\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, format!("\r\n--{boundary}--\r\n").as_bytes()].concat();
    let kind = format!("multipart/form-data; boundary={boundary}");
    (HeaderValue::from_str(&kind).unwrap_or(HeaderValue::from_static("multipart/form-data")), body.into())
}

fn uploaded(
    answer: Result<RawAnswer, Broken>,
    file: FileToUpload<'_>,
    base_url: Option<Url>,
) -> Result<String, NotUploaded> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Broken::NotOffered { why }) => return Err(NotUploaded::NotSent { said: cleaned(&why) }),
        Err(Broken::Withdrawn) => {
            return Err(NotUploaded::NotSent { said: "the request was withdrawn; try again".to_owned() });
        }
        Err(Broken::Sent { why }) => return Err(NotUploaded::NoAnswer { said: cleaned(&why) }),
    };
    if (200..300).contains(&answer.status) {
        let read = serde_json::from_slice::<UploadAnswer<'_>>(&answer.body).ok();
        let url = read.and_then(|answer| address_of(&answer, base_url));
        return url.ok_or(NotUploaded::NoAnswer { said: format!("HTTP status {}", answer.status) });
    }
    let body: ErrorBody<'_> = serde_json::from_slice(&answer.body).unwrap_or_default();
    let said = match body.message.as_deref().filter(|message| !message.is_empty()) {
        Some(message) => format!("HTTP status {}: {}", answer.status, cleaned(message)),
        None => format!("HTTP status {}", answer.status),
    };
    Err(match answer.status {
        413 => NotUploaded::TooLarge { bytes: file.bytes.len() as u64, said },
        415 => NotUploaded::Unsupported { media_type: file.media_type, said },
        401 | 403 => NotUploaded::Key { said },
        400..=428 | 430..=499 => NotUploaded::Refused { said },
        _ => NotUploaded::NoAnswer { said },
    })
}

fn address_of(answer: &UploadAnswer<'_>, base_url: Option<Url>) -> Option<String> {
    match answer {
        UploadAnswer::Whole { data } => Some(data.url.clone().into_owned()),
        UploadAnswer::Parts { file_name, token } => {
            let mut url = base_url?;
            url.path_segments_mut().ok()?.pop_if_empty().extend(["files", file_name]);
            url.query_pairs_mut().append_pair("token", token);
            Some(url.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileToUpload<'_> =
        FileToUpload { name: "a \"b\".png", media_type: "image/png", bytes: b"\x89PNG", boundary: "b0" };

    #[test]
    fn the_form_has_one_part_named_file() {
        let (kind, body) = multipart(FILE);
        assert_eq!(kind, "multipart/form-data; boundary=b0");
        let expected = b"--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a %22b%22.png\"\r\n\
                         Content-Type: image/png\r\n\r\n\x89PNG\r\n--b0--\r\n";
        assert_eq!(&body[..], &expected[..]);
    }

    #[test]
    fn a_larger_file_may_take_longer() {
        let seconds = [0, 1_000_000, 100_000_000, 200_000_000].map(|bytes| limit(bytes).millis() / 1_000);
        assert_eq!(seconds, [60, 62, 326, 593]);
    }

    #[test]
    fn an_upload_without_a_connection_has_one_remedy() {
        let why = "no TCP connection to h.example (refused); check base_url, the network and firewalls";
        let said = uploaded(Err(Broken::NotOffered { why: why.to_owned() }), FILE, None).unwrap_err().to_string();
        assert_eq!(said, format!("the provider cannot be reached: {why}"));
    }

    #[test]
    fn each_answer_to_an_upload_has_its_meaning() {
        let read = |status: u16, body: &'static str| {
            let answer = Ok(RawAnswer { status, retry_after: None, body: body.as_bytes().into() });
            uploaded(answer, FILE, Url::parse("https://chatapps.8x8.com").ok())
        };
        let url = "https://chatapps.8x8.com/files/f04.png?token=Cf%2F8".to_owned();
        assert_eq!(read(201, r#"{"fileName":"f04.png","token":"Cf/8"}"#), Ok(url));
        let whole = r#"{"status":"success","data":{"url":"https://h.example/files/a.jpg?token=x"}}"#;
        assert_eq!(read(200, whole), Ok("https://h.example/files/a.jpg?token=x".to_owned()));
        for (status, body, sentence) in [
            (413, "", "the provider accepts no file of 1 kB (HTTP status 413); make it smaller"),
            (
                415,
                r#"{"code":1000,"message":"no"}"#,
                "does not accept its type, image/png (HTTP status 415: no); convert it",
            ),
            (401, r#"{"code":1200}"#, "refuses the API key"),
            (
                400,
                r#"{"code":1000,"message":"Malformed request or missing file"}"#,
                "refuses it (HTTP status 400: Malformed",
            ),
            (500, r#"{"code":2000}"#, "no answer that can be read (HTTP status 500)"),
            (429, "", "no answer that can be read (HTTP status 429); try again"),
            (200, "<html>", "no answer that can be read (HTTP status 200)"),
        ] {
            let error = read(status, body).unwrap_err().to_string();
            assert!(error.contains(sentence), "{error}");
        }
    }
}
