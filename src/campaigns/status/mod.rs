//! What servers, campaigns, lanes and templates do now, and what keeps messages from being sent.
//!
//! In: the store, the configuration, and the time.
//! Out: one look at the servers ([`Servers`]), at a campaign ([`Watcher`]), at the lanes ([`Lanes`]) with their queues
//! ([`queues`]), and at the templates ([`Templates`]); each obstacle with what to do ([`Obstacle`]); findings about the
//! whole installation ([`Findings`]); and each of these as JSON.
//! Promises: the same words for every command and page. Each look reads the state once.
//! May not: change anything, or print. A check of the disk writes a file without a name, which is gone at once.

mod campaign;
mod campaign_view;
mod closed_hours;
mod error;
mod gaps;
mod health;
pub mod holds;
mod lanes;
mod obstacles;
pub mod overrides;
mod queues;
pub mod reports;
mod servers;
mod slow;
mod templates;

pub use campaign::{LaneRateView, Look, TierGauge, Watcher};
pub use campaign_view::{CampaignView, Listed, ListedView, StepView};
pub use closed_hours::ClosedHours;
pub use error::StatusError;
pub use gaps::{Repeated, Waived};
pub use health::{FindingView, Findings, Health, HealthView};
pub use holds::HoldView;
pub use lanes::{LaneDecisionView, LaneView, Lanes, TierView};
pub use obstacles::{Obstacle, ObstacleView};
pub use overrides::OverrideView;
pub use queues::{LaneWithQueuesView, QueueView, queues};
pub use reports::ReportedView;
pub use servers::Servers;
pub use slow::{ComplaintView, LaneNowView, Slow, StandingView};
pub use templates::{KnownTemplateView, TemplateHistory, TemplateReportView, TemplateView, Templates};
