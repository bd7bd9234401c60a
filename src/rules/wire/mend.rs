//! Mends the text of a webhook's body, so that one damaged character loses no event.

use std::borrow::Cow;

/// What stands in the place of half a surrogate pair, as long as its escape.
const REPLACED: &[u8] = br"\ufffd";

/// Replaces what JSON does not allow:
///
/// - bytes that are not UTF-8, and half of a surrogate pair, by U+FFFD;
/// - control characters and unknown escapes in texts, by a space;
/// - anything but ASCII between texts, by a space.
///
/// A sound body is returned as it came.
pub fn mended(body: &[u8]) -> Cow<'_, [u8]> {
    // Nearly every body consists of printed ASCII without escapes.
    if body.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\') {
        return Cow::Borrowed(body);
    }
    let text = String::from_utf8_lossy(body);
    let mut rest = text.as_bytes();
    let (mut mended, mut is_in_text) = (Vec::with_capacity(rest.len()), false);
    while let Some((byte, after)) = rest.split_first() {
        if is_in_text && *byte == b'\\' {
            rest = mend_escape(rest, &mut mended);
            continue;
        }
        is_in_text ^= *byte == b'"';
        let is_allowed = if is_in_text { *byte >= b' ' } else { matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t') };
        mended.push(if is_allowed { *byte } else { b' ' });
        rest = after;
    }
    if mended == body { Cow::Borrowed(body) } else { Cow::Owned(mended) }
}

/// Writes the escape at the beginning of `rest`. Returns what follows it.
fn mend_escape<'a>(rest: &'a [u8], mended: &mut Vec<u8>) -> &'a [u8] {
    let keep = |length: usize, mended: &mut Vec<u8>| {
        let (escape, after) = rest.split_at(length);
        mended.extend_from_slice(escape);
        after
    };
    match (rest.get(1), unit(rest)) {
        (Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'), _) => keep(2, mended),
        (Some(b'u'), Some(0xD800..0xDC00)) if matches!(rest.get(6..).and_then(unit), Some(0xDC00..0xE000)) => {
            keep(12, mended)
        }
        (Some(b'u'), Some(0xD800..0xE000)) => {
            mended.extend_from_slice(REPLACED);
            rest.get(6..).unwrap_or_default()
        }
        (Some(b'u'), Some(_)) => keep(6, mended),
        _ => {
            mended.push(b' ');
            rest.get(1..).unwrap_or_default()
        }
    }
}

/// The code unit of an escape like `\u00e9` at the beginning of `rest`.
fn unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(br"\u")?.get(..4)?;
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    std::str::from_utf8(digits).ok().filter(|_| is_hex).and_then(|digits| u16::from_str_radix(digits, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_damage_becomes_a_character_that_json_allows() {
        for (body, wanted) in [
            (&br#"{"a":"x"}"#[..], &br#"{"a":"x"}"#[..]),
            (br#"{"a":"\ud83d\ude00 \n\u00e9 \\ \" /"}"#, br#"{"a":"\ud83d\ude00 \n\u00e9 \\ \" /"}"#),
            (br#"{"a":"x\ud83d"}"#, br#"{"a":"x\ufffd"}"#),
            (br#"{"a":"\ude00\ud83d\n"}"#, br#"{"a":"\ufffd\ufffd\n"}"#),
            (br#"{"a":"\ud83d\u0041"}"#, br#"{"a":"\ufffd\u0041"}"#),
            (br#"{"a":"\q\u12g4"}"#, br#"{"a":" q u12g4"}"#),
            (b"{\"a\":\"x\xff\x01\n\"}", "{\"a\":\"x\u{fffd}  \"}".as_bytes()),
            (b"\xef\xbb\xbf{\"a\":\r\n\x00\"x\"\xff}", b"   {\"a\":\r\n \"x\"   }"),
            ("{\"a\":\"ж\"}".as_bytes(), "{\"a\":\"ж\"}".as_bytes()),
            (br#""\"#, br#"" "#),
        ] {
            assert_eq!(mended(body), wanted, "{}", String::from_utf8_lossy(body));
        }
    }

    proptest! {
        #[test]
        fn sound_json_stays_as_it_is(text: String, ascii: bool) {
            let written = serde_json::json!({ "text": text, "list": [text] }).to_string();
            let escaped: String = written.chars().map(|char| match char {
                char if char.is_ascii() => char.to_string(),
                char => char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
            }).collect();
            let body = if ascii { escaped } else { written };
            prop_assert_eq!(&*mended(body.as_bytes()), body.as_bytes());
        }

        #[test]
        fn a_mended_text_is_mended_for_good(body: Vec<u8>) {
            let once = mended(&body).into_owned();
            prop_assert_eq!(&*mended(&once), &once);
            prop_assert!(std::str::from_utf8(&once).is_ok());
        }
    }
}
