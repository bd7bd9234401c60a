//! A campaign that is changed after its launch: its end, its hours, its limits and the rules that stop it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::beginnings::Beginnings;
use super::file::holidays;
use super::launch::{LaunchError, Launcher, priced};
use super::moment::moment;
use super::noted::{Noted, noted};
use super::outlook::countries_of;
use super::route::{NOTHING_TO_HOLD, holds_nothing};
use super::time::{Schedule, instant};
use crate::clock::Clock;
use crate::config::{Problem, Table, Wanted, hint};
use crate::domain::{BatchState, Country, Limits, Plan, Queue, Span, Step, StepIndex, StopRule, Timestamp};
use crate::store::{self, Amendment, Batch, Store};

/// Messages that are brought forward in one transaction.
const PIECE: u32 = 5_000;
/// How long a claim takes that was under way when a server noted it.
const SETTLES: Span = Span::from_millis(300);
/// Keys that may be changed. Those of a step are the campaign's too, and mean all of its steps there.
const OF_STEP: [&str; 4] = ["quiet_hours", "send_window", "max_messages", "budget"];
const OF_CAMPAIGN: [&str; 4] = ["end", "holidays", "pause_when", "hold_paid_when"];
/// Instead of a value: no such thing any more.
const NONE: &str = "none";

/// What is to be otherwise, with the keys and values of a campaign file. What is not named stays as it is.
#[derive(Debug, Clone, Default)]
pub struct Amend {
    /// Only this step's hours and limits.
    pub step: Option<StepIndex>,
    pub keys: Map<String, Value>,
}

/// One thing that is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    pub key: &'static str,
    pub before: String,
    pub after: String,
}

/// What came of it.
#[derive(Debug)]
pub enum Amended {
    /// It holds; so many messages that waited for an hour to come need not any more.
    Holds { changed: Vec<Changed>, noted: Noted, brought_forward: u64 },
    /// Nothing would have been otherwise.
    AsItWas(Noted),
    /// There is nothing left that could be changed.
    Over(BatchState),
    /// Its end has come.
    Ended(Timestamp),
}

impl Launcher<'_> {
    /// Changes a campaign's plan, and waits until every running server obeys it.
    pub async fn amend(&self, batch: &Batch, amend: &Amend, by: &str) -> Result<Amended, LaunchError> {
        let countries = countries_of(self.store, batch).await?;
        loop {
            let now = self.clock.now();
            let batch = self.store.batch(batch.id).await?.ok_or(LaunchError::NoPlan)?;
            let before = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
            if !BatchState::OPEN.contains(&batch.state) {
                return Ok(Amended::Over(batch.state));
            }
            if let Some(end) = before.end.filter(|end| *end <= now) {
                return Ok(Amended::Ended(end));
            }
            let (plan, begins) = amended(&before, amend, &countries, &batch, now).map_err(LaunchError::Problems)?;
            let changed = differences(&before, &plan);
            if changed.is_empty() {
                // Whoever gives it once more may have been interrupted the first time.
                let noted = noted(self.store, self.clock, self.store.seq().await?).await?;
                self.bring_forward(&batch, &plan, amend, noted).await?;
                return Ok(Amended::AsItWas(noted));
            }
            let said: Vec<String> = changed.iter().map(Changed::said).collect();
            let why = format!("changed by {by}: {}", said.join("; "));
            let has_begun = batch.started_at.is_some() || is_placed(&plan);
            let starts_at = batch.starts_at.map(|at| if has_begun { at } else { at.min(begins) });
            let batch = Batch { starts_at, ..batch };
            let (id, edition) = (batch.id, batch.edition);
            let amendment = Amendment { batch: id, edition, plan: plan.clone(), starts_at, why, now };
            // Somebody else was faster: what they have changed stands, and this comes on top of it.
            let Some(seq) = self.store.amend(amendment).await? else { continue };
            let noted = noted(self.store, self.clock, seq).await?;
            let brought_forward = self.bring_forward(&batch, &plan, amend, noted).await?;
            return Ok(Amended::Holds { changed, noted, brought_forward });
        }
    }

    async fn bring_forward(&self, batch: &Batch, plan: &Plan, amend: &Amend, noted: Noted) -> Result<u64, LaunchError> {
        if !amend.names_hours() {
            return Ok(0);
        }
        let mut brought = bring_forward(self.store, self.clock, batch, plan, amend.step).await?;
        if matches!(noted, Noted::ByAll { .. } | Noted::NotYet) {
            // A claim that was under way may have put somebody off by the hours before.
            self.clock.sleep(SETTLES).await;
            brought += bring_forward(self.store, self.clock, batch, plan, amend.step).await?;
        }
        Ok(brought)
    }
}

impl Amend {
    fn names_hours(&self) -> bool {
        ["quiet_hours", "send_window", "holidays"].iter().any(|key| self.keys.contains_key(*key))
    }
}

/// Whoever waits for an hour that other hours may let come earlier is looked at anew. What is spread over a time, or begins
/// by everybody's own clock, keeps its place.
pub(crate) async fn bring_forward(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    plan: &Plan,
    only: Option<StepIndex>,
) -> store::Result<u64> {
    if is_placed(plan) {
        return Ok(0);
    }
    let lanes = store.lanes(plan.lanes()).await?;
    let mut brought = 0;
    for (step, rules) in plan.places().filter(|(step, _)| only.is_none_or(|only| only == *step)) {
        for lane in lanes.iter().filter(|lane| rules.lanes.member(&lane.name).is_some()) {
            let queue = Queue { batch: batch.id, step, lane: lane.id };
            // Nothing comes before the campaign begins.
            let to = batch.starts_at.unwrap_or_default().max(clock.now());
            loop {
                let piece = store.bring_forward(queue, to, rules.leave_within, PIECE).await?;
                brought += u64::from(piece);
                if piece < PIECE {
                    break;
                }
            }
        }
    }
    Ok(brought)
}

fn is_placed(plan: &Plan) -> bool {
    plan.over.is_some() || plan.steps.iter().any(|step| step.hours.since.is_some())
}

/// The plan as it is to be, and when it begins where it has not; or everything that is wrong with it.
fn amended(
    before: &Plan,
    amend: &Amend,
    countries: &BTreeMap<Country, u64>,
    batch: &Batch,
    now: Timestamp,
) -> Result<(Plan, Timestamp), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut plan = before.clone();
    let (keys, gone) = split(amend, plan.steps.len(), &mut problems);
    let mut table = Table::new(amend.step, "", keys, &mut problems);
    if amend.step.is_none() {
        of_campaign(&mut plan, &mut table, &gone, now);
    }
    hours(&mut plan, amend.step, &mut table, &gone);
    limits(&mut plan, amend.step, &mut table, &gone);
    table.finish(&[]);
    if !problems.is_empty() {
        return Err(problems);
    }
    priced(countries, &plan)?;
    // Quiet hours around the clock, or a window that opens behind the end. What has begun may end before it opens again.
    let is_checked = amend.names_hours() || amend.keys.contains_key("end");
    let end = plan.end.filter(|_| is_checked && batch.started_at.is_none());
    let schedule = Schedule { at: plan.at, end, ..Schedule::default() };
    let begins = Beginnings::of(&plan, &schedule, countries, now)?.first;
    Ok((plan, begins))
}

/// Keys with a value, and those that are to have none.
fn split(amend: &Amend, steps: usize, problems: &mut Vec<Problem>) -> (Map<String, Value>, BTreeSet<String>) {
    if let Some(step) = amend.step.filter(|step| step.index() >= steps) {
        problems.push(Problem::new(Some(step), "step", format_args!("there is none; the campaign has {steps}")));
    }
    let is_none = |value: &Value| {
        let text = value.as_array().and_then(|list| list.first()).unwrap_or(value).as_str();
        value.is_null() || text.is_some_and(|text| text.eq_ignore_ascii_case(NONE))
    };
    let known: Vec<&str> = match amend.step {
        Some(_) => OF_STEP.to_vec(),
        None => OF_STEP.iter().chain(&OF_CAMPAIGN).copied().collect(),
    };
    let (mut keys, mut gone) = (Map::new(), BTreeSet::new());
    for (key, value) in &amend.keys {
        if !known.contains(&key.as_str()) {
            let whose = if amend.step.is_some() { "of a step" } else { "of a campaign" };
            let sentence = format!("cannot be changed {whose} after its launch; {}", hint(key, known.clone()));
            problems.push(Problem::new(amend.step, key, sentence));
        } else if is_none(value) {
            gone.insert(key.clone());
        } else {
            keys.insert(key.clone(), value.clone());
        }
    }
    (keys, gone)
}

fn of_campaign(plan: &mut Plan, table: &mut Table<'_>, gone: &BTreeSet<String>, now: Timestamp) {
    if gone.contains("end") {
        plan.end = None;
    } else if let Some(text) = table.said("end") {
        match instant(&text, plan.time_zone) {
            Err(error) => table.wrong("end", error),
            Ok(end) if end.at <= now => table.wrong(
                "end",
                format_args!(
                    "\"{text}\" is not after now, so nothing more could leave; cancel it, or write a later time"
                ),
            ),
            Ok(end) if plan.at.is_some_and(|start| end.at <= start) => table.wrong(
                "end",
                format_args!("\"{text}\" is not after its start, so nothing could leave; write a later time"),
            ),
            Ok(end) => plan.end = Some(end.at),
        }
    }
    let is_named = table.has("holidays");
    let days = holidays(table);
    if is_named || gone.contains("holidays") {
        plan.steps.iter_mut().for_each(|step| step.hours.holidays.clone_from(&days));
    }
    let holds = table.has("hold_paid_when");
    for (key, rule) in [("pause_when", &mut plan.pause_when), ("hold_paid_when", &mut plan.hold_paid_when)] {
        if gone.contains(key) {
            *rule = None;
        } else if let Some(wanted) = table.parsed(key) {
            *rule = Some(wanted);
        }
    }
    if holds && holds_nothing(&plan.steps) {
        table.wrong("hold_paid_when", NOTHING_TO_HOLD);
    }
}

/// The steps that are meant.
fn meant(plan: &mut Plan, only: Option<StepIndex>) -> impl Iterator<Item = &mut Step> {
    let steps = StepIndex::all().zip(&mut plan.steps);
    steps.filter(move |(index, _)| only.is_none_or(|only| only == *index)).map(|(_, step)| step)
}

fn hours(plan: &mut Plan, only: Option<StepIndex>, table: &mut Table<'_>, gone: &BTreeSet<String>) {
    let quiet = table.parsed_all("quiet_hours").or(gone.contains("quiet_hours").then(Vec::new));
    let windows = table.parsed_all("send_window").or(gone.contains("send_window").then(Vec::new));
    for step in meant(plan, only) {
        step.hours.quiet = quiet.clone().unwrap_or_else(|| std::mem::take(&mut step.hours.quiet));
        step.hours.windows = windows.clone().unwrap_or_else(|| std::mem::take(&mut step.hours.windows));
    }
}

fn limits(plan: &mut Plan, only: Option<StepIndex>, table: &mut Table<'_>, gone: &BTreeSet<String>) {
    let wanted = Wanted::read(table);
    if wanted.budget.is_some() && plan.steps.iter().all(|step| step.prices.is_empty()) {
        let sentence = "what a message costs was not known at its launch; clone it with a list of prices in volley.toml: \
                        [prices] file = \"prices.csv\"";
        table.wrong("budget", sentence);
    }
    if wanted.currency.is_some() && wanted.currency != plan.currency {
        let theirs = plan.currency.as_deref().unwrap_or("none that is named");
        table.wrong("budget", format_args!("its prices are in {theirs}; write the amount in that"));
    }
    let limits = match only {
        None => Some(&mut plan.limits),
        Some(only) => plan.steps.get_mut(only.index()).map(|step| &mut step.limits),
    };
    let Some(limits) = limits else { return };
    let Limits { messages, budget } = limits;
    *messages = wanted.messages.or(messages.filter(|_| !gone.contains("max_messages")));
    *budget = wanted.budget.or(budget.filter(|_| !gone.contains("budget")));
}

impl Changed {
    fn said(&self) -> String {
        let Self { step, key, before, after } = self;
        let step = step.map(|step| format!("step {step}, ")).unwrap_or_default();
        format!("{step}{key} is {after}, was {before}")
    }
}

/// What is otherwise in a plan than in the one before.
fn differences(before: &Plan, plan: &Plan) -> Vec<Changed> {
    let mut changed = Vec::new();
    let mut compare = |step: Option<StepIndex>, key, before: Option<String>, after: Option<String>| {
        if before != after {
            let said = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned());
            let step = step.map(|step| step.get() + 1);
            changed.push(Changed { step, key, before: said(before), after: said(after) });
        }
    };
    let end = |plan: &Plan| plan.end.map(|end| moment(end, plan.time_zone));
    compare(None, "end", end(before), end(plan));
    let rule = |rule: Option<StopRule>| rule.map(|rule| rule.to_string());
    compare(None, "pause_when", rule(before.pause_when), rule(plan.pause_when));
    compare(None, "hold_paid_when", rule(before.hold_paid_when), rule(plan.hold_paid_when));
    let messages = |limits: &Limits| limits.messages.map(|most| most.to_string());
    let budget = |limits: &Limits| limits.budget.map(|budget| budget.in_currency(plan.currency.as_deref()));
    let all = [(None, &before.limits, &plan.limits)];
    let of_steps = before.places().zip(&plan.steps).map(|((at, was), is)| (Some(at), &was.limits, &is.limits));
    for (step, was, is) in all.into_iter().chain(of_steps) {
        compare(step, "max_messages", messages(was), messages(is));
        compare(step, "budget", budget(was), budget(is));
    }
    for ((at, was), is) in before.places().zip(&plan.steps) {
        let (was, is) = (&was.hours, &is.hours);
        compare(Some(at), "quiet_hours", listed(&was.quiet), listed(&is.quiet));
        compare(Some(at), "send_window", listed(&was.windows), listed(&is.windows));
        compare(Some(at), "holidays", listed(&was.holidays), listed(&is.holidays));
    }
    changed
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> Option<String> {
    Some(items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", "))
}
