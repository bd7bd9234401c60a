//! Reads files that are made to take much memory: each in a process of its own, whose peak is measured.
//!
//! Every file is smaller than 32 MiB. Most of them stay within the ratio of unpacked to packed bytes, so that the bound on
//! memory alone stops them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::fuzz::peak_mib;
use super::sheet::made;
use super::{Options, Outputs, Reason, SeenRecipients, read};

/// The promise: what any file of up to 32 MiB may take.
const MEMORY_MAX_MIB: u64 = 300;
const FILE_MAX: u64 = 32 << 20;
/// More than the promise.
const HEAVY: u64 = 320 << 20;
/// Random text that lets a part grow by `HEAVY` within the ratio.
const PADDING: usize = 8 << 20;
/// The file that this process reads.
const FILE: &str = "VOLLEY_HEAVY_FILE";

type Output<'a> = &'a mut dyn Write;
type Part<'a> = (&'a str, &'a dyn Fn(Output<'_>) -> io::Result<()>);

fn text(text: &str) -> impl Fn(Output<'_>) -> io::Result<()> {
    move |out| out.write_all(text.as_bytes())
}

/// Writes a text as often as it takes to have `bytes` bytes.
fn repeated(out: Output<'_>, text: &str, bytes: u64) -> io::Result<()> {
    let piece = text.repeat((1 << 20) / text.len() + 1);
    for _ in 0..bytes / piece.len() as u64 + 1 {
        out.write_all(piece.as_bytes())?;
    }
    Ok(())
}

fn padding(out: Output<'_>) -> io::Result<()> {
    let mut random = fastrand::Rng::with_seed(7);
    let bytes: Vec<u8> = (0..PADDING).map(|_| random.alphanumeric() as u8).collect();
    out.write_all(&bytes)
}

fn package(parts: &[Part<'_>]) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut writer = ZipWriter::new(BufWriter::new(file.reopen().unwrap()));
    for (name, write) in parts {
        writer.start_file(*name, SimpleFileOptions::default().compression_level(Some(1))).unwrap();
        write(&mut writer).unwrap();
    }
    writer.finish().unwrap().flush().unwrap();
    file
}

const BOOK: &str = "<workbook><sheets><sheet name='A' r:id='s'/></sheets></workbook>";
const RELATIONS: &str =
    "<Relationships><Relationship Id='s' Type='http://x/worksheet' Target='sheet.xml'/></Relationships>";
/// A header and a valid row.
const HEAD: &str = "<worksheet><sheetData><row><c t='str'><v>Mobile</v></c><c t='str'><v>Note</v></c></row>\
    <row><c><v>6581234567</v></c></row>";
const END: &str = "</sheetData></worksheet>";

/// A workbook with a sheet and shared texts.
fn workbook(
    sheet: &dyn Fn(Output<'_>) -> io::Result<()>,
    texts: &dyn Fn(Output<'_>) -> io::Result<()>,
) -> NamedTempFile {
    package(&[
        ("[Content_Types].xml", &text("<Types/>")),
        ("xl/workbook.xml", &text(BOOK)),
        ("xl/_rels/workbook.xml.rels", &text(RELATIONS)),
        ("xl/sharedStrings.xml", texts),
        ("xl/sheet.xml", sheet),
    ])
}

/// A workbook with a valid row, and with a heavy thing after it: its beginning, what it repeats, and its end.
fn heavy_sheet(begin: &str, repeats: &str, end: &str) -> NamedTempFile {
    let sheet = |out: Output<'_>| {
        out.write_all(b"<!-- ")?;
        padding(out)?;
        write!(out, " -->{HEAD}{begin}")?;
        repeated(out, repeats, HEAVY)?;
        write!(out, "{end}{END}")
    };
    workbook(&sheet, &text("<sst/>"))
}

/// A document with one row, which repeats a cell.
fn document(cell: &dyn Fn(Output<'_>) -> io::Result<()>) -> NamedTempFile {
    package(&[
        ("mimetype", &text("application/vnd.oasis.opendocument.spreadsheet")),
        ("META-INF/manifest.xml", &text("<manifest/>")),
        ("content.xml", &|out| {
            out.write_all(b"<!-- ")?;
            padding(out)?;
            let mobile = "<table:table-cell office:string-value='Mobile'/>";
            let number = "<table:table-cell office:value='6581234567'/>";
            write!(out, " --><table:table table:name='A'><table:table-row>{mobile}{mobile}</table:table-row>")?;
            write!(out, "<table:table-row>{number}</table:table-row>")?;
            cell(out)?;
            out.write_all(b"</table:table>")
        }),
    ])
}

fn gzipped(write: impl Fn(Output<'_>) -> io::Result<()>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut gzip = GzEncoder::new(BufWriter::new(file.reopen().unwrap()), Compression::fast());
    write(&mut gzip).unwrap();
    gzip.finish().unwrap().flush().unwrap();
    file
}

/// Reads the file that the environment names, and prints what came of it and the peak of this process.
#[test]
fn reads_one_heavy_file_for_another_process() {
    let Ok(file) = std::env::var(FILE) else { return };
    let (mut known, mut outputs) = (SeenRecipients::default(), Outputs::default());
    let result = match read(Path::new(&file), &Options::default(), &|_| false, &mut known, &mut outputs) {
        Ok(summary) => {
            let cut = summary.reasons.get(&Reason::TooMuchText).copied().unwrap_or(0);
            format!("{} valid, {cut} with too much text", summary.valid)
        }
        Err(error) => error.to_string(),
    };
    println!("\nheavy: {} {}", peak_mib(), result.replace('\n', " "));
}

/// Reads a file in another process: it takes no more than the promise, and ends with `expected`.
fn check(name: &str, file: &NamedTempFile, expected: &str) {
    let bytes = file.as_file().metadata().unwrap().len();
    assert!(bytes <= FILE_MAX, "{name}: the file has {bytes} bytes");
    let (_, here) = module_path!().split_once("::").unwrap();
    let reading = format!("{here}::reads_one_heavy_file_for_another_process");
    let arguments = ["--exact", &reading, "--nocapture"];
    let mut reader = Command::new(std::env::current_exe().unwrap());
    let output = reader.args(arguments).env(FILE, file.path()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = printed.lines().find_map(|line| line.strip_prefix("heavy: "));
    let (peak, result) = line.and_then(|line| line.split_once(' ')).unwrap_or_else(|| panic!("{name}: {printed}"));
    let peak = peak.parse::<u64>().unwrap();
    println!("{name}: {bytes} bytes, {peak} MiB: {result}");
    assert!(result.contains(expected), "{name}: {result}");
    assert!((1..=MEMORY_MAX_MIB).contains(&peak), "{name}: {peak} MiB");
}

const ONE_CUT: &str = "1 valid, 1 with too much text";
const ALL_READ: &str = "1 valid, 0 with too much text";
const TOO_HEAVY: &str = "too large to unpack into memory";
const BOMB: &str = "more than 100 times its size";
const UNREADABLE: &str = "cannot be read after row 2";

/// A tag within a long text: many short ones would take long.
fn sparse(before: &str, after: &str) -> String {
    format!("{before}{}{after}", "9".repeat(4_000))
}

#[test]
fn a_long_text_of_a_workbook_takes_little_memory() {
    let row = |before: &str| format!("<row><c><v>6581234568</v></c>{before}");
    let inline = row("<c t='inlineStr'><is>");
    let cell = |begin: &str, end: &str| heavy_sheet(&format!("{inline}{begin}"), "9", &format!("{end}</is></c></row>"));
    check("cell", &cell("<t>", "</t>"), ONE_CUT);
    check("CDATA", &cell("<t><![CDATA[", "]]></t>"), ONE_CUT);
    check("value", &heavy_sheet(&row("<c t='str'><v>"), "&amp;", "</v></c></row>"), ONE_CUT);
    check("runs", &heavy_sheet(&inline, &sparse("<r><t>", "</t></r>"), "</is></c></row>"), ONE_CUT);
    check("formula", &heavy_sheet("<row><c><f>", "9", "</f></c></row>"), ALL_READ);
}

#[test]
fn a_long_tag_of_a_workbook_takes_little_memory() {
    check("comment", &heavy_sheet("<!-- ", " ", "-->"), ALL_READ);
    check("instruction", &heavy_sheet("<?a ", " ", "?>"), ALL_READ);
    check("attribute", &heavy_sheet("<row a='", "9", "'></row>"), UNREADABLE);
    check("attributes", &heavy_sheet("<row ", "a='9' ", "></row>"), UNREADABLE);
    check("name", &heavy_sheet("<", "a", "/>"), UNREADABLE);
    check("depth", &heavy_sheet("<row><c><v>", &sparse("<a b='", "'>"), ""), UNREADABLE);
}

#[test]
fn what_describes_a_workbook_takes_little_memory() {
    let sheet = format!("{HEAD}<row><c><v>6581234568</v></c><c t='s'><v>0</v></c></row>{END}");
    let shared = |begin: &str, repeats: &str, end: &str| {
        workbook(&text(&sheet), &|out| {
            out.write_all(b"<sst><!-- ")?;
            padding(out)?;
            write!(out, " -->{begin}")?;
            repeated(out, repeats, HEAVY)?;
            write!(out, "{end}</sst>")
        })
    };
    check("shared text", &shared("<si><t>", "9", "</t></si>"), ONE_CUT);
    let some = format!("<si><t>{}</t></si>", "9".repeat(200));
    check("shared texts", &shared("", &some, ""), TOO_HEAVY);
    let part = |path: &str, begin: &str, repeats: &str| {
        package(&[
            ("[Content_Types].xml", &text("<Types/>")),
            ("xl/_rels/workbook.xml.rels", &text(RELATIONS)),
            ("xl/sheet.xml", &text("<worksheet/>")),
            ("xl/workbook.xml", &text(BOOK)),
            (path, &|out| {
                write!(out, "{begin}<!-- ")?;
                padding(out)?;
                out.write_all(b" -->")?;
                repeated(out, repeats, HEAVY)
            }),
        ])
    };
    check("styles", &part("xl/styles.xml", "<cellXfs>", "<xf numFmtId='1'/>"), TOO_HEAVY);
    check("relations", &part("_rels/.rels", "", "<Relationship Id='a' Target='b'/>"), TOO_HEAVY);
}

#[test]
fn a_heavy_document_takes_little_memory() {
    let row = "<table:table-row><table:table-cell office:value='6581234568'/>";
    let heavy = |begin: &str, repeats: &str, end: &str| {
        document(&|out| {
            write!(out, "{row}{begin}")?;
            repeated(out, repeats, HEAVY)?;
            write!(out, "{end}</table:table-row>")
        })
    };
    let (cell, end) = ("<table:table-cell office:value-type='string'><text:p>", "</text:p></table:table-cell>");
    check("text", &heavy(cell, "9", end), ONE_CUT);
    check("spans", &heavy(cell, &sparse("<text:span>", "</text:span>"), end), ONE_CUT);
    check("attribute", &heavy("<table:table-cell office:string-value='", "9", "'/>"), "is not a readable spreadsheet");
    let wide = sparse("<table:table-cell table:number-columns-repeated='16384' office:value='1' a='", "'/>");
    check("cells", &heavy("", &wide, ""), "more than 1024");
    let repeated = "<table:table table:name='A'><table:table-row table:number-rows-repeated='1048576'>\
        <table:table-cell table:number-columns-repeated='1000' office:string-value='a long text of a cell'/>\
        </table:table-row></table:table>";
    let file = NamedTempFile::new().unwrap();
    file.as_file().write_all(&made::ods(repeated)).unwrap();
    check("repeated rows", &file, BOMB);
}

#[test]
fn a_heavy_text_takes_little_memory() {
    let field = |quote: &'static str| {
        gzipped(move |out| {
            write!(out, "Mobile,Note\n6581234567,x\n6581234568,{quote}")?;
            repeated(out, "9", 60 << 20)
        })
    };
    check("quoted field", &field("\""), "is never closed");
    check("field", &field(""), "is longer than");
    // Blank cells take memory too.
    let cells = gzipped(|out| {
        let (blank, mut random) = (",".repeat(100_000), fastrand::Rng::with_seed(7));
        writeln!(out, "Mobile,Note\n6581234567,x")?;
        for _ in 0..600 {
            let noise: String = (0..2_000).map(|_| random.alphanumeric()).collect();
            writeln!(out, "{noise}{blank}")?;
        }
        Ok(())
    });
    check("cells", &cells, ALL_READ);
}

#[test]
fn a_heavy_old_workbook_takes_little_memory() {
    let written = |records: &[u8]| {
        let file = NamedTempFile::new().unwrap();
        file.as_file().write_all(&made::xls(&made::old_records(records))).unwrap();
        file
    };
    // A record of whole numbers in all columns.
    let row = |row: u16| {
        let numbers = [0, 0, 30, 0, 0, 0].repeat(256);
        made::old_record(0xbd, &[&row.to_le_bytes()[..], &[0, 0], &numbers, &[255, 0]].concat())
    };
    let rows = |rows: u16| written(&(0..rows).flat_map(row).collect::<Vec<u8>>());
    check("numbers", &rows(8_500), "no column contains phone numbers");
    check("more numbers", &rows(20_000), TOO_HEAVY);
    let far = |column: u8| {
        let number = |row: [u8; 2], column: u8| made::old_record(0x203, &[&row[..], &[column, 0], &[0; 10]].concat());
        written(&[number([0, 0], 0), number([255, 255], column)].concat())
    };
    check("area", &far(50), "no column contains phone numbers");
    check("larger area", &far(200), TOO_HEAVY);
    let long = "9".repeat(8_000);
    let text = |row: u16| {
        let head = [&row.to_le_bytes()[..], &[0; 4], &8_000_u16.to_le_bytes(), &[0]].concat();
        made::old_record(0x204, &[&head, long.as_bytes()].concat())
    };
    check("texts", &written(&(0..3_000).flat_map(text).collect::<Vec<u8>>()), "no column contains phone numbers");
}

/// A ZIP with a list of many files, and without the files.
fn many_parts() -> NamedTempFile {
    const PARTS: u64 = 600_000;
    let file = NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(file.reopen().unwrap());
    let begin = [&b"PK\x03\x04"[..], &[0; 26]].concat();
    let part =
        |number: u64| [&b"PK\x01\x02"[..], &[0; 24], &[5], &[0; 17], format!("{number:05x}").as_bytes()].concat();
    let (from, bytes) = (begin.len() as u64, PARTS * part(0).len() as u64);
    out.write_all(&begin).unwrap();
    for number in 0..PARTS {
        out.write_all(&part(number)).unwrap();
    }
    let numbers = [PARTS, PARTS, bytes, from].map(u64::to_le_bytes).concat();
    let end = [&b"PK\x06\x06"[..], &44_u64.to_le_bytes(), &[45, 0, 45, 0], &[0; 8], &numbers].concat();
    let place = [&b"PK\x06\x07"[..], &[0; 4], &(from + bytes).to_le_bytes(), &1_u32.to_le_bytes()].concat();
    let last = [&b"PK\x05\x06"[..], &[0; 4], &[0xff; 12], &[0; 2]].concat();
    out.write_all(&[end, place, last].concat()).unwrap();
    out.flush().unwrap();
    file
}

#[test]
fn a_package_of_many_parts_or_layers_takes_little_memory() {
    check("parts", &many_parts(), "several files");
    let inner = package(&[("list.csv", &|out| repeated(out, "9", HEAVY))]);
    let nested = package(&[("list.zip", &|out| io::copy(&mut File::open(inner.path())?, out).map(|_| ()))]);
    check("nested", &nested, BOMB);
    let bare = |out: Output<'_>| {
        write!(out, "{HEAD}<row><c t='inlineStr'><is><t>")?;
        repeated(out, "9", 2_000 << 20)
    };
    check("bare", &workbook(&bare, &text("<sst/>")), BOMB);
}
