//! Uploaded media: kept in memory, and checked against the formats and sizes of the channels.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Model, Reply};
use crate::domain::{Channel, Timestamp};

const MB: usize = 1_024 * 1_024;

/// The largest file that any channel takes.
pub(in crate::simulator) const LARGEST: usize = 200 * MB;
/// How much is kept; older files are dropped, as the provider keeps files only for a time.
const KEPT: usize = 2 * LARGEST;

/// Extensions with the largest size on a channel.
type Formats = &'static [(&'static [&'static str], usize)];

#[rustfmt::skip]
const WHATSAPP: Formats = &[
    (&["jpeg", "jpg", "png"], 5 * MB),
    (&["gif"], 4 * MB),
    (&["mp4", "3gp"], 16 * MB),
    (&["aac", "m4a", "amr", "mp3", "ogg", "opus"], 16 * MB),
    (&["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt"], 100 * MB),
];
#[rustfmt::skip]
const VIBER: Formats = &[
    (&["png", "jpg", "jpeg", "gif"], MB),
    (&["mp4", "3gp"], LARGEST),
    (&["pdf", "xps", "pdax", "eps"], LARGEST),
    (&["doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info"], LARGEST),
    (&["xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx"], LARGEST),
];
#[rustfmt::skip]
const RCS: Formats = &[
    (&["jpeg", "jpg", "png", "gif"], 100 * MB),
    (&["h263", "m4v", "mp4", "mpeg", "webm"], 100 * MB),
    (&["aac", "mp3", "3gp", "ogx", "ogg", "pdf"], 100 * MB),
];

/// The formats of a channel; `None` if the documents name none.
const fn formats(channel: Channel) -> Option<Formats> {
    match channel {
        Channel::WhatsApp => Some(WHATSAPP),
        Channel::Viber => Some(VIBER),
        Channel::Rcs => Some(RCS),
        Channel::Sms | Channel::Line | Channel::ZaloNotification | Channel::LineNotification => None,
    }
}

/// The largest size of a file with this extension on a channel; `None` if the channel does not take it.
fn largest_on(formats: Formats, extension: &str) -> Option<usize> {
    let takes = |(extensions, _): &&(&[&str], usize)| extensions.contains(&extension);
    formats.iter().find(takes).map(|(_, largest)| *largest)
}

/// The largest size of a file with this extension on any channel.
fn largest(extension: &str) -> Option<usize> {
    [WHATSAPP, VIBER, RCS].into_iter().filter_map(|formats| largest_on(formats, extension)).max()
}

/// A file of a request.
#[derive(Debug, Clone, Copy)]
pub struct Upload<'a> {
    pub name: &'a str,
    pub content_type: &'a str,
    pub content: &'a [u8],
}

/// A kept file.
#[derive(Debug, Clone)]
pub struct StoredFile {
    pub content_type: String,
    pub content: Arc<[u8]>,
    name: String,
    token: String,
}

/// Uploaded files, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Files(VecDeque<StoredFile>);

impl Files {
    fn keep(&mut self, file: StoredFile) {
        let mut kept: usize = self.0.iter().map(|file| file.content.len()).sum();
        while kept + file.content.len() > KEPT {
            let Some(oldest) = self.0.pop_front() else { break };
            kept -= oldest.content.len();
        }
        self.0.push_back(file);
    }

    fn named(&self, name: &str) -> Option<&StoredFile> {
        self.0.iter().find(|file| file.name == name)
    }

    /// Whether an address is one of our files that the channel does not take. Other addresses are not fetched.
    pub(super) fn is_refused(&self, url: &str, channel: Channel) -> bool {
        let name = url.rsplit('/').next().and_then(|last| last.split('?').next()).unwrap_or_default();
        let Some((file, formats)) = self.named(name).zip(formats(channel)) else { return false };
        largest_on(formats, &extension(name)).is_none_or(|largest| file.content.len() > largest)
    }
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

impl Model {
    /// Handles an upload, as `POST …/files` does. `None` stands for a body without a file. Returns the answer, and the
    /// address of the file for its header `Location`.
    pub fn upload(
        &mut self,
        sub_account: &str,
        authorization: Option<&str>,
        file: Option<Upload<'_>>,
        now: Timestamp,
    ) -> (Reply, Option<String>) {
        let faults = self.faults_now(now).clone();
        if let Some(refusal) = self.key_refusal(authorization, &faults, now) {
            return (refusal, None);
        }
        match self.stored(sub_account, file, now) {
            Ok(file) => {
                let body = serde_json::json!({"fileName": file.name, "token": file.token}).to_string();
                let location = format!("/files/{}?token={}", file.name, file.token);
                self.files.keep(file);
                (Reply::Response { status: 201, retry_after: None, body }, Some(location))
            }
            Err(refusal) => (refusal, None),
        }
    }

    fn stored(&self, sub_account: &str, file: Option<Upload<'_>>, now: Timestamp) -> Result<StoredFile, Reply> {
        if !self.has_sub_account(sub_account) {
            return Err(self.refused(400, 1_001, now));
        }
        let file = file.filter(|file| !file.content.is_empty());
        let file = file.ok_or_else(|| self.error(400, 1_000, "Malformed request or missing file", now))?;
        let extension = extension(file.name);
        match largest(&extension) {
            None => Err(self.error(415, 1_000, "File format not supported", now)),
            Some(largest) if file.content.len() > largest => Err(self.too_large(now)),
            Some(_) => Ok(StoredFile {
                content_type: file.content_type.to_owned(),
                content: file.content.into(),
                name: format!("{}.{extension}", self.random_id().replace('-', "")),
                token: [self.random_id(), self.random_id()].concat().replace('-', ""),
            }),
        }
    }

    /// The answer to a file that is larger than any channel takes.
    pub fn too_large(&self, now: Timestamp) -> Reply {
        self.error(413, 1_000, "File exceeds maximum size limit", now)
    }

    /// Returns a kept file. Its token is all the proof that is needed.
    pub fn file(&self, name: &str, token: Option<&str>, now: Timestamp) -> Result<StoredFile, Reply> {
        let token = token.ok_or_else(|| self.error(400, 1_000, "Malformed request", now))?;
        let file = self.files.named(name).ok_or_else(|| self.refused(404, 1_300, now))?;
        if file.token == token { Ok(file.clone()) } else { Err(self.refused(401, 1_200, now)) }
    }
}
