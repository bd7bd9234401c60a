//! Opens a path or standard input as a seekable file, and unpacks it.
//!
//! Standard input, a gzipped file and a single file in a ZIP are first copied into a temporary file: finding the encoding of a
//! text takes the whole text, and a spreadsheet is read from its end.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zip::ZipArchive;
use zip::result::ZipError;

use super::Error;
use super::background::{self, Background};
use super::sniff::SAMPLE_BYTES;

/// Whether a path stands for standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path as messages show it.
pub(super) fn display_path(path: &Path) -> &Path {
    if is_stdin(path) { Path::new("standard input") } else { path }
}

/// How a file was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Packed {
    Gzip,
    Zip,
}

/// The kind of a spreadsheet that is itself a ZIP file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Book {
    Xlsx,
    Xlsb,
    Ods,
}

/// An opened and unpacked file.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) file: File,
    pub(super) bytes: u64,
    /// Outermost first.
    pub(super) packed: Vec<Packed>,
    /// The digest of the file as given.
    pub(super) digest: Background<String>,
    /// Set if the unpacked file is a spreadsheet in a ZIP.
    pub(super) book: Option<Book>,
}

/// Layers that are unpacked. Files are sometimes packed twice by mistake, but not more often.
const MAX_LAYERS: usize = 2;
/// Maximum growth factor when a file is unpacked. A file made to fill the disk grows far more than a list of numbers, which
/// packs to about a tenth.
pub(super) const GROWTH_MAX: u64 = 100;
/// Bytes up to which any growth is allowed.
const SMALL: u64 = 64 << 20;

/// The most bytes that `packed` bytes may unpack to.
pub(super) fn unpacked_max(packed: u64) -> u64 {
    packed.saturating_mul(GROWTH_MAX).max(SMALL)
}

/// Opens a path or standard input, and unpacks it. Errors call it `path`.
pub(super) fn open(given: &Path, path: &Path) -> Result<Opened, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let spool = is_stdin(given).then(|| copy_to_spool(&mut io::stdin().lock(), None)).transpose();
    let spool = spool.map_err(|error| error.into_error(path, unreadable))?;
    let given = spool.as_ref().map_or(given, NamedTempFile::path);
    let file = || File::open(given).map_err(unreadable);
    let digest = background::digest(file()?);
    let mut opened = Opened { bytes: 0, file: file()?, packed: Vec::new(), digest, book: None };
    loop {
        let layer = layer(path, &mut opened.file)?;
        let (packed, inner) = match layer {
            Layer::Plain => break,
            Layer::Book(book) => {
                opened.book = Some(book);
                break;
            }
            Layer::Gzip | Layer::SingleFile(_) if opened.packed.len() == MAX_LAYERS => {
                return Err(Error::TooDeep { file: path.to_owned() });
            }
            Layer::Gzip => (Packed::Gzip, unpack_gzip(path, &mut opened.file)?),
            Layer::SingleFile(index) => (Packed::Zip, unpack_zip(path, &mut opened.file, index)?),
        };
        opened.packed.push(packed);
        opened.file = inner.into_file();
    }
    opened.bytes = opened.file.metadata().map_err(unreadable)?.len();
    opened.file.rewind().map_err(unreadable)?;
    Ok(opened)
}

enum Layer {
    Plain,
    Book(Book),
    Gzip,
    /// The only file in a ZIP, by its index.
    SingleFile(usize),
}

/// Recognises the outermost layer of a file.
fn layer(path: &Path, file: &mut File) -> Result<Layer, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let mut first = Vec::new();
    file.rewind().map_err(unreadable)?;
    (&mut *file).take(4).read_to_end(&mut first).map_err(unreadable)?;
    match first.as_slice() {
        [0x1f, 0x8b, 8, ..] => Ok(Layer::Gzip),
        [b'P', b'K', 3 | 5 | 7, 4 | 6 | 8] => in_zip(path, file),
        _ => Ok(Layer::Plain),
    }
}

fn in_zip(path: &Path, file: &mut File) -> Result<Layer, Error> {
    let damaged = |source: ZipError| Error::DamagedArchive { file: path.to_owned(), source: source.into() };
    file.rewind().map_err(|source| Error::Read { file: path.to_owned(), source })?;
    let archive = ZipArchive::new(file).map_err(damaged)?;
    // A file with an unreadable name counts too.
    let names: Vec<String> = (0..archive.len()).map(|index| name_at(&archive, index)).collect();
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
    // Files that macOS adds are not recipient files.
    let is_own = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or_default();
        name.starts_with("__MACOSX/") || last.is_empty() || last.starts_with("._") || last == ".DS_Store"
    };
    let files: Vec<(usize, &String)> = names.iter().enumerate().filter(|(_, name)| !is_own(name)).collect();
    match files.as_slice() {
        [] => Err(Error::Empty { file: path.to_owned() }),
        [(index, _)] => Ok(Layer::SingleFile(*index)),
        several => Err(Error::SeveralInArchive {
            file: path.to_owned(),
            files: several.iter().map(|(_, name)| (*name).clone()).collect(),
        }),
    }
}

fn name_at(archive: &ZipArchive<&mut File>, index: usize) -> String {
    match archive.name_for_index(index) {
        Some(Ok(name)) => name.into_owned(),
        Some(Err(_)) | None => format!("file {}", index + 1),
    }
}

fn unpack_gzip(path: &Path, file: &mut File) -> Result<NamedTempFile, Error> {
    let unreadable = |source| Error::Read { file: path.to_owned(), source };
    let packed_bytes = file.metadata().map_err(unreadable)?.len();
    file.rewind().map_err(unreadable)?;
    let unpacked = copy_to_spool(&mut MultiGzDecoder::new(io::BufReader::new(file)), Some(packed_bytes));
    unpacked.map_err(|error| {
        error.into_error(path, |source| Error::DamagedArchive { file: path.to_owned(), source: source.into() })
    })
}

fn unpack_zip(path: &Path, file: &mut File, index: usize) -> Result<NamedTempFile, Error> {
    let damaged = |source: ZipError| match source {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => Error::Locked { file: path.to_owned() },
        source => Error::DamagedArchive { file: path.to_owned(), source: source.into() },
    };
    let mut archive = ZipArchive::new(file).map_err(damaged)?;
    let mut single = archive.by_index(index).map_err(damaged)?;
    let packed_bytes = single.compressed_size();
    copy_to_spool(&mut single, Some(packed_bytes))
        .map_err(|error| error.into_error(path, |source| damaged(source.into())))
}

/// Why a copy into a temporary file failed.
enum SpoolError {
    /// The input cannot be read to its end.
    Read(io::Error),
    Write(io::Error),
    /// The unpacked data exceeds the growth limit.
    Bomb,
}

impl SpoolError {
    fn into_error(self, path: &Path, unreadable: impl FnOnce(io::Error) -> Error) -> Error {
        match self {
            Self::Read(source) => unreadable(source),
            Self::Write(source) => Error::Spool { folder: std::env::temp_dir(), source },
            Self::Bomb => Error::Bomb { file: path.to_owned(), times: GROWTH_MAX },
        }
    }
}

/// Copies the input into a temporary file, which only the owner can read and which is deleted after its last use.
fn copy_to_spool(input: &mut dyn Read, packed_bytes: Option<u64>) -> Result<NamedTempFile, SpoolError> {
    let limit = packed_bytes.map_or(u64::MAX, unpacked_max);
    let mut file = NamedTempFile::new().map_err(SpoolError::Write)?;
    let mut buffer = vec![0; usize::try_from(SAMPLE_BYTES).unwrap_or(1 << 16)];
    let mut copied = 0_u64;
    loop {
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(file),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(SpoolError::Read)?,
        };
        copied += count as u64;
        if copied > limit {
            return Err(SpoolError::Bomb);
        }
        file.write_all(&buffer[..count]).map_err(SpoolError::Write)?;
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
        open(file.path(), file.path())
    }

    /// The unpacked text, and how it was packed.
    fn inside(bytes: &[u8]) -> (Vec<u8>, Vec<Packed>) {
        let mut opened = opened(bytes).unwrap();
        let mut text = Vec::new();
        opened.file.read_to_end(&mut text).unwrap();
        assert_eq!(opened.bytes, text.len() as u64);
        (text, opened.packed)
    }

    #[test]
    fn packed_files_are_unpacked() {
        let text = b"Mobile\n+6581234567\n";
        assert_eq!(inside(text), (text.to_vec(), vec![]));
        assert_eq!(inside(&gzipped(text)), (text.to_vec(), vec![Packed::Gzip]));
        let beside =
            [("__MACOSX/._list.csv", &b"?"[..]), ("out/", b""), ("out/.DS_Store", b"?"), ("out/list.csv", text)];
        assert_eq!(inside(&zipped(&beside)), (text.to_vec(), vec![Packed::Zip]));
        let twice = zipped(&[("list.csv.gz", &gzipped(text))]);
        assert_eq!(inside(&twice), (text.to_vec(), vec![Packed::Zip, Packed::Gzip]));
        // Two concatenated gzip streams are one file.
        let both = [gzipped(b"Mobile\n"), gzipped(b"+6581234567\n")].concat();
        assert_eq!(inside(&both).0, text);
    }

    #[test]
    fn a_file_that_cannot_be_unpacked_gives_the_reason() {
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
    fn a_file_that_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; usize::try_from(SMALL).unwrap() + (8 << 20)];
        assert!(matches!(opened(&gzipped(&zeros)), Err(Error::Bomb { .. })));
        assert!(matches!(opened(&zipped(&[("list.csv", &zeros)])), Err(Error::Bomb { .. })));
    }
}
