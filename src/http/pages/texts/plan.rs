//! The texts of the plan of a campaign.

use super::texts;
use crate::base::domain::grouped;
use crate::base::domain::text::plural;

texts! {
    /// The texts of the plan of a campaign.
    PlanTexts;

    tab = "Plan";
    was_changed = "It was changed after its launch:";
    started = "Started";
    starts = "Starts";
    once_started = "at once, when an operator starts it";
    once_approved = "once its templates are approved";
    on_clocks_of_audience = "On the clocks of the audience's countries";
    not_started = "It was not started.";
    budget = "Budget";
    no_cost = "Unknown: its lanes had no prices when it was made.";
    removed = "No message can be shown, because its recipients have been removed.";
    none_among_first = "No message can be shown: this step is for none of the first recipients.";
}

impl PlanTexts {
    /// How many recipients begin with a step.
    pub fn begins(&self, recipients: u64) -> String {
        format!("First message of {}", plural(recipients, "recipient", "recipients"))
    }

    pub fn sent_by(&self, lanes: &str) -> String {
        format!("Sent by {lanes}")
    }

    /// `how` is what the review says of the step.
    pub fn falls_back(&self, how: &str) -> String {
        format!("Falls back {how}")
    }

    pub fn without_number(&self, in_audience: u64) -> String {
        format!("Skipped for recipients without a number ({} in the audience)", grouped(in_audience))
    }
}
