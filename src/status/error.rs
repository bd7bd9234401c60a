//! Why the state of a campaign cannot be told.

use crate::campaign::LaunchError;
use crate::store;

#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("the campaign is no longer in the database")]
    Gone,

    #[error("the plan of the campaign is no longer stored")]
    NoPlan,

    #[error(transparent)]
    Forecast(#[from] LaunchError),

    #[error(transparent)]
    Store(#[from] store::Error),
}
