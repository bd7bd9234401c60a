//! The plan of a batch: its route, and everything else that the launch freezes and stores once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::word::words;
use super::{
    Category, Channel, Content, Countries, Country, Heeds, Hours, Limits, Marks, Money, Names, OptOutOf, Pool, Prices,
    Purpose, RefusalSubject, SmsEncoding, Sources, Span, Status, StepIndex, StopRule, Timestamp, Values, Zone,
};

words! {
    /// The action if the provider may still deliver a template after its step has fallen back.
    OnOverlap, "on_overlap" {
        /// Warn in the plan, and launch.
        Warn = 0, "warn";
        /// Move the deadline past the template's TTL.
        Wait = 1, "wait";
        /// Refuse the campaign.
        Refuse = 2, "refuse";
    }
}

words! {
    /// The action for an attempt of which it is unknown whether the provider accepted it.
    OnUnknown, "on_unknown" {
        /// Let its deadline decide; only an operator may resend it.
        Keep = 0, "keep";
        /// Resend the same step: for campaigns in which a miss is worse than a double.
        Resend = 1, "resend";
    }
}

words! {
    /// The action for deadlines that fell into a time in which receipts were lost for good.
    AfterGap, "after_gap" {
        /// Ask the provider; fall back if it reports that the message did not arrive.
        Ask = 0, "ask";
        /// Wait for the TTL or the receipt window.
        Wait = 1, "wait";
        /// Fall back as if no receipt had been lost.
        FallBack = 2, "fall_back";
    }
}

words! {
    /// The action of a step whose portfolio's tier is spent.
    OnTierSpent, "on_tier_spent" {
        Wait = 0, "wait";
        FallBack = 1, "fall_back";
    }
}

words! {
    /// The action of a step to a recipient whose limit at the provider is reached.
    OnRecipientLimit, "on_recipient_limit" {
        FallBack = 0, "fall_back";
        /// Send it again a day later.
        Retry = 1, "retry";
    }
}

words! {
    /// The action of a step of marketing on WhatsApp to a number of the United States: Meta delivers none to these.
    UsMarketing, "us_marketing" {
        FallBack = 0, "fall_back";
        /// Send it all the same.
        Send = 1, "send";
    }
}

words! {
    /// The action for a scheduled start that was missed because no server ran.
    OnMissed, "on_missed" {
        /// Start the campaign, however late.
        Start = 0, "start";
        /// Skip the start, and the campaign with it.
        Skip = 1, "skip";
    }
}

words! {
    /// The action for a recipient who lacks a value for a variable without a default.
    OnMissingValue, "on_missing_value" {
        /// Do not send the step to it; send the next step.
        NextStep = 0, "next_step";
        /// Send it no message.
        Skip = 1, "skip";
        /// Refuse the campaign.
        Refuse = 2, "refuse";
    }
}

words! {
    /// What a campaign waits for before it begins, besides its start time.
    BeginsWhen, "when" {
        /// Its templates are approved.
        Approved = 0, "approved";
    }
}

/// One step of a route. Everything that is optional in a campaign file has its value here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub channel: Channel,
    /// What it is for, if somebody has said so: see [`Plan::purpose`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The lanes that send it.
    pub lanes: Pool,
    /// Time from acceptance to the next step. Without it, the step falls back only on failure.
    pub fallback_after: Option<Span>,
    /// The status at which the message counts as reached. Never more than the channel reports.
    pub success: Status,
    /// How long after acceptance the step waits for receipts.
    pub receipt_window: Span,
    /// How long after its submission the provider may deliver the step, and Volley may retry it. A template has its own
    /// TTL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Span>,
    /// How long the step may wait for its submission.
    pub leave_within: Option<Span>,
    pub on_tier_spent: OnTierSpent,
    #[serde(default = "OnRecipientLimit::usual", skip_serializing_if = "OnRecipientLimit::is_usual")]
    pub on_recipient_limit: OnRecipientLimit,
    /// What it does to numbers of the United States, if it is of marketing on WhatsApp. If they fall back, `countries`
    /// leaves them out. Plans of before say nothing, and their steps are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub us_marketing: Option<UsMarketing>,
    /// When the step may be submitted.
    #[serde(default, skip_serializing_if = "Hours::are_all")]
    pub hours: Hours,
    /// The step's limits. The prices below say what each message costs, if that is known.
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    pub limits: Limits,
    #[serde(default, skip_serializing_if = "Prices::is_empty")]
    pub prices: Prices,
    /// The countries to which the step applies; messages to other countries skip it.
    #[serde(default, skip_serializing_if = "Countries::is_everywhere")]
    pub countries: Countries,
    /// The recipient's id on the channel: on LINE, or on WhatsApp where it shows no number. It may contain variables.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "line_user_id")]
    pub user_id: Option<String>,
    /// Whether an SMS is written in plain characters if GSM-7 has one for each.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub transliterate: bool,
    pub content: Content,
}

impl OnRecipientLimit {
    /// How long the provider's limit for a recipient lasts at least. A retry waits for this long.
    pub const REST: Span = Span::from_secs(24 * 3_600);

    /// What a step does that says nothing.
    pub const fn usual() -> Self {
        Self::FallBack
    }

    const fn is_usual(&self) -> bool {
        matches!(self, Self::FallBack)
    }
}

impl Step {
    /// A text step with the default of every other setting.
    pub fn of_text(channel: Channel, lane: &str, text: &str) -> Self {
        Self {
            channel,
            purpose: None,
            lanes: Pool::of_one(lane),
            fallback_after: None,
            success: channel.default_success(),
            receipt_window: channel.receipt_window(),
            ttl: None,
            leave_within: None,
            on_tier_spent: OnTierSpent::Wait,
            on_recipient_limit: OnRecipientLimit::usual(),
            us_marketing: None,
            hours: Hours::default(),
            limits: Limits::default(),
            prices: Prices::default(),
            countries: Countries::Everywhere,
            user_id: None,
            transliterate: false,
            content: Content::Text { text: text.to_owned(), source: Sources::default(), encoding: None },
        }
    }

    /// Whether it is sent again once the provider's limit for its recipient has passed.
    pub fn retries_at_limit(&self) -> bool {
        self.on_recipient_limit == OnRecipientLimit::Retry
    }

    /// Whether WhatsApp accepts it only within 24 hours of the recipient's last message: whatever is no template.
    pub fn needs_window(&self) -> bool {
        self.channel == Channel::WhatsApp && self.content.template().is_none()
    }

    /// The text of an SMS, and its encoding; `None` on another channel.
    pub fn sms(&self) -> Option<(&str, SmsEncoding)> {
        match &self.content {
            Content::Text { text, source: _, encoding } if self.channel == Channel::Sms => {
                Some((text, encoding.unwrap_or(SmsEncoding::Auto)))
            }
            _ => None,
        }
    }

    /// The sender of an SMS to a country by one of the step's lanes: that of the step, else that of the lane.
    pub fn source(&self, lane: &str, country: Country) -> Option<&str> {
        let Content::Text { source, .. } = &self.content else { return None };
        source.of(country).or_else(|| self.lanes.member(lane)?.source.as_deref())
    }

    /// Whether the step's content for a country differs from its content for most countries.
    pub fn differs_in(&self, country: Country) -> bool {
        matches!(&self.content, Content::Text { source, .. } if source.by_country.contains_key(&country))
    }

    /// Whether the step's content differs between recipients, as far as a refusal with this subject is concerned.
    pub fn varies_in(&self, subject: RefusalSubject) -> bool {
        match subject {
            RefusalSubject::Number | RefusalSubject::Operator | RefusalSubject::Unsaid => true,
            RefusalSubject::Text | RefusalSubject::Parameter => self.content.has_variables(),
            RefusalSubject::Media => self.content.has_variable_media(),
            RefusalSubject::Expiry | RefusalSubject::Template | RefusalSubject::Account => false,
        }
    }

    /// Whether the step costs money. Without any price, only an SMS does.
    pub fn is_paid(&self) -> bool {
        if self.prices.is_empty() { self.channel == Channel::Sms } else { self.prices.cost_something() }
    }

    /// How long after its submission the provider may deliver the step; `None` if no TTL is set.
    pub fn delivers_for(&self) -> Option<Span> {
        self.content.delivers_for(self.ttl)
    }
}

/// What a campaign costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Cost {
    /// The cost if no message falls back.
    pub first: Money,
    /// The cost if every message goes through all steps that apply to it.
    pub at_most: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// The plan with which a batch was launched. Stored once, by the digest of its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Names of the audience's columns, in the order of a recipient's fields.
    pub columns: Vec<String>,
    /// The campaign's own variables.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub values: Values,
    /// From one to seven steps, in the order in which they are tried.
    pub steps: Vec<Step>,
    /// From a message's first submission: no step is submitted later than this.
    pub ttl: Option<Span>,
    /// The scheduled start, before the send hours are applied; `None` means at launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What the start waits for besides its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<BeginsWhen>,
    /// Latest time for a first submission.
    pub end: Option<Timestamp>,
    pub on_unknown: OnUnknown,
    pub after_gap: AfterGap,
    /// `None` is the default: start if the start was missed by less than an hour, else wait for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missed: Option<OnMissed>,
    /// `None` is the default, the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing_value: Option<OnMissingValue>,
    /// The limits over all steps.
    #[serde(default, skip_serializing_if = "Limits::are_none")]
    pub limits: Limits,
    /// The currency of the prices and budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// What it was to cost when it was launched, if its lanes had prices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Pauses the campaign when this rule is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_when: Option<StopRule>,
    /// Holds the next step that costs money when this rule is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_paid_when: Option<StopRule>,
    /// Spreads the first submissions over this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<Span>,
    /// The time zone in which commands show the campaign's times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<Zone>,
    /// Whether the recipients come from an earlier campaign, all or a selection. That campaign's report then lists the
    /// recipients of its files that got nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_again: bool,
    /// Whether it sends an earlier campaign again to those of its recipients that have certain outcomes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_retry: bool,
    /// Whom of its audiences it was to be sent to. `None` for a campaign that was launched before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<RecipientRules>,
    /// Recipients of its imported audiences whom its filter did not select.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unselected: u64,
    /// Whether it is a test send to the operator's own numbers. Lists of campaigns leave those out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_test: bool,
    /// Whether it confirms opt-outs: its messages go to recipients who have just opted out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirms_opt_out: bool,
    /// Whose messages these are, if calls of the API sent them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiCalls>,
}

/// The recipients of the audiences whom a campaign wants, as its file states it. Its launch has chosen them; this is kept to
/// be shown and used again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RecipientRules {
    /// The filter by their columns.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Audiences or files of those who are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_countries: Option<BTreeSet<Country>>,
    /// The country of numbers without a country code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

fn is_none(number: &u64) -> bool {
    *number == 0
}

/// The calls of the API whose messages share a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiCalls {
    /// The subaccount that they named.
    pub sub_account: String,
    /// The public part of the caller's key. So no batch has messages of two callers, and the messages of one caller
    /// cannot hold a step of another one's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caller: String,
    /// The index of the column with the address for the receipts of a message, if they named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<usize>,
    /// The index of the column with the [`Extras`](super::Extras) of a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extras: Option<usize>,
}

impl Plan {
    /// A plan with these steps and the default of every other setting.
    pub fn of_steps(steps: Vec<Step>) -> Self {
        Self {
            columns: Vec::new(),
            values: Values::default(),
            steps,
            ttl: None,
            at: None,
            when: None,
            end: None,
            on_unknown: OnUnknown::Keep,
            after_gap: AfterGap::Ask,
            on_missed: None,
            on_missing_value: None,
            limits: Limits::default(),
            currency: None,
            pause_when: None,
            hold_paid_when: None,
            over: None,
            time_zone: None,
            is_again: false,
            is_retry: false,
            recipients: None,
            cost: None,
            unselected: 0,
            is_test: false,
            confirms_opt_out: false,
            api: None,
        }
    }

    /// What a step is for: what was said, else what the category of its template says, else marketing. Calls of the API always
    /// say it; those of before it was asked sent service as well.
    pub fn purpose(&self, step: &Step) -> Purpose {
        let by_itself = || match &self.api {
            Some(_) => Purpose::Service,
            None => step.content.category().map_or(Purpose::Marketing, Category::purpose),
        };
        step.purpose.unwrap_or_else(by_itself)
    }

    /// The opt-outs of all senders that end its messages; `None` if it confirms opt-outs.
    pub fn heeds(&self) -> Option<OptOutOf> {
        let is_marketing = self.steps.iter().all(|step| self.purpose(step) == Purpose::Marketing);
        let heeds = if is_marketing { OptOutOf::Marketing } else { OptOutOf::Everything };
        (!self.confirms_opt_out).then_some(heeds)
    }

    /// The opt-outs that its messages heed at a step. A confirmation asks for any.
    pub fn heeds_at(&self, step: StepIndex) -> Heeds {
        let of_step = self.step(step).map_or(OptOutOf::Marketing, |step| self.purpose(step).heeds());
        match self.heeds() {
            Some(message) => Heeds { message: Some(message), step: of_step },
            None => Heeds { message: None, step: OptOutOf::Marketing },
        }
    }

    /// What the variables of its contents can name.
    pub fn names(&self) -> Names<'_> {
        Names { columns: &self.columns, values: &self.values }
    }

    /// The step at a position.
    pub fn step(&self, index: StepIndex) -> Option<&Step> {
        self.steps.get(index.index())
    }

    /// The first step that applies to a message with these marks, if any does.
    pub fn first(&self, marks: Marks) -> Option<StepIndex> {
        self.indexed_steps().map(|(index, _)| index).find(|index| !marks.passed_over(*index))
    }

    /// The next step after `index` that applies to a message with these marks, if any does.
    pub fn after(&self, index: StepIndex, marks: Marks) -> Option<StepIndex> {
        marks.following(index, self.steps.len())
    }

    /// Whether the price list has a price for one of its steps.
    pub fn has_prices(&self) -> bool {
        self.steps.iter().any(|step| !step.prices.is_empty())
    }

    /// Whether a limit or a budget applies to the campaign or to one of its steps.
    pub fn has_limits(&self) -> bool {
        !self.limits.are_none() || self.steps.iter().any(|step| !step.limits.are_none())
    }

    /// Whether this is the last position of the route, whether or not its step applies to the message.
    pub fn ends_with(&self, index: StepIndex) -> bool {
        index.index() + 1 >= self.steps.len()
    }

    /// The countries that any step, or any lane of a step, names. The plan treats all other countries alike.
    pub fn named_countries(&self) -> BTreeSet<Country> {
        self.steps.iter().flat_map(|step| step.countries.named().chain(step.lanes.named_countries())).collect()
    }

    /// The lanes of all steps, with the channel of each.
    pub fn lanes(&self) -> Vec<(String, Channel)> {
        let named = |step: &Step| step.lanes.names().map(|name| (name.to_owned(), step.channel)).collect::<Vec<_>>();
        self.steps.iter().flat_map(named).collect()
    }

    /// Whether some messages may start later than others.
    pub fn begins_apart(&self) -> bool {
        self.over.is_some() || self.steps.iter().any(|step| !step.hours.are_all())
    }

    /// The steps with their positions.
    pub fn indexed_steps(&self) -> impl Iterator<Item = (StepIndex, &Step)> {
        StepIndex::all().zip(&self.steps)
    }

    /// The position of the only step on a channel. A route has each channel at most once, because a receipt names no
    /// step.
    pub fn on_channel(&self, channel: Channel) -> Option<StepIndex> {
        self.indexed_steps().find(|(_, step)| step.channel == channel).map(|(index, _)| index)
    }
}
