//! What a file is, by its first bytes; and the formats that each channel documents.

use crate::base::domain::{Channel, MediaAddress, MediaKind, size};

/// As many bytes as tell every format apart.
pub(super) const HEAD: usize = 512;

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Jpeg,
    Png,
    Gif,
    WebP,
    /// Video, and audio in the same container.
    Mp4,
    ThreeGp,
    QuickTime,
    Mpeg,
    H263,
    WebM,
    Aac,
    Mp3,
    Amr,
    Ogg,
    Pdf,
    PostScript,
    /// Of Office and OpenDocument, which are archives.
    Zip,
    /// Of older Office.
    Compound,
    RichText,
    Text,
    Other,
}

impl Family {
    /// Reads the first bytes of a file.
    pub(super) fn of(head: &[u8]) -> Self {
        let brand = head.get(8..12).filter(|_| head.get(4..8) == Some(b"ftyp"));
        match head {
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Self::Png,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Self::Gif,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Self::WebP,
            _ if brand.is_some_and(|brand| brand.starts_with(b"3g")) => Self::ThreeGp,
            _ if brand == Some(b"qt  ") => Self::QuickTime,
            _ if brand.is_some() => Self::Mp4,
            [0x00, 0x00, 0x01, 0xBA | 0xB3, ..] => Self::Mpeg,
            // The start of a picture; the two bits after it begin its number.
            [0x00, 0x00, 0x80..=0x83, ..] => Self::H263,
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Self::WebM,
            [b'I', b'D', b'3', ..] | [0xFF, 0xFB | 0xFA | 0xF3 | 0xF2, ..] => Self::Mp3,
            [0xFF, 0xF1 | 0xF9, ..] => Self::Aac,
            [b'#', b'!', b'A', b'M', b'R', ..] => Self::Amr,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'%', b'P', b'D', b'F', b'-', ..] => Self::Pdf,
            [b'%', b'!', b'P', b'S', ..] => Self::PostScript,
            [b'P', b'K', 0x03, 0x04, ..] => Self::Zip,
            [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1, ..] => Self::Compound,
            [b'{', b'\\', b'r', b't', b'f', ..] => Self::RichText,
            _ if is_text(head) => Self::Text,
            _ => Self::Other,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "a JPEG image",
            Self::Png => "a PNG image",
            Self::Gif => "a GIF image",
            Self::WebP => "a WebP image",
            Self::Mp4 => "an MP4 file",
            Self::ThreeGp => "a 3GP file",
            Self::QuickTime => "a QuickTime video",
            Self::Mpeg => "an MPEG video",
            Self::H263 => "an H.263 video",
            Self::WebM => "a WebM video",
            Self::Aac => "an AAC audio file",
            Self::Mp3 => "an MP3 audio file",
            Self::Amr => "an AMR audio file",
            Self::Ogg => "an Ogg audio file",
            Self::Pdf => "a PDF",
            Self::PostScript => "a PostScript file",
            Self::Zip => "a ZIP archive",
            Self::Compound => "a document of an older Office",
            Self::RichText => "a rich text document",
            Self::Text => "a text file",
            Self::Other => "a file of an unknown format",
        }
    }
}

/// Whether the bytes are text. A character at the end may be cut off.
fn is_text(head: &[u8]) -> bool {
    let is_utf8 = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    is_utf8 && !head.is_empty() && !head.contains(&0)
}

/// A format: the extension of its files, its media type, and what its files begin with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Format {
    pub(super) extension: &'static str,
    pub(super) media_type: &'static str,
    family: Family,
}

impl Format {
    /// Whether a file of the format can be of this kind at all.
    fn fits(&self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::File => true,
            // Some servers name its container alone.
            MediaKind::Audio if self.family == Family::Ogg => true,
            kind => self.media_type.split('/').next() == Some(kind.as_str()),
        }
    }
}

const fn format(extension: &'static str, media_type: &'static str, family: Family) -> Format {
    Format { extension, media_type, family }
}

/// Of several types of an extension, the first is that of a local file, and a server may send any of them.
#[rustfmt::skip]
static FORMATS: &[Format] = &[
    format("jpeg", "image/jpeg", Family::Jpeg),
    format("jpg", "image/jpeg", Family::Jpeg),
    format("png", "image/png", Family::Png),
    format("gif", "image/gif", Family::Gif),
    format("mp4", "video/mp4", Family::Mp4),
    format("mp4", "video/mpeg4", Family::Mp4),
    format("mp4", "audio/mp4", Family::Mp4),
    format("mp4", "audio/mp4-latm", Family::Mp4),
    format("m4v", "video/m4v", Family::Mp4),
    format("m4v", "video/x-m4v", Family::Mp4),
    format("3gp", "video/3gpp", Family::ThreeGp),
    format("3gp", "audio/3gpp", Family::ThreeGp),
    format("mpeg", "video/mpeg", Family::Mpeg),
    format("h263", "video/h263", Family::H263),
    format("webm", "video/webm", Family::WebM),
    format("aac", "audio/aac", Family::Aac),
    format("m4a", "audio/mp4", Family::Mp4),
    format("amr", "audio/amr", Family::Amr),
    format("mp3", "audio/mpeg", Family::Mp3),
    format("mp3", "audio/mp3", Family::Mp3),
    format("mp3", "audio/mpg", Family::Mp3),
    format("ogg", "audio/ogg", Family::Ogg),
    format("ogg", "application/ogg", Family::Ogg),
    format("ogx", "application/ogg", Family::Ogg),
    format("opus", "audio/ogg", Family::Ogg),
    format("pdf", "application/pdf", Family::Pdf),
    format("pdax", "application/pdf", Family::Pdf),
    format("eps", "application/postscript", Family::PostScript),
    format("txt", "text/plain", Family::Text),
    format("csv", "text/csv", Family::Text),
    format("info", "text/plain", Family::Text),
    format("rtf", "application/rtf", Family::RichText),
    format("doc", "application/msword", Family::Compound),
    format("dot", "application/msword", Family::Compound),
    format("xls", "application/vnd.ms-excel", Family::Compound),
    format("ppt", "application/vnd.ms-powerpoint", Family::Compound),
    format("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", Family::Zip),
    format("dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template", Family::Zip),
    format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", Family::Zip),
    format("xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template", Family::Zip),
    format("xlsm", "application/vnd.ms-excel.sheet.macroEnabled.12", Family::Zip),
    format("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", Family::Zip),
    format("xps", "application/vnd.ms-xpsdocument", Family::Zip),
    format("odt", "application/vnd.oasis.opendocument.text", Family::Zip),
    format("odf", "application/vnd.oasis.opendocument.formula", Family::Zip),
    format("ods", "application/vnd.oasis.opendocument.spreadsheet", Family::Zip),
    format("fodt", "application/vnd.oasis.opendocument.text-flat-xml", Family::Text),
    format("fods", "application/vnd.oasis.opendocument.spreadsheet-flat-xml", Family::Text),
];

/// What is wanted of a file: what its channel takes, as far as the provider documents it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    channel: Channel,
    kind: MediaKind,
    /// Its key: the kind, or `gif`.
    word: &'static str,
    /// `None` if the provider documents no formats.
    extensions: Option<&'static [&'static str]>,
    bytes_max: u64,
}

const MB: u64 = 1_000_000;

/// The largest file that any channel documents, in MB.
const LARGEST: u64 = 200;

/// The size up to which the provider recommends an image on WhatsApp, in bytes.
const LIGHT: u64 = MB;

impl Wanted {
    /// What a channel takes at an address of a content.
    pub(super) fn at(channel: Channel, address: &MediaAddress) -> Self {
        let gif: &[&str] = &["gif", "mp4"];
        if address.part.is_gif() && channel == Channel::WhatsApp {
            // Documented as a .gif, and as the URL of a video.
            return Self { channel, kind: MediaKind::File, word: "gif", extensions: Some(gif), bytes_max: 4 * MB };
        }
        Self::of(channel, address.kind)
    }

    pub(super) fn of(channel: Channel, kind: MediaKind) -> Self {
        let (extensions, megabytes): (&[&str], u64) = match (channel, kind) {
            (Channel::WhatsApp, MediaKind::Image) => (&["jpeg", "jpg", "png"], 5),
            (Channel::WhatsApp, MediaKind::Video) => (&["mp4", "3gp"], 16),
            (Channel::WhatsApp, MediaKind::Audio) => (&["aac", "m4a", "amr", "mp3", "ogg", "opus"], 16),
            (Channel::WhatsApp, MediaKind::File) => (&["pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "txt"], 100),
            (Channel::Viber, MediaKind::Image) => (&["png", "jpg", "jpeg", "gif"], 1),
            (Channel::Viber, MediaKind::Video) => (&["mp4", "3gp"], 200),
            (Channel::Viber, MediaKind::File) => (
                &[
                    "pdf", "xps", "pdax", "eps", "doc", "docx", "rtf", "dot", "dotx", "odt", "odf", "fodt", "txt",
                    "info", "xls", "xlsx", "ods", "fods", "csv", "xlsm", "xltx",
                ],
                200,
            ),
            (Channel::Rcs, MediaKind::Image) => (&["jpeg", "jpg", "png", "gif"], 100),
            (Channel::Rcs, MediaKind::Video) => (&["mp4", "h263", "m4v", "mpeg", "webm"], 100),
            (Channel::Rcs, MediaKind::Audio) => (&["aac", "mp3", "mp4", "3gp", "ogg", "ogx"], 100),
            (Channel::Rcs, MediaKind::File) => (&["pdf"], 100),
            _ => (&[], LARGEST),
        };
        let extensions = Some(extensions).filter(|extensions| !extensions.is_empty());
        Self { channel, kind, word: kind.as_str(), extensions, bytes_max: megabytes * MB }
    }

    /// Whether the provider documents what the channel takes.
    pub(super) const fn has_formats(self) -> bool {
        self.extensions.is_some()
    }

    pub(super) const fn bytes_max(self) -> u64 {
        self.bytes_max
    }

    fn takes(self, format: &Format) -> bool {
        self.extensions.is_none_or(|extensions| extensions.contains(&format.extension)) && format.fits(self.kind)
    }

    fn formats(self) -> impl Iterator<Item = &'static Format> {
        FORMATS.iter().filter(move |format| self.takes(format))
    }

    /// What the channel takes, in words.
    fn words(self) -> String {
        let Self { channel, word, .. } = self;
        match self.extensions {
            Some(extensions) => format!("{channel} takes {} as {word}", extensions.join(", ")),
            None => format!("it cannot be sent as {word}"),
        }
    }

    /// Checks the size of a file.
    pub(super) fn check_size(self, bytes: u64) -> Result<(), String> {
        if bytes <= self.bytes_max {
            return Ok(());
        }
        let Self { channel, word, .. } = self;
        Err(format!(
            "has {}, and {channel} takes {word}s of at most {}; make it smaller",
            size(bytes),
            size(self.bytes_max)
        ))
    }

    /// Whether the channel takes a file of this size, but the provider recommends a smaller one. Follows its name.
    pub(super) fn doubt_size(self, bytes: u64) -> Option<String> {
        let is_heavy = self.channel == Channel::WhatsApp && self.kind == MediaKind::Image && bytes > LIGHT;
        is_heavy.then(|| {
            let bytes = size(bytes);
            format!("has {bytes}, and the provider recommends images of less than 1 MB on WhatsApp; make it smaller")
        })
    }

    /// Checks the media type that a file is served as.
    pub(super) fn check_type(self, served: &str) -> Result<(), String> {
        let plain = served.split(';').next().unwrap_or_default().trim();
        if self.extensions.is_none() || self.formats().any(|format| format.media_type.eq_ignore_ascii_case(plain)) {
            return Ok(());
        }
        let mut types: Vec<&str> = Vec::new();
        for format in self.formats() {
            if !types.contains(&format.media_type) {
                types.push(format.media_type);
            }
        }
        let Self { channel, word, .. } = self;
        Err(format!(
            "is served as {plain}, and {channel} takes {} as {word}; correct its Content-Type",
            types.join(", ")
        ))
    }

    /// The format of a local file, by its content and its extension.
    pub(super) fn format(self, extension: &str, head: &[u8]) -> Result<Format, String> {
        let family = Family::of(head);
        let fitting: Vec<&Format> = self.formats().filter(|format| format.family == family).collect();
        if fitting.is_empty() {
            return Err(format!("is {}, and {}; convert it", family.name(), self.words()));
        }
        match fitting.iter().find(|format| format.extension.eq_ignore_ascii_case(extension)) {
            Some(format) => Ok(**format),
            None => {
                let mut extensions: Vec<String> =
                    fitting.iter().map(|format| format!(".{}", format.extension)).collect();
                extensions.dedup();
                let name = family.name();
                Err(format!("is {name}, but its name does not end in {}; rename it", extensions.join(" or ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::ContentPart;

    /// The first bytes of a file of each format, from the formats' own specifications.
    const SAMPLES: [(&str, &[u8]); 17] = [
        ("jpg", b"\xFF\xD8\xFF\xE0\x00\x10JFIF\x00"),
        ("png", b"\x89PNG\r\n\x1A\n\x00\x00\x00\rIHDR"),
        ("gif", b"GIF89a\x01\x00\x01\x00"),
        ("mp4", b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00"),
        ("3gp", b"\x00\x00\x00\x18ftyp3gp5\x00\x00\x00\x00"),
        ("m4a", b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00"),
        ("h263", b"\x00\x00\x80\x02\x08"),
        ("webm", b"\x1A\x45\xDF\xA3\x9F\x42\x86\x81"),
        ("mp3", b"ID3\x04\x00\x00\x00\x00\x00\x00"),
        ("aac", b"\xFF\xF1\x50\x80\x00\x1F\xFC"),
        ("amr", b"#!AMR\n"),
        ("ogg", b"OggS\x00\x02\x00\x00"),
        ("pdf", b"%PDF-1.7\n"),
        ("docx", b"PK\x03\x04\x14\x00\x06\x00"),
        ("doc", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"),
        ("rtf", b"{\\rtf1\\ansi"),
        ("txt", "Grüße".as_bytes()),
    ];

    #[test]
    fn each_format_is_told_by_its_first_bytes() {
        for (extension, head) in SAMPLES {
            let of = FORMATS.iter().find(|format| format.extension == extension).unwrap();
            assert_eq!(Family::of(head), of.family, "{extension}");
        }
        assert_eq!(Family::of(b"RIFF\x24\x00\x00\x00WEBPVP8 "), Family::WebP);
        assert_eq!(Family::of(b"\x00\x00\x00\x14ftypqt  "), Family::QuickTime);
        assert_eq!(Family::of(&"Grüße".as_bytes()[..3]), Family::Text, "a character is cut off");
        assert_eq!((Family::of(b""), Family::of(b"a\x00b")), (Family::Other, Family::Other));
    }

    #[test]
    fn each_documented_limit_holds_to_the_byte() {
        use Channel::{Line, Rcs, Viber, WhatsApp};
        use MediaKind::{Audio, File, Image, Video};
        for (channel, kind, most) in [
            (WhatsApp, Image, 5_000_000),
            (WhatsApp, Video, 16_000_000),
            (WhatsApp, Audio, 16_000_000),
            (WhatsApp, File, 100_000_000),
            (Viber, Image, 1_000_000),
            (Viber, Video, 200_000_000),
            (Viber, File, 200_000_000),
            (Rcs, Image, 100_000_000),
            // The provider documents none for LINE, and takes no larger file on any channel.
            (Line, Video, 200_000_000),
        ] {
            let rule = Wanted::of(channel, kind);
            assert_eq!(rule.check_size(most), Ok(()), "{channel} {kind}");
            let sentence = rule.check_size(most + 1).unwrap_err();
            assert!(sentence.contains(&format!("{channel} takes {kind}s of at most")), "{sentence}");
        }
        let part = ContentPart::Header("gif");
        let gif = Wanted::at(WhatsApp, &MediaAddress { kind: Video, part, text: "a.gif".to_owned() });
        assert_eq!(gif.check_size(4_000_000), Ok(()));
        let sentence = gif.check_size(4_000_001).unwrap_err();
        assert!(sentence.contains("WhatsApp takes gifs of at most 4.0 MB"), "{sentence}");
        assert_eq!((gif.check_type("image/gif"), gif.check_type("video/mp4")), (Ok(()), Ok(())));
        assert!(gif.check_type("image/png").is_err() && Wanted::of(Line, Image).check_type("image/png").is_ok());
    }

    #[test]
    fn the_name_and_the_content_of_a_file_fit_together() {
        let head = |wanted: &str| SAMPLES.iter().find(|(extension, _)| *extension == wanted).unwrap().1;
        let check = |extension, content, channel, kind| Wanted::of(channel, kind).format(extension, content);
        let (whatsapp, viber) = (Channel::WhatsApp, Channel::Viber);
        let image = MediaKind::Image;
        assert!(check("txt", b"Hi", Channel::Line, image).is_err());
        assert_eq!(check("PNG", head("png"), whatsapp, image).unwrap().media_type, "image/png");
        assert_eq!(check("gif", head("gif"), viber, image).unwrap().media_type, "image/gif");
        let of_rcs = |extension, kind| check(extension, head(extension), Channel::Rcs, kind).unwrap().media_type;
        assert_eq!(of_rcs("3gp", MediaKind::Audio), "audio/3gpp");
        assert_eq!(of_rcs("mp4", MediaKind::Audio), "audio/mp4");
        assert_eq!((of_rcs("mp4", MediaKind::Video), of_rcs("h263", MediaKind::Video)), ("video/mp4", "video/h263"));
        assert!(check("pdax", head("pdf"), viber, MediaKind::File).is_ok());
        assert_eq!(check("xlsx", head("docx"), whatsapp, MediaKind::File).unwrap().extension, "xlsx");
        for (extension, content, channel, kind, sentence) in [
            (
                "gif",
                head("gif"),
                whatsapp,
                image,
                "is a GIF image, and WhatsApp takes jpeg, jpg, png as image; convert it",
            ),
            (
                "png",
                head("jpg"),
                whatsapp,
                image,
                "is a JPEG image, but its name does not end in .jpeg or .jpg; rename it",
            ),
            ("", head("png"), whatsapp, image, "is a PNG image, but its name does not end in .png; rename it"),
            (
                "png",
                &b"<html>"[..],
                whatsapp,
                image,
                "is a text file, and WhatsApp takes jpeg, jpg, png as image; convert it",
            ),
            (
                "png",
                &b"\x00\x01"[..],
                Channel::Line,
                image,
                "is a file of an unknown format, and it cannot be sent as image; convert it",
            ),
        ] {
            assert_eq!(check(extension, content, channel, kind).unwrap_err(), sentence);
        }
    }

    #[test]
    fn a_served_type_is_checked_without_its_parameters() {
        let rule = Wanted::of(Channel::WhatsApp, MediaKind::Image);
        assert_eq!(rule.check_type("image/PNG; charset=binary"), Ok(()));
        let sentence = rule.check_type("text/html; charset=utf-8").unwrap_err();
        assert_eq!(
            sentence,
            "is served as text/html, and WhatsApp takes image/jpeg, image/png as image; correct its Content-Type"
        );
    }

    #[test]
    fn rcs_takes_each_documented_type_of_audio_and_no_other() {
        let rcs = Wanted::of(Channel::Rcs, MediaKind::Audio);
        for served in [
            "audio/aac",
            "audio/mp3",
            "audio/mpeg",
            "audio/mpg",
            "audio/mp4",
            "audio/mp4-latm",
            "audio/3gpp",
            "application/ogg",
            "audio/ogg",
        ] {
            assert_eq!(rcs.check_type(served), Ok(()), "{served}");
        }
        assert!(rcs.check_type("audio/amr").is_err());
        let head = |wanted: &str| SAMPLES.iter().find(|(extension, _)| *extension == wanted).unwrap().1;
        for (extension, content) in
            [("aac", "aac"), ("mp3", "mp3"), ("mp4", "mp4"), ("3gp", "3gp"), ("ogx", "ogg"), ("ogg", "ogg")]
        {
            assert!(rcs.format(extension, head(content)).is_ok(), "{extension}");
        }
        let refused = rcs.format("m4a", head("m4a")).unwrap_err();
        assert_eq!(refused, "is an MP4 file, but its name does not end in .mp4; rename it");
        assert!(Wanted::of(Channel::WhatsApp, MediaKind::Audio).format("m4a", head("m4a")).is_ok());
    }

    #[test]
    fn an_image_of_more_than_one_megabyte_is_doubtful_on_whatsapp_alone() {
        let whatsapp = Wanted::of(Channel::WhatsApp, MediaKind::Image);
        assert_eq!(whatsapp.doubt_size(1_000_000), None);
        assert!(whatsapp.doubt_size(1_000_001).is_some_and(|sentence| sentence.contains("less than 1 MB")));
        for other in [Wanted::of(Channel::Rcs, MediaKind::Image), Wanted::of(Channel::WhatsApp, MediaKind::Video)] {
            assert_eq!(other.doubt_size(1_000_001), None);
        }
    }
}
