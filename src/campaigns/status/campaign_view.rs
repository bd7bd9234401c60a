//! The present state of a campaign as JSON.

use serde::Serialize;

use super::campaign::{LaneRateView, Look, look_at_all};
use super::closed_hours::ClosedHours;
use super::error::StatusError;
use super::gaps::{Repeated, Waived};
use super::obstacles::ObstacleView;
use crate::base::domain::{Channel, Outcome, Timestamp};
use crate::campaigns::campaign::{CampaignRow, Launcher, RulesView, campaigns};
use crate::campaigns::report::{FellBack, Show, StepReport};
use crate::rules::forecast::ForecastView;
use crate::store::Batch;

/// The present state of a campaign.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CampaignView<'a> {
    #[serde(flatten)]
    pub show: &'a Show,
    /// When this was read.
    pub at: String,
    /// Recipients reached so far.
    pub reached: i64,
    pub steps: Vec<StepView<'a>>,
    pub lanes: &'a [LaneRateView],
    /// The time of the backup that it was restored from, while its start or resume needs a confirmation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_from: Option<String>,
    /// The start time of a scheduled campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts_at: Option<String>,
    pub server: bool,
    #[serde(flatten)]
    pub forecast: ForecastView,
    /// When every message will have its outcome at the latest, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by: Option<String>,
    pub obstacles: Vec<ObstacleView>,
    /// Deadlines in a gap, in which no receipt could be taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waived: Option<&'a Waived>,
    /// A gap whose receipts the provider still repeats; deadlines wait for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<&'a Repeated>,
    /// Its steps that wait for their send hours.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub closed_hours: &'a [ClosedHours],
    /// Its present rules, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<RulesView<'a>>,
}

/// The progress of a step, with the keys of `campaign report`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct StepView<'a> {
    pub step: u8,
    pub channel: Channel,
    pub handed_over: i64,
    pub sent: i64,
    pub delivered: i64,
    pub read: i64,
    pub undelivered: i64,
    pub rejected: i64,
    pub unknown_count: i64,
    pub reached: i64,
    pub fell_back: &'a FellBack,
}

impl<'a> StepView<'a> {
    const fn new(step: &'a StepReport) -> Self {
        Self {
            step: step.step,
            channel: step.channel,
            handed_over: step.handed_over,
            sent: step.sent,
            delivered: step.delivered,
            read: step.read,
            undelivered: step.undelivered,
            rejected: step.rejected,
            unknown_count: step.unknown_count,
            reached: step.reached,
            fell_back: &step.fell_back,
        }
    }
}

impl<'a> CampaignView<'a> {
    pub fn new(look: &'a Look) -> Self {
        let foreseen = look.forecast.as_ref().filter(|_| !look.is_held);
        Self {
            show: &look.show,
            at: look.at.rfc3339(),
            reached: look.report.outcome(Outcome::Reached),
            steps: look.report.steps.iter().map(StepView::new).collect(),
            lanes: &look.lanes,
            restored_from: look.batch.restored_from.map(Timestamp::rfc3339),
            starts_at: look.batch.starts_at.map(Timestamp::rfc3339),
            server: look.server,
            forecast: ForecastView::new(foreseen, look.finished_by),
            settled_by: look.settled_by.map(Timestamp::rfc3339),
            obstacles: look.obstacles.iter().map(|obstacle| obstacle.view(&look.show.name, look.at)).collect(),
            waived: look.waived.as_ref(),
            repeated: look.repeated.as_ref(),
            closed_hours: &look.closed_hours,
            rules: None,
        }
    }
}

/// A campaign of a list.
#[derive(Debug)]
pub struct Listed {
    pub look: Look,
    pub is_test: bool,
}

/// A campaign of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ListedView<'a> {
    #[serde(flatten)]
    pub campaign: CampaignView<'a>,
    pub messages: u32,
    pub created_at: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

impl Listed {
    /// Looks at every campaign, oldest first; at test sends only with `tests`. Returns also how many were left out.
    pub async fn all(launcher: &Launcher<'_>, tests: bool) -> Result<(Vec<Self>, usize), StatusError> {
        let rows = campaigns(launcher.store).await?;
        let (listed, left_out): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| tests || !row.is_test);
        let listed = listed.into_iter().map(|CampaignRow { batch, is_test }| (batch, is_test));
        Ok((Self::of(launcher, listed.collect()).await?, left_out.len()))
    }

    /// Looks at these campaigns. Each comes with whether it is a test send.
    pub async fn of(launcher: &Launcher<'_>, campaigns: Vec<(Batch, bool)>) -> Result<Vec<Self>, StatusError> {
        let (batches, tests): (Vec<Batch>, Vec<bool>) = campaigns.into_iter().unzip();
        let looks = look_at_all(launcher, batches).await?;
        Ok(looks.into_iter().zip(tests).map(|(look, is_test)| Self { look, is_test }).collect())
    }

    pub fn view(&self) -> ListedView<'_> {
        ListedView {
            campaign: CampaignView::new(&self.look),
            messages: self.look.batch.messages,
            created_at: self.look.batch.created_at.rfc3339(),
            test: self.is_test,
        }
    }
}
