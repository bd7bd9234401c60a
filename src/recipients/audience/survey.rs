//! Surveys recipients before a launch: how full each column is, and the first few recipients.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::domain::{Recipient, refused_in_a_parameter};

/// Number of recipients in a preview.
const FIRST: usize = 3;

/// How many recipients have a cell that a message may fail for, by column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OddCells {
    /// Empty cells: a variable without a default has no value.
    pub empty: Vec<u64>,
    /// Cells that the provider may refuse [in a parameter of a template](refused_in_a_parameter).
    pub refused: Vec<u64>,
}

impl OddCells {
    fn of(columns: usize) -> Self {
        Self { empty: vec![0; columns], refused: vec![0; columns] }
    }

    /// Adds those of another source with the same columns.
    pub fn add(&mut self, more: Self) {
        let sum = |counts: &mut Vec<u64>, more: Vec<u64>| {
            counts.resize(counts.len().max(more.len()), 0);
            counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
        };
        sum(&mut self.empty, more.empty);
        sum(&mut self.refused, more.refused);
    }

    fn change(&mut self, recipient: &Recipient, change: impl Fn(&mut u64)) {
        // Most rows have no such cell and are not unpacked. A packed empty cell is two quotes after a bracket or a comma.
        let packed = recipient.fields.as_str();
        let is_odd = |byte: u8| matches!(byte, b'#' | b'$' | b'%' | b'\\');
        let has_odd_byte = packed.bytes().fold(false, |found, byte| found | is_odd(byte));
        if !has_odd_byte && !packed.contains("\"\"") && !packed.contains(" \"") && !packed.contains("     ") {
            return;
        }
        let Ok(fields) = recipient.fields.unpack() else { return };
        for (count, _) in self.empty.iter_mut().zip(&fields).filter(|(_, field)| field.trim().is_empty()) {
            change(count);
        }
        for (count, _) in
            self.refused.iter_mut().zip(&fields).filter(|(_, field)| refused_in_a_parameter(field).is_some())
        {
            change(count);
        }
    }
}

/// Sees the recipients of a source while it is read.
pub trait RecipientObserver: fmt::Debug + Send + Sync {
    /// Whether it wants to see recipients with these columns.
    fn wants(&self, columns: &[String]) -> bool;

    fn observe(&self, recipients: &[Recipient]);
}

/// The observer of a reading, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Observer(pub Option<Arc<dyn RecipientObserver>>);

impl PartialEq for Observer {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(own), Some(other)) => Arc::ptr_eq(own, other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

/// What a plan needs to know about recipients.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub columns: Vec<String>,
    pub odd: OddCells,
    pub first: Vec<Recipient>,
    pub recipients: u64,
}

impl Survey {
    pub(super) fn begin(&mut self, columns: &[String]) {
        self.columns = columns.to_vec();
        self.odd = OddCells::of(columns.len());
    }

    /// Counts recipients.
    pub fn look(&mut self, recipients: &[Recipient]) {
        let wanted = FIRST.saturating_sub(self.first.len());
        self.first.extend(recipients.iter().take(wanted).cloned());
        self.recipients += u64::try_from(recipients.len()).unwrap_or(u64::MAX);
        for recipient in recipients {
            self.odd.change(recipient, |count| *count += 1);
        }
    }

    /// Removes a recipient that was counted.
    pub fn forget(&mut self, recipient: &Recipient) {
        self.recipients = self.recipients.saturating_sub(1);
        self.first.retain(|first| first.address != recipient.address);
        self.odd.change(recipient, |count| *count = count.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Country, Fields};

    fn recipient(fields: [&str; 3]) -> Recipient {
        Recipient {
            address: "+6591234567".parse().ok(),
            country: Country::by_code("SG").unwrap(),
            fields: Fields::pack(fields),
            client_message_id: None,
        }
    }

    #[test]
    fn empty_and_refused_cells_are_counted_by_column_and_forgotten_again() {
        let rows = [
            recipient(["a", "", "25%"]),
            recipient(["a", " ", "#1"]),
            recipient(["two\nlines", "b", "many      spaces"]),
            recipient(["a \"quote\"", "C:\\b", "5 $"]),
            recipient(["plain", "plain", "plain"]),
        ];
        let mut survey = Survey::default();
        survey.begin(&["x", "y", "z"].map(str::to_owned));
        survey.look(&rows);
        assert_eq!(survey.odd, OddCells { empty: vec![0, 2, 0], refused: vec![1, 0, 4] });
        rows.iter().for_each(|row| survey.forget(row));
        assert_eq!(survey.odd, OddCells { empty: vec![0; 3], refused: vec![0; 3] });
    }

    #[test]
    fn the_cells_of_sources_are_added() {
        let mut odd = OddCells { empty: vec![1, 2], refused: vec![] };
        odd.add(OddCells { empty: vec![3, 4], refused: vec![5, 6] });
        assert_eq!(odd, OddCells { empty: vec![4, 6], refused: vec![5, 6] });
    }
}
