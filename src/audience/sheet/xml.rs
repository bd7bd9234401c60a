//! XML, as far as a look at the tags of a document takes it. Documents are read by others; this is to know beforehand what
//! that costs, and beside it what they do not tell.

use std::io::{self, BufRead, BufReader, Read};

use memchr::{memchr, memchr3};

/// Bytes of one tag; what is longer is cut off.
const TAG_BYTES: usize = 64 * 1024;

/// Gives out what stands between `<` and `>`, and how many bytes of the text there are up to its end, until nobody wants
/// more. A `>` within quotes ends no tag, nor does one within a
/// comment, an instruction or a piece of plain text; these are given out as well. What ends within a tag is broken.
pub(super) fn tags(input: &mut dyn Read, tell: &mut dyn FnMut(&[u8], u64) -> bool) -> io::Result<()> {
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
                    if !inside && !tell(&tag[..tag.len() - 1], passed + at as u64) {
                        return Ok(());
                    }
                }
                Some(_) if quote.is_some() => quote = None,
                // Apostrophes of a comment open nothing.
                Some(opened) => quote = (ends_with == b">").then_some(opened),
            }
        }
        let read = text.len();
        passed += read as u64;
        input.consume(read);
    }
}

/// Appends to a tag what it has room for; of what is longer its end is kept.
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

/// The value of an attribute, as it stands there.
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
    fn tags_are_found_whatever_their_attributes_hold() {
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
