//! Finds the attempts that receipts and replies are about.

use hashbrown::HashMap;

use super::applier::Applier;
use super::incoming::Incoming;
use super::naming::Adoption;
use crate::base::domain::{AddressKey, MessageKey, StepIndex, Umid};
use crate::store::{self, FoundAttempt, Key, Store};

impl Applier {
    pub(super) async fn find(&self, receipts: &[Incoming]) -> store::Result<Vec<Option<FoundAttempt>>> {
        let adoption = self.naming.adoption(self.store.as_ref(), self.clock.now()).await?;
        let found = find(self.store.as_ref(), receipts, &adoption).await?;
        let lost = receipts.iter().zip(&found).filter(|(_, found)| found.is_none());
        self.book.expect(lost.filter_map(|(incoming, _)| incoming.waits(&adoption)));
        Ok(found)
    }

    /// Whether a reply fits this attempt: same channel, and the same recipient.
    pub(super) async fn is_answered_by(&self, incoming: &Incoming, found: &FoundAttempt) -> store::Result<bool> {
        let Some(entry) = self.book.get(found.message.key.batch).await? else { return Ok(false) };
        let on = entry.plan.step(found.step).map(|step| step.channel);
        let of_channel = incoming.channel.is_none() || incoming.channel == on;
        // A channel may know the recipient by another number, and the provider's id alone names the message.
        let is_recipient = |number| AddressKey::from(number).canonical() == found.message.address.canonical();
        Ok(of_channel && (incoming.names_umid() || incoming.msisdn.is_none_or(is_recipient)))
    }
}

/// Finds the attempts of receipts, by the surest key first and by the next ones where that fails. If a number leads
/// several umids to one attempt, the first umid wins.
pub(super) async fn find(
    store: &dyn Store,
    receipts: &[Incoming],
    adoption: &Adoption,
) -> store::Result<Vec<Option<FoundAttempt>>> {
    let mut found: Vec<Option<FoundAttempt>> = vec![None; receipts.len()];
    let mut ways: Vec<_> = receipts.iter().map(|incoming| incoming.keys(adoption)).collect();
    let mut names: HashMap<(MessageKey, StepIndex), &Option<Umid>> = HashMap::new();
    loop {
        let lost = ways.iter_mut().enumerate().filter(|(position, _)| found[*position].is_none());
        let (positions, keys): (Vec<usize>, Vec<Key>) =
            lost.filter_map(|(position, way)| Some((position, way.next()?))).unzip();
        if keys.is_empty() {
            return Ok(found);
        }
        for (position, attempt) in positions.into_iter().zip(store.find(keys).await?) {
            let umid = &receipts[position].umid;
            let mut is_its_name =
                |found: &FoundAttempt| *names.entry((found.message.key, found.step)).or_insert(umid) == umid;
            found[position] = attempt.filter(|found| !found.by_number || is_its_name(found));
        }
    }
}
