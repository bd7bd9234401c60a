//! A campaign as it stood at one moment, copied before anything is made of it.

use tokio::sync::watch;

use crate::domain::BatchId;
use crate::store::{Copied, Result, Scope, Store, Walk};

/// How far something is that goes over all messages of a campaign: first it copies them, then it looks at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    Copied(u64),
    Seen(u64),
}

/// Copies a batch. `seen` is told, now and then, how many messages of how many are copied. Nothing where there is no such
/// batch.
pub(super) async fn copied(
    store: &dyn Store,
    batch: BatchId,
    scope: Scope,
    seen: &mut impl FnMut(Progress, u64),
) -> Result<Option<Walk>> {
    let (tell, mut told) = watch::channel(Copied::default());
    let copying = store.walk(batch, scope, tell);
    tokio::pin!(copying);
    loop {
        tokio::select! {
            biased;
            walk = &mut copying => return walk,
            Ok(()) = told.changed() => {
                let Copied { messages, of } = *told.borrow_and_update();
                seen(Progress::Copied(messages), of);
            }
        }
    }
}
