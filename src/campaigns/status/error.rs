//! Why the state of a campaign cannot be told.

use crate::base::domain::suggestion;
use crate::campaigns::campaign::LaunchError;
use crate::store;

#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    #[error("the campaign is no longer in the database")]
    Gone,

    #[error("the plan of the campaign is no longer stored")]
    NoPlan,

    /// `nearest` is the name that was probably meant.
    #[error("unknown template \"{name}\"; {}", suggestion(nearest.as_deref(), "see `volley template list`"))]
    UnknownTemplate { name: String, nearest: Option<String> },

    #[error(transparent)]
    Forecast(#[from] LaunchError),

    #[error(transparent)]
    Store(#[from] store::Error),
}
