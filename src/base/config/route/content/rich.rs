//! Texts with a file or a button, as they are written in a campaign file.

use super::super::table::Table;
use super::{optional, required};
use crate::base::domain::{LinkButton, Media, MediaKind, RichMessage};

/// Reads the keys of one message; `None` if one of them is wrong. `given` are the keys that the step has.
pub(super) fn message(step: &mut Table<'_>, given: &[&'static str]) -> Option<RichMessage> {
    let text = optional(step, "text");
    let files: Vec<_> = FILES.into_iter().map(|(key, kind)| (key, file(step, key, kind))).collect();
    let button = step.read_below("button", button);
    let media = files.into_iter().find(|(key, _)| given.contains(key)).map(|(_, media)| media);
    Some(RichMessage {
        text: text?,
        media: match media {
            Some(media) => Some(media?),
            None => None,
        },
        button: if given.contains(&"button") { Some(button?) } else { None },
        suggestions: Vec::new(),
    })
}

/// The keys of files.
const FILES: [(&str, MediaKind); 4] =
    [("image", MediaKind::Image), ("video", MediaKind::Video), ("audio", MediaKind::Audio), ("file", MediaKind::File)];

/// Reads a file: its address, or a table with its details.
pub(super) fn file(table: &mut Table<'_>, key: &'static str, kind: MediaKind) -> Option<Media> {
    if !table.is_table(key) {
        let url = table.filled_text(key)?;
        return Some(Media { kind, url, thumbnail: None, duration: None, size: None });
    }
    table.read_below(key, |mut table| {
        let url = required(&mut table, &["url"], "the address of the file, url = \"https://…\"");
        let thumbnail = optional(&mut table, "thumbnail");
        let mut figure = |key| if table.has(key) { table.text_or_number(key).map(Some) } else { Some(None) };
        let (duration, size) = (figure("duration"), figure("size"));
        table.finish(&[]);
        Some(Media { kind, url: url?, thumbnail: thumbnail?, duration: duration?, size: size? })
    })
}

fn button(mut table: Table<'_>) -> Option<LinkButton> {
    let caption = required(&mut table, &["caption"], "the label of the button");
    let url = required(&mut table, &["url"], "the address that the button opens");
    table.finish(&[]);
    Some(LinkButton { caption: caption?, url: url? })
}
