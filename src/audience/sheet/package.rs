//! Inspects the ZIP package of a spreadsheet: whether it fits into memory, and what its program does not show of a sheet.

use std::fs::File;
use std::io::{self, BufReader, Read};

use memchr::{memchr, memmem};
use zip::ZipArchive;

use super::xml::{attribute, name, tags, unescaped};
use super::{Format, Unseen, binary, document};

/// Unpacked bytes of the parts that are held in memory whole: shared texts, and documents that do not stream.
pub(super) const WHOLE_MAX: u64 = 512 << 20;
/// The largest possible ratio of unpacked to packed bytes.
const RATIO_MAX: u64 = 1_032;
/// Cells of a document that is held in memory whole.
pub(super) const CELLS_MAX: u64 = 20_000_000;

/// Whether the parts that must be held in memory whole are too large.
///
/// A part that cannot be read is left to the reader, which refuses it.
pub(super) fn is_too_heavy(format: Format, file: &mut File) -> bool {
    is_larger_than(format, file, WHOLE_MAX)
}

fn is_larger_than(format: Format, file: &mut File, max: u64) -> bool {
    let is_streamed = |name: &str| match format {
        Format::Xlsx | Format::Xlsb => name.starts_with("xl/worksheets/") && !holds_texts(name),
        Format::Xls => false,
        // `document::inspect` checks this part more closely than by its size.
        Format::Ods => name == document::PART,
    };
    let Ok(mut archive) = ZipArchive::new(BufReader::new(file)) else { return false };
    let mut left = max;
    for index in 0..archive.len() {
        let Ok(mut part) = archive.by_index(index) else { continue };
        let name = part.name().map(|name| name.into_owned()).unwrap_or_default();
        if is_streamed(name.trim_start_matches('/')) {
            continue;
        }
        if holds_texts(&name) && texts(&mut part) > CELLS_MAX {
            return true;
        }
        let packed = part.compressed_size();
        drop(part);
        // The declared size of a part cannot be trusted.
        if packed.saturating_mul(RATIO_MAX) > left {
            let Ok(mut part) = archive.by_index(index) else { continue };
            let bytes = io::copy(&mut (&mut part).take(left + 1), &mut io::sink()).unwrap_or(0);
            match left.checked_sub(bytes) {
                Some(rest) => left = rest,
                None => return true,
            }
        }
    }
    false
}

/// Whether a part holds the shared texts of cells, in whichever folder it is.
fn holds_texts(part: &str) -> bool {
    let part = part.to_ascii_lowercase();
    part.ends_with("sharedstrings.xml") || part.ends_with("sharedstrings.bin")
}

/// The number of texts that a part declares: the reader allocates that many.
fn texts(part: &mut dyn Read) -> u64 {
    let mut declared = 0;
    let read = tags(part, &mut |tag, _| {
        let is_table = name(tag) == b"sst" || name(tag).ends_with(b":sst");
        declared =
            attribute(tag, "uniqueCount").filter(|_| is_table).map_or(0, |count| count.parse().unwrap_or(u64::MAX));
        !is_table
    });
    read.map_or(0, |()| declared)
}

/// Finds the hidden rows and merged areas of a sheet, while its reader reads it.
pub(super) fn unseen(format: Format, file: File, sheet: &str) -> io::Result<Unseen> {
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let Some(part) = part_of(format, &mut archive, sheet)? else { return Ok(Unseen::default()) };
    let mut part = archive.by_name(&part)?;
    if format == Format::Xlsb {
        return binary::unseen(&mut part);
    }
    let mut unseen = Unseen::default();
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

/// The part that holds a sheet. The book maps the sheet's name to an id, and its relations map the id to the part.
fn part_of(format: Format, archive: &mut ZipArchive<BufReader<File>>, sheet: &str) -> io::Result<Option<String>> {
    let (id, relations) = match format {
        Format::Xlsb => {
            let id = binary::relation(&mut archive.by_name("xl/workbook.bin")?, sheet)?;
            (id, "xl/_rels/workbook.bin.rels")
        }
        Format::Xlsx | Format::Xls | Format::Ods => {
            let mut id = None;
            tags(&mut archive.by_name("xl/workbook.xml")?, &mut |tag, _| {
                if name(tag) == b"sheet" && attribute(tag, "name").is_some_and(|known| unescaped(known) == sheet) {
                    id = attribute(tag, "r:id").map(str::to_owned);
                }
                id.is_none()
            })?;
            (id, "xl/_rels/workbook.xml.rels")
        }
    };
    let Some(id) = id else { return Ok(None) };
    let mut target = None;
    tags(&mut archive.by_name(relations)?, &mut |tag, _| {
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

/// Calls `visit` with overlapping pieces of the input and an end for each: a tag that begins before the end is complete.
fn windows(input: &mut dyn Read, visit: &mut dyn FnMut(&[u8], usize)) -> io::Result<()> {
    const PIECE: usize = 256 * 1024;
    const OVERLAP: usize = 4 * 1024;
    let mut text = Vec::with_capacity(PIECE + OVERLAP);
    loop {
        let more = (&mut *input).take(PIECE as u64).read_to_end(&mut text)?;
        let end = if more == 0 { text.len() } else { text.len().saturating_sub(OVERLAP) };
        visit(&text, end);
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

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::made::zipped;
    use super::*;

    fn file(parts: &[(&str, &[u8])]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&zipped(parts)).unwrap();
        file
    }

    #[test]
    fn parts_held_in_memory_have_a_limit_and_streamed_parts_have_none() {
        let zeros = vec![0; 4 << 20];
        let heavy = |format, part: &str| is_larger_than(format, &mut file(&[("a", b"a"), (part, &zeros)]), 3 << 20);
        assert!(heavy(Format::Xlsx, "xl/sharedStrings.xml"));
        assert!(heavy(Format::Xlsb, "xl/sharedStrings.bin"));
        assert!(heavy(Format::Xlsx, "xl/worksheets/sharedStrings.xml"));
        assert!(heavy(Format::Ods, "styles.xml"));
        assert!(!heavy(Format::Xlsx, "xl/worksheets/sheet1.xml"));
        assert!(!is_larger_than(Format::Xlsx, &mut file(&[("xl/sharedStrings.xml", &zeros)]), 5 << 20));
    }

    #[test]
    fn a_table_that_declares_too_many_shared_texts_is_refused() {
        let heavy = |head: &str| is_too_heavy(Format::Xlsx, &mut file(&[("xl/sharedStrings.xml", head.as_bytes())]));
        assert!(!heavy("<sst count=\"9\" uniqueCount=\"2\"><si/><si/></sst>") && !heavy("<sst><si/></sst>"));
        assert!(heavy("<?xml?><x:sst uniqueCount=\"99999999999\"></x:sst>"));
        assert!(heavy("<sst uniqueCount=\"99999999999999999999999\">"));
    }

    #[test]
    fn a_tag_across_two_pieces_is_seen_once() {
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
