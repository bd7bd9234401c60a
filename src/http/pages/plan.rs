//! The plan of a campaign: what its owners and whoever approves it read before it starts.

use askama::Template;

use super::campaigns::campaign_path;
use super::frame::Frame;
use super::preview::{PreviewStep, button_name, class, language, media_name, values_alone};
use super::texts::ENGLISH;
use crate::campaigns::status::{Look, Obstacle};
use crate::rules::template::preview::{BubbleHeader, Run};

#[derive(Debug, Template)]
#[template(path = "plan.html")]
pub struct PlanPage<'a> {
    pub frame: Frame,
    pub look: &'a Look,
    /// The edition that is shown.
    pub edition: u32,
    pub recipients: i64,
    /// What happens when: a label and a time each.
    pub times: Vec<(&'static str, String)>,
    /// What it costs: a label and an amount each.
    pub costs: Vec<(&'static str, String)>,
    /// Whom of its audiences it is for, its hours and its limits, in sentences.
    pub rules: Vec<String>,
    /// What is doubtful about its limits.
    pub doubts: Vec<String>,
    pub steps: Vec<PreviewStep<'a>>,
}

impl PlanPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.look.show.id)
    }

    /// Whether the reader may approve or refuse it.
    fn may_approve(&self) -> bool {
        let is_another = |obstacle: &Obstacle| matches!(obstacle, Obstacle::NeedsApproval(needs) if !needs.is_author(&self.frame.operator));
        self.frame.may_manage() && self.look.obstacles.iter().any(is_another)
    }

    /// Why a step has no message to show.
    fn no_message(&self) -> &'static str {
        if self.look.batch.purged_at.is_some() { ENGLISH.plan.removed } else { ENGLISH.plan.none_among_first }
    }
}
