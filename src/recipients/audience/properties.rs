//! Tests over whole files: counts, accepted and rejected rows, and errors that stop an import.

use std::io::Write;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use tempfile::NamedTempFile;

use super::*;
use crate::base::domain::Address;
use crate::base::domain::Recipient;

/// Keeps all rows that it gets.
#[derive(Debug, Default)]
struct Kept {
    recipients: Vec<Recipient>,
    rejects: Vec<Reject>,
    chunks: Vec<usize>,
    progress: Option<ReadingProgress>,
}

impl Sink for Kept {
    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        self.chunks.push(recipients.len());
        self.recipients.extend(recipients);
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        self.rejects.extend_from_slice(rejects);
        Ok(())
    }

    fn progress(&mut self, progress: ReadingProgress) -> Result<(), Halt> {
        self.progress = Some(progress);
        Ok(())
    }
}

fn file(bytes: impl AsRef<[u8]>) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes.as_ref()).unwrap();
    file
}

fn read_with(bytes: impl AsRef<[u8]>, options: &Options, out: &[&str]) -> Result<(Summary, Kept), Error> {
    let mut kept = Kept::default();
    let out: Vec<Address> = out.iter().map(|number| number.parse().unwrap()).collect();
    let summary = read(file(bytes).path(), options, &|it| out.contains(it), &mut SeenRecipients::default(), &mut kept)?;
    Ok((summary, kept))
}

fn in_singapore() -> Options {
    Options { country: Some("SG".parse().unwrap()), ..Options::default() }
}

fn ok(bytes: impl AsRef<[u8]>) -> (Summary, Kept) {
    read_with(bytes, &in_singapore(), &[]).unwrap()
}

fn err(bytes: impl AsRef<[u8]>) -> String {
    read_with(bytes, &Options::default(), &[]).unwrap_err().to_string()
}

fn numbers(kept: &Kept) -> Vec<String> {
    kept.recipients.iter().map(|recipient| recipient.number().unwrap().to_string()).collect()
}

fn rejects(kept: &Kept) -> Vec<(u64, Reason)> {
    kept.rejects.iter().map(|reject| (reject.line, reject.reason)).collect()
}

#[test]
fn recipients_keep_all_cells_unchanged() {
    let (summary, kept) =
        ok("Mobile,FirstName,ClientMessageId,Country\n 81234567 , Ann ,a-1,\n01512 3456789,\"B,\"\"\n\",,de\n");
    assert_eq!(numbers(&kept), ["+6581234567", "+4915123456789"]);
    assert_eq!(kept.recipients[0].fields.unpack().unwrap(), [" 81234567 ", " Ann ", "a-1", ""]);
    assert_eq!(kept.recipients[1].fields.unpack().unwrap(), ["01512 3456789", "B,\"\n", "", "de"]);
    assert_eq!(kept.recipients[0].client_message_id.as_deref(), Some("a-1"));
    assert_eq!(kept.recipients[1].client_message_id, None);
    assert_eq!(summary.columns, ["Mobile", "FirstName", "ClientMessageId", "Country"]);
}

#[test]
fn the_first_row_of_a_number_wins_unless_duplicates_are_kept() {
    let text = "Mobile;Name\n81234567;a\n+65 8123 4567;b\n81234568;c\n006581234567;d\n";
    let (summary, kept) = ok(text);
    assert_eq!((summary.rows, summary.valid, summary.duplicates), (4, 2, 2));
    assert_eq!(rejects(&kept), [(3, Reason::Duplicate), (5, Reason::Duplicate)]);
    let (summary, kept) = read_with(text, &Options { keep_duplicates: true, ..in_singapore() }, &[]).unwrap();
    assert_eq!((summary.rows, summary.valid, summary.duplicates), (4, 4, 0));
    assert_eq!(numbers(&kept)[0], numbers(&kept)[3]);
}

#[test]
fn a_repeated_client_id_is_accepted_and_noted() {
    let text = "Mobile,ClientMessageId\n81234567,A-1\n81234568,A-1\n81234567,A-1\n81234569,\n81234570,\n";
    let (summary, kept) = ok(text);
    assert_eq!((summary.valid, summary.duplicates), (4, 1));
    assert_eq!(summary.notes, [ImportNote::RepeatedIds { rows: 1 }], "a rejected row repeats no id");
    let ids: Vec<_> = kept.recipients.iter().map(|recipient| recipient.client_message_id.as_deref()).collect();
    assert_eq!(ids, [Some("A-1"), Some("A-1"), None, None]);
}

#[test]
fn the_text_of_a_formula_error_stays_and_is_noted() {
    let (summary, kept) = ok("Mobile,Name,Tag\n81234567,#N/A,#1\n81234568,Err:502,Err: 502\n81234569,Ann,#DIV/0! \n");
    assert_eq!(summary.notes, [ImportNote::ErrorTexts { cells: 3 }]);
    assert_eq!(kept.recipients[0].fields.unpack().unwrap(), ["81234567", "#N/A", "#1"]);
}

#[test]
fn numbers_read_by_their_calling_code_are_noted_if_others_lack_a_country() {
    let read = |text: &str| read_with(text, &Options::default(), &[]).unwrap().0;
    assert_eq!(read("Mobile\n6581234567\n4915123456789\n").notes, []);
    let mixed = read("Mobile\n6581234567\n4915123456789\n6581234568\n6581234569\n4915123456780\n81234567\n");
    assert_eq!(mixed.notes[0], ImportNote::UntoldCountry(note::RowCount { number: 5, line: 2 }));
    let chinese = read("手机\n13012345678\n15112345678\n13712345678\n");
    assert_eq!((chinese.valid, chinese.reasons[&Reason::CountryMissing]), (0, 3));
}

#[test]
fn a_bare_foreign_number_counts_only_in_a_column_of_such_numbers() {
    let with = |country: &str, text: &str| {
        let options = Options { country: Some(country.parse().unwrap()), ..Options::default() };
        let (summary, kept) = read_with(text, &options, &[]).unwrap();
        (numbers(&kept), rejects(&kept), summary.notes.iter().map(ImportNote::kind).collect::<Vec<_>>())
    };
    let (accepted, rejected, notes) = with("NP", "Mobile\n984-1230691\n984-123069\n9841230692\n");
    assert_eq!(accepted, ["+9779841230691", "+9779841230692"]);
    assert_eq!((rejected, notes), (vec![(3, Reason::PlusMissing)], vec![]));
    let (accepted, rejected, notes) = with("SG", "Mobile\n6591234567\n6591234568\n6581234569\n4915123456789\n");
    assert_eq!((accepted.len(), rejected.len(), notes), (4, 0, vec!["other_country"]));
    // Guernsey shares the calling code of the United Kingdom, and Canada that of the United States.
    let (accepted, _, notes) = with("GB", "Mobile\n07400123456\n07911123456\n+447911123457\n");
    assert_eq!((accepted.len(), notes), (3, vec!["shared_code"]));
    assert_eq!(with("US", "Mobile\n2015550123\n5062345678\n").2, ["shared_code"]);
    assert!(with("GB", "Mobile\n07400123456\n+447911123457\n").2.is_empty(), "with a + nothing is assumed");
    let (accepted, rejected, _) = with("SG", "Mobile\n4915123456789\n8801712345678\n447400123456\n81234567\n");
    assert_eq!((accepted.len(), rejected.len()), (4, 0), "a mixed list");
    let (accepted, rejected, _) = with("SG", "Mobile\n4915123456789\n4915123456780\n");
    assert_eq!((accepted.len(), rejected), (0, vec![(2, Reason::PlusMissing), (3, Reason::PlusMissing)]));
    // A foreign landline is rejected even among numbers with calling codes: it is a mobile number that lost a digit.
    let (accepted, rejected, _) = with("NP", "Mobile\n9779841230691\n9779841230692\n9779841230693\n984-123069\n");
    assert_eq!((accepted.len(), rejected), (3, vec![(5, Reason::PlusMissing)]));
    // The country of a row replaces the stated one where numbers without a `+` are judged.
    let (accepted, rejected, _) = with("NP", "Mobile,Country\n91234567,SG\n81234567,SG\n4915123456789,SG\n,\n");
    assert_eq!((accepted.len(), rejected), (2, vec![(4, Reason::PlusMissing)]));
}

/// The first 120 rows decide for the whole file, whatever follows.
#[test]
fn the_first_rows_decide_how_a_column_writes_its_numbers() {
    let file = |first: &str, then: &str| format!("Mobile\n{}{then}\n4915123456789\n", first.repeat(120));
    let accepted = |text: String| {
        let options = Options { keep_duplicates: true, ..in_singapore() };
        read_with(text, &options, &[]).unwrap().0.valid
    };
    assert_eq!(accepted(file("6591234567\n", "81234567")), 122);
    assert_eq!(accepted(file("81234567\n", &["6591234567"; 500].join("\n"))), 620);
}

#[test]
fn a_list_of_numbers_is_judged_like_a_column() {
    let read = |list: &[&str], options: Options| {
        let list: Vec<String> = list.iter().map(|number| (*number).to_owned()).collect();
        let columns = Columns::of_numbers(vec!["Mobile".to_owned()], "Mobile");
        let mut kept = Kept::default();
        read_numbers(&list, &columns, &options, &|_| false, &mut SeenRecipients::default(), &mut kept).unwrap();
        (numbers(&kept).len(), rejects(&kept))
    };
    assert_eq!(read(&["4915123456789"], in_singapore()), (0, vec![(1, Reason::PlusMissing)]));
    assert_eq!(read(&["81234567", "91234567", "4915123456789"], in_singapore()), (2, vec![(3, Reason::PlusMissing)]));
    assert_eq!(read(&["6591234567", "4915123456789"], in_singapore()), (2, vec![]));
    // For an opt-out it is accepted: an opt-out sends no message.
    assert_eq!(read(&["4915123456789"], Options { takes_all: true, ..in_singapore() }), (1, vec![]));
}

#[test]
fn a_quoted_cell_that_contains_rows_is_noted_with_its_line() {
    let (summary, _) = ok("Mobile,Name,City\n81234567,\"Nick,X\n81234568,Bob,Y\n81234569,Eve\",Z\n81234560,Dan,Z\n");
    assert_eq!((summary.rows, summary.notes), (2, vec![ImportNote::LongQuotes { cells: 1, line: 2 }]));
    let (summary, _) = ok("Phone,Address\n81234567,\"1 Main St,\nSingapore 049145, SG\"\n");
    assert_eq!(summary.notes, []);
    let (summary, _) = ok("Mobile,Name\n81234567,\"Ann\nLee\"\n81234568,\"a,b\"\n");
    assert_eq!(summary.notes, []);
}

#[test]
fn an_opt_out_row_with_text_beside_the_table_is_accepted() {
    let text = "Mobile,Name\n81234567,Ann,call back\n81234568,Bob\n";
    assert_eq!(ok(text).0.valid, 1);
    let (summary, _) = read_with(text, &Options { takes_all: true, ..in_singapore() }, &[]).unwrap();
    assert_eq!(
        (summary.valid, summary.notes),
        (2, vec![ImportNote::BesideTable(note::RowCount { number: 1, line: 2 })])
    );
}

#[test]
fn an_opt_out_row_with_too_long_an_id_is_accepted() {
    let text = format!("Mobile,ClientMessageId\n81234567,{}\n", "x".repeat(51));
    assert_eq!(rejects(&ok(&text).1), [(2, Reason::IdTooLong)]);
    let (summary, _) = read_with(&text, &Options { takes_all: true, ..in_singapore() }, &[]).unwrap();
    assert_eq!(summary.valid, 1);
}

#[test]
fn every_row_of_an_opted_out_number_counts_as_opted_out() {
    let (summary, kept) =
        read_with("Mobile\n81234567\n81234567\n81234568\n", &in_singapore(), &["+6581234567"]).unwrap();
    assert_eq!((summary.rows, summary.valid, summary.duplicates, summary.opted_out), (3, 1, 0, 2));
    assert_eq!(rejects(&kept), [(2, Reason::OptedOut), (3, Reason::OptedOut)]);
}

#[test]
fn rows_may_be_short_but_extra_cells_must_be_blank() {
    let (_, kept) = ok("Name,Mobile,City\na,81234567\nb,81234568,x,,\nc,81234569,x,y\nd\n");
    assert_eq!(kept.recipients[0].fields.unpack().unwrap(), ["a", "81234567", ""]);
    assert_eq!(kept.recipients[1].fields.unpack().unwrap(), ["b", "81234568", "x"]);
    assert_eq!(rejects(&kept), [(4, Reason::TooManyCells), (5, Reason::Empty)]);
}

#[test]
fn blank_rows_are_skipped_but_advance_line_numbers() {
    let (summary, kept) = ok("\n\nMobile,Name\r\n\r\n81234567,a\r\n , \r\n,\r\nx,b\r\n");
    assert_eq!((summary.rows, summary.valid), (2, 1));
    assert_eq!(rejects(&kept), [(8, Reason::NotANumber)]);
}

#[test]
fn every_encoding_reads_the_same() {
    let text = "Mobile\tName\r\n81234567\tZoë\r\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        mark.then_some(0xfeff).into_iter().chain(text.encode_utf16()).flat_map(bytes).collect()
    };
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (utf16(u16::to_le_bytes, true), "UTF-16LE"),
        (utf16(u16::to_be_bytes, true), "UTF-16BE"),
        (utf16(u16::to_le_bytes, false), "UTF-16LE"),
        (encoding_rs::WINDOWS_1252.encode(text).0.into_owned(), "windows-1252"),
    ] {
        let (summary, kept) = ok(bytes);
        assert_eq!(
            (summary.encoding.map(encoding_rs::Encoding::name), summary.delimiter),
            (Some(encoding), Some('\t'))
        );
        assert_eq!(summary.columns, ["Mobile", "Name"], "{encoding}");
        assert_eq!(kept.recipients[0].fields.unpack().unwrap(), ["81234567", "Zoë"], "{encoding}");
    }
}

#[test]
fn the_delimiter_line_of_excel_is_not_a_row() {
    let (summary, kept) = ok("sep=|\nMobile|Name\n81234567|a\nx|b\n");
    assert_eq!((summary.delimiter, summary.rows, summary.valid), (Some('|'), 2, 1));
    assert_eq!(rejects(&kept), [(4, Reason::NotANumber)]);
}

#[test]
fn the_summary_serialises_to_its_fixed_keys() {
    let (summary, _) = ok("Mobile,Name\n81234567,a\nx,b\n");
    let json = serde_json::to_string(&summary).unwrap().replace(summary.sha256.as_deref().unwrap(), "SUM");
    let expected = r#"{"rows":2,"valid":1,"invalid":1,"duplicates":0,"opted_out":0,"countries":{"SG":1},"columns":["Mobile","Name"],"fields":[{"name":"Mobile","is":"number","filled":2,"samples":["81234567","x"]},{"name":"Name","is":null,"filled":2,"samples":["a","b"]}],"encoding":"UTF-8","delimiter":",","sheet":null,"number_column":"Mobile","reasons":{"not a number":1},"sha256":"SUM","packed":[]}"#;
    assert_eq!(json, expected);
    assert_eq!(
        summary.examples,
        [Example { line: 3, reason: Reason::NotANumber, value: "x".to_owned(), readings: None }]
    );
}

#[test]
fn every_error_states_the_problem_and_a_remedy() {
    for (bytes, what) in [
        (&b""[..], "is empty"),
        (b"\n \n,,\n", "is empty"),
        (b"%PDF-1.7", "neither text nor a spreadsheet"),
        (b"PK\x03\x04nonsense", "cannot unpack"),
        (b"\x1f\x8b\x08nonsense", "cannot unpack"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "locked with a password, or damaged"),
        (b"<html><table><tr><td>Mobile</td></tr>", "a web page or XML"),
        (b"Name,City\nAnn,Ulm\n", "(columns: Name, City)"),
        (b"Mobile,Name\n81234567,\"Ann\n81234568,Bob\n", "opened in line 2"),
    ] {
        let sentence = err(bytes);
        assert!(sentence.contains(what) && sentence.contains(';'), "{sentence}");
    }
    let missing = read(
        Path::new("no/such.csv"),
        &Options::default(),
        &|_| false,
        &mut SeenRecipients::default(),
        &mut Kept::default(),
    )
    .unwrap_err();
    assert!(missing.to_string().starts_with("cannot read no/such.csv"));
}

#[test]
fn a_header_alone_is_a_file_of_no_rows() {
    let (summary, _) = ok("Mobile,Name\n");
    assert_eq!((summary.rows, summary.columns.len()), (0, 2));
}

/// Many blocks on many threads, with rows that cross the ends of buffers.
#[test]
fn a_long_file_keeps_its_order_and_arrives_in_chunks() {
    let mut text = String::from("Mobile,Note\n");
    for index in 0..23_000 {
        let number = if index % 10 == 9 { "none".to_owned() } else { format!("+659{index:07}") };
        text.push_str(&format!("{number},\"line {index}\nsecond\"\n"));
    }
    let (summary, kept) = ok(&text);
    assert_eq!((summary.rows, kept.recipients.len(), kept.rejects.len()), (23_000, 20_700, 2_300));
    assert!(kept.recipients.windows(2).all(|pair| pair[0].number() < pair[1].number()));
    assert!(kept.rejects.windows(2).all(|pair| pair[0].line < pair[1].line));
    assert_eq!(kept.chunks.iter().max(), Some(&4_096));
    let whole = text.len() as u64;
    assert_eq!(kept.progress, Some(ReadingProgress { bytes_done: whole, bytes_total: whole, rows: 23_000 }));
}

#[test]
fn a_sink_that_halts_ends_the_reading() {
    struct Enough(Option<Halt>);
    impl Sink for Enough {
        fn accepted(&mut self, _: Vec<Recipient>) -> Result<(), Halt> {
            Err(self.0.take().unwrap_or(Halt::Stop))
        }
    }
    let mut text = String::from("Mobile\n");
    (0..60_000).for_each(|index| text.push_str(&format!("+659{index:07}\n")));
    let file = file(text);
    let read = |halt| {
        read(file.path(), &Options::default(), &|_| false, &mut SeenRecipients::default(), &mut Enough(Some(halt)))
            .unwrap_err()
    };
    assert!(matches!(read(Halt::Stop), Error::Stopped));
    assert!(matches!(read(Halt::Failed("full".into())), Error::Sink(_)));
}

#[test]
fn inline_numbers_become_recipients_with_only_a_number() {
    let list = ["+6581234567".to_owned(), String::new(), "81234567".to_owned(), "8123".to_owned()];
    let alone = vec!["Mobile".to_owned()];
    let beside = ["Name", "Mobile", "Country"].map(str::to_owned).to_vec();
    for (names, fields) in [(alone, vec!["+6581234567"]), (beside, vec!["", "+6581234567", ""])] {
        let mut kept = Kept::default();
        let columns = Columns::of_numbers(names.clone(), "Mobile");
        let known = &mut SeenRecipients::default();
        let summary = read_numbers(&list, &columns, &in_singapore(), &|_| false, known, &mut kept).unwrap();
        assert_eq!((summary.rows, summary.valid, summary.duplicates, summary.invalid), (3, 1, 1, 1));
        assert_eq!(rejects(&kept), [(3, Reason::Duplicate), (4, Reason::TooShort)]);
        assert_eq!((summary.columns, summary.number_column.as_str(), summary.encoding), (names, "Mobile", None));
        assert_eq!(kept.recipients[0].fields.unpack().unwrap(), fields);
    }
}

#[test]
fn outputs_contain_every_row_once_and_appear_when_finished() {
    let folder = tempfile::tempdir().unwrap();
    let (accepted, rejects) = (folder.path().join("accepted.csv"), folder.path().join("rejects.csv"));
    let source = file("Name;Mobile\n\"A;\"\"\";81234567\nB;x\nC;81234568;more;\nD;8123 4567\n");
    let mut outputs = Outputs::create(Some(source.path()), Some(&accepted), Some(&rejects)).unwrap();
    read(source.path(), &in_singapore(), &|_| false, &mut SeenRecipients::default(), &mut outputs).unwrap();
    assert!(!accepted.exists() && !rejects.exists());
    outputs.finish().unwrap();
    assert_eq!(
        std::fs::read_to_string(&accepted).unwrap(),
        "msisdn,country,Name,Mobile\n+6581234567,SG,\"A;\"\"\",81234567\n"
    );
    let expected =
        "Name,Mobile,line,reason\nB,x,3,not a number\nC,81234568 more ,4,too many cells\nD,8123 4567,5,duplicate\n";
    assert_eq!(std::fs::read_to_string(&rejects).unwrap(), expected);
}

#[test]
fn unfinished_outputs_leave_no_files() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("accepted.csv");
    let input = file("Mobile\n");
    drop(Outputs::create(Some(input.path()), Some(&target), None).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(matches!(Outputs::create(Some(input.path()), Some(folder.path()), None), Err(Error::Write { .. })));
}

/// Valid and invalid cells as in real files.
fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (0..30_u32).prop_map(|digits| format!("812345{digits:02}")),
        1 => (0..30_u32).prop_map(|digits| format!("+49 1512 34567{digits:02}")),
        1 => "[a-z ;,é\"\n]{0,8}",
        1 => Just(String::new()),
    ]
}

fn csv_text(rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(["Mobile", "A", "B"]).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

/// Whether a thread panicked.
fn has_panicked<T>(outcome: &Result<T, Error>) -> bool {
    matches!(outcome, Err(Error::Internal { .. }))
}

/// The number of cases. A number given here would override `PROPTEST_CASES`, which `./check --long` sets.
fn config() -> ProptestConfig {
    let defaults = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { defaults.cases } else { 128 };
    ProptestConfig { cases, ..defaults }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn rows_always_add_up(
        rows in proptest::collection::vec(proptest::collection::vec(cell(), 1..5), 0..40),
        keep_duplicates: bool,
        out in proptest::option::of(0..30_u32),
    ) {
        let options = Options { keep_duplicates, ..in_singapore() };
        let out = out.map(|digits| format!("+65812345{digits:02}"));
        let (summary, kept) = read_with(csv_text(&rows), &options, &out.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        let not_blank = rows.iter().filter(|row| !row.concat().bytes().all(|byte| byte.is_ascii_whitespace())).count();
        prop_assert_eq!(summary.rows, not_blank as u64);
        prop_assert_eq!(summary.rows, summary.valid + summary.invalid + summary.duplicates + summary.opted_out);
        prop_assert_eq!(summary.valid, kept.recipients.len() as u64);
        prop_assert_eq!(summary.valid, summary.countries.values().sum::<u64>());
        prop_assert_eq!(summary.rows - summary.valid, kept.rejects.len() as u64);
        prop_assert_eq!(summary.rows - summary.valid, summary.reasons.values().sum::<u64>());
        if !keep_duplicates {
            let mut distinct = numbers(&kept);
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), kept.recipients.len());
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), header: bool) {
        let mut text = if header { b"Mobile,Name\n".to_vec() } else { Vec::new() };
        text.extend(bytes);
        prop_assert!(!has_panicked(&read_with(text, &in_singapore(), &[])));
    }

    #[test]
    fn a_damaged_spreadsheet_causes_no_panic(at: Index, byte: u8, cut: Index) {
        let mut bytes = samples::spreadsheet();
        let length = bytes.len();
        bytes[at.index(length)] = byte;
        let whole = read_with(&bytes, &in_singapore(), &[]);
        prop_assert!(!has_panicked(&whole));
        bytes.truncate(cut.index(length));
        let half = read_with(&bytes, &in_singapore(), &[]);
        prop_assert!(!has_panicked(&half));
    }
}

#[test]
fn no_output_overwrites_the_input_or_the_other_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("in.csv"), "Mobile\n").unwrap();
    std::fs::create_dir(path("sub")).unwrap();
    let create = |accepted: &str, rejects: &str| {
        Outputs::create(Some(&path("in.csv")), Some(&path(accepted)), Some(&path(rejects))).map(|_| ())
    };
    assert!(matches!(create("in.csv", "r.csv"), Err(Error::OverInput { .. })));
    assert!(matches!(create("a.csv", "sub/../in.csv"), Err(Error::OverInput { .. })));
    assert!(matches!(create("a.csv", "sub/../a.csv"), Err(Error::OneOutput { .. })));
    // Another existing file may be replaced.
    std::fs::write(path("a.csv"), "old").unwrap();
    assert!(create("a.csv", "r.csv").is_ok());
}
