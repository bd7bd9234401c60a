//! Reads an XML document as tags and texts, in bounded memory.
//!
//! Not by the crate `quick-xml`, because it keeps each tag, text and comment whole: one of a gigabyte, which fits into a
//! packed megabyte, would take a gigabyte of memory.
//!
//! - A text comes in pieces. No piece ends within an escape.
//! - A tag has a limit; a longer one is an error.
//! - Comments, instructions and declarations are skipped.

use std::io::{self, Read};
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8};
use encoding_rs_io::DecodeReaderBytesBuilder;
use memchr::{memchr, memchr_iter, memmem};

/// Bytes that are read at once, and the length from which a text comes in pieces.
const PIECE: usize = 64 * 1024;
/// The longest tag: an attribute may hold the text of a cell, in escapes.
const TAG_MAX: usize = 1024 * 1024;
/// The longest escape, such as `&#x0010ffff;`.
const ESCAPE_MAX: usize = 12;

/// The next thing in a document. An element without content is opened and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Open(Tag<'a>),
    /// The name of an element that ends.
    Close(&'a [u8]),
    /// A piece of text with its escapes.
    Text(&'a [u8]),
    /// A piece of text without escapes.
    Plain(&'a [u8]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) name: &'a [u8],
    attributes: &'a [u8],
}

/// A document that is being read.
pub(super) struct Xml<'a> {
    input: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    is_ended: bool,
    is_plain: bool,
    /// The name of an element without content that was opened.
    to_close: Option<Range<usize>>,
}

/// A token, as places in the buffer.
enum Found {
    Open(Range<usize>),
    Close(Range<usize>),
    Text(Range<usize>),
    Plain(Range<usize>),
}

const PLAIN_BEGIN: &[u8] = b"<![CDATA[";
const PLAIN_END: &[u8] = b"]]>";

/// What the unread bytes begin with, and where it ends if its end is among them.
enum Begun {
    Open(Option<usize>),
    Close(Option<usize>),
    Text(Option<usize>),
    Plain(Option<usize>),
    PlainBegin,
    /// Something that ends with these bytes and is of no interest.
    Skipped(&'static [u8]),
    /// Too little to know.
    Cut,
}

impl Begun {
    fn of(rest: &[u8], is_plain: bool) -> Self {
        match rest {
            _ if is_plain => Self::Plain(memmem::find(rest, PLAIN_END)),
            [b'<', b'/', ..] => Self::Close(memchr(b'>', rest)),
            [b'<', b'?', ..] => Self::Skipped(b"?>"),
            [b'<', b'!', ..] if rest.starts_with(b"<!--") => Self::Skipped(b"-->"),
            [b'<', b'!', ..] if rest.starts_with(PLAIN_BEGIN) => Self::PlainBegin,
            [b'<', b'!', ..] if rest.len() >= PLAIN_BEGIN.len() => Self::Skipped(b">"),
            [b'<'] | [b'<', b'!', ..] => Self::Cut,
            [b'<', ..] => Self::Open(end_of_tag(rest)),
            _ => Self::Text(memchr(b'<', rest).or_else(|| (rest.len() >= PIECE).then(|| before_cut_escape(rest)))),
        }
    }
}

impl<'a> Xml<'a> {
    pub(super) fn new(mut input: impl Read + 'a) -> io::Result<Self> {
        let mut mark = [0; 2];
        let mut read = 0;
        while read < mark.len() {
            match input.read(&mut mark[read..])? {
                0 => break,
                count => read += count,
            }
        }
        let whole = io::Cursor::new(mark).take(read as u64).chain(input);
        let wide = Encoding::for_bom(&mark).filter(|(encoding, _)| *encoding != UTF_8);
        let input: Box<dyn Read + 'a> = match wide {
            Some((encoding, _)) => {
                Box::new(DecodeReaderBytesBuilder::new().encoding(Some(encoding)).strip_bom(true).build(whole))
            }
            None => Box::new(whole),
        };
        let buffer = vec![0; 2 * PIECE];
        Ok(Self { input, buffer, at: 0, filled: 0, is_ended: false, is_plain: false, to_close: None })
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Token<'_>>> {
        Ok(match self.find()? {
            None => None,
            Some(Found::Open(at)) => Some(Token::Open(Tag::of(&self.buffer[at]))),
            Some(Found::Close(at)) => Some(Token::Close(self.buffer[at].trim_ascii_end())),
            Some(Found::Text(at)) => Some(Token::Text(&self.buffer[at])),
            Some(Found::Plain(at)) => Some(Token::Plain(&self.buffer[at])),
        })
    }

    fn find(&mut self) -> io::Result<Option<Found>> {
        if let Some(name) = self.to_close.take() {
            return Ok(Some(Found::Close(name)));
        }
        loop {
            let rest = &self.buffer[self.at..self.filled];
            let length = rest.len();
            match Begun::of(rest, self.is_plain) {
                Begun::Plain(Some(end)) => {
                    self.is_plain = false;
                    return Ok(Some(Found::Plain(self.take(0, end, end + PLAIN_END.len()))));
                }
                Begun::Plain(None) if length >= PIECE => {
                    let end = length - PLAIN_END.len() + 1;
                    return Ok(Some(Found::Plain(self.take(0, end, end))));
                }
                Begun::Close(Some(end)) => return Ok(Some(Found::Close(self.take(2, end, end + 1)))),
                Begun::Open(Some(end)) => return Ok(Some(self.opened(end))),
                Begun::PlainBegin => {
                    self.at += PLAIN_BEGIN.len();
                    self.is_plain = true;
                }
                Begun::Skipped(end) => self.skip_past(end)?,
                Begun::Text(Some(end)) => return Ok(Some(Found::Text(self.take(0, end, end)))),
                Begun::Text(None) => {
                    if !self.fill()? {
                        return Ok((length > 0).then(|| Found::Text(self.take(0, length, length))));
                    }
                }
                Begun::Plain(None) | Begun::Close(None) | Begun::Open(None) | Begun::Cut => self.fill_tag()?,
            }
        }
    }

    /// Takes the tag that ends at `end`.
    fn opened(&mut self, end: usize) -> Found {
        let is_alone = self.buffer[self.at + end - 1] == b'/';
        let tag = self.take(1, end - usize::from(is_alone), end + 1);
        if is_alone {
            let name = name_length(&self.buffer[tag.clone()]);
            self.to_close = Some(tag.start..tag.start + name);
        }
        Found::Open(tag)
    }

    /// Moves on by `after` bytes. Returns the place of the bytes from `from` to `end`.
    fn take(&mut self, from: usize, end: usize, after: usize) -> Range<usize> {
        let at = self.at;
        self.at += after;
        at + from..at + end.max(from)
    }

    /// Skips all bytes up to the next `end`, and `end` itself.
    fn skip_past(&mut self, end: &[u8]) -> io::Result<()> {
        loop {
            let rest = &self.buffer[self.at..self.filled];
            if let Some(found) = memmem::find(rest, end) {
                self.at += found + end.len();
                return Ok(());
            }
            self.at += rest.len().saturating_sub(end.len() - 1);
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn fill_tag(&mut self) -> io::Result<()> {
        if self.filled - self.at >= TAG_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a tag is longer than a mebibyte"));
        }
        if self.fill()? { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads more; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.is_ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        (self.at, self.filled) = (0, self.filled - self.at);
        if self.buffer.len() - self.filled < PIECE {
            self.buffer.resize(self.filled + PIECE, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.filled..self.filled + PIECE]) {
                Ok(0) => self.is_ended = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(!self.is_ended);
        }
    }
}

/// The place of the `>` that ends a tag; one within quotes does not.
fn end_of_tag(rest: &[u8]) -> Option<usize> {
    let end = memchr(b'>', rest)?;
    let tag = &rest[..end];
    if memchr_iter(b'"', tag).count().is_multiple_of(2) && memchr(b'\'', tag).is_none() {
        return Some(end);
    }
    let mut quote = None;
    for (at, byte) in rest.iter().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(opened), byte) if opened == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// The length of a piece of text without the escape that may be cut at its end.
fn before_cut_escape(text: &[u8]) -> usize {
    let end = &text[text.len() - ESCAPE_MAX..];
    let cut = end.iter().rposition(|byte| *byte == b'&').filter(|at| memchr(b';', &end[*at..]).is_none());
    cut.map_or(text.len(), |at| text.len() - ESCAPE_MAX + at)
}

fn name_length(tag: &[u8]) -> usize {
    tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len())
}

/// A name without its prefix.
pub(super) fn local(name: &[u8]) -> &[u8] {
    memchr(b':', name).map_or(name, |colon| &name[colon + 1..])
}

impl<'a> Tag<'a> {
    fn of(tag: &'a [u8]) -> Self {
        let (name, attributes) = tag.split_at(name_length(tag));
        Self { name, attributes }
    }

    /// The names and the raw values of the attributes. A damaged one ends them.
    pub(super) fn attributes(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = self.attributes;
        std::iter::from_fn(move || {
            rest = rest.trim_ascii_start();
            let (name, value) = rest.split_at_checked(memchr(b'=', rest)?)?;
            let value = value[1..].trim_ascii_start();
            let (quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
            let end = memchr(*quote, value)?;
            rest = &value[end + 1..];
            Some((name.trim_ascii_end(), &value[..end]))
        })
    }

    /// The raw value of an attribute.
    pub(super) fn attribute(self, name: &str) -> Option<&'a [u8]> {
        self.attributes().find(|(known, _)| *known == name.as_bytes()).map(|(_, value)| value)
    }

    /// The value of an attribute as text.
    pub(super) fn text(self, name: &str) -> Option<String> {
        self.attribute(name).map(unescaped)
    }
}

/// Appends a raw text with its escapes replaced, and its line ends as line feeds. An unknown escape stays as it is.
pub(super) fn push_unescaped(text: &mut Vec<u8>, raw: &[u8]) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr2(b'&', b'\r', rest) {
        text.extend_from_slice(&rest[..at]);
        if rest[at] == b'\r' {
            let is_pair = rest.get(at + 1) == Some(&b'\n');
            text.push(b'\n');
            rest = &rest[at + 1 + usize::from(is_pair)..];
            continue;
        }
        let after = &rest[at + 1..];
        let escape = after[..after.len().min(ESCAPE_MAX)].iter().position(|byte| *byte == b';');
        match escape.and_then(|end| Some((end, replacement(&after[..end])?))) {
            Some((end, char)) => {
                text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &after[end + 1..];
            }
            None => {
                text.push(b'&');
                rest = after;
            }
        }
    }
    text.extend_from_slice(rest);
}

fn replacement(escape: &[u8]) -> Option<char> {
    Some(match escape {
        b"lt" => '<',
        b"gt" => '>',
        b"amp" => '&',
        b"quot" => '"',
        b"apos" => '\'',
        [b'#', b'x', digits @ ..] => {
            u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?.try_into().ok()?
        }
        [b'#', digits @ ..] => std::str::from_utf8(digits).ok()?.parse::<u32>().ok()?.try_into().ok()?,
        _ => return None,
    })
}

/// The raw value of an attribute as text.
pub(super) fn unescaped(raw: &[u8]) -> String {
    let mut text = Vec::new();
    push_unescaped(&mut text, raw);
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of a document, read in pieces of one size.
    fn tokens(text: &[u8], piece: usize) -> io::Result<Vec<String>> {
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let size = buffer.len().min(self.1);
                self.0.read(&mut buffer[..size])
            }
        }
        let mut xml = Xml::new(Pieces(text, piece))?;
        let mut found: Vec<String> = Vec::new();
        while let Some(token) = xml.next()? {
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let token = match token {
                Token::Open(tag) => {
                    let attributes = tag.attributes().map(|(name, value)| format!(" {}={}", shown(name), shown(value)));
                    format!("<{}{}>", shown(tag.name), attributes.collect::<String>())
                }
                Token::Close(name) => format!("</{}>", shown(name)),
                Token::Text(text) => format!("text {}", shown(text)),
                Token::Plain(text) => format!("plain {}", shown(text)),
            };
            // Pieces of one text are one text.
            let kind = token.split(' ').next().unwrap_or_default().to_owned() + " ";
            match found.last_mut().filter(|last| kind.len() > 4 && last.starts_with(&kind) && !kind.starts_with('<')) {
                Some(last) => last.push_str(&token[kind.len()..]),
                None => found.push(token),
            }
        }
        Ok(found)
    }

    #[test]
    fn tokens_are_the_same_however_the_input_is_cut() {
        let text = "<?xml a='?'?><!DOCTYPE a><a b='>' c=\"x'>\"><row  r=\"1\" h = '1'/>t&amp;t<!-- <b> > it's --></a >\
                    <![CDATA[<p>]]]]><b/>";
        let expected =
            ["<a b=> c=x'>>", "<row r=1 h=1>", "</row>", "text t&amp;t", "</a>", "plain <p>]]", "<b>", "</b>"];
        for piece in [1, 2, 3, 7, 64, usize::MAX] {
            assert_eq!(tokens(text.as_bytes(), piece).unwrap(), expected, "in pieces of {piece}");
        }
        let wide: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(tokens(&wide, usize::MAX).unwrap(), expected);
    }

    #[test]
    fn a_long_text_comes_in_pieces_that_cut_no_escape() {
        for shift in 0..16 {
            let text = "x".repeat(shift) + &"&lt;&#x0010ffff;".repeat(20_000);
            let document = format!("<a>{text}</a>");
            let mut xml = Xml::new(document.as_bytes()).unwrap();
            let (mut whole, mut pieces) = (Vec::new(), 0);
            while let Some(token) = xml.next().unwrap() {
                if let Token::Text(piece) = token {
                    push_unescaped(&mut whole, piece);
                    pieces += 1;
                }
            }
            assert!(pieces > 2);
            assert_eq!(String::from_utf8(whole).unwrap(), "x".repeat(shift) + &"<\u{10ffff}".repeat(20_000));
        }
    }

    #[test]
    fn endless_documents_end_within_their_limits() {
        for begin in ["<a b='", "</a", "<a "] {
            let endless = begin.as_bytes().chain(io::repeat(b'x'));
            let mut xml = Xml::new(endless).unwrap();
            assert_eq!(xml.next().unwrap_err().kind(), io::ErrorKind::InvalidData, "{begin}");
            assert!(xml.buffer.len() <= TAG_MAX + 2 * PIECE);
        }
        for (begin, byte) in [("<!-- ", b'-'), ("<?a ", b'?'), ("<![CDATA[", b']'), ("", b'x'), ("", b'&')] {
            let long = begin.as_bytes().chain(io::repeat(byte).take(1 << 20)).chain(&b"-->?>]]><a/>"[..]);
            let mut xml = Xml::new(long).unwrap();
            while xml.next().unwrap().is_some() {}
            assert!(xml.buffer.len() <= 3 * PIECE, "{begin}: {}", xml.buffer.len());
        }
        for cut in ["<a", "<a b='>", "<!-- x", "<?x", "<![CDATA[x]]", "</a", "<", "<!"] {
            assert_eq!(tokens(cut.as_bytes(), 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[test]
    fn escapes_are_replaced_and_unknown_ones_stay() {
        let text = |raw: &str| unescaped(raw.as_bytes());
        assert_eq!(text("&lt;&gt;&amp;&quot;&apos;&#65;&#x42;"), "<>&\"'AB");
        assert_eq!(text("&amp;lt; &unknown; &#x0110ffff; &#xd800; & &"), "&lt; &unknown; &#x0110ffff; &#xd800; & &");
        assert_eq!(text("a\r\nb\rc\n"), "a\nb\nc\n");
    }
}
