//! A file as it is given, a path or standard input, to a file that can be read from any place: what is packed is unpacked.
//!
//! A gzipped file and one that is alone in a ZIP go into a temporary file first, as does standard input: what a text is
//! written in shows only at its end, and a spreadsheet is read from there too.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Serialize;
use tempfile::NamedTempFile;
use zip::ZipArchive;
use zip::result::ZipError;

use super::Error;
use super::beside::{self, Beside};
use super::sniff::SAMPLE_BYTES;

/// Whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What people call what is at a path.
pub(super) fn shown(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("standard input") } else { path }
}

/// In what a file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Packed {
    Gzip,
    Zip,
}

/// What is in a ZIP that is a document by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Book {
    Xlsx,
    Xlsb,
    Ods,
}

#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    /// The same one, for who reads it beside.
    pub(super) another: File,
    pub(super) bytes: u64,
    /// From the outermost on.
    pub(super) packed: Vec<Packed>,
    /// Of what was given.
    pub(super) digest: Beside<String>,
    /// Where the innermost is a ZIP with a spreadsheet in it.
    pub(super) book: Option<Book>,
}

/// Layers that are unpacked. People pack twice by mistake, nobody more often.
const LAYERS: usize = 2;
/// What somebody packs to fill our disk grows far more than any list of numbers does: those shrink to a tenth or so.
const GROWTH_MAX: u64 = 100;
/// Growth is no offence in what is small all the same.
const SMALL: u64 = 64 << 20;

/// Opens what is at `path`, and unpacks it.
pub(super) fn open(path: &Path) -> Result<Opened, Error> {
    let (given, path) = (path, shown(path));
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let spool = is_stdin(given).then(|| spooled(&mut io::stdin().lock(), None)).transpose();
    let spool = spool.map_err(|error| error.of(path, unreadable))?;
    let given = spool.as_ref().map_or(given, NamedTempFile::path);
    let file = || File::open(given).map_err(unreadable);
    let digest = beside::digest(file()?);
    let mut opened = Opened { bytes: 0, file: file()?, another: file()?, packed: Vec::new(), digest, book: None };
    loop {
        let layer = layer(path, &mut opened.file)?;
        let (packed, inner) = match layer {
            Layer::Bare => break,
            Layer::Book(book) => {
                opened.book = Some(book);
                break;
            }
            Layer::Gzip | Layer::Alone(_) if opened.packed.len() == LAYERS => {
                return Err(Error::TooDeep { file: path.to_owned() });
            }
            Layer::Gzip => (Packed::Gzip, ungzipped(path, &mut opened.file)?),
            Layer::Alone(place) => (Packed::Zip, unzipped(path, &mut opened.file, place)?),
        };
        opened.packed.push(packed);
        opened.another = inner.reopen().map_err(unreadable)?;
        opened.file = inner.into_file();
    }
    opened.bytes = opened.file.metadata().map_err(unreadable)?.len();
    opened.file.rewind().map_err(unreadable)?;
    Ok(opened)
}

enum Layer {
    Bare,
    Book(Book),
    Gzip,
    /// The one file in a ZIP, by its place.
    Alone(usize),
}

fn layer(path: &Path, file: &mut File) -> Result<Layer, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let mut first = Vec::new();
    file.rewind().map_err(unreadable)?;
    (&mut *file).take(4).read_to_end(&mut first).map_err(unreadable)?;
    match first.as_slice() {
        [0x1f, 0x8b, 8, ..] => Ok(Layer::Gzip),
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8] => in_zip(path, file),
        _ => Ok(Layer::Bare),
    }
}

fn in_zip(path: &Path, file: &mut File) -> Result<Layer, Error> {
    let damaged = |source: ZipError| Error::DamagedArchive { file: path.to_owned(), source: source.into() };
    file.rewind().map_err(|source| Error::Read { file: path.to_owned(), source })?;
    let archive = ZipArchive::new(file).map_err(damaged)?;
    // A name that cannot be read is somebody's file all the same.
    let names: Vec<String> = (0..archive.len()).map(|place| name_at(&archive, place)).collect();
    let has = |name: &str| names.iter().any(|known| known.trim_start_matches('/').eq_ignore_ascii_case(name));
    if has("xl/workbook.bin") {
        return Ok(Layer::Book(Book::Xlsb));
    }
    if has("[Content_Types].xml") {
        return Ok(Layer::Book(Book::Xlsx));
    }
    if has("content.xml") {
        return Ok(Layer::Book(Book::Ods));
    }
    // What a Mac adds for itself is nobody's list.
    let is_own = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        name.starts_with("__MACOSX/") || last.is_empty() || last.starts_with("._") || last == ".DS_Store"
    };
    let files: Vec<(usize, &String)> = names.iter().enumerate().filter(|(_, name)| !is_own(name)).collect();
    match files.as_slice() {
        [] => Err(Error::Empty { file: path.to_owned() }),
        [(alone, _)] => Ok(Layer::Alone(*alone)),
        several => Err(Error::SeveralInArchive {
            file: path.to_owned(),
            files: several.iter().map(|(_, name)| (*name).clone()).collect(),
        }),
    }
}

fn name_at(archive: &ZipArchive<&mut File>, place: usize) -> String {
    match archive.name_for_index(place) {
        Some(Ok(name)) => name.into_owned(),
        Some(Err(_)) | None => format!("file {}", place + 1),
    }
}

fn ungzipped(path: &Path, file: &mut File) -> Result<NamedTempFile, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let packed_bytes = file.metadata().map_err(unreadable)?.len();
    file.rewind().map_err(unreadable)?;
    let unpacked = spooled(&mut MultiGzDecoder::new(io::BufReader::new(file)), Some(packed_bytes));
    unpacked.map_err(|error| {
        error.of(path, |source| Error::DamagedArchive { file: path.to_owned(), source: source.into() })
    })
}

fn unzipped(path: &Path, file: &mut File, place: usize) -> Result<NamedTempFile, Error> {
    let damaged = |source: ZipError| match source {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Error::Locked { file: path.to_owned() },
        source => Error::DamagedArchive { file: path.to_owned(), source: source.into() },
    };
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let mut alone = archive.by_index(place).map_err(damaged)?;
    let packed_bytes = alone.compressed_size();
    spooled(&mut alone, Some(packed_bytes)).map_err(|error| error.of(path, |source| damaged(source.into())))
}

/// Why something cannot be copied.
enum Unspooled {
    /// What is given cannot be read to its end.
    Read(io::Error),
    Write(io::Error),
    /// It grows beyond measure.
    Bomb,
}

impl Unspooled {
    fn of(self, path: &Path, unreadable: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Read(source) => unreadable(source),
            Self::Write(source) => Error::Spool { folder: std::env::temp_dir(), source },
            Self::Bomb => Error::Bomb { file: path.to_owned(), times: GROWTH_MAX },
        }
    }
}

/// Copied into a file that nobody else may read, and that is gone with its last reader.
fn spooled(input: &mut dyn Read, packed_bytes: Option<u64>) -> Result<NamedTempFile, Unspooled> {
    let limit = packed_bytes.map_or(u64::MAX, |bytes| bytes.saturating_mul(GROWTH_MAX).max(SMALL));
    let mut file = NamedTempFile::new().map_err(Unspooled::Write)?;
    let mut buffer = vec![0; usize::try_from(SAMPLE_BYTES).unwrap_or(1 << 16)];
    let mut copied = 0_u64;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(Unspooled::Read)?,
        };
        copied += count as u64;
        if copied > limit {
            return Err(Unspooled::Bomb);
        }
        file.write_all(&buffer[..count]).map_err(Unspooled::Write)?;
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::sheet::made::zipped;
    use super::*;

    fn gzipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn opened(bytes: &[u8]) -> Result<Opened, Error> {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        open(file.path())
    }

    /// What is inside, and in what it was packed.
    fn inside(bytes: &[u8]) -> (Vec<u8>, Vec<Packed>) {
        let mut opened = opened(bytes).unwrap();
        let mut text = Vec::new();
        opened.file.read_to_end(&mut text).unwrap();
        assert_eq!(opened.bytes, text.len() as u64);
        (text, opened.packed)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let text = b"Mobile\n+6581234567\n";
        assert_eq!(inside(text), (text.to_vec(), vec![]));
        assert_eq!(inside(&gzipped(text)), (text.to_vec(), vec![Packed::Gzip]));
        let beside =
            [("__MACOSX/._list.csv", &b"?"[..]), ("out/", b""), ("out/.DS_Store", b"?"), ("out/list.csv", text)];
        assert_eq!(inside(&zipped(&beside)), (text.to_vec(), vec![Packed::Zip]));
        let twice = zipped(&[("list.csv.gz", &gzipped(text))]);
        assert_eq!(inside(&twice), (text.to_vec(), vec![Packed::Zip, Packed::Gzip]));
        // Two that were written one after the other are one.
        let both = [gzipped(b"Mobile\n"), gzipped(b"+6581234567\n")].concat();
        assert_eq!(inside(&both).0, text);
    }

    #[test]
    fn what_cannot_be_unpacked_says_why() {
        let text = b"Mobile\n+6581234567\n".repeat(100);
        let gzip = gzipped(&text);
        assert!(matches!(opened(&gzip[..gzip.len() / 2]), Err(Error::DamagedArchive { .. })));
        let zip = zipped(&[("list.csv", &text)]);
        assert!(matches!(opened(&zip[..zip.len() / 2]), Err(Error::DamagedArchive { .. })));
        assert!(matches!(opened(&zipped(&[])), Err(Error::Empty { .. })));
        let several = opened(&zipped(&[("a.csv", b"a"), ("b.csv", b"b")]));
        assert!(matches!(several, Err(Error::SeveralInArchive { files, .. }) if files == ["a.csv", "b.csv"]));
        let thrice = gzipped(&gzipped(&gzipped(&text)));
        assert!(matches!(opened(&thrice), Err(Error::TooDeep { .. })));
    }

    #[test]
    fn what_grows_beyond_measure_is_refused_before_it_fills_the_disk() {
        let zeros = vec![0; usize::try_from(SMALL).unwrap() + (8 << 20)];
        assert!(matches!(opened(&gzipped(&zeros)), Err(Error::Bomb { .. })));
        assert!(matches!(opened(&zipped(&[("list.csv", &zeros)])), Err(Error::Bomb { .. })));
    }
}
