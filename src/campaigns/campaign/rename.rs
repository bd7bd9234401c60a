//! Gives a campaign another name.

use crate::base::domain::Timestamp;
use crate::base::events::Origin;
use crate::store::{Batch, Error, Store};

/// Why a campaign cannot be renamed.
#[derive(Debug, thiserror::Error)]
pub enum RenameError {
    #[error("campaign \"{name}\" already exists; choose another name")]
    NameTaken { name: String },

    #[error("these are single messages of API calls, not a campaign, so they have no name")]
    Nameless,

    #[error(transparent)]
    Store(Error),
}

/// Gives a campaign another name, in any state. The former name is free for another campaign.
pub async fn rename(
    store: &dyn Store,
    batch: &Batch,
    name: &str,
    by: &Origin,
    now: Timestamp,
) -> Result<(), RenameError> {
    if batch.name.as_deref() == Some(name) {
        return Ok(());
    }
    match store.rename_batch(batch.id, name.to_owned(), by.clone(), now).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(RenameError::Nameless),
        Err(Error::NameTaken { name }) => Err(RenameError::NameTaken { name }),
        Err(error) => Err(RenameError::Store(error)),
    }
}
