//! The texts about figures over time.

use std::fmt::Display;

use super::texts;
use crate::base::domain::text::{grouped, plural};
use crate::campaigns::report::StepFact;
use crate::http::pages::show::Plain;

texts! {
    /// The texts about figures over time.
    ProgressTexts;
    over_time = "Over time";
    recipients_over_time = "Recipients";
    submissions_over_time = "Submissions a minute";
    submitted_a_minute = "Submitted a minute";
    allowed_a_minute = "Allowed";
    numbers_behind = "The numbers in a table";
    all_numbers = "All as CSV";
    time = "Time";
    tier_now = "Tier now";
    by_days = "First messages by day";
    day = "Day";
    in_other_campaigns = "In other campaigns";
    at_step = "Step";
    any_step = "Any";
    fact = "Result at the step";
    any_fact = "Any: is at this step, or ended at it";
    waits_for_provider = "waits for the provider, which cannot be reached: nothing is submitted meanwhile";
    waits_for_receipts = "everything so far is submitted; receipts and deadlines are awaited";
    nothing_submitted = "Nothing was submitted yet.";
    nothing_submitted_hint = "The first figures appear with the first submission.";
    no_receipt_yet = "No receipt has come yet.";
    no_receipt_yet_hint = "Recipients count as reached once the provider reports it. If no receipt comes within minutes, check under Server, Health that the provider's webhook leads here.";
}

impl ProgressTexts {
    /// What the chart of recipients says.
    pub fn recipients_summary(&self, [from, until]: [&str; 2], [reached, ended, open]: [i64; 3]) -> String {
        let [reached, ended, open] = [reached, ended, open].map(grouped);
        format!("Recipients from {from} to {until}: {reached} reached, {ended} not reached, {open} open")
    }

    /// What the chart of submissions says.
    pub fn submissions_summary(&self, [from, until]: [&str; 2], [most, mean, allowed]: [i64; 3]) -> String {
        let [most, mean, allowed] = [most, mean, allowed].map(grouped);
        format!("Submissions a minute from {from} to {until}: at most {most}, {mean} on average; {allowed} allowed")
    }

    /// How much is allowed, where that is above the scale of the chart.
    pub fn allowed_above(&self, most: i64) -> String {
        format!("{}: up to {}, above this scale", self.allowed_a_minute, grouped(most))
    }

    /// What the bars and percentages of all steps are a part of.
    pub fn funnel_base(&self, recipients: impl Plain<i64>) -> String {
        format!("Bars and percentages: of {}.", plural(recipients.plain(), "recipient", "recipients"))
    }

    /// A number with the recipients behind it, for those who hear the link alone.
    pub fn at_the_step(&self, number: impl Plain<i64>, fact: &str, step: impl Plain<i64>) -> String {
        format!("{} {fact}, step {}", grouped(number.plain()), step.plain())
    }

    /// The tier of a portfolio: `Portfolio acme, 1,000 new recipients a day`.
    pub fn portfolio_of(&self, portfolio: impl AsRef<str>, most: impl Plain<i64>) -> String {
        let portfolio = portfolio.as_ref();
        format!("Portfolio {portfolio}, {} new recipients a day", grouped(most.plain()))
    }

    /// The day of the last recipient.
    pub fn more_days(&self, until: impl Display) -> String {
        format!("More days follow, until {until}.")
    }

    /// How much of a tier is used: `20 of 250 recipients of portfolio acme in the last 24 hours`.
    pub fn tier_used(&self, used: &str, portfolio: &str) -> String {
        format!("{used} recipients of portfolio {portfolio} in the last 24 hours")
    }

    /// What became of a message at a step.
    pub fn step_fact(&self, fact: impl Plain<StepFact>) -> &'static str {
        match fact.plain() {
            StepFact::ToSubmit => "To submit",
            StepFact::Submitted => "Submitted",
            StepFact::Sent => "Sent",
            StepFact::Delivered => "Delivered",
            StepFact::Read => "Read",
            StepFact::Reached => "Reached",
            StepFact::Undelivered => "Undelivered",
            StepFact::Rejected => "Rejected",
            StepFact::Unknown => "Unknown result",
            StepFact::FellBack => "Fell back",
            StepFact::FellDeadline => "Fell back: not in time",
            StepFact::FellUndelivered => "Fell back: undelivered",
            StepFact::FellRejected => "Fell back: rejected",
            StepFact::FellCouldNotLeave => "Fell back: could not be submitted",
            StepFact::FellOutsideWindow => "Fell back: outside the window",
            StepFact::FellMissingVariable => "Fell back: without a value",
            StepFact::FellOptedOut => "Fell back: opted out of it",
        }
    }

    /// The same, beside a number.
    pub fn fell_because(&self, fact: StepFact) -> &'static str {
        match fact {
            StepFact::FellDeadline => "not in time",
            StepFact::FellUndelivered => "undelivered",
            StepFact::FellRejected => "rejected",
            StepFact::FellCouldNotLeave => "could not be submitted",
            StepFact::FellOutsideWindow => "outside the window",
            StepFact::FellMissingVariable => "without a value",
            StepFact::FellOptedOut => "opted out of it",
            _ => self.step_fact(fact),
        }
    }
}
