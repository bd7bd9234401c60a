//! Account events: what the provider changes by itself, and what it only reports.
//!
//! An event is stored once, with everything that follows from it. Nothing here overrides an operator: a rate that an
//! operator has set stays, and so does a hold.

use sha2::{Digest, Sha256};

use crate::config::Lane;
use crate::domain::{Channel, Msisdn, OverridableSetting, Rate, Tier, Timestamp, without_numbers};
use crate::events::{
    AccountReport, Actor, Event, EventKind, LimitEffect, NumberState, Origin, Subject, TemplateEffect,
};
use crate::store::{AccountEvent, HeldBy, Hold, Override, ProviderReport};
use crate::wire::{Business, instant};

/// The rate of a number after the provider has upgraded its throughput.
const UPGRADED: &str = "1000/s";

/// Statuses in which the provider accepts no message of a template, with the reason that the hold shows.
const HELD: [(&str, &str); 4] = [
    ("PAUSED", "the provider has paused it"),
    ("DISABLED", "the provider has disabled it for good"),
    ("REJECTED", "the provider has rejected it"),
    ("PENDING_DELETION", "it is being deleted at the provider"),
];

/// An account event with its consequences.
#[derive(Debug)]
pub(super) struct ReportedEvent {
    event: AccountEvent,
    lowers: Vec<LoweredTier>,
}

/// The tier of an account event whose account is unknown. It applies only if it lowers the tier in effect; otherwise it is
/// only reported.
#[derive(Debug)]
struct LoweredTier {
    tier: Tier,
    overridden: Override,
    otherwise: Event,
}

impl ReportedEvent {
    /// The event with its consequences, given the overrides in effect.
    pub(super) fn with_overrides(self, overrides: &[Override]) -> AccountEvent {
        let Self { mut event, lowers } = self;
        for LoweredTier { tier, overridden, otherwise } in lowers {
            let is_it = |known: &&Override| (known.setting, &known.name) == (overridden.setting, &overridden.name);
            let counts = overrides.iter().find(is_it).map_or(&overridden.in_file, |known| &known.value);
            if counts.parse::<Tier>().is_ok_and(|counts| tier < counts) {
                event.overrides.push(overridden);
            } else {
                event.events.push(otherwise);
            }
        }
        event
    }
}

/// Reads an account event; `None` if its type is unknown.
///
/// The provider may name an account differently in its events and in its API. So an event of an unknown account is stored
/// and shown as well, and obeyed if it restricts. To stop for another company's template costs a look; to send a paused one
/// costs the number.
pub(super) fn read(event: &Business<'_>, raw: &str, lanes: &[Lane], now: Timestamp) -> Option<ReportedEvent> {
    let all = || lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp);
    let account = event.account_id.as_deref().filter(|account| !account.is_empty());
    let is_ours = |lane: &&Lane| account.is_some_and(|account| states(lane, account));
    let unknown_account =
        account.filter(|_| all().any(|lane| lane.provider.account_id.is_some()) && !all().any(|lane| is_ours(&lane)));
    let concerns = |lane: &&Lane| unknown_account.is_some() || account.is_none() || is_ours(lane) || !has_account(lane);
    let id = event.event_id.as_deref().filter(|id| !id.is_empty()).map_or_else(|| digest(raw), str::to_owned);
    let mut reading = Reading {
        event,
        lanes: all().filter(concerns).collect(),
        unknown_account,
        kept: AccountEvent {
            id,
            received: now,
            happened_at: event.at().unwrap_or(now),
            kind: event.event_type.to_ascii_lowercase(),
            raw: raw.to_owned(),
            events: Vec::new(),
            overrides: Vec::new(),
            holds: Vec::new(),
            releases: Vec::new(),
            reports: Vec::new(),
        },
        lowers: Vec::new(),
    };
    match reading.kept.kind.as_str() {
        "phone_number_quality_update" => reading.read_number(),
        "template_status_update" => reading.read_template_status(),
        "template_quality_update" => reading.read_template_quality(),
        "template_category_update" => reading.read_template_category(),
        "template_correct_category_detection" => reading.read_template_advice(),
        "account_update" => reading.read_account(),
        _ => return None,
    }
    if let Some(account) = unknown_account {
        reading.kept.reports.push(ProviderReport::of_unknown_account(account, &reading.kept.kind, now));
    }
    Some(ReportedEvent { event: reading.kept, lowers: reading.lowers })
}

/// Whether a lane states that it belongs to this account.
fn states(lane: &Lane, account: &str) -> bool {
    lane.provider.account_id.as_deref().is_some_and(|ours| ours.eq_ignore_ascii_case(account))
}

/// Whether a lane states its account.
const fn has_account(lane: &Lane) -> bool {
    lane.provider.account_id.is_some()
}

/// An id for an event without one.
fn digest(raw: &str) -> String {
    Sha256::digest(raw).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

struct Reading<'a> {
    event: &'a Business<'a>,
    /// Our WhatsApp lanes that the event concerns.
    lanes: Vec<&'a Lane>,
    /// The account of the event, if it is unknown.
    unknown_account: Option<&'a str>,
    kept: AccountEvent,
    lowers: Vec<LoweredTier>,
}

impl<'a> Reading<'a> {
    fn report(&mut self, subject: Subject, report: AccountReport) {
        let event = self.reported(subject, report);
        self.kept.events.push(event);
    }

    fn reported(&self, subject: Subject, report: AccountReport) -> Event {
        let unknown_account = self.unknown_account.map(without_numbers);
        let kind = EventKind::AccountReported { report, unknown_account };
        Event { at: self.kept.received, subject, origin: Origin { by: Actor::Provider, reason: None }, kind }
    }

    /// Whether the event applies to a lane in full, and not only if it restricts.
    fn trusts(&self, lane: &Lane) -> bool {
        self.unknown_account.is_none() || !has_account(lane)
    }

    /// Records a status, if the event is of a known account.
    fn record_status(&mut self, about: &Subject, what: &str, value: &str) {
        if self.unknown_account.is_none() || self.lanes.iter().any(|lane| self.trusts(lane)) {
            self.record_restriction(about, what, value);
        }
    }

    /// Records a status, whatever account the event is of.
    fn record_restriction(&mut self, about: &Subject, what: &str, value: &str) {
        let (about, what, value) = (about.clone(), what.to_owned(), value.to_owned());
        self.kept.reports.push(ProviderReport { about, what, value, at: self.kept.happened_at });
    }

    fn set_override(&mut self, setting: OverridableSetting, name: &str, value: String, in_file: String, why: String) {
        let overridden = self.new_override(setting, name, value, in_file, why);
        self.kept.overrides.push(overridden);
    }

    fn new_override(
        &self,
        setting: OverridableSetting,
        name: &str,
        value: String,
        in_file: String,
        why: String,
    ) -> Override {
        Override {
            setting,
            name: name.to_owned(),
            value,
            in_file,
            origin: Origin::provider(why),
            since: self.kept.happened_at,
        }
    }

    /// Reads a change of a number's limit, throughput or quality.
    fn read_number(&mut self) {
        let event = self.event;
        let shown = event.details.display_phone_number.as_deref().unwrap_or_default();
        let word = event.details.meta.event.as_deref().unwrap_or_default().to_ascii_uppercase();
        let lanes = self.lanes_of(shown);
        if lanes.is_empty() {
            self.kept.reports.extend(ProviderReport::of_unknown_number(shown, &word, self.kept.received));
            let report = AccountReport::NumberWithoutLane { word, number: shown.to_owned() };
            return self.report(Subject::ProviderAccount, report);
        }
        match word.as_str() {
            "UPGRADE" | "DOWNGRADE" => self.change_tier(&lanes, &word, shown),
            "THROUGHPUT_UPGRADE" => lanes.into_iter().for_each(|lane| self.raise_rate(lane, shown)),
            "FLAGGED" | "UNFLAGGED" | "ONBOARDING" => {
                let state = match word.as_str() {
                    "FLAGGED" => NumberState::Flagged,
                    "UNFLAGGED" => NumberState::Unflagged,
                    _ => NumberState::Onboarding,
                };
                for lane in lanes {
                    let subject = Subject::lane(&lane.name);
                    if word == "FLAGGED" {
                        self.record_restriction(&subject, "quality", &word);
                    } else {
                        self.record_status(&subject, "quality", &word);
                    }
                    self.report(subject, AccountReport::NumberState { state, number: shown.to_owned() });
                }
            }
            _ => {
                let report = AccountReport::UnknownWord { word, number: shown.to_owned() };
                self.report(Subject::ProviderAccount, report);
            }
        }
    }

    /// Lanes that send with this number.
    fn lanes_of(&self, shown: &str) -> Vec<&'a Lane> {
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        let number = digits.parse::<u64>().ok().and_then(|digits| Msisdn::try_from(digits).ok());
        self.lanes.iter().copied().filter(|lane| number.is_some() && lane.number == number).collect()
    }

    /// Changes the tier of the number's portfolio, which all of its numbers share.
    fn change_tier(&mut self, lanes: &[&'a Lane], word: &str, shown: &str) {
        let meta = &self.event.details.meta;
        let limit = meta.max_daily_conversations_per_business.as_deref().or(meta.current_limit.as_deref());
        let limit = limit.unwrap_or("no limit").to_owned();
        let mut portfolios: Vec<(&str, &Lane)> =
            lanes.iter().filter_map(|lane| Some((lane.tiered()?, *lane))).collect();
        portfolios.dedup_by_key(|(portfolio, _)| *portfolio);
        let why = format!("the provider reports {word} to {limit} for {shown}");
        let report = |effect| AccountReport::Limit {
            word: word.to_owned(),
            limit: limit.clone(),
            number: shown.to_owned(),
            effect,
        };
        for (portfolio, lane) in portfolios {
            let subject = Subject::portfolio(portfolio);
            let is_trusted = lanes.iter().any(|other| other.tiered() == Some(portfolio) && self.trusts(other));
            match self.event.tier() {
                Some(tier) if is_trusted => {
                    self.set_override(
                        OverridableSetting::Tier,
                        portfolio,
                        tier.to_string(),
                        lane.tier.to_string(),
                        why.clone(),
                    );
                }
                Some(tier) if word == "DOWNGRADE" => {
                    let otherwise = self.reported(subject, report(LimitEffect::NothingChanges));
                    let overridden = self.new_override(
                        OverridableSetting::Tier,
                        portfolio,
                        tier.to_string(),
                        lane.tier.to_string(),
                        why.clone(),
                    );
                    self.lowers.push(LoweredTier { tier, overridden, otherwise });
                }
                Some(_) => self.report(subject, report(LimitEffect::NothingChanges)),
                None => self.report(subject, report(LimitEffect::UnknownLimit)),
            }
        }
    }

    /// Raises the rate of a number. The event says nothing about the tier, whatever tier it names.
    fn raise_rate(&mut self, lane: &Lane, shown: &str) {
        let subject = Subject::lane(&lane.name);
        if !self.trusts(lane) {
            return self.report(subject, AccountReport::Throughput { number: shown.to_owned(), is_as_fast: None });
        }
        self.record_status(&subject, "throughput", "UPGRADED");
        let is_faster = |rate: Rate| rate.each_second() > lane.rate.each_second();
        match UPGRADED.parse::<Rate>().ok().filter(|rate| is_faster(*rate)) {
            Some(rate) => {
                let why = format!("the provider reports THROUGHPUT_UPGRADE for {shown}");
                self.set_override(OverridableSetting::Rate, &lane.name, rate.to_string(), lane.rate.to_string(), why);
            }
            None => {
                let is_as_fast = Some(lane.rate.to_string());
                self.report(subject, AccountReport::Throughput { number: shown.to_owned(), is_as_fast });
            }
        }
    }

    /// The template as a subject, with its name and language.
    fn template(&self) -> (Subject, String, String) {
        let details = &self.event.details;
        let name = details.template_name.as_deref().unwrap_or_default().to_owned();
        let language = details.template_language.as_deref().unwrap_or_default().to_owned();
        (Subject::template(&name, &language), name, language)
    }

    fn read_template_status(&mut self) {
        let (about, name, language) = self.template();
        let meta = &self.event.details.meta;
        let status = meta.status.as_deref().unwrap_or_default().to_ascii_uppercase();
        let other = meta.other_info.as_ref();
        let title = other.and_then(|other| other.title.as_deref()).unwrap_or_default().to_ascii_uppercase();
        let description = other.and_then(|other| other.description.as_deref()).unwrap_or_default();
        let reason = meta.reason.as_deref().filter(|reason| !reason.eq_ignore_ascii_case("NONE")).unwrap_or_default();
        let disabled_at = meta.disable_info.as_ref().and_then(|info| info.disable_date.as_deref()).unwrap_or_default();
        let more: Vec<&str> =
            [title.as_str(), reason, description].into_iter().filter(|part| !part.is_empty()).collect();
        let details = without_numbers(&more.join(": "));
        let report = |status: &str, effect| AccountReport::TemplateStatus {
            status: status.to_owned(),
            details: details.clone(),
            effect,
        };
        if name.is_empty() {
            // A hold without a template would hold the whole lane.
            return self.report(about, report(&status, TemplateEffect::Unnamed));
        }
        let may_be_sent = title == "UNPAUSE" || status == "APPROVED";
        let held = HELD.iter().find(|(word, _)| *word == status || *word == title).filter(|_| !may_be_sent);
        if held.is_some() || status == "FLAGGED" {
            self.record_restriction(&about, "status", &status);
            self.record_restriction(&about, "disable_date", disabled_at);
        } else {
            self.record_status(&about, "status", &status);
            self.record_status(&about, "disable_date", disabled_at);
        }
        if may_be_sent {
            self.report(about, report(&status, TemplateEffect::Released));
            let trusting = self.lanes.iter().filter(|lane| self.trusts(lane));
            let lane = |lane: &&Lane| (lane.name.clone(), name.clone(), language.clone());
            self.kept.releases = trusting.map(lane).collect();
        } else if let Some((word, means)) = held {
            self.report(about, report(word, TemplateEffect::Held));
            let more = if details.is_empty() { String::new() } else { format!(" ({details})") };
            let hold = |lane: &&Lane| Hold {
                lane: lane.name.clone(),
                template: name.clone(),
                language: language.clone(),
                by: HeldBy::Event,
                code: None,
                origin: Origin::provider(format!("{means}{more}")),
                since: self.kept.received,
            };
            self.kept.holds = self.lanes.iter().map(hold).collect();
        } else if status == "FLAGGED" {
            self.report(about, report(&status, TemplateEffect::AtRisk { disabled_at: instant(disabled_at) }));
        } else {
            self.report(about, report(&status, TemplateEffect::NothingChanges));
        }
    }

    fn read_template_quality(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let quality = meta.new_quality_score.as_deref().unwrap_or("UNKNOWN").to_ascii_uppercase();
        let before = meta.previous_quality_score.as_deref().unwrap_or("UNKNOWN").to_owned();
        self.record_status(&about, "quality", &quality);
        self.report(about, AccountReport::TemplateQuality { quality, before });
    }

    fn read_template_category(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let category = meta.new_category.as_deref().unwrap_or_default().to_owned();
        let before = meta.previous_category.as_deref().unwrap_or_default().to_owned();
        self.record_status(&about, "category", &category);
        self.report(about, AccountReport::TemplateCategory { category, before });
    }

    fn read_template_advice(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let correct = meta.correct_category.as_deref().unwrap_or_default().to_owned();
        let category = meta.category.as_deref().unwrap_or_default().to_owned();
        self.record_status(&about, "advised_category", &correct);
        self.report(about, AccountReport::TemplateAdvice { advised: correct, category });
    }

    /// Reports a change of the account. It has no effect: these restrictions concern calls and messages without templates.
    fn read_account(&mut self) {
        let details = &self.event.details;
        let word = details.event.as_deref().unwrap_or_default().to_ascii_uppercase();
        let parts = [&details.business_verification_info, &details.violation_info, &details.restriction_info];
        let mut words = Vec::new();
        for part in parts.into_iter().flatten() {
            words_of(part, &mut words);
        }
        let details = without_numbers(&words.join(", "));
        self.record_status(&Subject::ProviderAccount, "update", &word);
        self.report(Subject::ProviderAccount, AccountReport::Account { word, details });
    }
}

/// The texts in a value, in its order.
fn words_of(value: &serde_json::Value, words: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => words.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| words_of(value, words)),
        serde_json::Value::Object(values) => values.values().for_each(|value| words_of(value, words)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
