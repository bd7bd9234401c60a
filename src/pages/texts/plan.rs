//! The texts of the plan of a campaign.

use super::texts;

texts! {
    /// The texts of the plan of a campaign.
    PlanTexts;

    tab = "Plan";
    was_changed = "It was changed since it was made:";
    started = "Started";
    starts = "Starts";
    once_started = "once an operator starts it";
    not_known = "once its templates are approved";
    budget = "Budget";
    no_cost = "Unknown: its lanes had no prices when it was made.";
    no_messages = "No messages can be shown: their recipients have been removed.";
}

impl PlanTexts {
    pub fn sent_by(&self, lanes: &str) -> String {
        format!("Sent by {lanes}")
    }

    /// `how` is what the review says of the step.
    pub fn falls_back(&self, how: &str) -> String {
        format!("Falls back {how}")
    }
}
