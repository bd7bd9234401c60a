//! Copies a campaign as it stood at one moment, before anything is made of it.

use tokio::sync::watch;

use crate::base::domain::BatchId;
use crate::store::{Copied, Messages, Result, Scope, Walk};

/// The progress of an operation over all messages of a campaign: first it copies them, then it reads each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyProgress {
    Copied(u64),
    Seen(u64),
}

/// Copies a batch. Returns `None` if the batch does not exist. Calls `seen` now and then with the number of messages
/// copied and the total.
pub(crate) async fn copied(
    store: &dyn Messages,
    batch: BatchId,
    scope: Scope,
    seen: &mut impl FnMut(CopyProgress, u64),
) -> Result<Option<Walk>> {
    let (sender, mut progress) = watch::channel(Copied::default());
    let copying = store.walk(batch, scope, sender);
    tokio::pin!(copying);
    loop {
        tokio::select! {
            biased;
            walk = &mut copying => return walk,
            Ok(()) = progress.changed() => {
                let Copied { messages, of } = *progress.borrow_and_update();
                seen(CopyProgress::Copied(messages), of);
            }
        }
    }
}
