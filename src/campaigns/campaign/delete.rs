//! Deletes drafts.

use std::collections::BTreeSet;

use crate::base::domain::{AudienceId, BatchState, Timestamp};
use crate::base::events::Origin;
use crate::store::{Batch, Error, Result, Store};

/// The result of deleting a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    Gone,
    /// It is no draft, so messages of it may have been sent.
    Refused(BatchState),
}

/// Deletes a draft with its messages, and the recipients that were imported for it alone. Nothing of it was sent.
pub async fn delete_draft(store: &dyn Store, batch: &Batch, by: &Origin, now: Timestamp) -> Result<Deleted> {
    if !store.remove_draft(batch.id, by.clone(), now).await? {
        let state = store.batch(batch.id).await?.map_or(batch.state, |batch| batch.state);
        return Ok(Deleted::Refused(state));
    }
    let audiences = store.audiences().await?;
    let named: BTreeSet<AudienceId> =
        audiences.iter().flat_map(|audience| &audience.parts).map(|part| part.id).collect();
    for audience in batch.audience_ids.iter().filter(|id| !named.contains(id)) {
        match store.remove_audience(*audience).await {
            // A copy of the draft uses it too.
            Ok(()) | Err(Error::InUse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Deleted::Gone)
}
