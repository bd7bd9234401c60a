//! From a draft to a plan: every rule of a route, checked once.

use std::collections::{BTreeMap, BTreeSet};

use super::chosen::Chosen;
use super::file::{Draft, TimeZone};
use super::lint::{Lint, Warning};
use super::prices::PriceList;
use super::time::Schedule;
use crate::config::{Config, DraftStep, Lane, Problem, Wanted, hint};
use crate::domain::{
    Channel, Content, Countries, Country, Hours, Limits, Member, OnOverlap, OnTierSpent, Plan, Pool, Span, Step,
    StepIndex,
};
use crate::template::{self, Place};

/// How far past a TTL `on_overlap = "wait"` moves a deadline, so that the provider's own word that it is over comes first.
const OVERLAP_MARGIN: Span = Span::from_secs(30);
/// The longest that a fallback may be held up for a TTL: who waits longer is not waiting for a fallback.
const OVERLAP_MAX: Span = Span::from_secs(86_400);

/// The longest that a step may wait: no provider delivers a message for longer.
const LONGEST_WAIT: Span = Span::from_secs(30 * 86_400);

/// The plan of a draft for an audience with these columns, and what was changed on the way; or all that is wrong.
pub fn plan(
    draft: &Draft,
    columns: &[String],
    config: &Config,
    schedule: &Schedule,
    prices: Option<&PriceList>,
) -> Result<(Plan, Vec<Warning>), Vec<Problem>> {
    let chosen = draft.route.choose(config).map_err(|problem| vec![problem])?;
    let (ttl, on_overlap) = (draft.ttl, draft.on_overlap);
    let hours = Hours { since: schedule.since, ..draft.hours.clone() };
    let allowed = draft.allow_countries.as_ref();
    let of = Building::of(chosen, config);
    let mut building = Building { columns: Some(columns), ttl, on_overlap, hours, allowed, prices, ..of };
    for note in &schedule.notes {
        building.warnings.push(Warning { code: Lint::ClockChange, step: None, sentence: note.clone() });
    }
    let steps = building.steps();
    let limits = building.limits(None, &draft.wanted);
    building.rules(draft, &steps);
    if !building.problems.is_empty() {
        return Err(building.problems());
    }
    let plan = Plan {
        columns: columns.to_vec(),
        steps,
        ttl: draft.ttl,
        at: schedule.at,
        end: schedule.end,
        on_unknown: draft.on_unknown,
        after_gap: draft.after_gap,
        on_missed: draft.on_missed,
        limits,
        currency: prices.and_then(|prices| prices.currency.clone()),
        pause_when: draft.pause_when,
        hold_paid_when: draft.hold_paid_when,
        over: schedule.over,
        time_zone: draft.time_zone.and_then(TimeZone::zone),
        is_again: false,
    };
    Ok((plan, building.warnings))
}

/// Everything that would be wrong with the routes of the configuration in any campaign that takes them. Which columns
/// its audience has, and what else it says, is not known yet.
pub fn check_routes(config: &Config) -> Vec<Problem> {
    let check = |route| {
        let mut building = Building::of(Chosen::from(route), config);
        building.steps();
        building.problems()
    };
    config.routes.iter().flat_map(check).collect()
}

pub(super) const NOTHING_TO_HOLD: &str =
    "no step behind the first costs anything, so there is nothing to hold; remove it";

/// Whether there is no step that `hold_paid_when` could hold.
pub(super) fn holds_nothing(steps: &[Step]) -> bool {
    !steps.iter().skip(1).any(Step::is_paid)
}

struct Building<'a> {
    chosen: Chosen<'a>,
    config: &'a Config,
    /// Nothing while nobody knows the audience.
    columns: Option<&'a [String]>,
    ttl: Option<Span>,
    on_overlap: OnOverlap,
    /// When a step may leave that does not say otherwise.
    hours: Hours,
    /// The only countries to which anything goes.
    allowed: Option<&'a BTreeSet<Country>>,
    /// Nothing while nobody says what anything costs.
    prices: Option<&'a PriceList>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'a> Building<'a> {
    fn of(chosen: Chosen<'a>, config: &'a Config) -> Self {
        Self {
            chosen,
            config,
            columns: None,
            ttl: None,
            on_overlap: OnOverlap::Warn,
            hours: Hours::default(),
            allowed: None,
            prices: None,
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The steps as far as nothing is wrong with them.
    fn steps(&mut self) -> Vec<Step> {
        let mut taken = BTreeMap::new();
        let mut steps = Vec::new();
        for (index, step) in StepIndex::all().zip(self.chosen.steps) {
            if let Some(first) = taken.insert(step.channel.code(), index) {
                let sentence = format!(
                    "{} is step {first} already, and a receipt names no step; use a channel once",
                    step.channel
                );
                self.wrong(index, "channel", sentence);
            }
            steps.extend(self.step(index, step));
        }
        steps
    }

    /// What is wrong, under the name of the route that it is wrong with.
    fn problems(self) -> Vec<Problem> {
        let Self { chosen, problems, .. } = self;
        match chosen.route {
            Some(name) => problems.into_iter().map(|problem| problem.in_route(name)).collect(),
            None => problems,
        }
    }

    fn wrong(&mut self, step: StepIndex, key: impl Into<String>, sentence: impl std::fmt::Display) {
        self.problems.push(Problem::new(Some(step), key, sentence));
    }

    /// `None` where a problem was found, which has been noted.
    fn step(&mut self, index: StepIndex, step: &DraftStep) -> Option<Step> {
        let channel = step.channel;
        let success = step.success_status.unwrap_or(channel.default_success());
        if success > channel.best_status() {
            let sentence = format!("{channel} never reports {success}; use {}", channel.default_success());
            self.wrong(index, "success_status", sentence);
        }
        self.tier_spent(index, step);
        self.content(index, step);
        let fallback_after = self.fallback_after(index, step);
        let ttl = self.ttl(index, step);
        let lanes = self.pool(index, step)?;
        let window = match &step.content {
            Content::Template(template) => template.effective_ttl(),
            Content::Text { .. } => ttl.map_or(channel.receipt_window(), past),
        };
        Some(Step {
            channel,
            countries: self.countries(step, &lanes),
            lanes,
            limits: self.limits(Some(index), &step.wanted),
            prices: self.prices.map(|prices| prices.of(channel, &step.content)).unwrap_or_default(),
            fallback_after,
            success,
            // A deadline may have been moved past the TTL.
            receipt_window: step.receipt_window.unwrap_or(window.max(fallback_after.unwrap_or(Span::ZERO))),
            ttl,
            leave_within: step.leave_within,
            on_tier_spent: step.on_tier_spent,
            hours: self.hours(step),
            content: step.content.clone(),
        })
    }

    /// The campaign's, but for what the step says itself.
    fn hours(&self, step: &DraftStep) -> Hours {
        let ours = self.hours.clone();
        Hours {
            quiet: step.quiet_hours.clone().unwrap_or(ours.quiet),
            windows: step.send_window.clone().unwrap_or(ours.windows),
            ..ours
        }
    }

    fn content(&mut self, index: StepIndex, step: &DraftStep) {
        let mut errors = template::check(step.channel, &step.content);
        if let Some(columns) = self.columns.filter(|_| errors.is_empty()) {
            errors.extend(template::mark(&step.content, columns).err());
        }
        for error in errors {
            self.wrong(index, key_of(error.place), error.problem);
        }
    }

    /// The step's time until it gives way, moved where `on_overlap` wants that.
    fn fallback_after(&mut self, index: StepIndex, step: &DraftStep) -> Option<Span> {
        let fallback_after = step.fallback_after?;
        if index.index() + 1 == self.chosen.steps.len() {
            // Not only a warning: whoever writes it expects something to happen then, and nothing would.
            self.wrong(index, "fallback_after", "the last step has nothing to fall back to; remove it, or add a step");
            return None;
        }
        if fallback_after > LONGEST_WAIT {
            let sentence = format!("nobody waits for {fallback_after}; {LONGEST_WAIT} is the longest");
            self.wrong(index, "fallback_after", sentence);
            return None;
        }
        let deadline = self.past_overlap(index, step, fallback_after)?;
        if let Some(ttl) = self.ttl.filter(|ttl| deadline >= *ttl) {
            let sentence = format!(
                "the step gives way after {deadline}, and by then the campaign's ttl of {ttl} is over, so no other could \
                 leave; shorten it, or lengthen ttl"
            );
            self.wrong(index, "fallback_after", sentence);
        }
        Some(deadline)
    }

    /// Whether not waiting for a place in the tier makes sense here.
    fn tier_spent(&mut self, index: StepIndex, step: &DraftStep) {
        let wrong = match step.on_tier_spent {
            OnTierSpent::Wait => return,
            OnTierSpent::FallBack if step.channel != Channel::WhatsApp => "only WhatsApp has tiers; remove it",
            OnTierSpent::FallBack if index.index() + 1 == self.chosen.steps.len() => {
                "the last step has nothing to fall back to; remove it, or add a step"
            }
            OnTierSpent::FallBack => return,
        };
        self.wrong(index, "on_tier_spent", wrong);
    }

    /// The deadline, where the provider may deliver what the step hands over for longer than that.
    fn past_overlap(&mut self, index: StepIndex, step: &DraftStep, fallback_after: Span) -> Option<Span> {
        let (what, key, ttl) = match &step.content {
            Content::Template(template) => {
                ("the template", "template.ttl, as it is at the provider,", template.effective_ttl())
            }
            Content::Text { .. } => match step.ttl {
                Some(ttl) => ("it", "ttl", ttl),
                None => return Some(fallback_after),
            },
        };
        if ttl < fallback_after {
            return Some(fallback_after);
        }
        match self.on_overlap {
            OnOverlap::Warn => Some(fallback_after),
            OnOverlap::Refuse => {
                let sentence = format!(
                    "the provider may deliver {what} for {ttl}, and the step gives way after {fallback_after}, so a person \
                     may get both; set a shorter {key} or write on_overlap = \"warn\""
                );
                self.wrong(index, "fallback_after", sentence);
                None
            }
            OnOverlap::Wait if ttl > OVERLAP_MAX => {
                let sentence = format!(
                    "on_overlap = \"wait\" would wait until the provider delivers {what} no more, which is {ttl}, and that \
                     is more than a day; set a shorter {key} or write on_overlap = \"warn\""
                );
                self.wrong(index, "fallback_after", sentence);
                None
            }
            OnOverlap::Wait => {
                let moved = past(ttl);
                let sentence = format!(
                    "gives way after {moved} instead of {fallback_after}, when the provider delivers {what} no more, as \
                     on_overlap = \"wait\" says"
                );
                self.warnings.push(Warning { code: Lint::DeadlineMoved, step: Some(index), sentence });
                Some(moved)
            }
        }
    }

    /// How long the provider may deliver what the step hands over. A template says that itself.
    fn ttl(&mut self, index: StepIndex, step: &DraftStep) -> Option<Span> {
        let ttl = step.ttl?;
        if let Content::Template(_) = step.content {
            self.wrong(
                index,
                "ttl",
                "a template's is set at the provider; write template.ttl, as it is there, instead",
            );
        }
        if let Some(most) = self.ttl.filter(|most| ttl > *most) {
            let sentence = format!("{ttl} is longer than the campaign's ttl of {most}; shorten it, or lengthen that");
            self.wrong(index, "ttl", sentence);
        }
        Some(ttl)
    }

    /// What may leave at most. Whoever looks a route over without a campaign does not know the prices.
    fn limits(&mut self, step: Option<StepIndex>, wanted: &Wanted) -> Limits {
        let sentence = match (wanted.budget, self.prices) {
            (Some(_), None) if self.columns.is_some() => {
                Some("what a message costs is not known; name a list of prices in volley.toml: [prices] file = \"prices.csv\"".to_owned())
            }
            (Some(budget), Some(prices)) if wanted.currency.is_some() && wanted.currency != prices.currency => {
                let said = wanted.currency.as_deref().unwrap_or_default();
                let theirs = prices.currency.as_deref().unwrap_or("none that is named");
                Some(format!("is in {said}, and {} in {theirs}; write {budget} {theirs}", prices.file.display()))
            }
            _ => None,
        };
        if let Some(sentence) = sentence {
            self.problems.push(Problem::new(step, "budget", sentence));
        }
        Limits { messages: wanted.messages, budget: wanted.budget }
    }

    /// Rules that could never hold anything up.
    fn rules(&mut self, draft: &Draft, steps: &[Step]) {
        if draft.hold_paid_when.is_some() && holds_nothing(steps) && steps.len() == self.chosen.steps.len() {
            self.problems.push(Problem::new(None, "hold_paid_when", NOTHING_TO_HOLD));
        }
    }

    /// For whom it is: those that it says, as far as the campaign and any of its lanes is for them.
    fn countries(&self, step: &DraftStep, lanes: &Pool) -> Countries {
        let allowed = self.allowed.map_or(step.countries.clone(), |allowed| step.countries.within(allowed));
        lanes.countries().map_or(allowed.clone(), |served| allowed.within(&served))
    }

    /// The lanes that the step names, else its channel's only one; a route's are those of its subaccount.
    fn pool(&mut self, index: StepIndex, step: &DraftStep) -> Option<Pool> {
        let key = if step.lanes.len() > 1 { "lanes" } else { "lane" };
        let named: Vec<Option<&str>> = match &step.lanes[..] {
            [] => vec![None],
            names => names.iter().map(|name| Some(name.as_str())).collect(),
        };
        let found: Vec<_> = named.into_iter().map(|name| self.lane(step.channel, name)).collect();
        let (lanes, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
        for sentence in wrong.into_iter().filter_map(Result::err) {
            self.wrong(index, key, sentence);
        }
        let lanes: Vec<&Lane> = lanes.into_iter().flatten().collect();
        if lanes.len() < step.lanes.len() {
            return None;
        }
        if lanes.len() > 1 && step.channel == Channel::WhatsApp && matches!(step.content, Content::Text { .. }) {
            let sentence = "WhatsApp takes free text from the number alone that a person has written to; name one lane";
            self.wrong(index, key, sentence);
        }
        let member = |lane: &Lane| Member {
            lane: lane.name.clone(),
            countries: lane.countries.clone(),
            source: lane.source.clone(),
        };
        // More lanes than a pool has were refused where they were read.
        Pool::try_from(lanes.into_iter().map(member).collect::<Vec<_>>()).ok()
    }

    fn lane(&self, channel: Channel, name: Option<&str>) -> Result<&'a Lane, String> {
        let whose = self.chosen.sub_account;
        let is_ours = |lane: &&Lane| whose.is_none_or(|whose| lane.provider.sub_account == whose);
        let lanes: Vec<&Lane> = self.config.lanes_on(channel).filter(is_ours).collect();
        let names: Vec<&str> = lanes.iter().map(|lane| lane.name.as_str()).collect();
        let others = || if names.is_empty() { "add one to volley.toml".to_owned() } else { list(&names) };
        Err(match (name, &lanes[..]) {
            (Some(name), _) => match self.config.lane(name) {
                Some(lane) if lane.channel == channel && is_ours(&lane) => return Ok(lane),
                Some(lane) if lane.channel == channel => {
                    let (theirs, whose) = (&lane.provider.sub_account, whose.unwrap_or_default());
                    format!("lane {name} sends for {theirs}, and the route is for {whose}; {}", others())
                }
                Some(lane) => format!("lane {name} is on {}, not on {channel}; {}", lane.channel, others()),
                None if names.is_empty() => no_lane(channel, whose),
                None => format!("there is no lane {name}; {}", hint(name, names)),
            },
            (None, [lane]) => return Ok(lane),
            (None, []) => no_lane(channel, whose),
            (None, [first, ..]) => {
                let all = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
                format!("{channel} has several lanes; name one: lane = \"{}\", or several: lanes = [{all}]", first.name)
            }
        })
    }
}

/// When the provider's own word that its time is over has come as well.
fn past(ttl: Span) -> Span {
    Span::from_millis(ttl.millis() + OVERLAP_MARGIN.millis())
}

fn no_lane(channel: Channel, whose: Option<&str>) -> String {
    let whose = whose.map(|whose| format!(" of {whose}")).unwrap_or_default();
    format!("there is no lane{whose} on {channel}; add a [[lane]] with channel = \"{channel}\" to volley.toml")
}

fn list(names: &[&str]) -> String {
    format!("use one of {}", names.join(", "))
}

/// Where a problem of a content stands in the file.
fn key_of(place: Place) -> String {
    match place {
        Place::Text | Place::Source | Place::Encoding | Place::Template(_) => place.to_string(),
        Place::Header(_) | Place::Body(_) | Place::Button(_, _) => format!("template, {place}"),
    }
}
