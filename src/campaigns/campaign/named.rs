//! Lists campaigns, and finds the one that an operator names.

use crate::base::domain::{CampaignId, InvalidId, nearest, suggestion};
use crate::store::{self, Batch, Store};

/// The word for the campaign that was launched last.
pub const LATEST: &str = "latest";
/// How the public id of a campaign begins.
const ID: &str = "cmp_";

/// A campaign in a list.
#[derive(Debug, Clone)]
pub struct CampaignRow {
    pub batch: Batch,
    /// Whether it is a test send (`campaign test`), which operators rarely want to see.
    pub is_test: bool,
}

/// Lists all campaigns in the order of their launches.
pub async fn campaigns(store: &dyn Store) -> store::Result<Vec<CampaignRow>> {
    let (batches, tests) = (store.batches(None).await?, store.test_batches().await?);
    Ok(batches.into_iter().map(|batch| CampaignRow { is_test: tests.contains(&batch.id), batch }).collect())
}

/// Why no campaign was found.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// No campaign has this name; `nearest` is the name that was probably meant.
    #[error("unknown campaign \"{name}\"; {}", suggestion(nearest.as_deref(), "see `volley campaign list`"))]
    Unknown { name: String, nearest: Option<String> },

    #[error("unknown campaign {id}: it is not in this database; see `volley campaign list`")]
    UnknownId { id: CampaignId },

    #[error(transparent)]
    InvalidId(#[from] InvalidId),

    #[error(
        "there is no latest campaign, because none has been launched; to launch one: volley campaign launch promo.toml"
    )]
    NoneLaunched,

    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Finds a campaign by its name, by its id, or as `latest`: the campaign that was launched last.
///
/// - An id is `cmp_…`, or the `batchId` of the 8x8 API.
/// - A name comes first, so a campaign that is called `latest` is found by its name.
/// - A draft may be the latest campaign; a test send is not.
pub async fn find(store: &dyn Store, text: &str) -> Result<Batch, FindError> {
    if let Some(batch) = find_exactly(store, text).await? {
        return Ok(batch);
    }
    if text == LATEST {
        return latest(store).await?.ok_or(FindError::NoneLaunched);
    }
    let known: Vec<String> = store.batches(None).await?.into_iter().filter_map(|batch| batch.name).collect();
    let nearest = nearest(text, known.iter().map(String::as_str).chain([LATEST])).map(str::to_owned);
    Err(FindError::Unknown { name: text.to_owned(), nearest })
}

/// Finds a campaign by its name or by its id, at a cost that does not grow with the number of campaigns.
pub async fn find_exactly(store: &dyn Store, text: &str) -> Result<Option<Batch>, FindError> {
    if let Some(batch) = store.batch_named(text).await? {
        return Ok(Some(batch));
    }
    let id: CampaignId = match text.parse() {
        Ok(id) => id,
        Err(error) if text.starts_with(ID) => return Err(error.into()),
        Err(_) => return Ok(None),
    };
    find_by_id(store, id).await?.map(Some).ok_or(FindError::UnknownId { id })
}

/// Finds a campaign, or a batch of API calls, by its id.
pub async fn find_by_id(store: &dyn Store, id: CampaignId) -> store::Result<Option<Batch>> {
    Ok(store.batch(id.batch).await?.filter(|batch| batch.public_id() == id))
}

/// The campaign that was launched last. Messages of API calls form batches without a name, which are no campaigns.
async fn latest(store: &dyn Store) -> store::Result<Option<Batch>> {
    let mut rows = campaigns(store).await?.into_iter().rev();
    Ok(rows.find(|row| row.batch.name.is_some() && !row.is_test).map(|row| row.batch))
}
