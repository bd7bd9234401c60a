//! Finds the encoding of a text, from its byte order mark or from all of its bytes.

use std::io::{self, Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_8859_2, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1250, WINDOWS_1252};

use crate::base::domain::Country;

/// How a text is to be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TextFormat {
    pub(super) encoding: &'static Encoding,
    /// Length of the byte order mark, in bytes.
    pub(super) mark: u64,
    /// The whole text is known to be UTF-8, so nothing has to be decoded.
    pub(super) is_plain: bool,
    /// The text may contain NUL characters, which are dropped.
    pub(super) may_have_nul: bool,
}

/// What is known about a text before its bytes are read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hint {
    /// The encoding that the operator stated.
    pub(super) stated: Option<&'static Encoding>,
    /// The default country of its numbers, which hints at the script of its names.
    pub(super) country: Option<Country>,
}

const CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of lines with non-ASCII characters that are used to guess an encoding.
const GUESS_BYTES: usize = 256 * 1024;
/// A text counts as damaged UTF-8 if it has at least this many valid multibyte characters for each broken byte. In any
/// other encoding, hardly a character looks like one of UTF-8.
const MULTIBYTE_PER_BROKEN: u64 = 2;

/// Finds the encoding of a file. Reads the whole file, because a byte near the end can decide how the first row is decoded.
/// `sample` is its beginning.
pub(super) fn find<R: Read + Seek>(file: &mut R, sample: &[u8], hint: Hint) -> io::Result<TextFormat> {
    let (marked, mark) = match sample {
        [0xef, 0xbb, 0xbf, ..] => (Some(UTF_8), 3),
        [0xff, 0xfe, ..] => (Some(UTF_16LE), 2),
        [0xfe, 0xff, ..] => (Some(UTF_16BE), 2),
        _ => (utf16_without_mark(sample), 0),
    };
    let is_wide = |encoding: &Encoding| encoding == UTF_16LE || encoding == UTF_16BE;
    if let Some(encoding) = hint.stated.or(marked).filter(|encoding| is_wide(encoding)) {
        let mark = if marked.is_some_and(is_wide) { mark } else { 0 };
        return Ok(TextFormat { encoding, mark, is_plain: false, may_have_nul: true });
    }
    let mark = if marked == Some(UTF_8) { mark } else { 0 };
    file.seek(SeekFrom::Start(mark))?;
    let scan = ByteScan::of(file)?;
    let is_utf8 = scan.broken == 0 || scan.multibyte >= scan.broken.saturating_mul(MULTIBYTE_PER_BROKEN);
    let encoding = match hint.stated {
        Some(stated) => stated,
        None if is_utf8 => UTF_8,
        None => scan.guess(hint.country),
    };
    Ok(TextFormat { encoding, mark, is_plain: encoding == UTF_8 && scan.broken == 0, may_have_nul: scan.may_have_nul })
}

/// Recognises UTF-16 without a byte order mark. Digits, blanks and delimiters, which every recipient file has, contain a
/// zero byte there: always the second byte of the pair in little endian, always the first in big endian.
pub(super) fn utf16_without_mark(sample: &[u8]) -> Option<&'static Encoding> {
    let zeros = |first: usize| sample.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let pairs = sample.len() / 2;
    match (zeros(0), zeros(1)) {
        // A few characters of other scripts also contain a zero byte.
        (first, second) if first * 10 <= second && second * 8 > pairs => Some(UTF_16LE),
        (first, second) if second * 10 <= first && first * 8 > pairs => Some(UTF_16BE),
        _ => None,
    }
}

/// What a scan of all bytes of a text has found.
#[derive(Debug, Default)]
struct ByteScan {
    /// Characters of several bytes, if the text is UTF-8.
    multibyte: u64,
    /// Bytes that belong to no character, if the text is UTF-8.
    broken: u64,
    may_have_nul: bool,
    /// Lines with non-ASCII characters.
    non_ascii: Vec<u8>,
}

impl ByteScan {
    fn of(file: &mut dyn Read) -> io::Result<Self> {
        let mut scan = Self::default();
        let mut buffer = vec![0; CHUNK_BYTES];
        let mut kept = 0;
        loop {
            let count = match file.read(&mut buffer[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            let filled = kept + count;
            let judged = scan.judge(&buffer[..filled], count == 0);
            scan.keep_non_ascii_lines(&buffer[..judged]);
            if count == 0 {
                return Ok(scan);
            }
            // A character that is split at the end of the buffer is judged with its remaining bytes.
            buffer.copy_within(judged..filled, 0);
            kept = filled - judged;
        }
    }

    /// Counts valid and broken characters. Returns the number of bytes judged.
    fn judge(&mut self, bytes: &[u8], is_last: bool) -> usize {
        self.may_have_nul |= bytes.contains(&0);
        let mut from = 0;
        loop {
            let rest = &bytes[from..];
            let error = std::str::from_utf8(rest).err();
            let valid = error.map_or(rest.len(), |error| error.valid_up_to());
            self.multibyte += multibyte_in(&rest[..valid]);
            from += valid;
            let Some(error) = error else { return from };
            match error.error_len() {
                // The buffer ends within a character, and its other bytes are still to come.
                None if !is_last => return from,
                None => {
                    self.broken += 1;
                    return bytes.len();
                }
                Some(length) => {
                    self.broken += 1;
                    from += length;
                }
            }
        }
    }

    /// Keeps lines with non-ASCII characters, which help to guess the encoding.
    fn keep_non_ascii_lines(&mut self, bytes: &[u8]) {
        if self.non_ascii.len() >= GUESS_BYTES || bytes.is_ascii() {
            return;
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.is_ascii()) {
            let room = GUESS_BYTES.saturating_sub(self.non_ascii.len());
            self.non_ascii.extend_from_slice(&line[..line.len().min(room)]);
        }
    }

    fn guess(&self, country: Option<Country>) -> &'static Encoding {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        detector.feed(&self.non_ascii, true);
        // The country code is also its top-level domain, except for one country.
        let country = country.map(|country| country.as_str().to_ascii_lowercase());
        let tld = country.as_deref().map(|country| if country == "gb" { "uk" } else { country });
        let guess = detector.guess(tld.map(str::as_bytes), Utf8Detection::Deny);
        if guess.is_single_byte() {
            return if is_pound_sign(&self.non_ascii, guess) { WINDOWS_1252 } else { guess };
        }
        // The country of the numbers does not decide the script of the names. If the text has accented Latin letters or
        // Japanese, the guess ignores the country.
        let without = detector.guess(None, Utf8Detection::Deny);
        if has_accented_latin(&self.non_ascii, guess) {
            return if without.is_single_byte() { without } else { WINDOWS_1252 };
        }
        if guess != without && has_kana(&self.non_ascii, without) { without } else { guess }
    }
}

/// Counts the characters of several bytes in valid UTF-8.
fn multibyte_in(valid: &[u8]) -> u64 {
    let starts = |bytes: &[u8]| bytes.iter().map(|byte| u8::from(*byte >= 0xc0)).sum::<u8>();
    // In chunks of 255 bytes, so that a `u8` counts them without overflow, many at once.
    valid.chunks(usize::from(u8::MAX)).map(|bytes| u64::from(starts(bytes))).sum()
}

/// Whether a text with an East Asian guess has accented Latin letters instead. Decoded with the wrong encoding, these become
/// foreign characters next to the Latin letters of the same word, such as `J黵gen`, which no real text contains.
fn has_accented_latin(text: &[u8], guess: &'static Encoding) -> bool {
    let (text, _) = guess.decode_without_bom_handling(text);
    let is_foreign = |char: char| {
        !char.is_ascii() && (char.is_alphanumeric() || matches!(char, '\u{e000}'..='\u{f8ff}' | '\u{fffd}'))
    };
    let chars: Vec<char> = [' '].into_iter().chain(text.chars()).chain([' ']).collect();
    let foreign = || chars.windows(3).filter(|three| is_foreign(three[1]));
    let touching = foreign().filter(|three| three[0].is_ascii_alphabetic() || three[2].is_ascii_lowercase());
    touching.count() * 2 > foreign().count()
}

/// Whether a text reads as Japanese: text in another encoding hardly ever decodes to kana by chance.
fn has_kana(text: &[u8], guess: &'static Encoding) -> bool {
    let (text, is_broken) = guess.decode_without_bom_handling(text);
    !is_broken && text.chars().filter(|char| matches!(char, '\u{3041}'..='\u{30fe}')).count() > 1
}

/// Whether only pound signs make a text look Central European. A pound sign precedes a digit; the Central European letter
/// with the same byte does not.
fn is_pound_sign(text: &[u8], guess: &'static Encoding) -> bool {
    const POUND: u8 = 0xa3;
    let mut beyond = text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii()).peekable();
    let is_amount = |index: usize| text.get(index + 1).is_some_and(|next| next.is_ascii_digit() || *next == b' ');
    [WINDOWS_1250, ISO_8859_2].contains(&guess)
        && beyond.peek().is_some()
        && beyond.all(|(index, byte)| *byte == POUND && is_amount(index))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use encoding_rs::{BIG5, EUC_KR, GBK, SHIFT_JIS, WINDOWS_1251, WINDOWS_1256};

    use super::*;

    fn found_with(bytes: &[u8], hint: Hint) -> TextFormat {
        let sample = &bytes[..bytes.len().min(64 * 1024)];
        find(&mut Cursor::new(bytes), sample, hint).unwrap()
    }

    fn found(bytes: &[u8]) -> &'static Encoding {
        found_with(bytes, Hint::default()).encoding
    }

    #[test]
    fn a_byte_order_mark_or_zero_bytes_give_the_encoding() {
        let of = |bytes: &[u8]| {
            let text = found_with(bytes, Hint::default());
            (text.encoding, text.mark)
        };
        assert_eq!(of(b"\xef\xbb\xbfMobile"), (UTF_8, 3));
        assert_eq!(of(b"\xff\xfeM\0o\0"), (UTF_16LE, 2));
        assert_eq!(of(b"\xfe\xff\0M\0o"), (UTF_16BE, 2));
        assert_eq!(of(b"M\0o\0b\0"), (UTF_16LE, 0));
        assert_eq!(of(b"\0M\0o\0b"), (UTF_16BE, 0));
        // Mostly non-ASCII.
        let wide: Vec<u8> =
            "電話番号,名前\n+81312345678,山田太郎様\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(of(&wide), (UTF_16LE, 0));
        assert_eq!(of("Zoë".as_bytes()), (UTF_8, 0));
    }

    #[test]
    fn a_stated_encoding_wins() {
        let stated = |encoding| Hint { stated: Some(encoding), country: None };
        let text = found_with("Zoë".as_bytes(), stated(WINDOWS_1252));
        assert_eq!((text.encoding, text.is_plain), (WINDOWS_1252, false));
        // The byte order mark is still recognised.
        assert_eq!(found_with(b"\xef\xbb\xbfZo\xeb", stated(WINDOWS_1252)).mark, 3);
        assert_eq!(
            found_with(b"M\0o\0", stated(UTF_16LE)),
            TextFormat { may_have_nul: true, ..found_with(b"M\0o\0", Hint::default()) }
        );
        assert_eq!(found_with(b"\xff\xfeM\0o\0", stated(UTF_16LE)).mark, 2);
    }

    #[test]
    fn one_byte_at_the_end_decides_and_buffers_split_no_character() {
        for shift in 0..4 {
            let mut bytes = vec![b'a'; shift];
            bytes.extend("\u{e9}€😀\n".repeat(70_000).bytes());
            let text = found_with(&bytes, Hint::default());
            assert_eq!((text.encoding, text.is_plain), (UTF_8, true), "shifted by {shift}");
            bytes.push(0xe9);
            let text = found_with(&bytes, Hint::default());
            assert_eq!((text.encoding, text.is_plain), (UTF_8, false), "damaged, shifted by {shift}");
            let mut late = vec![b'a'; CHUNK_BYTES + shift];
            late.extend(b"\nZo\xeb\n");
            assert_eq!(found(&late), WINDOWS_1252, "shifted by {shift}");
        }
    }

    #[test]
    fn the_country_of_numbers_does_not_decide_the_encoding_of_names() {
        let of = |text: &[u8], country: &str| {
            found_with(text, Hint { stated: None, country: country.parse().ok() }).encoding
        };
        for country in ["SG", "HK", "TW", "CN", "JP", "KR", "US"] {
            for names in [
                &b"J\xfcrgen M\xfcller,1\nG\xfcnther Vogt,2\n"[..],
                b"Fran\xe7ois,1\n",
                b"Nu\xf1ez,1\n",
                b"M\xfcller\n",
            ] {
                assert_eq!(of(names, country), WINDOWS_1252, "{country} {names:?}");
            }
        }
        for (text, encoding, country) in [
            ("姓名,手机\nLily张伟,1\n王小明(VIP),2\n", GBK, "CN"),
            ("陳怡君,1\n林志明,2\n", BIG5, "HK"),
            ("山田太郎,1\n", SHIFT_JIS, "JP"),
            ("김민준,1\n이서연,2\n", EUC_KR, "KR"),
            ("会員リスト\n山田 太郎,日本,1\n佐藤 花子,日本,2\n", SHIFT_JIS, "SG"),
        ] {
            assert_eq!(of(&encoding.encode(text).0, country), encoding, "{text}");
        }
    }

    #[test]
    fn pound_signs_do_not_make_a_text_central_european() {
        let lines: Vec<u8> =
            (0..50).flat_map(|n| format!("Ann{n},+447400123410,\u{a3}10.{n}\n").into_bytes()).collect();
        let text = String::from_utf8(lines).unwrap();
        assert_eq!(found(&WINDOWS_1252.encode(&text).0), WINDOWS_1252);
        let polish = "\u{141}ukasz,1\nZbigniew \u{17b}y\u{142}a,2\nGra\u{17c}yna Wi\u{15b}niewska,3\n";
        assert_eq!(found(&WINDOWS_1250.encode(polish).0), WINDOWS_1250);
    }

    #[test]
    fn a_few_names_are_enough_to_recognise_an_encoding() {
        for (text, encoding) in [
            ("Mobile;Name;Ort\n+4915112345678;Jürgen Müller;Köln\n+4915112345679;Zoë;Düsseldorf\n", WINDOWS_1252),
            ("Телефон;Имя\n+79161234567;Александр\n+79161234568;Екатерина Иванова\n", WINDOWS_1251),
            ("電話番号,名前\n+819012345678,山田太郎\n+819012345679,鈴木花子\n", SHIFT_JIS),
            ("手机号码,姓名\n+8613812345678,张伟\n+8613812345679,王小明\n", GBK),
            ("手機,姓名\n+886912345678,陳怡君\n+886912345679,林志明\n", BIG5),
            ("휴대폰,이름\n+821012345678,김민준\n+821012345679,이서연\n", EUC_KR),
            ("الهاتف,الاسم\n+966501234567,محمد عبد الله\n+966501234568,فاطمة الزهراء\n", WINDOWS_1256),
        ] {
            let (bytes, _, had_errors) = encoding.encode(text);
            assert!(!had_errors, "{text}");
            assert_eq!(found(&bytes).name(), encoding.name(), "{text}");
        }
    }

    #[test]
    fn nul_characters_are_detected() {
        assert!(found_with(b"Mobile\0,Name\n", Hint::default()).may_have_nul);
        assert!(!found_with(b"Mobile,Name\n", Hint::default()).may_have_nul);
    }
}
