//! The answer to the upload of a file.

use std::borrow::Cow;

use serde::Deserialize;

/// Where the provider hosts a file. Its pages document two forms.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum UploadAnswer<'a> {
    /// "Media Hosting": the parts of `/files/{fileName}?token={token}`.
    Parts {
        #[serde(borrow, rename = "fileName")]
        file_name: Cow<'a, str>,
        #[serde(borrow)]
        token: Cow<'a, str>,
    },
    /// "Using 8x8 Media Hosting": `{"status":"success","data":{"url":"…"}}`.
    Whole {
        #[serde(borrow)]
        data: UploadedUrl<'a>,
    },
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct UploadedUrl<'a> {
    #[serde(borrow)]
    pub url: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_documented_answers_are_read() {
        let parts = r#"{"fileName":"f041c4fa554941b2acba0191859707b9.png","token":"CfDJ8"}"#;
        let read: UploadAnswer<'_> = serde_json::from_str(parts).unwrap();
        let (file_name, token) = ("f041c4fa554941b2acba0191859707b9.png".into(), "CfDJ8".into());
        assert_eq!(read, UploadAnswer::Parts { file_name, token });
        let whole =
            r#"{"status":"success","data":{"url":"https://chatapps.8x8.com/files/abc123def456.jpg?token=xyz789"}}"#;
        let read: UploadAnswer<'_> = serde_json::from_str(whole).unwrap();
        let url = "https://chatapps.8x8.com/files/abc123def456.jpg?token=xyz789".into();
        assert_eq!(read, UploadAnswer::Whole { data: UploadedUrl { url } });
        assert!(serde_json::from_str::<UploadAnswer<'_>>(r#"{"status":"success"}"#).is_err());
    }
}
