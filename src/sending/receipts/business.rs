//! Account events: what the provider changes by itself, and what it only reports.
//!
//! An event is stored once, with everything that follows from it. Nothing here overrides an operator: a rate that an
//! operator has set stays, and so does a hold.

mod templates;

use sha2::{Digest, Sha256};

use super::guard::{self, Known, QUALITY, QualityChange};
use crate::base::config::{GuardAction, Lane};
use crate::base::domain::text::hex;
use crate::base::domain::{Channel, Msisdn, OverridableSetting, Rate, Tier, Timestamp, without_numbers};
use crate::base::events::{AccountReport, Actor, Event, EventKind, LimitEffect, NumberState, Origin, Subject};
use crate::rules::wire::Business;
use crate::store::{AccountEvent, Override, ProviderReport};

/// The rate of a number after the provider has upgraded its throughput.
const UPGRADED: &str = "1000/s";

/// The rate of a number after an upgrade of its throughput, if the lane is slower.
pub(super) fn upgraded(lane: &Lane) -> Option<Rate> {
    UPGRADED.parse::<Rate>().ok().filter(|rate| rate.is_above(lane.rate))
}

/// The type of an event about a template's status.
pub(super) const TEMPLATE_STATUS: &str = "template_status_update";

/// An account event with its consequences, as far as they do not depend on what is known already.
#[derive(Debug)]
pub(super) struct ReportedEvent {
    event: AccountEvent,
    lowers: Vec<LoweredTier>,
    qualities: Vec<QualityChange>,
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
    /// The event with its consequences. `campaigns` names the campaigns in play that use a template.
    pub(super) fn with(self, known: Known<'_>, campaigns: impl Fn(&Subject) -> Vec<String>) -> AccountEvent {
        let Self { mut event, lowers, qualities } = self;
        for LoweredTier { tier, overridden, otherwise } in lowers {
            let is_it = |known: &&Override| (known.setting, &known.name) == (overridden.setting, &overridden.name);
            let counts = known.overrides.iter().find(is_it).map_or(&overridden.in_file, |known| &known.value);
            if counts.parse::<Tier>().is_ok_and(|counts| tier < counts) {
                event.overrides.push(overridden);
            } else {
                event.events.push(otherwise);
            }
        }
        // A number that is upgraded while the guard slows it gets its rate when the guard ends.
        event
            .overrides
            .retain(|new| new.setting != OverridableSetting::Rate || known.slowed(&new.name, &new.in_file).is_none());
        for quality in qualities {
            quality.add_to(&mut event, known);
        }
        for recorded in &mut event.events {
            if let EventKind::AccountReported {
                report: AccountReport::TemplateCategory { campaigns: used, .. }, ..
            } = &mut recorded.kind
            {
                *used = campaigns(&recorded.subject);
            }
        }
        event
    }
}

/// Reads an account event; `None` if its type is unknown.
///
/// The provider may name an account by a UUID in its API and by a name in its events. Only names of one form can be compared,
/// so an event whose account is named in the other form concerns every lane. An event of another account is stored and shown
/// as well, and obeyed if it restricts. To stop for another company's template costs a look; to send a paused one costs the
/// number.
pub(super) fn read(event: &Business<'_>, raw: &str, lanes: &[Lane], now: Timestamp) -> Option<ReportedEvent> {
    let all = || lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp);
    let account = event.account_id.as_deref().filter(|account| !account.is_empty());
    let is_ours = |lane: &Lane| account.and_then(|account| lane.provider.is_account(account));
    let unknown_account = account
        .filter(|_| all().any(|lane| is_ours(lane) == Some(false)) && !all().any(|lane| is_ours(lane) == Some(true)));
    let concerns = |lane: &&Lane| unknown_account.is_some() || is_ours(lane) != Some(false);
    let lanes: Vec<&Lane> = all().filter(concerns).collect();
    let is_by_lane = lanes.len() < all().count();
    read_for(Concerned { lanes, is_by_lane, unknown_account }, event, raw, now)
}

/// The lanes that an event concerns.
pub(super) struct Concerned<'a> {
    pub(super) lanes: Vec<&'a Lane>,
    /// Whether it concerns only these lanes.
    pub(super) is_by_lane: bool,
    /// The account of the event, if it is unknown.
    pub(super) unknown_account: Option<&'a str>,
}

/// Reads an account event that concerns these lanes; `None` if its type is unknown.
pub(super) fn read_for<'a>(
    concerned: Concerned<'a>,
    event: &'a Business<'a>,
    raw: &str,
    now: Timestamp,
) -> Option<ReportedEvent> {
    let Concerned { lanes, is_by_lane, unknown_account } = concerned;
    let id = event.event_id.as_deref().filter(|id| !id.is_empty()).map_or_else(|| digest(raw), str::to_owned);
    let mut reading = Reading {
        event,
        lanes,
        is_by_lane,
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
            ended: Vec::new(),
            reports: Vec::new(),
        },
        lowers: Vec::new(),
        qualities: Vec::new(),
    };
    match reading.kept.kind.as_str() {
        "phone_number_quality_update" => reading.read_number(),
        TEMPLATE_STATUS => reading.read_template_status(),
        "template_quality_update" => reading.read_template_quality(),
        "template_category_update" => reading.read_template_category(),
        "template_correct_category_detection" => reading.read_template_advice(),
        "account_update" => reading.read_account(),
        _ => return None,
    }
    if let Some(account) = unknown_account {
        reading.kept.reports.push(ProviderReport::of_unknown_account(account, &reading.kept.kind, now));
    }
    Some(ReportedEvent { event: reading.kept, lowers: reading.lowers, qualities: reading.qualities })
}

/// An id for an event or a message without one.
pub(super) fn digest(raw: &str) -> String {
    hex(&Sha256::digest(raw)[..16])
}

struct Reading<'a> {
    event: &'a Business<'a>,
    /// Our WhatsApp lanes that the event concerns.
    lanes: Vec<&'a Lane>,
    /// Whether it concerns only these lanes, so that what it says of a template is recorded for each of them.
    is_by_lane: bool,
    /// The account of the event, if it is unknown.
    unknown_account: Option<&'a str>,
    kept: AccountEvent,
    lowers: Vec<LoweredTier>,
    qualities: Vec<QualityChange>,
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
        self.unknown_account.is_none_or(|account| lane.provider.is_account(account) != Some(false))
    }

    /// Records a status, if the event is of a known account.
    fn record_status(&mut self, about: &Subject, what: &str, value: &str) {
        if self.unknown_account.is_none() || self.lanes.iter().any(|lane| self.trusts(lane)) {
            self.record_restriction(about, what, value);
        }
    }

    /// Records a status, whatever account the event is of.
    fn record_restriction(&mut self, about: &Subject, what: &str, value: &str) {
        let at = self.kept.happened_at;
        let report = |about| ProviderReport { about, what: what.to_owned(), value: value.to_owned(), at };
        match about {
            Subject::Template { template, language, .. } if self.is_by_lane => {
                let language = language.as_deref().unwrap_or_default();
                let on = self.lanes.iter().map(|lane| Subject::held(&lane.name, template, language));
                self.kept.reports.extend(on.map(report));
            }
            _ => self.kept.reports.push(report(about.clone())),
        }
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
                let reason = event.details.meta.reason.as_deref().filter(|reason| !reason.eq_ignore_ascii_case("NONE"));
                for lane in lanes {
                    let subject = Subject::lane(&lane.name);
                    if self.trusts(lane) {
                        self.record_restriction(&subject, QUALITY, &word);
                    } else if word == "FLAGGED" {
                        // In other words than the guard knows: nothing that this account reports would end it.
                        self.record_restriction(&subject, QUALITY, "FLAGGED, says an unknown account");
                    }
                    if state != NumberState::Onboarding {
                        self.guard(lane, &subject, ("", ""), &word);
                    }
                    let reason = reason.map(without_numbers);
                    self.report(subject, AccountReport::NumberState { state, number: shown.to_owned(), reason });
                }
            }
            _ => {
                let report = AccountReport::UnknownWord { word, number: shown.to_owned() };
                self.report(Subject::ProviderAccount, report);
            }
        }
    }

    /// Lets the quality guard judge a report about a lane's number, or about a template on it.
    fn guard(&mut self, lane: &Lane, about: &Subject, (template, language): (&str, &str), word: &str) {
        if !self.trusts(lane) {
            return;
        }
        let action = guard::action(lane, word);
        let says = action.map(|action| {
            let means = match action {
                GuardAction::Slow => "half of the rate",
                GuardAction::Hold => "MARKETING messages wait",
            };
            format!("; {means}, as [quality] {} = \"{action}\" says", word.to_ascii_lowercase())
        });
        self.qualities.push(QualityChange {
            lane: lane.clone(),
            template: template.to_owned(),
            language: language.to_owned(),
            action,
            is_score: word != "UNKNOWN" && !guard::is_gone(word),
            why: format!("the provider reports {word} for {about}{}", says.unwrap_or_default()),
        });
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
        match upgraded(lane) {
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

    /// Reports a change of the account. It has no effect: these restrictions concern calls and messages without templates.
    fn read_account(&mut self) {
        let details = &self.event.details;
        let word = details.event.as_deref().unwrap_or_default().to_ascii_uppercase();
        let described = [
            details.business_verification_info.as_ref().map(verification),
            details.violation_info.as_ref().map(violation),
            details.restriction_info.as_ref().map(restrictions),
        ];
        let described: Vec<String> = described.into_iter().flatten().filter(|text| !text.is_empty()).collect();
        let details = without_numbers(&described.join("; "));
        let number = self.event.details.display_phone_number.as_deref().map(str::to_owned);
        self.record_status(&Subject::ProviderAccount, "update", &word);
        let lanes = number.as_deref().map(|number| self.lanes_of(number)).unwrap_or_default();
        let report = AccountReport::Account { word, number, details };
        if lanes.is_empty() {
            return self.report(Subject::ProviderAccount, report);
        }
        for lane in lanes {
            self.report(Subject::lane(&lane.name), report.clone());
        }
    }
}

/// A text of an object, if it is there.
fn text_of<'a>(object: &'a serde_json::Value, key: &str) -> Option<&'a str> {
    object[key].as_str().filter(|text| !text.is_empty())
}

/// `FAILED: LEGAL_NAME_NOT_FOUND_IN_DOCUMENTS, BUSINESS_NOT_ELIGIBLE`.
fn verification(info: &serde_json::Value) -> String {
    let status = text_of(info, "verificationStatus").unwrap_or("unknown status");
    let reasons = info["rejectionReasons"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let reasons: Vec<&str> = reasons.filter(|reason| !reason.eq_ignore_ascii_case("NONE")).collect();
    if reasons.is_empty() { status.to_owned() } else { format!("{status}: {}", reasons.join(", ")) }
}

/// `LOW_USER_INITIATED_CALLING_QUALITY (what to do)`.
fn violation(info: &serde_json::Value) -> String {
    let kind = text_of(info, "violationType").unwrap_or("unknown violation");
    kind.to_owned() + &remedy(info)
}

/// `RESTRICTED_USER_INITIATED_CALLING until 2022-01-10T20:54:17.00Z (what to do)`, for each restriction.
fn restrictions(info: &serde_json::Value) -> String {
    let described = info.as_array().into_iter().flatten().map(|restriction| {
        let kind = text_of(restriction, "restrictionType").unwrap_or("unknown restriction");
        let until = text_of(restriction, "expiration").map(|until| format!(" until {until}"));
        format!("{kind}{}{}", until.unwrap_or_default(), remedy(restriction))
    });
    described.collect::<Vec<_>>().join(", ")
}

fn remedy(info: &serde_json::Value) -> String {
    text_of(info, "remediation").map(|remedy| format!(" ({})", remedy.trim_end_matches('.'))).unwrap_or_default()
}
