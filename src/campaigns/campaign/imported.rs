//! Gathers the recipients of an audience that was imported before, as far as they get a message.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinHandle;

use super::recipients::{Gathering, PAGE, Part, Recipients, RecipientsError, SHOWN};
use crate::base::domain::{Address, AudienceId, Recipient};
use crate::recipients::audience::{
    self, BoundSelection, ImportRecord, KnownRecipients, RecipientObserver, SourceFilter, Survey,
};
use crate::store::Audience;

impl Gathering<'_> {
    /// Adds an imported audience by the summary of its import, without reading its rows again. The rows are read only
    /// if some are to be selected, or compared with other sources or with opt-outs.
    pub(super) async fn add_imported(
        &self,
        recipients: &mut Recipients,
        audience: Audience,
        known: Known<'_>,
    ) -> Result<(), RecipientsError> {
        let selection = match known.selection {
            Some(selection) => Some(self.with_notations(selection, recipients, &audience).await?),
            None => None,
        };
        let known = Known { selection: selection.as_ref(), ..known };
        for part in &audience.parts {
            let record = ImportRecord::of(part)?;
            let summary = record.summary.unwrap_or_default();
            recipients.add_users(&summary);
            for (country, count) in summary.countries {
                *recipients.countries.entry(country).or_default() += count;
            }
            let mut survey = Survey {
                columns: audience.columns.clone(),
                odd: record.odd,
                first: self.first(part.id, known).await?,
                recipients: u64::from(part.recipients),
            };
            let left_out = match known {
                Known { selection: None, beside: None, opted_out: None, observer: None } => Vec::new(),
                known => self.leave_out(part.id, known, recipients, &mut survey).await?,
            };
            recipients.audiences.push(Part { id: part.id, recipients: part.recipients, left_out, own: false });
            recipients.add(&audience.name, survey, &summary.number_column)?;
        }
        recipients.call(&audience.name);
        Ok(())
    }

    /// The selection as the audience writes the numbers and dates that it compares.
    async fn with_notations(
        &self,
        selection: &BoundSelection,
        recipients: &mut Recipients,
        audience: &Audience,
    ) -> Result<BoundSelection, RecipientsError> {
        let mut evidence = selection.evidence();
        if evidence.is_empty() {
            return Ok(selection.clone());
        }
        for part in &audience.parts {
            for from in (0..part.recipients).step_by(PAGE as usize) {
                for row in self.store.recipients(part.id, from, PAGE).await? {
                    let fields = row.fields.unpack().unwrap_or_default();
                    evidence.see(|column| fields.get(column).map_or("", |field| field));
                }
            }
        }
        recipients.misread.extend(evidence.misread(&audience.columns));
        Ok(selection.reading(&evidence))
    }

    /// The first few recipients that are selected and have not opted out, for display.
    async fn first(&self, audience: AudienceId, known: Known<'_>) -> Result<Vec<Recipient>, RecipientsError> {
        let looked_at = if known.selection.is_some() || known.opted_out.is_some() { PAGE } else { SHOWN };
        let mut first = self.store.recipients(audience, 0, looked_at).await?;
        first.retain(|recipient| {
            known.selects(recipient) && !recipient.address.as_ref().is_some_and(|it| known.has_opted_out(it))
        });
        first.truncate(SHOWN as usize);
        Ok(first)
    }

    /// Finds the positions of recipients that are not selected, or that an earlier source already has. Takes them, and
    /// opted-out recipients, out of the counts. The observer sees the others.
    async fn leave_out(
        &self,
        audience: AudienceId,
        known: Known<'_>,
        recipients: &mut Recipients,
        survey: &mut Survey,
    ) -> Result<Vec<u32>, RecipientsError> {
        let mut left_out = Vec::new();
        let mut from = 0;
        // The observer looks at a page while the next one is read.
        let mut looking: Option<JoinHandle<()>> = None;
        loop {
            let (mut rows, mut page) = (Vec::new(), Vec::new());
            if known.selection.is_some() || known.observer.is_some() {
                rows = self.store.recipients(audience, from, PAGE).await?;
                page.extend(rows.iter().map(|row| row.address.clone()));
            } else {
                page = audience::addresses(self.store, audience, from, PAGE).await?;
            }
            if page.is_empty() {
                ended(looking).await;
                return Ok(left_out);
            }
            let unselected = (from..).zip(&rows).filter(|(_, row)| !known.selects(row)).map(|(n, _)| n);
            let unselected: Vec<u32> = unselected.collect();
            // A recipient that is not selected may come again in another source.
            let known_as: Vec<(u32, Address)> = (from..).zip(page).filter_map(|(n, it)| Some((n, it?))).collect();
            let selected = known_as.iter().filter(|(n, _)| unselected.binary_search(n).is_err());
            let selected = selected.map(|(n, address)| (*n, address));
            let had = known.beside.map(|filter| filter.record_page(selected)).unwrap_or_default();
            let has_opted_out = known_as.iter().any(|(_, address)| known.has_opted_out(address));
            if rows.is_empty() && (!had.is_empty() || has_opted_out) {
                rows = self.store.recipients(audience, from, PAGE).await?;
            }
            let mut kept = Vec::new();
            for (n, recipient) in (from..).zip(rows) {
                if unselected.binary_search(&n).is_ok() {
                    recipients.not_selected += 1;
                    recipients.unselected += 1;
                } else if had.binary_search(&n).is_ok() {
                    recipients.across += 1;
                } else if recipient.address.as_ref().is_some_and(|it| known.has_opted_out(it)) {
                    recipients.opted_out += 1;
                } else {
                    kept.push(recipient);
                    continue;
                }
                survey.forget(&recipient);
                let users =
                    recipients.without_number.get_mut(&recipient.country).filter(|_| recipient.number().is_none());
                for count in recipients.countries.get_mut(&recipient.country).into_iter().chain(users) {
                    *count = count.saturating_sub(1);
                }
            }
            if let Some(observer) = known.observer.cloned() {
                ended(looking.take()).await;
                looking = Some(tokio::task::spawn_blocking(move || observer.observe(&kept)));
            }
            recipients.countries.retain(|_, count| *count > 0);
            left_out.extend(unselected.into_iter().chain(had).collect::<BTreeSet<u32>>());
            from += PAGE;
        }
    }
}

/// What decides which recipients of an imported audience get a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) selection: Option<&'a BoundSelection>,
    /// The recipients of the other sources.
    pub(super) beside: Option<&'a SourceFilter>,
    /// Knows who has opted out; `None` if nobody is left out for that.
    pub(super) opted_out: Option<&'a KnownRecipients>,
    /// Sees the recipients that get a message.
    pub(super) observer: Option<&'a Arc<dyn RecipientObserver>>,
}

/// Waits until the observer has seen a page. If it panicked, this does too.
async fn ended(looking: Option<JoinHandle<()>>) {
    if let Some(looking) = looking
        && let Err(error) = looking.await
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

impl Known<'_> {
    fn selects(&self, recipient: &Recipient) -> bool {
        self.selection.is_none_or(|selection| {
            let fields = recipient.fields.unpack().unwrap_or_default();
            selection.selects(|column| fields.get(column).map_or("", |field| field))
        })
    }

    fn has_opted_out(&self, address: &Address) -> bool {
        self.opted_out.is_some_and(|known| known.has_opted_out(address))
    }
}
