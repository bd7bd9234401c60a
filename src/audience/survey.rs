//! Surveys recipients before a launch: how full each column is, and the first few recipients.

use crate::domain::Recipient;

/// Number of recipients in a preview.
const FIRST: usize = 3;

/// What a plan needs to know about recipients.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    pub columns: Vec<String>,
    /// Number of recipients with an empty field, for each column.
    pub empty: Vec<u64>,
    pub first: Vec<Recipient>,
    pub recipients: u64,
}

impl Survey {
    pub(super) fn begin(&mut self, columns: &[String]) {
        self.columns = columns.to_vec();
        self.empty = vec![0; columns.len()];
    }

    /// Counts recipients.
    pub fn look(&mut self, recipients: &[Recipient]) {
        let wanted = FIRST.saturating_sub(self.first.len());
        self.first.extend(recipients.iter().take(wanted).cloned());
        self.recipients += u64::try_from(recipients.len()).unwrap_or(u64::MAX);
        for recipient in recipients {
            self.each_empty(recipient, |count| *count += 1);
        }
    }

    /// Removes a recipient that was counted.
    pub fn forget(&mut self, recipient: &Recipient) {
        self.recipients = self.recipients.saturating_sub(1);
        self.first.retain(|first| first.msisdn != recipient.msisdn);
        self.each_empty(recipient, |count| *count = count.saturating_sub(1));
    }

    fn each_empty(&mut self, recipient: &Recipient, change: impl Fn(&mut u64)) {
        // A packed empty cell is two quotes after a bracket or a comma. Most rows have none and are not unpacked.
        let packed = recipient.fields.as_str();
        if !packed.contains("\"\"") && !packed.contains(" \"") {
            return;
        }
        let Ok(fields) = recipient.fields.unpack() else { return };
        for (count, _) in self.empty.iter_mut().zip(&fields).filter(|(_, field)| field.trim().is_empty()) {
            change(count);
        }
    }
}
