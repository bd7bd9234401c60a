//! Reads randomly damaged files of every format: each gives a consistent summary or an error, never a panic.
//!
//! Every run tries a few files. `VOLLEY_FUZZ_MINUTES` sets how long to try more; `VOLLEY_FUZZ_SEED` repeats a single one.

use std::io::Write;

use encoding_rs::Encoding;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use super::sheet::made::{self, Value};
use super::{Error, Halt, Lines, Options, Reject, SeenRecipients, Sink, read, samples};
use crate::base::clock::{Clock, RealClock};
use crate::base::domain::{Recipient, Span};

/// Files of each format that every run tries.
const TRIED: u64 = 150;
/// Maximum memory of the process while it reads a file, if the fuzz tests run alone.
const MEMORY_MAX_MIB: u64 = 300;
/// Maximum time for a file, if the fuzz tests run alone.
const TIME_MAX: Span = Span::from_secs(30);
/// Bytes of a piece that is repeated until it is long.
const LONG: usize = 1 << 20;

/// Counts the rows that it gets.
#[derive(Default)]
struct Counted {
    accepted: u64,
    rejected: u64,
}

impl Sink for Counted {
    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        self.accepted += recipients.len() as u64;
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        self.rejected += rejects.len() as u64;
        Ok(())
    }
}

/// Reads one file and checks the result. Returns whether it was readable.
fn try_one(seed: u64, bytes: &[u8], random: &mut fastrand::Rng) -> bool {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let options = Options {
        country: random.bool().then(|| "SG".parse().unwrap()),
        keep_duplicates: random.bool(),
        no_header: random.u8(0..8) == 0,
        lines: if random.bool() { Lines::Mobile } else { Lines::Any },
        ..Options::default()
    };
    let mut counted = Counted::default();
    match read(
        file.path(),
        &options,
        &|it| it.number().is_some_and(|number| number.get() % 7 == 0),
        &mut SeenRecipients::default(),
        &mut counted,
    ) {
        Ok(summary) => {
            assert_eq!(
                (summary.valid, summary.rows - summary.valid),
                (counted.accepted, counted.rejected),
                "seed {seed}: the counts equal the rows passed to the sink"
            );
            let parts = summary.valid + summary.invalid + summary.duplicates + summary.opted_out;
            assert_eq!(summary.rows, parts, "seed {seed}: rows add up");
            assert!(
                summary.fields.iter().all(|field| field.filled <= summary.rows),
                "seed {seed}: {:?}",
                summary.fields
            );
            true
        }
        Err(Error::Internal { .. }) => panic!("seed {seed}: internal error"),
        Err(error) => {
            assert!(error.to_string().len() > 10, "seed {seed}: {error}");
            false
        }
    }
}

/// Byte sequences that readers tend to handle badly.
const TOKENS: &[&[u8]] = &[
    b"\"",
    b"\"\"",
    b"\r\n",
    b"\r",
    b"\0",
    b",;\t|",
    b"sep=;\n",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xed\xa0\x80",
    b"+6581234567",
    b"6.58E+09",
    b"99999999999999999999",
    b"-1",
    b"<row r=\"1048577\">",
    b"r=\"XFD1048576\"",
    b"r=\"ZZZZZZ99999999\"",
    b"<c t=\"s\"><v>4294967295</v></c>",
    b"&#x0;&lt;&unknown;",
    b"]]>",
    b"table:number-columns-repeated=\"4294967295\"",
    b"table:number-rows-repeated=\"4294967295\"",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x80",
];

/// Pieces that cost a reader memory or time if there are many of them.
const LONG_TOKENS: &[&[u8]] = &[
    b"x",
    b" ",
    b"\0",
    b"&amp;",
    b"<!-- ",
    b"<a>",
    b"a='x' ",
    b"<row r=\"7\">",
    b"<r><t>x</t></r>",
    b"<si><t>x</t></si>",
    b"<c t=\"s\"><v>0</v></c>",
    b"<table:table-cell table:number-columns-repeated=\"16384\" office:value=\"1\"/>",
    b",",
    b"\n",
    b"\"",
];

/// Damages bytes at a few positions.
fn damaged(mut bytes: Vec<u8>, random: &mut fastrand::Rng) -> Vec<u8> {
    for _ in 0..random.usize(0..6) {
        let at = random.usize(0..=bytes.len());
        let end = (at + random.usize(0..40)).min(bytes.len());
        match random.u8(0..7) {
            0 if at < bytes.len() => bytes[at] = random.u8(..),
            1 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            2 => _ = bytes.drain(at..end),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece.repeat(random.usize(1..20)));
            }
            4 => bytes.truncate(at.max(bytes.len() / 2)),
            5 if random.u8(0..20) == 0 => {
                let token = LONG_TOKENS[random.usize(0..LONG_TOKENS.len())];
                bytes.splice(at..at, token.repeat(LONG / token.len()));
            }
            _ => {
                let token = TOKENS[random.usize(0..TOKENS.len())];
                bytes.splice(at..at, token.iter().copied());
            }
        }
    }
    bytes
}

/// Damages one part of a package. Damage to the package itself would rarely reach the readers of its parts.
fn damaged_within(package: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut parts = made::unzipped(package);
    let hit = random.usize(0..parts.len());
    parts[hit].1 = damaged(std::mem::take(&mut parts[hit].1), random);
    let parts: Vec<(&str, &[u8])> = parts.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let whole = made::zipped(&parts);
    if random.u8(0..4) == 0 { damaged(whole, random) } else { whole }
}

fn text(random: &mut fastrand::Rng) -> Vec<u8> {
    const WORDS: &[&str] = &[
        "Mobile",
        "Name",
        "Vorname",
        "Country",
        "SG",
        "Deutschland",
        "Zoë",
        "日本",
        "Телефон",
        "n/a",
        "",
        " ",
        "a b",
        "\"q\"",
        "\"x\ny\"",
        "'",
        "1,5",
        "=\"0\"",
        "#N/A",
        "81234567 / 91234567",
        "8123 4567 ext 3",
        "(0)",
    ];
    const LABELS: [&str; 8] =
        ["utf-8", "windows-1252", "shift_jis", "gbk", "big5", "euc-kr", "windows-1251", "iso-8859-2"];
    let delimiter = [",", ";", "\t", "|"][random.usize(0..4)];
    let end = ["\n", "\r\n", "\r"][random.usize(0..3)];
    let mut text = String::new();
    for _ in 0..random.usize(0..60) {
        for _ in 0..random.usize(1..6) {
            match random.u8(0..4) {
                0 => text.push_str(&format!("+65812{:05}", random.u32(0..400))),
                1 => text.push_str(&random.u64(..).to_string()),
                _ => text.push_str(WORDS[random.usize(0..WORDS.len())]),
            }
            text.push_str(delimiter);
        }
        text.push_str(end);
    }
    match random.u8(0..4) {
        0 => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        1 => {
            let encoding = Encoding::for_label(LABELS[random.usize(0..LABELS.len())].as_bytes()).unwrap();
            encoding.encode(&text).0.into_owned()
        }
        _ => text.into_bytes(),
    }
}

fn packed(random: &mut fastrand::Rng) -> Vec<u8> {
    let bytes = text(random);
    let bytes = if random.bool() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&bytes).unwrap();
        gzip.finish().unwrap()
    } else {
        made::zipped(&[("list.csv", &bytes)])
    };
    damaged(bytes, random)
}

fn binary_book() -> Vec<u8> {
    let cells = [
        &[Value::Text("Mobile"), Value::Text("Name"), Value::Text("Since")][..],
        &[Value::Number(6_581_234_567.0), Value::Empty, Value::Day(46_000.0)],
        &[Value::Text("+6581234568"), Value::Text("日本"), Value::Day(46_000.5)],
    ];
    made::xlsb("People", &cells)
}

fn open_document() -> Vec<u8> {
    let cell = |text: &str| {
        format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>")
    };
    let number = "<table:table-cell office:value-type=\"float\" office:value=\"6581234567\"/>";
    let gap = "<table:table-cell table:number-columns-repeated=\"2\"/>";
    made::ods(&format!(
        "<table:table table:name=\"People\"><table:table-row>{}{}</table:table-row>\
         <table:table-row table:number-rows-repeated=\"3\">{gap}</table:table-row>\
         <table:table-row>{number}{gap}{}</table:table-row></table:table>",
        cell("Mobile"),
        cell("Name"),
        cell("Ann"),
    ))
}

/// Tries a format with the seeds of this run; each seed makes one file.
fn fuzz(name: &str, make: impl Fn(&mut fastrand::Rng) -> Vec<u8>) {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let one = |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes = make(&mut random);
        try_one(seed, &bytes, &mut random)
    };
    if let Some(seed) = setting("VOLLEY_FUZZ_SEED") {
        one(seed);
        return;
    }
    let readable = (0..TRIED).filter(|seed| one(*seed)).count() as u64;
    assert!(
        (1..TRIED).contains(&readable),
        "{name}: {readable} of {TRIED} were readable; the damage is too weak or too strong"
    );
    let Some(minutes) = setting("VOLLEY_FUZZ_MINUTES") else { return };
    let (clock, mut seed) = (RealClock::new(), TRIED);
    let end = clock.now() + Span::from_secs(i64::try_from(minutes * 60).unwrap());
    let mut readable = 0;
    let (mut most, mut longest) = (0, Span::default());
    while clock.now() < end {
        let begun = clock.now();
        forget_peak();
        readable += u64::from(one(seed));
        let (peak, took) = (peak_mib(), clock.now().since(begun));
        assert!(peak < MEMORY_MAX_MIB, "{name}, seed {seed}: {peak} MiB");
        assert!(took < TIME_MAX, "{name}, seed {seed}: {took}");
        (most, longest, seed) = (most.max(peak), longest.max(took), seed + 1);
    }
    println!("{name}: {seed} files, {readable} readable; at most {most} MiB and {longest} for one");
}

/// Lets the peak of this process begin again with what it takes now.
fn forget_peak() {
    // Where that is not possible, the peak is that of all files so far.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The peak memory of this process; 0 where it is not known.
pub(super) fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    peak.unwrap_or(0_u64) / 1_024
}

#[test]
fn damaged_texts_cause_no_panic() {
    fuzz("texts", |random| {
        let text = text(random);
        damaged(text, random)
    });
}

#[test]
fn damaged_packed_files_cause_no_panic() {
    fuzz("packed files", packed);
}

#[test]
fn damaged_spreadsheets_cause_no_panic() {
    let book = samples::spreadsheet();
    fuzz("XLSX", |random| damaged_within(&book, random));
}

#[test]
fn damaged_binary_spreadsheets_cause_no_panic() {
    let book = binary_book();
    fuzz("XLSB", |random| damaged_within(&book, random));
}

#[test]
fn damaged_old_spreadsheets_cause_no_panic() {
    let book = include_bytes!("../../../samples/recipients.xls");
    fuzz("XLS", |random| damaged(book.to_vec(), random));
}

#[test]
fn damaged_open_documents_cause_no_panic() {
    let book = open_document();
    fuzz("ODS", |random| damaged_within(&book, random));
}
