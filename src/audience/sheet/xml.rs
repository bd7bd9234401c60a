//! A scanner for the tags of an XML document.
//!
//! It does not read documents: a crate does. It finds out in advance what reading costs, and what the reader does not report.
//!
//! Not by the crate `quick-xml`, because it keeps each tag and each text whole: a tag of a gigabyte, which fits into a packed
//! megabyte, would take a gigabyte of memory. It also takes two thirds longer.

use std::io::{self, BufRead, BufReader, Read};

use memchr::{memchr, memchr3};

/// Bytes kept of one tag; a longer one is cut.
const TAG_BYTES: usize = 64 * 1024;

/// Calls `visit` with the text between `<` and `>` of each tag and the offset of its end, until `visit` returns false.
///
/// - A `>` within quotes, a comment, an instruction or a CDATA section does not end a tag.
/// - Comments, instructions and CDATA sections are visited as well.
/// - Input that ends within a tag is an error.
pub(super) fn tags(input: &mut dyn Read, visit: &mut dyn FnMut(&[u8], u64) -> bool) -> io::Result<()> {
    let mut input = BufReader::with_capacity(TAG_BYTES, input);
    let (mut tag, mut inside, mut quote, mut passed) = (Vec::new(), false, None, 0);
    loop {
        let text = input.fill_buf()?;
        if text.is_empty() {
            return if inside { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) };
        }
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at..];
            if !inside {
                let Some(begin) = memchr(b'<', rest) else { break };
                (inside, quote, at) = (true, None, at + begin + 1);
                tag.clear();
                continue;
            }
            let found = match quote {
                Some(quote) => memchr(quote, rest),
                None => memchr3(b'>', b'"', b'\'', rest),
            };
            let end = found.map_or(rest.len(), |found| found + 1);
            append(&mut tag, &rest[..end]);
            at += end;
            let is_special = |begin: &[u8]| tag.starts_with(begin);
            let ends_with: &[u8] = match () {
                () if is_special(b"!--") => b"-->",
                () if is_special(b"![CDATA[") => b"]]>",
                () if is_special(b"?") => b"?>",
                () => b">",
            };
            match found.map(|found| rest[found]) {
                None => {}
                Some(b'>') if quote.is_none() => {
                    inside = !tag.ends_with(ends_with);
                    if !inside && !visit(&tag[..tag.len() - 1], passed + at as u64) {
                        return Ok(());
                    }
                }
                Some(_) if quote.is_some() => quote = None,
                // An apostrophe within a comment opens no quote.
                Some(opened) => quote = (ends_with == b">").then_some(opened),
            }
        }
        let read = text.len();
        passed += read as u64;
        input.consume(read);
    }
}

/// Appends to a tag up to its limit. The last bytes of a longer tag replace those before the limit.
fn append(tag: &mut Vec<u8>, more: &[u8]) {
    const END: usize = 8;
    tag.extend_from_slice(&more[..more.len().min(TAG_BYTES.saturating_sub(tag.len()))]);
    if tag.len() >= TAG_BYTES {
        let mut end = tag.split_off(TAG_BYTES - END);
        end.extend_from_slice(&more[more.len().saturating_sub(END)..]);
        tag.extend_from_slice(&end[end.len() - END..]);
    }
}

pub(super) fn name(tag: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || (*byte == b'/' && tag.first() != Some(byte));
    &tag[..tag.iter().position(is_end).unwrap_or(tag.len())]
}

/// The raw value of an attribute.
pub(super) fn attribute<'a>(tag: &'a [u8], name: &str) -> Option<&'a str> {
    let tag = std::str::from_utf8(tag).ok()?;
    let mut from = 0;
    loop {
        let at = from + tag.get(from..)?.find(name)?;
        from = at + name.len();
        let is_whole = tag[..at].ends_with(|char: char| char.is_ascii_whitespace());
        let value = tag[from..].trim_start().strip_prefix('=').map(str::trim_start).filter(|_| is_whole);
        if let Some(value) = value {
            let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
            return value[1..].split(quote).next();
        }
    }
}

pub(super) fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escape, char)| text.replace(escape, char))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_with_any_attribute_values() {
        let text = "<?xml?><a b='>' c=\"x'>\"><row  r=\"1\" hidden = '1'/>text</a>";
        let mut found = Vec::new();
        tags(&mut text.as_bytes(), &mut |tag, passed| {
            assert!(text[..usize::try_from(passed).unwrap()].ends_with('>'));
            found.push(String::from_utf8(tag.to_vec()).unwrap());
            true
        })
        .unwrap();
        assert_eq!(found, ["?xml?", "a b='>' c=\"x'>\"", "row  r=\"1\" hidden = '1'/", "/a"]);
        assert_eq!((name(found[2].as_bytes()), name(found[3].as_bytes())), (&b"row"[..], &b"/a"[..]));
        let value = |of: usize, name: &str| attribute(found[of].as_bytes(), name);
        assert_eq!(
            (value(1, "b"), value(1, "c"), value(2, "hidden"), value(2, "idden")),
            (Some(">"), Some("x'>"), Some("1"), None)
        );
    }
}
