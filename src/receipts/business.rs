//! What happens to the account: what the provider changes by itself, and what it only says.
//!
//! An event is kept once, with everything that comes of it. Nothing here decides for a person: a rate that somebody has
//! set stays, and so does a hold.

use sha2::{Digest, Sha256};

use crate::config::Lane;
use crate::domain::{Channel, Knob, Msisdn, Rate, Tier, Timestamp, Zone, local, without_numbers};
use crate::store::{BusinessEvent, Dial, HeldBy, Hold, Said};
use crate::wire::{Business, instant};

/// What a number may send once the provider has upgraded its throughput.
const UPGRADED: &str = "1000/s";

/// Statuses in which the provider takes nothing of a template.
const HELD: [(&str, &str); 4] = [
    ("PAUSED", "the provider has paused it"),
    ("DISABLED", "the provider has disabled it for good"),
    ("REJECTED", "the provider has rejected it"),
    ("PENDING_DELETION", "it is being deleted at the provider"),
];

/// An event of the account.
#[derive(Debug)]
pub(super) struct OfAccount {
    event: BusinessEvent,
    lowers: Vec<Lower>,
}

/// A tier that an account which is none of ours names: it counts where it is lower than the one that counts now, and else
/// it is only told.
#[derive(Debug)]
struct Lower {
    tier: Tier,
    dial: Dial,
    else_told: (String, String),
}

impl OfAccount {
    /// The event with what comes of it, where these have been turned.
    pub(super) fn where_turned(self, turned: &[Dial]) -> BusinessEvent {
        let Self { mut event, lowers } = self;
        for Lower { tier, dial, else_told } in lowers {
            let is_it = |known: &&Dial| (known.knob, &known.name) == (dial.knob, &dial.name);
            let counts = turned.iter().find(is_it).map_or(&dial.in_file, |known| &known.value);
            if counts.parse::<Tier>().is_ok_and(|counts| tier < counts) {
                event.dials.push(dial);
            } else {
                event.told.push(else_told);
            }
        }
        event
    }
}

/// An event with what comes of it; nothing where it is of a type that is not known.
///
/// The provider may call an account otherwise in its events than in its API. So an event of an account that is none of ours
/// is kept and shown all the same, and obeyed where it restricts: to stop for another's template costs a look, to send what
/// is paused costs the number.
pub(super) fn read(event: &Business<'_>, raw: &str, lanes: &[Lane], now: Timestamp) -> Option<OfAccount> {
    let all = || lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp);
    let account = event.account_id.as_deref().filter(|account| !account.is_empty());
    let is_ours = |lane: &&Lane| account.is_some_and(|account| states(lane, account));
    let doubted =
        account.filter(|_| all().any(|lane| lane.provider.account_id.is_some()) && !all().any(|lane| is_ours(&lane)));
    let concerns = |lane: &&Lane| doubted.is_some() || account.is_none() || is_ours(lane) || !has_account(lane);
    let id = event.event_id.as_deref().filter(|id| !id.is_empty()).map_or_else(|| digest(raw), str::to_owned);
    let mut reading = Reading {
        event,
        lanes: all().filter(concerns).collect(),
        doubted,
        kept: BusinessEvent {
            id,
            received: now,
            said: event.at().unwrap_or(now),
            kind: event.event_type.to_ascii_lowercase(),
            raw: raw.to_owned(),
            told: Vec::new(),
            dials: Vec::new(),
            holds: Vec::new(),
            lifts: Vec::new(),
            says: Vec::new(),
        },
        lowers: Vec::new(),
    };
    match reading.kept.kind.as_str() {
        "phone_number_quality_update" => reading.number(),
        "template_status_update" => reading.template_status(),
        "template_quality_update" => reading.template_quality(),
        "template_category_update" => reading.template_category(),
        "template_correct_category_detection" => reading.template_advice(),
        "account_update" => reading.account(),
        _ => return None,
    }
    if let Some(account) = doubted {
        reading.kept.says.push(Said::of_unknown_account(account, &reading.kept.kind, now));
    }
    Some(OfAccount { event: reading.kept, lowers: reading.lowers })
}

/// Whether a lane says that it is of this account.
fn states(lane: &Lane, account: &str) -> bool {
    lane.provider.account_id.as_deref().is_some_and(|ours| ours.eq_ignore_ascii_case(account))
}

/// Whether a lane says of which account it is.
const fn has_account(lane: &Lane) -> bool {
    lane.provider.account_id.is_some()
}

/// Of events there is one for everybody, whatever their clock.
fn in_utc(at: Timestamp) -> String {
    local(at, Zone(chrono_tz::UTC)).format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A name for an event that brings none.
fn digest(raw: &str) -> String {
    Sha256::digest(raw).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

struct Reading<'a> {
    event: &'a Business<'a>,
    /// Ours on WhatsApp, of the account that it is about.
    lanes: Vec<&'a Lane>,
    /// The account that it is about, where that is none of ours.
    doubted: Option<&'a str>,
    kept: BusinessEvent,
    lowers: Vec<Lower>,
}

impl<'a> Reading<'a> {
    fn tell(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        let text = self.worded(text.into());
        self.kept.told.push((subject.into(), text));
    }

    fn worded(&self, text: String) -> String {
        let Some(account) = self.doubted else { return text };
        format!(
            "{text}; the event is of account \"{}\", which is the `account_id` of no lane, so only restrictions are obeyed",
            without_numbers(account)
        )
    }

    /// Whether it counts for a lane whatever it says, and not only where it restricts.
    fn trusts(&self, lane: &Lane) -> bool {
        self.doubted.is_none() || !has_account(lane)
    }

    /// Keeps what it says of something, where it is of an account of ours.
    fn say(&mut self, about: &str, what: &str, value: &str) {
        if self.doubted.is_none() || self.lanes.iter().any(|lane| self.trusts(lane)) {
            self.say_restriction(about, what, value);
        }
    }

    /// Keeps what it says of something, whosever account it is of.
    fn say_restriction(&mut self, about: &str, what: &str, value: &str) {
        let (about, what, value) = (about.to_owned(), what.to_owned(), value.to_owned());
        self.kept.says.push(Said { about, what, value, at: self.kept.said });
    }

    fn dial(&mut self, knob: Knob, name: &str, value: String, in_file: String, why: String) {
        let dial = self.turned(knob, name, value, in_file, why);
        self.kept.dials.push(dial);
    }

    fn turned(&self, knob: Knob, name: &str, value: String, in_file: String, why: String) -> Dial {
        Dial { knob, name: name.to_owned(), value, in_file, by_person: false, why, since: self.kept.said }
    }

    /// A number's limit, throughput or quality has changed.
    fn number(&mut self) {
        let event = self.event;
        let shown = event.details.display_phone_number.as_deref().unwrap_or_default();
        let word = event.details.meta.event.as_deref().unwrap_or_default().to_ascii_uppercase();
        let lanes = self.lanes_of(shown);
        if lanes.is_empty() {
            let text = format!(
                "the provider says {word} of {shown}, which is the `number` of no lane, so nothing changes; state it on the \
                 lane that sends by it"
            );
            self.kept.says.extend(Said::of_unknown_number(shown, &word, self.kept.received));
            return self.tell("account", text);
        }
        match word.as_str() {
            "UPGRADE" | "DOWNGRADE" => self.limit(&lanes, &word, shown),
            "THROUGHPUT_UPGRADE" => lanes.into_iter().for_each(|lane| self.throughput(lane, shown)),
            "FLAGGED" | "UNFLAGGED" | "ONBOARDING" => {
                let means = match word.as_str() {
                    "FLAGGED" => {
                        "people block or report what it sends, and its limit goes down unless that gets better"
                    }
                    "UNFLAGGED" => "its quality is good again",
                    _ => "it is still being registered",
                };
                for lane in lanes {
                    let subject = format!("lane {}", lane.name);
                    if word == "FLAGGED" {
                        self.say_restriction(&subject, "quality", &word);
                    } else {
                        self.say(&subject, "quality", &word);
                    }
                    self.tell(subject, format!("the provider says {word} of {shown}: {means}"));
                }
            }
            _ => {
                let text = format!("the provider says \"{word}\" of {shown}, which nobody knows here; nothing changes");
                self.tell("account", text);
            }
        }
    }

    /// Lanes that send as this number.
    fn lanes_of(&self, shown: &str) -> Vec<&'a Lane> {
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        let number = digits.parse::<u64>().ok().and_then(|digits| Msisdn::try_from(digits).ok());
        self.lanes.iter().copied().filter(|lane| number.is_some() && lane.number == number).collect()
    }

    /// The tier is the portfolio's, for all of its numbers.
    fn limit(&mut self, lanes: &[&'a Lane], word: &str, shown: &str) {
        let meta = &self.event.details.meta;
        let said = meta.max_daily_conversations_per_business.as_deref().or(meta.current_limit.as_deref());
        let said = said.unwrap_or("no limit at all").to_owned();
        let mut portfolios: Vec<(&str, &Lane)> =
            lanes.iter().filter_map(|lane| Some((lane.tiered()?, *lane))).collect();
        portfolios.dedup_by_key(|(portfolio, _)| *portfolio);
        let why = format!("the provider says {word} to {said} of {shown}");
        for (portfolio, lane) in portfolios {
            let subject = format!("portfolio {portfolio}");
            let is_trusted = lanes.iter().any(|other| other.tiered() == Some(portfolio) && self.trusts(other));
            match self.event.tier() {
                Some(tier) if is_trusted => {
                    self.dial(Knob::Tier, portfolio, tier.to_string(), lane.tier.to_string(), why.clone());
                }
                Some(tier) if word == "DOWNGRADE" => {
                    let else_told = (subject, self.worded(format!("{why}; nothing changes")));
                    let dial = self.turned(Knob::Tier, portfolio, tier.to_string(), lane.tier.to_string(), why.clone());
                    self.lowers.push(Lower { tier, dial, else_told });
                }
                Some(_) => self.tell(subject, format!("{why}; nothing changes")),
                None => {
                    let text = format!(
                        "the provider says {word} of {shown} and names {said}, which is no tier that counts people; nothing \
                         changes"
                    );
                    self.tell(subject, text);
                }
            }
        }
    }

    /// A number may go faster; how many people a day it may begin with is another matter, whatever tier is named.
    fn throughput(&mut self, lane: &Lane, shown: &str) {
        let subject = format!("lane {}", lane.name);
        if !self.trusts(lane) {
            return self.tell(subject, format!("the provider says THROUGHPUT_UPGRADE of {shown}; nothing changes"));
        }
        self.say(&subject, "throughput", "UPGRADED");
        let is_faster = |rate: Rate| rate.each_second() > lane.rate.each_second();
        match UPGRADED.parse::<Rate>().ok().filter(|rate| is_faster(*rate)) {
            Some(rate) => {
                let why = format!("the provider says THROUGHPUT_UPGRADE of {shown}");
                self.dial(Knob::Rate, &lane.name, rate.to_string(), lane.rate.to_string(), why);
            }
            None => {
                let text = format!(
                    "the provider says THROUGHPUT_UPGRADE of {shown}; its rate is {} already, so nothing changes",
                    lane.rate
                );
                self.tell(subject, text);
            }
        }
    }

    /// `template promo (en)`, as what is said of it is kept.
    fn template(&self) -> (String, String, String) {
        let details = &self.event.details;
        let name = details.template_name.as_deref().unwrap_or_default().to_owned();
        let language = details.template_language.as_deref().unwrap_or_default().to_owned();
        (Said::about_template(&name, &language), name, language)
    }

    fn template_status(&mut self) {
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
        let more = if more.is_empty() { String::new() } else { format!(" ({})", without_numbers(&more.join(": "))) };
        if name.is_empty() {
            // A hold without a template would be one of the whole lane.
            self.tell(
                about,
                format!("the provider says {status}{more} of a template that it does not name; nothing changes"),
            );
            return;
        }
        let may_be_sent = title == "UNPAUSE" || status == "APPROVED";
        let held = HELD.iter().find(|(word, _)| *word == status || *word == title).filter(|_| !may_be_sent);
        if held.is_some() || status == "FLAGGED" {
            self.say_restriction(&about, "status", &status);
            self.say_restriction(&about, "disable_date", disabled_at);
        } else {
            self.say(&about, "status", &status);
            self.say(&about, "disable_date", disabled_at);
        }
        if may_be_sent {
            self.tell(about, format!("the provider says {status}{more}: it may be sent"));
            let trusting = self.lanes.iter().filter(|lane| self.trusts(lane));
            let lane = |lane: &&Lane| (lane.name.clone(), name.clone(), language.clone());
            self.kept.lifts = trusting.map(lane).collect();
        } else if let Some((word, means)) = held {
            self.tell(about, format!("the provider says {word}{more}: its messages wait"));
            let hold = |lane: &&Lane| Hold {
                lane: lane.name.clone(),
                template: name.clone(),
                language: language.clone(),
                by: HeldBy::Event,
                code: None,
                reason: format!("{means}{more}"),
                since: self.kept.received,
            };
            self.kept.holds = self.lanes.iter().map(hold).collect();
        } else if status == "FLAGGED" {
            let until = instant(disabled_at).map_or_else(|| disabled_at.to_owned(), in_utc);
            let until = if until.is_empty() { String::new() } else { format!(" at {until}") };
            let text =
                format!("the provider says FLAGGED{more}: it will be disabled{until} unless its quality gets better");
            self.tell(about, text);
        } else {
            self.tell(about, format!("the provider says {status}{more}"));
        }
    }

    fn template_quality(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let quality = meta.new_quality_score.as_deref().unwrap_or("UNKNOWN").to_ascii_uppercase();
        let before = meta.previous_quality_score.as_deref().unwrap_or("UNKNOWN").to_owned();
        self.say(&about, "quality", &quality);
        let means = if quality == "RED" { ": the provider pauses it next" } else { "" };
        self.tell(about, format!("the provider says that its quality is {quality}, after {before}{means}"));
    }

    fn template_category(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let category = meta.new_category.as_deref().unwrap_or_default().to_owned();
        let before = meta.previous_category.as_deref().unwrap_or_default().to_owned();
        self.say(&about, "category", &category);
        let text = format!(
            "the provider has made it {category}, after {before}: it costs what that costs; write so in the campaigns that \
             use it"
        );
        self.tell(about, text);
    }

    fn template_advice(&mut self) {
        let (about, ..) = self.template();
        let meta = &self.event.details.meta;
        let correct = meta.correct_category.as_deref().unwrap_or_default().to_owned();
        let category = meta.category.as_deref().unwrap_or_default().to_owned();
        self.say(&about, "advised_category", &correct);
        let text = format!("the provider takes it for {correct} instead of {category}; nothing has changed yet");
        self.tell(about, text);
    }

    /// Shown, and no more: its restrictions concern calls and what is sent past the templates.
    fn account(&mut self) {
        let details = &self.event.details;
        let word = details.event.as_deref().unwrap_or_default().to_ascii_uppercase();
        let parts = [&details.business_verification_info, &details.violation_info, &details.restriction_info];
        let mut words = Vec::new();
        for part in parts.into_iter().flatten() {
            words_of(part, &mut words);
        }
        let more = if words.is_empty() { String::new() } else { format!(": {}", without_numbers(&words.join(", "))) };
        self.say("account", "update", &word);
        self.tell("account", format!("the provider says {word}{more}; nothing changes for what is sent"));
    }
}

/// What stands in a value, in its order.
fn words_of(value: &serde_json::Value, words: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => words.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| words_of(value, words)),
        serde_json::Value::Object(values) => values.values().for_each(|value| words_of(value, words)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
