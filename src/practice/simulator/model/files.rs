//! Uploaded media: kept in memory, and checked against the formats and sizes of the channels.

use std::collections::VecDeque;
use std::sync::Arc;

use self::SentAs::{Audio, Document, Gif, Image, Video};
use super::record::RefusedMedia;
use super::{DelayedReply, Model, NOT_OURS, Reply};
use crate::base::domain::{Channel, Timestamp};
use crate::rules::wire::rules::Kind;
use crate::rules::wire::{Content, ErrorAnswer};

/// Decimal, as sizes of files are written.
const MB: usize = 1_000_000;

/// The largest file that any channel takes.
pub(in crate::practice::simulator) const LARGEST: usize = 200 * MB;
/// How much is kept; older files are dropped, as the provider keeps files only for a time.
const KEPT: usize = 2 * LARGEST;

/// What a file is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SentAs {
    Image,
    /// Only as the header of a template. It is documented as a .gif, and as the address of a video.
    Gif,
    Video,
    Audio,
    Document,
}

/// Extensions with the largest size, by what a file is sent as.
type Formats = &'static [(SentAs, &'static [&'static str], usize)];

#[rustfmt::skip]
const WHATSAPP: Formats = &[
    (Image, &["jpeg", "jpg", "png"], 5 * MB),
    (Gif, &["gif", "mp4"], 4 * MB),
    (Video, &["mp4", "3gp"], 16 * MB),
    (Audio, &["aac", "m4a", "amr", "mp3", "ogg", "opus"], 16 * MB),
    (Document, &["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt"], 100 * MB),
];
#[rustfmt::skip]
const VIBER: Formats = &[
    (Image, &["png", "jpg", "jpeg", "gif"], MB),
    (Video, &["mp4", "3gp"], LARGEST),
    (Document, &["pdf", "xps", "pdax", "eps"], LARGEST),
    (Document, &["doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt", "info"], LARGEST),
    (Document, &["xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx"], LARGEST),
];
#[rustfmt::skip]
const RCS: Formats = &[
    (Image, &["jpeg", "jpg", "png", "gif"], 100 * MB),
    (Video, &["h263", "m4v", "mp4", "mpeg", "webm"], 100 * MB),
    (Audio, &["aac", "mp3", "mp4", "3gp", "ogx", "ogg"], 100 * MB),
    (Document, &["pdf"], 100 * MB),
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

/// The largest size of a file with this extension on any channel.
fn largest(extension: &str) -> Option<usize> {
    let all = [WHATSAPP, VIBER, RCS].into_iter().flatten();
    all.filter(|(_, extensions, _)| extensions.contains(&extension)).map(|(.., largest)| *largest).max()
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
    pub(super) fn refused_by(
        &self,
        kind: Kind,
        content: &Content<'_>,
        channels: impl Iterator<Item = Channel>,
    ) -> RefusedMedia {
        let mut refused = RefusedMedia::default();
        if self.0.is_empty() {
            return refused;
        }
        let addresses = addresses(kind, content);
        for channel in channels {
            if addresses.iter().any(|(url, sent_as)| self.is_refused(url, sent_as, channel)) {
                refused.add(channel);
            }
        }
        refused
    }

    /// Whether an address is one of our files that the channel does not take as one of these. Other addresses are not
    /// fetched.
    fn is_refused(&self, url: &str, sent_as: &[SentAs], channel: Channel) -> bool {
        let name = url.rsplit('/').next().and_then(|last| last.split('?').next()).unwrap_or_default();
        let Some((file, formats)) = self.named(name).zip(formats(channel)) else { return false };
        let extension = extension(name);
        let takes = |(of, extensions, largest): &(SentAs, &[&str], usize)| {
            sent_as.contains(of) && extensions.contains(&extension.as_str()) && file.content.len() <= *largest
        };
        !formats.iter().any(takes)
    }
}

/// The addresses of all media in a content, with what each is sent as: its own, those of its template and its cards, that
/// of its header.
fn addresses<'c>(kind: Kind, content: &'c Content<'_>) -> Vec<(&'c str, &'static [SentAs])> {
    let own: &[SentAs] = match kind {
        // Beside a text and a button stands an image.
        Kind::Image | Kind::Buttons => &[Image],
        Kind::Video => &[Video],
        Kind::Audio => &[Audio],
        Kind::File => &[Document],
        _ => &[],
    };
    let mut found: Vec<_> = content.url.iter().filter(|_| !own.is_empty()).map(|url| (&**url, own)).collect();
    if let Some(template) = &content.template {
        let of_cards = template.components.iter().flat_map(|part| &part.cards).flat_map(|card| &card.components);
        let parameters = template.components.iter().chain(of_cards).flat_map(|part| &part.parameters);
        found.extend(
            parameters.filter_map(|parameter| Some((parameter.url.as_deref()?, of_parameter(&parameter.kind)?))),
        );
    }
    if let Some(header) = content.interactive.as_ref().and_then(|message| message.header.as_ref()) {
        let linked: [(_, &[SentAs]); 3] =
            [(&header.image, &[Image]), (&header.video, &[Video]), (&header.document, &[Document])];
        found.extend(linked.into_iter().filter_map(|(linked, sent_as)| Some((&*linked.as_ref()?.link, sent_as))));
    }
    let card = content.rich_card.iter().map(|card| &card.card);
    let cards = card.chain(content.carousel.iter().flat_map(|carousel| &carousel.cards));
    // Audio and documents are for messages of media alone.
    let in_card: &[SentAs] = &[Image, Video];
    found.extend(cards.map(|card| (&*card.media.content_info.file_url, in_card)));
    found
}

/// What the file of a template's parameter is sent as.
fn of_parameter(kind: &str) -> Option<&'static [SentAs]> {
    match kind.to_ascii_lowercase().as_str() {
        "image" => Some(&[Image]),
        "gif" => Some(&[Gif]),
        "video" => Some(&[Video]),
        "document" => Some(&[Document]),
        _ => None,
    }
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
        self.first_request.get_or_insert(now);
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
            return Err(self.error(&NOT_OURS, now));
        }
        let file = match uploaded {
            Uploaded::File(file) if !file.content.is_empty() => file,
            Uploaded::File(_) | Uploaded::Nothing => {
                return Err(self.error(&ErrorAnswer::MissingFile, now));
            }
            Uploaded::TooLarge => return Err(self.error(&ErrorAnswer::FileTooLarge, now)),
        };
        let extension = extension(file.name);
        match largest(&extension) {
            None => Err(self.error(&ErrorAnswer::FileFormat, now)),
            Some(largest) if file.content.len() > largest => Err(self.error(&ErrorAnswer::FileTooLarge, now)),
            Some(_) => Ok(StoredFile {
                content_type: file.content_type.to_owned(),
                content: file.content.into(),
                name: format!("{}.{extension}", self.random_id().simple()),
                token: format!("{}{}", self.random_id().simple(), self.random_id().simple()),
            }),
        }
    }

    /// Returns a kept file. Its token is all the proof that is needed.
    pub fn file(&self, name: &str, token: Option<&str>, now: Timestamp) -> Result<StoredFile, Reply> {
        let token = token.ok_or_else(|| self.error(&ErrorAnswer::MissingToken, now))?;
        let file = self.files.named(name).ok_or_else(|| self.error(&ErrorAnswer::NotFound, now))?;
        if file.token == token { Ok(file.clone()) } else { Err(self.error(&ErrorAnswer::Unauthenticated, now)) }
    }
}
