//! Changes a campaign after its launch: its start and end, hours, limits, the rules that pause or hold it, and its texts.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::beginnings::Beginnings;
use super::correction::{TEXT, correct, text_of};
use super::file::holidays;
use super::launch::{LaunchError, Launcher};
use super::lint::Warning;
use super::lint_limits::small_limits;
use super::noted::{Noted, noted};
use super::outlook::crowd_in;
use super::plan_checks::priced;
use super::recipients::RecipientsError;
use super::route::{NOTHING_TO_HOLD, holds_nothing};
use super::second_operator::needs_second_operator;
use super::time::{PRESENT, Schedule, instant};
use crate::base::clock::{Clock, format_stored_time};
use crate::base::config::{Config, Problem, Table, Wanted, stretches};
use crate::base::domain::text::plural;
use crate::base::domain::{BatchState, Crowd, Limits, Plan, Queue, Span, Step, StepIndex, StopRule, Timestamp, hint};
use crate::base::events::ChangedKey;
use crate::store::{self, Amendment, Batch, Store};

/// Messages brought forward in one transaction.
const PIECE: u32 = 5_000;
/// How long a claim may take that was in progress when its server noted the change.
const SETTLES: Span = Span::from_millis(300);
/// Keys of a step that may be changed. For a campaign they change all of its steps.
const OF_STEP: [&str; 4] = ["quiet_hours", "send_window", "max_messages", "budget"];
/// The same, of one step only.
const OF_ONE_STEP: [&str; 1] = [TEXT];
/// Keys of a campaign that may be changed.
const OF_CAMPAIGN: [&str; 5] = ["at", "end", "holidays", "pause_when", "hold_paid_when"];
/// The value that removes a setting.
const NONE: &str = "none";

/// A change, with the keys and values of a campaign file. Other keys keep their values.
#[derive(Debug, Clone, Default)]
pub struct Amend {
    /// Changes only this step's hours, limits and text; `None` changes the campaign.
    pub step: Option<StepIndex>,
    pub keys: Map<String, Value>,
    /// The edition of the campaign that the change was decided on; `None` changes any.
    pub edition: Option<u32>,
}

/// The result of a change.
#[derive(Debug)]
pub enum Amended {
    /// The change is saved. `brought_forward` messages that waited for a later hour may be sent earlier. The warnings are about its
    /// present limits.
    Holds { changed: Vec<ChangedKey>, noted: Noted, brought_forward: u64, warnings: Vec<Warning> },
    /// The change has no effect: every key already has the given value.
    AsItWas { noted: Noted, warnings: Vec<Warning> },
    /// The campaign is over, so nothing can be changed.
    Over(BatchState),
    /// The campaign's end has passed.
    Ended(Timestamp),
    /// Another operator was faster.
    Outdated,
}

impl Launcher<'_> {
    /// Changes a campaign's plan, and waits until every running server obeys it.
    pub async fn amend(&self, batch: &Batch, amend: &Amend) -> Result<Amended, LaunchError> {
        let crowd = crowd_in(self.store, batch).await?.map_err(RecipientsError::from)?;
        loop {
            let now = self.clock.now();
            let batch = self.store.batch(batch.id).await?.ok_or(LaunchError::NoPlan)?;
            if amend.edition.is_some_and(|edition| edition != batch.edition) {
                return Ok(Amended::Outdated);
            }
            let before = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
            if !BatchState::OPEN.contains(&batch.state) {
                return Ok(Amended::Over(batch.state));
            }
            if let Some(end) = before.end.filter(|end| *end <= now) {
                return Ok(Amended::Ended(end));
            }
            let (mut plan, begins) =
                amended(&before, amend, &crowd, &batch, (self.config, now)).map_err(LaunchError::Problems)?;
            let changed = differences(&before, &plan);
            if changed.is_empty() {
                // A repeated change may complete one that was interrupted.
                let noted = noted(self.store, self.clock, self.store.seq().await?).await?;
                self.bring_forward(&batch, &plan, amend, noted).await?;
                let warnings = self.small_limits(&batch, &plan).await?;
                return Ok(Amended::AsItWas { noted, warnings });
            }
            let is_corrected = changed.iter().any(|change| change.key == TEXT);
            if is_corrected {
                plan.cost = self.cost_of(&batch, &plan).await?;
            }
            let starts_at = starts_at(&batch, &plan, amend, begins, now);
            let batch = Batch { starts_at, ..batch };
            let (id, edition) = (batch.id, batch.edition);
            let (origin, changes) = (self.by.clone(), changed.clone());
            let amendment = Amendment { batch: id, edition, plan: plan.clone(), starts_at, origin, changes, now };
            // Another operator was faster. Their change stays, and this one is applied on top of it, or refused.
            let saved = if is_corrected {
                let is_draft_again = needs_second_operator(self.config, batch.messages.into());
                self.store.correct(amendment, is_draft_again).await?
            } else {
                self.store.amend(amendment).await?
            };
            let Some(seq) = saved else { continue };
            let noted = noted(self.store, self.clock, seq).await?;
            let brought_forward = self.bring_forward(&batch, &plan, amend, noted).await?;
            let warnings = self.small_limits(&batch, &plan).await?;
            return Ok(Amended::Holds { changed, noted, brought_forward, warnings });
        }
    }

    async fn small_limits(&self, batch: &Batch, plan: &Plan) -> Result<Vec<Warning>, LaunchError> {
        let tallies = self.store.tallies(batch.id).await?;
        Ok(small_limits(batch.state, plan, &tallies, self.clock.now()))
    }

    async fn bring_forward(&self, batch: &Batch, plan: &Plan, amend: &Amend, noted: Noted) -> Result<u64, LaunchError> {
        if !amend.names_hours() && !amend.names("at") {
            return Ok(0);
        }
        let brought = bring_forward(self.store, self.clock, batch, plan, amend.step).await?;
        if matches!(noted, Noted::ByAll { .. } | Noted::NotYet) {
            // A claim in progress may have postponed messages by the former hours.
            self.clock.sleep(SETTLES).await;
            let again = bring_forward(self.store, self.clock, batch, plan, amend.step).await?;
            // Most of these were brought forward before, and postponed by the new hours since.
            return Ok(brought.max(again));
        }
        Ok(brought)
    }
}

impl Amend {
    fn names(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    fn names_hours(&self) -> bool {
        ["quiet_hours", "send_window", "holidays"].iter().any(|key| self.names(key))
    }
}

/// Brings messages forward that wait for an hour, so that the next claim checks them by the new hours. Does nothing for
/// a campaign that is spread over a time or starts by each recipient's own clock, nor for messages of API calls, which may
/// have starts of their own.
pub(crate) async fn bring_forward(
    store: &dyn Store,
    clock: &dyn Clock,
    batch: &Batch,
    plan: &Plan,
    only: Option<StepIndex>,
) -> store::Result<u64> {
    if has_fixed_times(plan) {
        return Ok(0);
    }
    let lanes = store.lanes(plan.lanes()).await?;
    let mut brought = 0;
    for (step, rules) in plan.indexed_steps().filter(|(step, _)| only.is_none_or(|only| only == *step)) {
        for lane in lanes.iter().filter(|lane| rules.lanes.member(&lane.name).is_some()) {
            let queue = Queue { batch: batch.id, step, lane: lane.id };
            // No message may be sent before the campaign starts.
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

/// When the batch starts under the changed plan, whose first messages may be sent from `begins` on.
fn starts_at(batch: &Batch, plan: &Plan, amend: &Amend, begins: Timestamp, now: Timestamp) -> Option<Timestamp> {
    if amend.names("at") {
        return Some(begins).filter(|at| *at > now).or(plan.at);
    }
    let has_begun = batch.started_at.is_some() || has_fixed_times(plan);
    batch.starts_at.map(|at| if has_begun { at } else { at.min(begins) })
}

/// Whether the launch, or the call that sent it, may have fixed a time for each message.
fn has_fixed_times(plan: &Plan) -> bool {
    plan.api.is_some() || plan.over.is_some() || plan.steps.iter().any(|step| step.hours.since.is_some())
}

/// The changed plan, and when it starts if it has not; or every problem with the change.
fn amended(
    before: &Plan,
    amend: &Amend,
    crowd: &Crowd,
    batch: &Batch,
    (config, now): (&Config, Timestamp),
) -> Result<(Plan, Timestamp), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut plan = before.clone();
    let (keys, gone) = split(amend, plan.steps.len(), &mut problems);
    let mut table = Table::new(amend.step, "", keys, &mut problems);
    if amend.step.is_none() {
        start(&mut plan, &mut table, &gone, batch, now);
        of_campaign(&mut plan, &mut table, &gone, now);
    }
    hours(&mut plan, amend.step, &mut table, &gone);
    limits(&mut plan, amend.step, &mut table, &gone);
    if let Some(step) = amend.step {
        correct(&mut plan, step, &mut table, batch, config);
    }
    table.finish(&[]);
    if !problems.is_empty() {
        return Err(problems);
    }
    priced(crowd, &plan)?;
    // Refuses hours that never open before the end. A campaign that has started may end before its hours open again.
    let is_checked = amend.names_hours() || ["at", "end"].iter().any(|key| amend.names(key));
    let end = plan.end.filter(|_| is_checked && batch.started_at.is_none());
    let schedule = Schedule { at: plan.at, end, ..Schedule::default() };
    let begins = Beginnings::of(&plan, &schedule, crowd, now)?.first;
    Ok((plan, begins))
}

/// Splits the change into keys with a value, and keys to remove.
fn split(amend: &Amend, steps: usize, problems: &mut Vec<Problem>) -> (Map<String, Value>, BTreeSet<String>) {
    if let Some(step) = amend.step.filter(|step| step.index() >= steps) {
        problems.push(Problem::new(
            Some(step),
            "step",
            format_args!("it has no step {step}, only {}", plural(steps as u64, "step", "steps")),
        ));
    }
    let is_none = |value: &Value| {
        let text = value.as_array().and_then(|list| list.first()).unwrap_or(value).as_str();
        value.is_null() || text.is_some_and(|text| text.eq_ignore_ascii_case(NONE))
    };
    let known: Vec<&str> = match amend.step {
        Some(_) => OF_STEP.iter().chain(&OF_ONE_STEP).copied().collect(),
        None => OF_STEP.iter().chain(&OF_CAMPAIGN).copied().collect(),
    };
    let (mut keys, mut gone) = (Map::new(), BTreeSet::new());
    for (key, value) in &amend.keys {
        if !known.contains(&key.as_str()) {
            let is_of_campaign = amend.step.is_some() && OF_CAMPAIGN.contains(&key.as_str());
            let sentence = if OF_ONE_STEP.contains(&key.as_str()) {
                "belongs to a step; name the step with it".to_owned()
            } else if is_of_campaign {
                format!("applies to the whole campaign; leave out the step, or use one of {}", known.join(", "))
            } else {
                format!("cannot be changed after the launch; {}", hint(key, known.clone()))
            };
            problems.push(Problem::new(amend.step, key, sentence));
        } else if key != TEXT && is_none(value) {
            gone.insert(key.clone());
        } else {
            keys.insert(key.clone(), value.clone());
        }
    }
    (keys, gone)
}

/// Moves the start of a campaign that has not started.
fn start(plan: &mut Plan, table: &mut Table<'_>, gone: &BTreeSet<String>, batch: &Batch, now: Timestamp) {
    let text = table.filled_text("at");
    if text.is_none() && !gone.contains("at") {
        return;
    }
    let at = match text.as_deref().map(|text| instant(text, plan.time_zone)).transpose() {
        Ok(at) => at.map(|at| at.at),
        Err(error) => return table.wrong("at", error),
    };
    let is_later = at.is_some_and(|at| batch.starts_at.is_none_or(|before| at > before));
    if batch.started_at.is_some() {
        table.wrong("at", "the campaign has started, so its start cannot be moved");
    } else if has_fixed_times(plan) {
        let sentence = "the launch has fixed a time for each message, by `over` or by each recipient's clock; cancel the \
                        campaign, and launch it with another start";
        table.wrong("at", sentence);
    } else if is_later && plan.steps.iter().any(|step| step.leave_within.is_some()) {
        let sentence = "`leave_within` counts from the former start, so messages would fall back before a later one; cancel \
                        the campaign, and launch it with another start";
        table.wrong("at", sentence);
    } else if at.is_some_and(|at| at + PRESENT <= now) {
        let text = text.unwrap_or_default();
        table.wrong("at", format_args!("\"{text}\" has passed; write a later time, or \"none\" to start at once"));
    } else if let (Some(at), Some(end), false) = (at, plan.end, table.has("end") || gone.contains("end"))
        && at >= end
    {
        let end = format_stored_time(end, plan.time_zone);
        let text = text.unwrap_or_default();
        let sentence =
            format!("\"{text}\" is not before its end, {end}, so nothing could be sent; write an earlier time");
        table.wrong("at", sentence);
    } else {
        plan.at = at;
    }
}

fn of_campaign(plan: &mut Plan, table: &mut Table<'_>, gone: &BTreeSet<String>, now: Timestamp) {
    if gone.contains("end") {
        plan.end = None;
    } else if let Some(text) = table.filled_text("end") {
        match instant(&text, plan.time_zone) {
            Err(error) => table.wrong("end", error),
            Ok(end) if end.at <= now => table.wrong(
                "end",
                format_args!(
                    "\"{text}\" is not after now, so nothing more could be sent; cancel the campaign, or write a later \
                     time"
                ),
            ),
            Ok(end) if plan.at.is_some_and(|start| end.at <= start) => table.wrong(
                "end",
                format_args!("\"{text}\" is not after its start, so nothing could be sent; write a later time"),
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

/// The steps that a change applies to.
fn selected(plan: &mut Plan, only: Option<StepIndex>) -> impl Iterator<Item = &mut Step> {
    let steps = StepIndex::all().zip(&mut plan.steps);
    steps.filter(move |(index, _)| only.is_none_or(|only| only == *index)).map(|(_, step)| step)
}

fn hours(plan: &mut Plan, only: Option<StepIndex>, table: &mut Table<'_>, gone: &BTreeSet<String>) {
    let quiet = stretches(table, "quiet_hours").or(gone.contains("quiet_hours").then(Vec::new));
    let windows = stretches(table, "send_window").or(gone.contains("send_window").then(Vec::new));
    for step in selected(plan, only) {
        step.hours.quiet = quiet.clone().unwrap_or_else(|| std::mem::take(&mut step.hours.quiet));
        step.hours.windows = windows.clone().unwrap_or_else(|| std::mem::take(&mut step.hours.windows));
    }
}

fn limits(plan: &mut Plan, only: Option<StepIndex>, table: &mut Table<'_>, gone: &BTreeSet<String>) {
    let wanted = Wanted::read(table);
    if wanted.budget.is_some() && !plan.has_prices() {
        let sentence = "it was launched without a price list, so its cost cannot be counted; write [prices] file = \"prices.csv\" \
                        in volley.toml, and clone the campaign";
        table.wrong("budget", sentence);
    } else if wanted.currency.is_some() && wanted.currency != plan.currency {
        match &plan.currency {
            Some(theirs) => {
                table.wrong("budget", format_args!("its prices are in {theirs}; write the amount in {theirs}"));
            }
            None => table.wrong("budget", "its prices name no currency; write the amount without one"),
        }
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

/// The differences between two plans.
fn differences(before: &Plan, plan: &Plan) -> Vec<ChangedKey> {
    let mut changed = Vec::new();
    let mut compare = |step: Option<StepIndex>, key, before: Option<String>, after: Option<String>| {
        if before != after {
            let shown = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned());
            let step = step.map(|step| step.get() + 1);
            changed.push(ChangedKey { step, key: String::from(key), before: shown(before), after: shown(after) });
        }
    };
    let at = |plan: &Plan| plan.at.map(|at| format_stored_time(at, plan.time_zone));
    compare(None, "at", at(before), at(plan));
    let end = |plan: &Plan| plan.end.map(|end| format_stored_time(end, plan.time_zone));
    compare(None, "end", end(before), end(plan));
    let rule = |rule: Option<StopRule>| rule.map(|rule| rule.to_string());
    compare(None, "pause_when", rule(before.pause_when), rule(plan.pause_when));
    compare(None, "hold_paid_when", rule(before.hold_paid_when), rule(plan.hold_paid_when));
    let messages = |limits: &Limits| limits.messages.map(|most| most.to_string());
    let budget = |limits: &Limits| limits.budget.map(|budget| budget.in_currency(plan.currency.as_deref()));
    let all = [(None, &before.limits, &plan.limits)];
    let of_steps = before.indexed_steps().zip(&plan.steps).map(|((at, was), is)| (Some(at), &was.limits, &is.limits));
    for (step, was, is) in all.into_iter().chain(of_steps) {
        compare(step, "max_messages", messages(was), messages(is));
        compare(step, "budget", budget(was), budget(is));
    }
    for ((at, was), is) in before.indexed_steps().zip(&plan.steps) {
        let (was, is) = (&was.hours, &is.hours);
        compare(Some(at), "quiet_hours", listed(&was.quiet), listed(&is.quiet));
        compare(Some(at), "send_window", listed(&was.windows), listed(&is.windows));
        compare(Some(at), "holidays", listed(&was.holidays), listed(&is.holidays));
    }
    for ((at, was), is) in before.indexed_steps().zip(&plan.steps) {
        let text = |step: &Step| text_of(&step.content).map(str::to_owned);
        compare(Some(at), TEXT, text(was), text(is));
    }
    changed
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> Option<String> {
    Some(items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", "))
}
