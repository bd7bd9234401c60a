//! A forecast as JSON, with the same keys for a plan and for a campaign that runs.

use serde::Serialize;

use super::{Booking, Forecast, NotSent};
use crate::base::domain::Timestamp;

/// What a forecast says of the messages that are queued, or that a launch would queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ForecastView {
    /// When all of them will be submitted. `None` if that is never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_by: Option<String>,
    /// What limits that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<String>,
    /// When the last message will be submitted if every message falls back at every step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_by: Option<String>,
    /// Messages that are not sent, and what stops them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<NotSent>,
    /// The tier slots that they use, by day.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bookings: Vec<Booking>,
}

impl ForecastView {
    /// `forecast` is `None` if nothing can be predicted.
    pub fn new(forecast: Option<&Forecast>, finished_by: Option<Timestamp>) -> Self {
        let Some(Forecast { done_at, left_behind, bottleneck, bookings }) = forecast else { return Self::default() };
        Self {
            left_by: left_behind.is_empty().then(|| done_at.rfc3339()),
            bottleneck: bottleneck.as_ref().map(ToString::to_string),
            finished_by: finished_by.map(Timestamp::rfc3339),
            left_behind: left_behind.clone(),
            bookings: bookings.clone(),
        }
    }

    /// Leaves out the times, and what limits them: a hold has to be released first.
    pub fn without_times(self) -> Self {
        Self { left_by: None, bottleneck: None, finished_by: None, ..self }
    }
}
