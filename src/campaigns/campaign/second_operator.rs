//! Campaigns with many recipients, which one operator launches and another one starts.

use std::collections::BTreeSet;

use super::lint::{Lint, Warning};
use crate::base::config::Config;
use crate::base::domain::text::list;
use crate::base::domain::{BatchState, grouped};
use crate::base::events::{EventKind, Origin};
use crate::store::{Batch, Result, Store};

/// Events of a draft that are read at once.
const PAGE: u32 = 100;

/// A draft that only another operator may start than those who have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeedsApproval {
    pub recipients: u64,
    /// The most recipients of a campaign that needs no approval.
    pub above: u32,
    /// The operators who have launched or changed it.
    pub authors: BTreeSet<String>,
    /// Who has refused it as it is now, and why.
    pub refused: Option<Origin>,
}

/// The most recipients without an approval, if a campaign with this many needs one.
pub(super) fn limit_below(config: &Config, recipients: u64) -> Option<u32> {
    config.approval_above.filter(|above| recipients > u64::from(*above))
}

/// Whether a campaign with this many recipients needs a second operator.
pub fn needs_second_operator(config: &Config, recipients: u64) -> bool {
    limit_below(config, recipients).is_some()
}

/// Warns that a launch waits for another operator.
pub(super) fn will_wait(config: &Config, recipients: u64) -> Option<Warning> {
    let above = limit_below(config, recipients)?;
    let sentence = format!(
        "it has {} recipients, and more than {} need a second operator: the launch keeps it as a draft until another \
         operator starts it",
        grouped(recipients),
        grouped(u64::from(above))
    );
    Some(Warning { code: Lint::NeedsApproval, step: None, sentence: sentence.into() })
}

impl NeedsApproval {
    /// What a draft waits for; `None` if its author may start it.
    pub async fn of(store: &dyn Store, config: &Config, batch: &Batch) -> Result<Option<Self>> {
        let recipients = u64::from(batch.messages);
        let (BatchState::Draft, Some(above)) = (batch.state, limit_below(config, recipients)) else { return Ok(None) };
        let author = |origin: &Origin| origin.operator_name().map(str::to_owned);
        let authors: BTreeSet<String> = batch.origin.iter().filter_map(author).collect();
        let mut needs = Self { recipients, above, authors, refused: None };
        let (mut before, mut is_as_now) = (None, true);
        loop {
            // The latest come first.
            let events = store.events_before(Some(batch.id), before, PAGE).await?;
            for (_, event) in &events {
                match event.kind {
                    EventKind::Drafted | EventKind::Changed { .. } => {
                        needs.authors.extend(author(&event.origin));
                        is_as_now = false;
                    }
                    EventKind::Refused if is_as_now && needs.refused.is_none() => {
                        needs.refused = Some(event.origin.clone());
                    }
                    _ => {}
                }
            }
            match events.last() {
                Some((last, _)) if events.len() >= PAGE as usize => before = Some(*last),
                _ => return Ok(Some(needs)),
            }
        }
    }

    /// Whether this is one of those who have written it.
    pub fn is_author(&self, operator: &str) -> bool {
        self.authors.contains(operator)
    }

    /// Whether the decision may be this one's.
    pub(super) fn may_be_given_by(&self, by: &Origin) -> bool {
        by.operator_name().is_some_and(|operator| !self.is_author(operator))
    }

    /// `ann and ben`.
    pub fn authors(&self) -> String {
        let authors: Vec<&str> = self.authors.iter().map(String::as_str).collect();
        list(&authors)
    }

    /// What keeps the draft from being started by its authors.
    pub fn what(&self) -> String {
        let written = if self.authors.is_empty() { String::new() } else { format!(", written by {}", self.authors()) };
        let why = format!(
            "it has {} recipients, more than {}{written}",
            grouped(self.recipients),
            grouped(u64::from(self.above))
        );
        match &self.refused {
            // Quotes separate the operator's reason from the rest of the sentence.
            Some(Origin { by, reason: Some(reason) }) => {
                let by = Origin { by: by.clone(), reason: None };
                format!("{}: \"{reason}\"; {why}", by.after("refused"))
            }
            Some(refused) => format!("{}; {why}", refused.after("refused")),
            None => format!("its start waits for another operator: {why}"),
        }
    }
}
