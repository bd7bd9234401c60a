//! Warns about steps of marketing on WhatsApp for recipients in the United States.

use std::collections::BTreeMap;

use super::lint::{Lint, Warnings};
use crate::base::domain::{Country, OnRecipientLimit, Plan, Step, StepIndex, UsMarketing, plural};

impl Warnings {
    /// Says what happens to recipients in the United States at a step of marketing on WhatsApp.
    pub(super) fn us_marketing(
        &mut self,
        plan: &Plan,
        index: StepIndex,
        step: &Step,
        recipients: &BTreeMap<Country, u64>,
    ) {
        let us = Country::UNITED_STATES;
        let (Some(wanted), Some(theirs)) = (step.us_marketing, recipients.get(&us)) else { return };
        if !step.content.is_marketing() || !step.chosen_countries().contain(Some(us)) {
            return;
        }
        let theirs = plural(*theirs, "recipient in the United States", "recipients in the United States");
        let begin = format!("WhatsApp delivers no marketing to numbers of the United States, and {theirs} ");
        let next = plan.indexed_steps().find(|(later, step)| *later > index && step.countries.contain(Some(us)));
        let sentence = match (wanted, next) {
            (UsMarketing::FallBack, Some((next, step))) => {
                format!("{begin}skip this step: for them, step {next}, {}, is used", step.channel)
            }
            (UsMarketing::FallBack, None) => format!("{begin}skip this step, and no later one applies to them"),
            (UsMarketing::Send, _) => {
                let again = match step.on_recipient_limit {
                    OnRecipientLimit::FallBack => "",
                    OnRecipientLimit::Retry => ", and is sent to them again each day (on_recipient_limit)",
                };
                format!("{begin}are sent this step all the same: it fails for them{again}")
            }
        };
        self.warn(Lint::UsMarketing, sentence);
    }
}
