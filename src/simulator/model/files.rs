//! Uploaded media: kept in memory, and checked against the formats and sizes of the channels.

use std::collections::VecDeque;
use std::sync::Arc;

use super::record::RefusedMedia;
use super::{DelayedReply, Model, Reply};
use crate::domain::{Channel, Timestamp};
use crate::wire::Content;

/// Decimal, as sizes of files are written.
const MB: usize = 1_000_000;

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

/// The body of an upload.
#[derive(Debug, Clone, Copy)]
pub enum Uploaded<'a> {
    File(Upload<'a>),
    /// It has no file.
    Nothing,
    /// It is larger than any file may be.
    TooLarge,
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

    /// Which of the channels do not take a file of the content.
    pub(super) fn refused_by(&self, content: &Content<'_>, channels: impl Iterator<Item = Channel>) -> RefusedMedia {
        let mut refused = RefusedMedia::default();
        if self.0.is_empty() {
            return refused;
        }
        let addresses = addresses(content);
        for channel in channels {
            if addresses.iter().any(|url| self.is_refused(url, channel)) {
                refused.add(channel);
            }
        }
        refused
    }

    /// Whether an address is one of our files that the channel does not take. Other addresses are not fetched.
    fn is_refused(&self, url: &str, channel: Channel) -> bool {
        let name = url.rsplit('/').next().and_then(|last| last.split('?').next()).unwrap_or_default();
        let Some((file, formats)) = self.named(name).zip(formats(channel)) else { return false };
        largest_on(formats, &extension(name)).is_none_or(|largest| file.content.len() > largest)
    }
}

/// The addresses of all media in a content: its own, those of its template and its cards, that of its header.
fn addresses<'c>(content: &'c Content<'_>) -> Vec<&'c str> {
    let mut found: Vec<&str> = content.url.as_deref().into_iter().collect();
    if let Some(template) = &content.template {
        let of_cards = template.components.iter().flat_map(|part| &part.cards).flat_map(|card| &card.components);
        let parameters = template.components.iter().chain(of_cards).flat_map(|part| &part.parameters);
        found.extend(parameters.filter_map(|parameter| parameter.url.as_deref()));
    }
    if let Some(header) = content.interactive.as_ref().and_then(|message| message.header.as_ref()) {
        let linked = [&header.image, &header.video, &header.document].into_iter().flatten();
        found.extend(linked.map(|linked| &*linked.link));
    }
    let card = content.rich_card.iter().map(|card| &card.card);
    let cards = card.chain(content.carousel.iter().flat_map(|carousel| &carousel.cards));
    found.extend(cards.map(|card| &*card.media.content_info.file_url));
    found
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

impl Model {
    /// Handles an upload, as `POST …/files` does. Returns the answer, and the address of the file for its header `Location`.
    pub fn upload(
        &mut self,
        sub_account: &str,
        authorization: Option<&str>,
        uploaded: &Uploaded<'_>,
        now: Timestamp,
    ) -> (DelayedReply, Option<String>) {
        self.started.get_or_insert(now);
        let faults = self.faults_now(now).clone();
        if let Some(refusal) = self.key_refusal(authorization, &faults, now) {
            return (refusal.into(), None);
        }
        let mut location = None;
        let answer = self.with_faults(&faults, now, |model| match model.stored(sub_account, uploaded, now) {
            Ok(file) => {
                let body = serde_json::json!({"fileName": file.name, "token": file.token}).to_string();
                location = Some(format!("/files/{}?token={}", file.name, file.token));
                model.files.keep(file);
                Reply::Response { status: 201, retry_after: None, body }
            }
            Err(refusal) => refusal,
        });
        let is_created = matches!(answer.reply, Reply::Response { status: 201, .. });
        (answer, location.filter(|_| is_created))
    }

    fn stored(&self, sub_account: &str, uploaded: &Uploaded<'_>, now: Timestamp) -> Result<StoredFile, Reply> {
        if !self.has_sub_account(sub_account) {
            return Err(self.refused(400, 1_001, now));
        }
        let file = match uploaded {
            Uploaded::File(file) if !file.content.is_empty() => file,
            Uploaded::File(_) | Uploaded::Nothing => {
                return Err(self.error(400, 1_000, "Malformed request or missing file", now));
            }
            Uploaded::TooLarge => return Err(self.too_large(now)),
        };
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

    fn too_large(&self, now: Timestamp) -> Reply {
        self.error(413, 1_000, "File exceeds maximum size limit", now)
    }

    /// Returns a kept file. Its token is all the proof that is needed.
    pub fn file(&self, name: &str, token: Option<&str>, now: Timestamp) -> Result<StoredFile, Reply> {
        let token = token.ok_or_else(|| self.error(400, 1_000, "Malformed request", now))?;
        let file = self.files.named(name).ok_or_else(|| self.refused(404, 1_300, now))?;
        if file.token == token { Ok(file.clone()) } else { Err(self.refused(401, 1_200, now)) }
    }
}
