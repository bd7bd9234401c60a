//! Numbers and ids of channels that an operator lists to opt them out or in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::import::read_all;
use super::summary::shortened;
use super::{Columns, Error, Example, Halt, ImportNote, Options, Reason, Reject, Sink, Source, SourceFilter, Summary};
use crate::base::domain::{Address, ChannelUser, Country, Msisdn, Recipient};

/// Invalid entries in one sentence.
const SHOWN: usize = 3;
/// Invalid entries that are kept, each with its position.
const KEPT: usize = 10_000;

/// The numbers and the ids of a list and of a file.
#[derive(Debug)]
pub struct ListedNumbers {
    /// Each valid number once.
    pub numbers: Vec<Msisdn>,
    /// Each id of a channel once, in order.
    pub users: Vec<ChannelUser>,
    /// The counts of both together; columns and notes are those of the file. A row with an id is not invalid.
    pub summary: Summary,
    /// A sentence for each of the first invalid entries, those of the list first.
    invalid: Vec<String>,
    /// Positions of the invalid entries of the list, from 1 and in order.
    pub invalid_entries: Vec<u64>,
}

impl ListedNumbers {
    /// Reads the numbers and the ids of a list and of a file. In a file, a row without a valid number may have an id in any
    /// cell.
    pub async fn read(list: Vec<String>, file: Option<Source>, options: Options) -> Result<Self, Error> {
        // One filter for both sources: a number of the list is a duplicate in the file.
        let filter = SourceFilter::new(Arc::default());
        let options = Options { takes_users: true, ..options };
        let read = async |source| {
            let (listed, mut summary) = read_all::<Listed>(source, options.clone(), filter.clone()).await?;
            listed.correct(&mut summary);
            Ok::<_, Error>((listed, summary))
        };
        let (mut found, mut whole) = (Listed::default(), Summary::default());
        if !list.is_empty() {
            (found, whole) = read(Source::numbers(list)).await?;
        }
        let bare = |it: &Example| format!("\"{}\": {}", it.value, it.sentence_of_bare_number());
        let mut invalid: Vec<String> = found.invalid.iter().map(bare).collect();
        found.entries.sort_unstable();
        let Some(file) = file else { return Ok(found.with(whole, invalid)) };
        filter.next_source();
        let (more, summary) = read(file).await?;
        found.numbers.extend(more.numbers);
        found.users.extend(more.users);
        found.unassigned.extend(more.unassigned);
        let in_line = |it: &Example| format!("line {}, \"{}\": {}", it.line, it.value, it.sentence());
        invalid.extend(more.invalid.iter().map(in_line));
        whole.invalid += summary.invalid;
        whole.duplicates += summary.duplicates;
        for (country, number) in summary.countries {
            *whole.countries.entry(country).or_default() += number;
        }
        for (reason, number) in summary.reasons {
            *whole.reasons.entry(reason).or_default() += number;
        }
        (whole.number_column, whole.notes) = (summary.number_column, summary.notes);
        Ok(found.with(whole, invalid))
    }

    pub const fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.users.is_empty()
    }

    /// The numbers, and then the ids.
    pub fn addresses(&self) -> Vec<Address> {
        let users = self.users.iter().cloned().map(Address::User);
        self.numbers.iter().copied().map(Address::Number).chain(users).collect()
    }

    /// The notes about the file that matter for a list of numbers. With `takes_all`, every number of a row was read.
    pub fn notes(&self, takes_all: bool) -> Vec<String> {
        let text = |note: &ImportNote| match note {
            ImportNote::SeveralNumbers(rows) if takes_all => Some(rows.all_numbers_read()),
            // They are about messages, and a list is not sent to.
            ImportNote::Landlines(_) | ImportNote::ErrorTexts { .. } => None,
            note => Some(note.text()),
        };
        self.summary.notes.iter().filter_map(text).collect()
    }

    /// Why the first few invalid entries are no numbers.
    pub fn first_invalid(&self) -> String {
        let first: Vec<&str> = self.invalid.iter().take(SHOWN).map(String::as_str).collect();
        if first.is_empty() {
            return "name at least one number".to_owned();
        }
        match self.summary.invalid.saturating_sub(first.len() as u64) {
            0 => first.join("; "),
            more => format!("{}; … and {more} more", first.join("; ")),
        }
    }

    /// A sentence for each invalid entry, with its line in the file. Beyond the first ten thousand, their number.
    pub fn all_invalid(&self) -> impl Iterator<Item = String> {
        let more = self.summary.invalid.saturating_sub(self.invalid.len() as u64);
        self.invalid.iter().cloned().chain((more > 0).then(|| format!("… and {more} more")))
    }
}

/// The numbers and ids of one source.
#[derive(Default)]
struct Listed {
    numbers: Vec<Msisdn>,
    users: BTreeSet<ChannelUser>,
    /// Numbers of E.164 that no numbering plan has.
    unassigned: BTreeSet<Msisdn>,
    /// The rejected rows with an address, by the reason for which each was rejected.
    by_address: BTreeMap<Reason, u64>,
    repeated: u64,
    /// The index of the number column.
    number: usize,
    /// The first rejected rows without an id.
    invalid: Vec<Example>,
    /// Where each of these rows begins.
    entries: Vec<u64>,
}

impl Listed {
    /// Counts the rows with an address no more as invalid, but as duplicates if the address came before.
    fn correct(&self, summary: &mut Summary) {
        for (reason, rows) in &self.by_address {
            summary.invalid = summary.invalid.saturating_sub(*rows);
            if let Some(counted) = summary.reasons.get_mut(reason) {
                *counted = counted.saturating_sub(*rows);
            }
        }
        summary.reasons.retain(|_, rows| *rows > 0);
        summary.duplicates += self.repeated;
    }

    fn with(self, summary: Summary, invalid: Vec<String>) -> ListedNumbers {
        let Self { mut numbers, unassigned, users, entries: invalid_entries, .. } = self;
        numbers.extend(unassigned);
        ListedNumbers { numbers, users: users.into_iter().collect(), summary, invalid, invalid_entries }
    }
}

impl Sink for Listed {
    fn columns(&mut self, columns: &Columns) -> Result<(), Halt> {
        self.number = columns.names().iter().position(|name| name == columns.number()).unwrap_or_default();
        Ok(())
    }

    fn accepted(&mut self, recipients: Vec<Recipient>) -> Result<(), Halt> {
        for address in recipients.into_iter().filter_map(|recipient| recipient.address) {
            match address {
                Address::Number(number) => self.numbers.push(number),
                Address::User(user) => _ = self.users.insert(user),
            }
        }
        Ok(())
    }

    fn rejected(&mut self, rejects: &[Reject]) -> Result<(), Halt> {
        for reject in rejects {
            let &Reject { line, reason, ref fields, .. } = reject;
            if matches!(reason, Reason::Duplicate | Reason::EarlierSource) {
                continue;
            }
            let cells = fields.unpack().unwrap_or_default();
            // A provider may name a recipient by a number that no numbering plan has, so any number of E.164 is taken.
            let address = cells.iter().find_map(|cell| cell.parse().ok());
            if let Some(address) = address {
                *self.by_address.entry(reason).or_default() += 1;
                let is_new = match address {
                    Address::Number(number) => self.unassigned.insert(number),
                    Address::User(user) => self.users.insert(user),
                };
                self.repeated += u64::from(!is_new);
            } else {
                if self.invalid.len() < KEPT {
                    self.entries.push(line);
                    let value = cells.get(self.number).map(|cell| shortened(cell)).unwrap_or_default();
                    self.invalid.push(Example { line, reason, value, readings: reject.readings() });
                }
            }
        }
        Ok(())
    }
}

/// Listed numbers after they were opted out or in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OptOutChangeView<'a> {
    pub numbers: usize,
    pub channel_users: usize,
    pub changed: u64,
    pub unchanged: u64,
    pub invalid: u64,
    pub duplicates: u64,
    pub countries: &'a BTreeMap<Country, u64>,
    pub reasons: &'a BTreeMap<Reason, u64>,
    pub noted: Option<bool>,
}

impl<'a> OptOutChangeView<'a> {
    /// `changed` of the numbers and ids are new opt-outs or opt-ins. `noted` tells whether every running server obeys.
    pub const fn new(listed: &'a ListedNumbers, changed: u64, noted: Option<bool>) -> Self {
        let ListedNumbers { numbers, users, summary, .. } = listed;
        Self {
            numbers: numbers.len(),
            channel_users: users.len(),
            changed,
            unchanged: ((numbers.len() + users.len()) as u64).saturating_sub(changed),
            invalid: summary.invalid,
            duplicates: summary.duplicates,
            countries: &summary.countries,
            reasons: &summary.reasons,
            noted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: [&str; 3] =
        ["U4af4980629a1b2c3d4e5f60718293a4b", "Ua12b345678c1de0fg1a1234567891011", "U9123456791234567912345679123456a"];
    const WHATSAPP: &str = "SG.13491208655302741918";

    async fn read(list: &[&str], file: Option<&str>, takes_all: bool) -> Result<ListedNumbers, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.csv");
        if let Some(text) = file {
            std::fs::write(&path, text).unwrap();
        }
        let options = Options { takes_all, ..Options::default() };
        let list = list.iter().map(|&text| text.to_owned()).collect();
        ListedNumbers::read(list, file.map(|_| Source::File(path)), options).await
    }

    /// The numbers, and the ids in their order.
    fn found(listed: &ListedNumbers) -> (Vec<u64>, Vec<&str>) {
        let users = listed.users.iter().map(|user| user.id.as_str()).collect();
        (listed.numbers.iter().map(|number| number.get()).collect(), users)
    }

    #[tokio::test]
    async fn ids_are_read_beside_numbers_from_arguments_and_from_a_file() {
        let all = vec![WHATSAPP, LINE[0], LINE[2], LINE[1]];
        let [first, second, third] = LINE;
        let lines = format!("Phone\n+6591234567\n{first}\n{WHATSAPP}\n{first}\nnobody\n");
        for takes_all in [true, false] {
            let listed = read(&[second, "+6598765432", third], Some(&lines), takes_all).await.unwrap();
            assert_eq!(found(&listed), (vec![6_598_765_432, 6_591_234_567], all.clone()), "{takes_all}");
            assert_eq!((listed.summary.invalid, listed.summary.duplicates), (1, 1));
            assert_eq!(listed.first_invalid().matches("nobody").count(), 1, "{}", listed.first_invalid());
            assert!(!listed.first_invalid().contains(first), "{}", listed.first_invalid());
            let all: Vec<String> = listed.all_invalid().collect();
            assert!(matches!(&all[..], [one] if one.starts_with("line 6, \"nobody\": ")), "{all:?}");
        }
    }

    #[tokio::test]
    async fn a_row_without_a_number_has_its_id_in_any_column() {
        let [first, second, _] = LINE;
        let table = format!("Phone,Name,LineId\n+6591234567,Ann,{first}\n,Bob,{second}\n,Eve,\n");
        let listed = read(&[], Some(&table), true).await.unwrap();
        assert_eq!(found(&listed), (vec![6_591_234_567], vec![second]));
        assert_eq!(listed.summary.invalid, 1);
    }

    #[tokio::test]
    async fn a_number_that_no_plan_has_is_taken_with_its_plus() {
        // As WhatsApp names a recipient in Brazil, without the ninth digit.
        for takes_all in [true, false] {
            let listed =
                read(&["+551187654321", "+6591234567"], Some("Phone\n+551187654321\n551187654399\n"), takes_all);
            let listed = listed.await.unwrap();
            assert_eq!(found(&listed).0, [6_591_234_567, 551_187_654_321], "{takes_all}");
            assert_eq!((listed.summary.invalid, listed.summary.duplicates), (1, 0));
        }
    }

    #[tokio::test]
    async fn a_file_may_have_ids_alone() {
        let [first, second, third] = LINE;
        for head in ["", "LineId\n"] {
            let listed = read(&[], Some(&format!("{head}{first}\n{second}\n{third}\n")), true).await.unwrap();
            assert_eq!(found(&listed).0, Vec::<u64>::new());
            assert_eq!((listed.users.len(), listed.summary.invalid), (3, 0), "{head}");
        }
        assert!(read(&[], Some("Name\nAnn\n"), true).await.is_err(), "neither numbers nor ids");
    }
}
