//! The ZIP package of a spreadsheet: its parts, each with a limit to what it unpacks to.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::rc::Rc;

use zip::ZipArchive;
use zip::read::ZipFile;

use super::failed::Failed;
use super::xml::{Token, Xml, local, unescaped};
use crate::recipients::audience::decode::Tracked;
use crate::recipients::audience::open::unpacked_max;

type Input = BufReader<Tracked>;

/// An open package.
pub(super) struct Package {
    archive: ZipArchive<Input>,
    bytes: u64,
}

impl Package {
    /// Opens a package. Also returns the position up to which the file is read.
    pub(super) fn open(file: File) -> Result<(Self, Rc<Cell<u64>>), Failed> {
        let bytes = file.metadata()?.len();
        let (file, at) = Tracked::new(file);
        let archive = ZipArchive::new(BufReader::new(file)).map_err(|error| Failed::Broken(error.into()))?;
        Ok((Self { archive, bytes }, at))
    }

    /// Opens a part; `None` if there is none of this name. Case, kind of slashes and a slash at the beginning are ignored.
    pub(super) fn part(&mut self, path: &str) -> Result<Option<Part<'_>>, Failed> {
        let plain = |name: &str| name.replace('\\', "/").trim_start_matches('/').to_ascii_lowercase();
        let index = self.archive.index_for_name(path).or_else(|| {
            let path = plain(path);
            (0..self.archive.len())
                .find(|index| matches!(self.archive.name_for_index(*index), Some(Ok(name)) if plain(&name) == path))
        });
        let Some(index) = index else { return Ok(None) };
        let inner = self.archive.by_index(index).map_err(|error| Failed::Broken(error.into()))?;
        // The packed size is only declared.
        let left = unpacked_max(inner.compressed_size().min(self.bytes));
        Ok(Some(Part { inner, left }))
    }

    /// Opens a part that must exist.
    pub(super) fn known_part(&mut self, path: &str) -> Result<Part<'_>, Failed> {
        self.part(path)?.ok_or_else(|| Failed::Broken(format!("it has no part {path}").into()))
    }

    /// Opens a part as a document.
    pub(super) fn document(&mut self, path: &str) -> Result<Option<Xml<'_>>, Failed> {
        Ok(match self.part(path)? {
            Some(part) => Some(Xml::new(part)?),
            None => None,
        })
    }

    /// The relations of a part, in order.
    pub(super) fn relations(&mut self, of: &str, budget: &mut Budget) -> Result<Vec<Relation>, Failed> {
        let (folder, name) = of.rsplit_once('/').map_or(("", of), |(folder, name)| (folder, name));
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut relations = Vec::new();
        let Some(mut document) = self.document(&format!("{folder}_rels/{name}.rels"))? else { return Ok(relations) };
        while let Some(token) = document.next()? {
            let Token::Open(tag) = token else { continue };
            if local(tag.name) != b"Relationship" {
                continue;
            }
            let text = |name| tag.attribute(name).map(unescaped).unwrap_or_default();
            let (id, kind, target) = (text("Id"), text("Type"), text("Target"));
            budget.spend(id.len() + kind.len() + target.len())?;
            let target = match target.strip_prefix('/') {
                Some(whole) => whole.to_owned(),
                None => format!("{folder}{target}"),
            };
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.push(Relation { id, kind, target });
        }
        Ok(relations)
    }
}

/// A relation of one part to another.
pub(super) struct Relation {
    pub(super) id: String,
    /// The last word of its type.
    pub(super) kind: String,
    /// The path of the other part.
    pub(super) target: String,
}

/// Bytes that may be kept of what describes a book: names, relations and formats. No book that is used reaches it.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(8 << 20)
    }

    /// Takes room for a thing with this much text.
    pub(super) fn spend(&mut self, text: usize) -> Result<(), Failed> {
        const THING: usize = 64;
        self.0 = self.0.checked_sub(text.saturating_add(THING)).ok_or(Failed::TooHeavy)?;
        Ok(())
    }
}

/// A part that is being unpacked. Reading beyond its limit is an error.
pub(super) struct Part<'a> {
    inner: ZipFile<'a, Input>,
    left: u64,
}

/// A part unpacks to more than it may.
#[derive(Debug, thiserror::Error)]
#[error("a part unpacks to too many times its size")]
pub(super) struct Grown;

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(Grown))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::made::zipped;
    use super::*;

    fn package(parts: &[(&str, &[u8])]) -> Package {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&zipped(parts)).unwrap();
        Package::open(file).ok().unwrap().0
    }

    #[test]
    fn a_part_is_found_however_its_path_is_written() {
        let mut package = package(&[("xl\\Workbook.xml", b"a"), ("b", b"b")]);
        for path in ["xl/workbook.xml", "/xl/workbook.xml", "XL/WORKBOOK.XML", "xl\\Workbook.xml"] {
            assert!(package.part(path).ok().unwrap().is_some(), "{path}");
        }
        assert!(package.part("workbook.xml").ok().unwrap().is_none());
    }

    #[test]
    fn each_part_may_unpack_to_a_hundred_times_its_size() {
        let zeros = vec![0; 65 << 20];
        let mut package = package(&[("large", &zeros), ("small", &zeros[..1 << 20])]);
        let mut read = |part: &str| io::copy(&mut package.known_part(part).ok().unwrap(), &mut io::sink());
        assert_eq!(read("small").unwrap(), 1 << 20, "a small part may grow more");
        assert!(matches!(Failed::from(read("large").unwrap_err()), Failed::Bomb));
    }

    #[test]
    fn relations_name_whole_paths() {
        let relations = b"<Relationships><Relationship Id='a' Type='http://x/worksheet' Target='sheets/1.xml'/>\
            <x:Relationship Id='b' Target='/other&amp;.xml'/></Relationships>";
        let mut package = package(&[("xl/_rels/book.xml.rels", relations)]);
        let found = package.relations("xl/book.xml", &mut Budget::new()).ok().unwrap();
        let found: Vec<_> = found.iter().map(|of| (of.id.as_str(), of.kind.as_str(), of.target.as_str())).collect();
        assert_eq!(found, [("a", "worksheet", "xl/sheets/1.xml"), ("b", "", "other&.xml")]);
        assert!(package.relations("none", &mut Budget::new()).ok().unwrap().is_empty());
        assert!(matches!(package.relations("xl/book.xml", &mut Budget(100)), Err(Failed::TooHeavy)));
    }
}
