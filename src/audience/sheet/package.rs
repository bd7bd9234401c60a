//! What the package of a spreadsheet tells beside its cells: whether it can be opened without filling the memory, and what
//! of a sheet its program does not show.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use memchr::{memchr, memchr3, memmem};
use zip::ZipArchive;

use super::Format;

/// Unpacked bytes of what is held in memory as a whole: tables of shared texts, and documents that do not stream.
const WHOLE_MAX: u64 = 512 << 20;
/// No packing makes less of what it packs.
const TIGHTEST: u64 = 1_032;
/// Cells of a document that is held in memory as a whole.
const CELLS_MAX: u64 = 20_000_000;

/// Whether what must be held in memory as a whole is too much for it. What cannot be read is the reader's to refuse.
pub(super) fn is_too_heavy(format: Format, file: &mut File) -> bool {
    weighs_more(format, file, WHOLE_MAX)
}

fn weighs_more(format: Format, file: &mut File, max: u64) -> bool {
    let is_streamed = |name: &str| match format {
        Format::Xlsx | Format::Xlsb => name.starts_with("xl/worksheets/"),
        Format::Xls | Format::Ods => false,
    };
    let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return false };
    let mut left = max;
    for place in 0..archive.len() {
        let Ok(mut part) = archive.by_index(place) else { continue };
        let name = part.name().map(|name| name.into_owned()).unwrap_or_default();
        if is_streamed(name.trim_start_matches('/')) {
            continue;
        }
        if format == Format::Ods && name == "content.xml" {
            let mut content = (&mut part).take(left + 1);
            let is_unsound = is_unsound(&mut content);
            match content.limit().checked_sub(1) {
                Some(rest) if !is_unsound => left = rest,
                Some(_) | None => return true,
            }
            continue;
        }
        let packed = part.compressed_size();
        drop(part);
        // What a part says of its size is only what its writer says.
        if packed.saturating_mul(TIGHTEST) > left {
            let Ok(mut part) = archive.by_index(place) else { continue };
            let bytes = io::copy(&mut (&mut part).take(left + 1), &mut io::sink()).unwrap_or(0);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return true,
            }
        }
    }
    false
}

/// Counts the cells that an open document has once its repetitions are written out, as its reader does; and holds that it
/// has an end: the reader would look for it for ever.
fn is_unsound(content: &mut dyn Read) -> bool {
    let (mut cells, mut row, mut blank) = (0_u64, 0_u64, 0_u64);
    let mut open: Vec<Vec<u8>> = Vec::new();
    let mut is_sound = true;
    let counted = tags(content, &mut |tag| {
        let times = || attribute(tag, "table:number-columns-repeated").and_then(|text| text.parse().ok());
        match name(tag) {
            b"table:table-row" => (row, blank) = (0, 0),
            // What is blank at the end of a row is nothing.
            b"table:table-cell" | b"table:covered-table-cell" if tag.ends_with(b"/") && !has_value(tag) => {
                blank = blank.saturating_add(times().unwrap_or(1));
            }
            b"table:table-cell" | b"table:covered-table-cell" => {
                row = row.saturating_add(blank).saturating_add(times().unwrap_or(1));
                blank = 0;
            }
            b"/table:table-row" => cells = cells.saturating_add(row),
            _ => {}
        }
        match name(tag) {
            [b'/', closed @ ..] => is_sound = open.pop().is_some_and(|opened| opened == closed),
            [b'!' | b'?', ..] => {}
            _ if tag.ends_with(b"/") => {}
            opened => open.push(opened.to_vec()),
        }
        is_sound && open.len() <= DEPTH_MAX && cells.saturating_add(row) <= CELLS_MAX
    });
    !(counted.is_ok() && is_sound && open.is_empty() && cells.saturating_add(row) <= CELLS_MAX)
}

/// Tags within tags of a document.
const DEPTH_MAX: usize = 1_000;

fn has_value(tag: &[u8]) -> bool {
    memmem::find(tag, b"office:value").is_some()
}

/// What a person who looks at a sheet does not see, or sees differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::audience) struct Unseen {
    pub(in crate::audience) hidden_rows: u64,
    /// Areas of several rows that are one cell.
    pub(in crate::audience) merged: u64,
}

/// Looks through a sheet of the newer format, quickly and beside its reader.
pub(super) fn unseen(file: File, sheet: &str) -> io::Result<Unseen> {
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let Some(part) = part_of(&mut archive, sheet)? else { return Ok(Unseen::default()) };
    let mut unseen = Unseen::default();
    let mut part = archive.by_name(&part)?;
    windows(&mut part, &mut |text, end| {
        for at in memmem::find_iter(text, b"<row ").take_while(|at| *at < end) {
            let tag = tag_at(text, at);
            let is_hidden = attribute(tag, "hidden").is_some_and(|hidden| hidden == "1" || hidden == "true");
            unseen.hidden_rows += u64::from(is_hidden);
        }
        for at in memmem::find_iter(text, b"<mergeCell ").take_while(|at| *at < end) {
            let area = attribute(tag_at(text, at), "ref").unwrap_or_default();
            let row = |cell: &str| cell.trim_start_matches(|char: char| !char.is_ascii_digit()).to_owned();
            unseen.merged += u64::from(area.split_once(':').is_some_and(|(from, to)| row(from) != row(to)));
        }
    })?;
    Ok(unseen)
}

/// The part of the package that a sheet is in: its name leads to an id, and the id to the part.
fn part_of(archive: &mut ZipArchive<BufReader<File>>, sheet: &str) -> io::Result<Option<String>> {
    let mut id = None;
    tags(&mut archive.by_name("xl/workbook.xml")?, &mut |tag| {
        if name(tag) == b"sheet" && attribute(tag, "name").is_some_and(|known| unescaped(known) == sheet) {
            id = attribute(tag, "r:id").map(str::to_owned);
        }
        id.is_none()
    })?;
    let Some(id) = id else { return Ok(None) };
    let mut target = None;
    tags(&mut archive.by_name("xl/_rels/workbook.xml.rels")?, &mut |tag| {
        if attribute(tag, "Id") == Some(&id) {
            target = attribute(tag, "Target").map(str::to_owned);
        }
        target.is_none()
    })?;
    Ok(target.map(|target| match target.strip_prefix('/') {
        Some(whole) => whole.to_owned(),
        None => format!("xl/{target}"),
    }))
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (escape, char)| text.replace(escape, char))
}

/// Gives out a text in overlapping pieces: what begins before the end that is told with each is whole.
fn windows(input: &mut dyn Read, look: &mut dyn FnMut(&[u8], usize)) -> io::Result<()> {
    const PIECE: usize = 256 * 1024;
    const OVERLAP: usize = 4 * 1024;
    let mut text = Vec::with_capacity(PIECE + OVERLAP);
    loop {
        let more = (&mut *input).take(PIECE as u64).read_to_end(&mut text)?;
        let end = if more == 0 { text.len() } else { text.len().saturating_sub(OVERLAP) };
        look(&text, end);
        if more == 0 {
            return Ok(());
        }
        text.drain(..end);
    }
}

fn tag_at(text: &[u8], at: usize) -> &[u8] {
    let text = &text[at + 1..];
    &text[..memchr(b'>', text).unwrap_or(text.len())]
}

/// Bytes of one tag; what is longer is cut off.
const TAG_BYTES: usize = 64 * 1024;

/// Gives out what stands between `<` and `>`, until nobody wants more. A `>` within quotes ends no tag, nor does one within a
/// comment, an instruction or a piece of plain text; these are given out as well. What ends within a tag is broken.
fn tags(input: &mut dyn Read, tell: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    let mut input = BufReader::with_capacity(TAG_BYTES, input);
    let (mut tag, mut inside, mut quote) = (Vec::new(), false, None);
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
                    if !inside && !tell(&tag[..tag.len() - 1]) {
                        return Ok(());
                    }
                }
                Some(_) if quote.is_some() => quote = None,
                // Apostrophes of a comment open nothing.
                Some(opened) => quote = (ends_with == b">").then_some(opened),
            }
        }
        let read = text.len();
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

fn name(tag: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || (*byte == b'/' && tag.first() != Some(byte));
    &tag[..tag.iter().position(is_end).unwrap_or(tag.len())]
}

/// The value of an attribute, as it stands there.
fn attribute<'a>(tag: &'a [u8], name: &str) -> Option<&'a str> {
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::made::zipped;
    use super::*;

    #[test]
    fn tags_are_found_whatever_their_attributes_hold() {
        let text = "<?xml?><a b='>' c=\"x'>\"><row  r=\"1\" hidden = '1'/>text</a>";
        let mut found = Vec::new();
        tags(&mut text.as_bytes(), &mut |tag| {
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

    fn file(parts: &[(&str, &[u8])]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&zipped(parts)).unwrap();
        file
    }

    #[test]
    fn what_is_held_in_memory_has_a_limit_and_what_streams_has_none() {
        let zeros = vec![0; 4 << 20];
        let heavy = |format, part: &str| weighs_more(format, &mut file(&[("a", b"a"), (part, &zeros)]), 3 << 20);
        assert!(heavy(Format::Xlsx, "xl/sharedStrings.xml"));
        assert!(heavy(Format::Xlsb, "xl/sharedStrings.bin"));
        assert!(heavy(Format::Ods, "content.xml"));
        assert!(!heavy(Format::Xlsx, "xl/worksheets/sheet1.xml"));
        assert!(!weighs_more(Format::Xlsx, &mut file(&[("xl/sharedStrings.xml", &zeros)]), 5 << 20));
    }

    #[test]
    fn a_document_of_few_bytes_may_have_too_many_cells_or_no_end() {
        let row =
            |cell: &str| format!("<table:table-row>{cell}<table:table-cell>x</table:table-cell></table:table-row>");
        let wide = "<table:table-cell note='>' table:number-columns-repeated=\"16383\"/>";
        let heavy = |cell: &str, rows: usize| {
            is_too_heavy(Format::Ods, &mut file(&[("content.xml", row(cell).repeat(rows).as_bytes())]))
        };
        assert!(heavy("<table:covered-table-cell><!-- ></table:covered-table-cell> -->", 1), "it has no end");
        assert!(heavy("<table:table-cell a='>", 1) && !heavy("<?xml a=\"?>", 1));
        assert!(!heavy("<!-- it's ></table:table-row> --><![CDATA[</a>]]>", 1));
        assert!(heavy(wide, 1_300));
        assert!(!heavy(wide, 1_000));
        // Blank cells behind the last one are in every document, and are none.
        let behind = "<table:table-row><table:table-cell>x</table:table-cell>".to_owned() + wide + "</table:table-row>";
        assert!(!is_too_heavy(Format::Ods, &mut file(&[("content.xml", behind.repeat(2_000).as_bytes())])));
    }

    #[test]
    fn what_begins_in_one_piece_and_ends_in_the_next_is_seen_once() {
        let text = "x".repeat(256 * 1024 - 3) + "<row hidden=\"1\">" + &"y".repeat(300 * 1024) + "<row >";
        let mut rows = Vec::new();
        windows(&mut text.as_bytes(), &mut |text, end| {
            rows.extend(
                memmem::find_iter(text, b"<row ").take_while(|at| *at < end).map(|at| tag_at(text, at).to_vec()),
            );
        })
        .unwrap();
        assert_eq!(rows, [b"row hidden=\"1\"".to_vec(), b"row ".to_vec()]);
    }
}
