//! Tests files in which rows have the id of a WhatsApp user in place of a number.

use std::path::Path;

use super::{
    Columns, Halt, ImportNote, Mapping, Options, Outputs, Reason, Reject, SeenRecipients, Sink, Summary, read,
};
use crate::base::domain::{Address, Recipient};

const ID: &str = "SG.13491208655302741918";

/// What comes out of a file: the addresses and countries of its recipients, and the reasons of the rejected rows.
#[derive(Default)]
struct Kept {
    recipients: Vec<(String, String)>,
    reasons: Vec<Reason>,
}

impl Sink for Kept {
    fn columns(&mut self, _: &Columns) -> Result<(), Halt> {
        Ok(())
    }

    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        let shown = |it: Recipient| (it.address.unwrap().to_string(), it.country.to_string());
        self.recipients.extend(recipients.into_iter().map(shown));
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        self.reasons.extend(rejects.iter().map(|reject| reject.reason));
        Ok(())
    }
}

fn read_text(text: &str, map: &[&str], out: &[&str]) -> (Summary, Kept) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let map: Vec<Mapping> = map.iter().map(|mapping| mapping.parse().unwrap()).collect();
    let options = Options { map, ..Options::default() };
    let has_opted_out = |address: &Address| out.contains(&address.to_string().as_str());
    let mut kept = Kept::default();
    let summary = read(file.path(), &options, &has_opted_out, &mut SeenRecipients::default(), &mut kept).unwrap();
    (summary, kept)
}

fn addresses(kept: &Kept) -> Vec<&str> {
    kept.recipients.iter().map(|(address, _)| address.as_str()).collect()
}

#[test]
fn a_row_without_a_number_is_of_its_whatsapp_user() {
    let text = format!(
        "Phone,Name,Contact\n+6591234567,Ann,{ID}\n,Bob,MY.7749120865530274A\n,Eve,\n+65123,Kim,SG.5\n,Zed,QQ.99\n"
    );
    let text = text.replace("SG.5", "SG.13491208655302741955");
    let (summary, kept) = read_text(&text, &[], &[]);
    let of = |address: &str, country: &str| (address.to_owned(), country.to_owned());
    assert_eq!(kept.recipients, [of("+6591234567", "SG"), of("MY.7749120865530274A", "MY"), of("QQ.99", "ZZ")]);
    // A number that cannot be read is to be corrected, even beside an id.
    assert_eq!(kept.reasons, [Reason::Empty, Reason::TooShort]);
    assert_eq!((summary.number_column.as_str(), summary.user_column()), ("Phone", Some("Contact")));
    assert_eq!(summary.without_number.values().sum::<u64>(), 2);
    let notes: Vec<String> = summary.notes.iter().map(ImportNote::fact).collect();
    let note = "2 rows have no number (first in line 3), but the id of a WhatsApp user: only WhatsApp reaches these recipients.";
    assert!(notes.iter().any(|it| it == note), "{notes:?}");
}

#[test]
fn the_column_of_ids_is_found_by_its_name_its_cells_or_a_mapping() {
    // None of the first rows has an id.
    let rows: String = (0..300).map(|n| format!("+6591234{n:03},,x\n")).collect();
    for (header, map) in [("Phone,BSUID,Z", vec![]), ("Phone,Z,Y", vec!["WhatsAppUserId=Z"])] {
        let (summary, kept) = read_text(&format!("{header}\n{rows},{ID},x\n"), &map, &[]);
        assert_eq!((kept.recipients.len(), summary.without_number.len()), (301, 1), "{header}");
    }
    let (_, kept) = read_text(&format!("Name,Id\nAnn,{ID}\nBob,SG.2\nEve,{ID}9\n"), &[], &[]);
    assert_eq!(addresses(&kept), [ID, "SG.2", &format!("{ID}9")], "a file of ids alone");
    let (_, kept) = read_text(&format!("Phone\n{ID}\nPH.9171234567\n"), &[], &[]);
    assert_eq!(addresses(&kept)[0], ID, "among numbers");
    assert_eq!(addresses(&kept).len(), 1, "an abbreviation before a number is no country");
    for cells in [["AB.1", "SG.2", "SG.3"], [ID, "none", "x"], ["HP.08123456789", "HP.08123456788", "PH.9171234567"]] {
        let rows: String = (0..3).map(|n| format!("+6591234{n:03},{}\n", cells[n])).collect();
        let (summary, _) = read_text(&format!("Phone,Code\n{rows}"), &[], &[]);
        assert_eq!(summary.user_column(), None, "{cells:?} are not surely ids");
    }
}

#[test]
fn a_user_gets_one_message_and_none_after_an_opt_out() {
    let text =
        format!("Phone,BSUID\n,{ID}\n+6591234567,{ID}\n,{ID}\n+6591234568,SG.5\n,SG.5\n,SG.6\n+6591234569,SG.6\n");
    let (summary, kept) = read_text(&text, &[], &["SG.6"]);
    assert_eq!(addresses(&kept), [ID, "+6591234568"]);
    assert_eq!(
        kept.reasons,
        [Reason::Duplicate, Reason::Duplicate, Reason::Duplicate, Reason::OptedOut, Reason::OptedOut]
    );
    assert_eq!((summary.duplicates, summary.opted_out), (3, 2));
}

#[test]
fn accepted_rows_are_read_again_as_they_were() {
    let text = format!("Phone,BSUID\n+6591234567,\n,{ID}\n,SG.5\n");
    let folder = tempfile::tempdir().unwrap();
    let (input, accepted) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    std::fs::write(&input, text).unwrap();
    let mut outputs = Outputs::create(Some(&input), Some(&accepted), None).unwrap();
    let again = |path: &Path, sink: &mut dyn Sink| {
        read(path, &Options::default(), &|_| false, &mut SeenRecipients::default(), sink).unwrap()
    };
    again(&input, &mut outputs);
    outputs.finish().unwrap();
    let mut kept = Kept::default();
    let summary = again(&accepted, &mut kept);
    assert_eq!(addresses(&kept), ["+6591234567", ID, "SG.5"]);
    assert_eq!(summary.columns, ["Phone", "BSUID"]);
}
