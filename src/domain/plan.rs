//! The plan of a batch: its route and everything else that is frozen at launch and stored once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{
    Channel, Content, Countries, Country, Hours, Limits, Marks, Pool, Prices, Sources, Span, Status, StepIndex,
    StopRule, Subject, Timestamp, Zone,
};

words! {
    /// What to do where the provider may still deliver a template after its step has given way.
    OnOverlap, "on_overlap" {
        /// Say so in the plan, and go on.
        Warn = 0, "warn";
        /// Move the deadline past the template's TTL.
        Wait = 1, "wait";
        /// Refuse the campaign.
        Refuse = 2, "refuse";
    }
}

words! {
    /// What to do with an attempt of which nobody knows whether it happened.
    OnUnknown, "on_unknown" {
        /// Let its deadline decide; sending again is a person's choice.
        Keep = 0, "keep";
        /// Send the same step again: for those to whom a miss is worse than a double.
        Resend = 1, "resend";
    }
}

words! {
    /// What becomes of deadlines that fell into a time in which receipts were lost for good.
    AfterGap, "after_gap" {
        /// Ask the provider; fall back where it says that the message did not arrive.
        Ask = 0, "ask";
        /// Wait for the TTL or the receipt window.
        Wait = 1, "wait";
        /// Fall back as if the silence were news.
        FallBack = 2, "fall_back";
    }
}

words! {
    /// What a step does when its portfolio's tier is spent.
    OnTierSpent, "on_tier_spent" {
        Wait = 0, "wait";
        FallBack = 1, "fall_back";
    }
}

words! {
    /// What becomes of a start that was missed because no server ran.
    OnMissed, "on_missed" {
        /// It is made up for, however late.
        Start = 0, "start";
        /// It is not, and the campaign with it.
        Skip = 1, "skip";
    }
}

/// One step of a route. Everything optional in a campaign file has its value here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub channel: Channel,
    /// Who sends it.
    pub lanes: Pool,
    /// Time from acceptance to the next step. Without it, the step gives way only on failure.
    pub fallback_after: Option<Span>,
    /// What ends the message well. Never more than the channel reports.
    pub success: Status,
    /// How long after acceptance receipts are waited for.
    pub receipt_window: Span,
    /// How long after its hand-over the provider may deliver it, and it may be tried again. A template says that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// How long the step may wait to leave.
    pub leave_within: Option<Span>,
    pub on_tier_spent: OnTierSpent,
    /// When it may leave.
    #[serde(default, skip_serializing_if = "Hours::are_all")]
    pub hours: Hours,
    /// What of it may leave at most, and what each message costs, where that is known.
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "Prices::is_empty")]
    pub prices: Prices,
    /// For whom the step is; everybody else's messages pass it over.
    #[serde(default, skip_serializing_if = "Countries::is_everywhere")]
    pub countries: Countries,
    pub content: Content,
}

impl Step {
    /// A text with nothing else said about it.
    pub fn of_text(channel: Channel, lane: &str, text: &str) -> Self {
        Self {
            channel,
            lanes: Pool::of_one(lane),
            fallback_after: None,
            success: channel.default_success(),
            receipt_window: channel.receipt_window(),
            ttl: None,
            leave_within: None,
            on_tier_spent: OnTierSpent::Wait,
            hours: Hours::default(),
            limits: Limits::default(),
            prices: Prices::default(),
            countries: Countries::Everywhere,
            content: Content::Text { text: text.to_owned(), source: Sources::default(), encoding: None },
        }
    }

    /// The sender of an SMS to somebody of a country, by one of its lanes: what the step says, else what the lane does.
    pub fn source(&self, lane: &str, country: Country) -> Option<&str> {
        let Content::Text { source, .. } = &self.content else { return None };
        source.of(country).or_else(|| self.lanes.member(lane)?.source.as_deref())
    }

    /// Whether what it hands over to people of a country differs from what it hands over to most.
    pub fn differs_in(&self, country: Country) -> bool {
        matches!(&self.content, Content::Text { source, .. } if source.by_country.contains_key(&country))
    }

    /// Whether what it sends differs between recipients, as far as a refusal with this subject is concerned.
    pub fn varies_in(&self, subject: Subject) -> bool {
        match subject {
            Subject::Number | Subject::Operator | Subject::Unsaid => true,
            Subject::Text | Subject::Parameter => self.content.has_variables(),
            Subject::Media => self.content.has_variable_media(),
            Subject::Template | Subject::Account => false,
        }
    }

    /// Whether it costs money. Where nobody says what anything costs, an SMS does.
    pub fn is_paid(&self) -> bool {
        if self.prices.is_empty() { self.channel == Channel::Sms } else { self.prices.cost_something() }
    }

    /// How long after its hand-over the provider may deliver it, as far as anything says so.
    pub fn delivers_for(&self) -> Option<Span> {
        match &self.content {
            Content::Template(template) => Some(template.effective_ttl()),
            Content::Text { .. } => self.ttl,
        }
    }
}

/// What a batch was launched with. Stored once, by the digest of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Names of the audience's columns, in the order of a recipient's fields.
    pub columns: Vec<String>,
    /// From one to seven, in the order in which they are tried.
    pub steps: Vec<Step>,
    /// From a message's first hand-over: no step leaves later than this.
    pub ttl: Option<Span>,
    /// When it was to begin, whatever its hours make of that; nothing stands for its launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The latest first hand-over.
    pub end: Option<Timestamp>,
    pub on_unknown: OnUnknown,
    pub after_gap: AfterGap,
    /// Nothing stands for the usual: made up for within an hour, and later left to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missed: Option<OnMissed>,
    /// What may leave at most, over all steps.
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    pub limits: Limits,
    /// Of its prices and budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// When it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_when: Option<StopRule>,
    /// When the next step that costs something is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_paid_when: Option<StopRule>,
    /// Over how long its beginning is spread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Span>,
    /// In which its times are shown to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Whether its people are those of an earlier campaign, or were chosen among them: who of their files got nothing is
    /// that one's to tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_again: bool,
}

impl Plan {
    /// Steps with nothing else said about them.
    pub fn of_steps(steps: Vec<Step>) -> Self {
        Self {
            columns: Vec::new(),
            steps,
            ttl: None,
            at: None,
            end: None,
            on_unknown: OnUnknown::Keep,
            after_gap: AfterGap::Ask,
            on_missed: None,
            limits: Limits::default(),
            currency: None,
            pause_when: None,
            hold_paid_when: None,
            over: None,
            time_zone: None,
            is_again: false,
        }
    }

    /// The step at a place.
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(index.index())
    }

    /// What is known of a message to this country before it begins: the steps that are not for it. Nothing stands for a
    /// country that no step names.
    pub fn marks_at_first(&self, country: Option<Country>) -> Marks {
        let not_for_it = self.places().filter(|(_, step)| !step.countries.contain(country));
        not_for_it.fold(Marks::default(), |marks, (index, _)| marks.with_passed_over(index))
    }

    /// Where a message begins: at the first step that is for it, if any is.
    pub fn first(&self, marks: Marks) -> Option<StepIndex> {
        self.places().map(|(index, _)| index).find(|index| !marks.passed_over(*index))
    }

    /// Where a message goes from `index`: to the next step that is for it, if any is.
    pub fn after(&self, index: StepIndex, marks: Marks) -> Option<StepIndex> {
        marks.following(index, self.steps.len())
    }

    /// Whether the route ends with this place, whoever the others are for.
    pub fn ends_with(&self, index: StepIndex) -> bool {
        index.index() + 1 >= self.steps.len()
    }

    /// The countries that any step, or any lane of one, names. All others are alike.
    pub fn named_countries(&self) -> BTreeSet<Country> {
        self.steps.iter().flat_map(|step| step.countries.named().chain(step.lanes.named_countries())).collect()
    }

    /// Every lane that a step may leave by.
    pub fn lanes(&self) -> Vec<(String, Channel)> {
        let named = |step: &Step| step.lanes.names().map(|name| (name.to_owned(), step.channel)).collect::<Vec<_>>();
        self.steps.iter().flat_map(named).collect()
    }

    /// Whether some of its messages begin later than others.
    pub fn begins_apart(&self) -> bool {
        self.over.is_some() || self.steps.iter().any(|step| !step.hours.are_all())
    }

    /// The steps with their places.
    pub fn places(&self) -> impl Iterator<Item = (StepIndex, &Step)> {
        StepIndex::all().zip(&self.steps)
    }

    /// The place of the only step on a channel: a channel stands once in a route, because a receipt names no step.
    pub fn on_channel(&self, channel: Channel) -> Option<StepIndex> {
        self.places().find(|(_, step)| step.channel == channel).map(|(index, _)| index)
    }
}
