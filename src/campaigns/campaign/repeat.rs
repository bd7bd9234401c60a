//! Repeats a campaign, for all of its recipients or for those with certain outcomes.

use std::collections::BTreeSet;
use std::fmt;

use super::beginnings::Beginnings;
use super::launch::{LaunchError, Launched, Launcher, Prepared};
use super::plan_checks::{counts_from_its_launch, remove_idle_rules};
use super::recipients::{PAGE, Part, Recipients};
use super::retries::Retries;
use super::second_operator::limit_below;
use super::time::{PRESENT, Schedule, instant, roughly};
use crate::base::config::{Problem, Sentence};
use crate::base::domain::text::{plural, shell};
use crate::base::domain::{
    AddressKey, Count, Crowd, Loaded, MessageKey, Outcome, Plan, Present, SkipReason, State, StepIndex, Tallies,
};
use crate::campaigns::report::as_counted;
use crate::recipients::optout::OptOuts;
use crate::store::Batch;

/// How to repeat a campaign.
#[derive(Debug, Clone, Default)]
pub struct Repeat {
    /// The new name; by default the old name with a number.
    pub name: Option<String>,
    /// The start time as the operator wrote it; by default it starts at once.
    pub at: Option<String>,
    /// Only recipients with these outcomes; `None` for all recipients.
    pub outcomes: Option<BTreeSet<Outcome>>,
    /// Only the recipient of the message with this number; `None` for all of them.
    pub only: Option<u32>,
    /// Whether a retry also goes to recipients whom another retry of the same campaign has reached.
    pub include_reached: bool,
    /// Whether it waits for an operator to start it.
    pub is_draft: bool,
    /// Whether an operator confirms it, although it may have been launched before a restore.
    pub confirms_restored: bool,
}

impl Repeat {
    /// Whether the repetition includes a message's recipient. Recipients that the campaign excluded stay excluded.
    fn is_for(&self, batch: &Batch, message: &Present) -> bool {
        match (as_counted(batch, message).state, &self.outcomes) {
            (State::Done { skipped: Some(SkipReason::Excluded), .. }, _) => false,
            (_, None) => true,
            (State::Done { outcome, .. }, Some(outcomes)) => outcomes.contains(&outcome),
            (State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. }, Some(_)) => false,
        }
    }
}

/// Why a campaign cannot be repeated: none of its recipients is left to send to.
#[derive(Debug)]
pub struct NoRecipientsToRepeat {
    name: String,
    outcomes: String,
    opted_out: u64,
    reached_before: u64,
    /// Messages of which it is unknown whether they were submitted, and that may still get a receipt.
    undecided: u64,
}

impl NoRecipientsToRepeat {
    fn of(batch: &Batch, again: &Repeat, recipients: &Recipients, tallies: &Tallies) -> Self {
        let wants_unknown = again.outcomes.as_ref().is_some_and(|outcomes| outcomes.contains(&Outcome::Unknown));
        let undecided = tallies.total(Count::Unknown).try_into().ok().filter(|_| wants_unknown).unwrap_or(0);
        let outcomes: Vec<String> = again.outcomes.iter().flatten().map(ToString::to_string).collect();
        let Recipients { opted_out, reached_before, .. } = *recipients;
        Self { name: batch.display_name(), outcomes: outcomes.join(" or "), opted_out, reached_before, undecided }
    }
}

impl fmt::Display for NoRecipientsToRepeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, outcomes, opted_out, reached_before, undecided } = self;
        let with = if outcomes.is_empty() { String::new() } else { format!(" with the outcome {outcomes}") };
        let recipients = |number: u64| plural(number, "recipient", "recipients");
        let reached = (*reached_before > 0).then(|| {
            let reached = plural(*reached_before, "recipient was reached", "recipients were reached");
            format!("{reached} by an earlier retry (`include_reached` sends to them too)")
        });
        let opted_out = (*opted_out > 0).then(|| format!("{} opted out", recipients(*opted_out)));
        let undecided = (*undecided > 0).then(|| {
            let unknown = plural(*undecided, "submission is unknown", "submissions are unknown");
            format!("{unknown}, and a receipt may still decide; the outcome comes when the receipt window ends")
        });
        let why: Vec<String> = reached.into_iter().chain(opted_out).chain(undecided).collect();
        match why.is_empty() {
            true => write!(f, "\"{name}\" has no recipient{with}; see volley campaign report {}", shell(name)),
            false => write!(f, "\"{name}\" has no recipient{with} to send to: {}", why.join(", ")),
        }
    }
}

impl Launcher<'_> {
    /// Launches a campaign again, with the same frozen steps, for all or some of its recipients. The repetition is a
    /// separate campaign, which names the first as its origin.
    pub async fn repeat(&self, batch: &Batch, again: &Repeat) -> Result<Launched, LaunchError> {
        self.ensure_not_repeated_before(batch, again.confirms_restored).await?;
        let now = self.clock.now();
        let mut plan = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
        self.has_lanes(&plan)?;
        let schedule = schedule(again, &plan, now)?;
        // The times of the first campaign are over, so they do not apply.
        plan.at = schedule.at;
        plan.end = None;
        plan.on_missed = None;
        // It was the cost for all recipients of the first campaign.
        plan.cost = None;
        (plan.is_again, plan.is_retry) = (true, again.outcomes.is_some());
        for step in &mut plan.steps {
            step.hours.since = None;
            // Its template may have another category by now.
            let wanted = step.send_us_marketing_again();
            step.withhold_us_marketing(wanted);
        }
        let recipients = self.recipients_of(batch, &plan, again).await;
        if self.store.batch(batch.id).await?.is_none_or(|batch| batch.purged_at.is_some()) {
            // The purge may have begun during the look-up, so some recipients may have been missing already.
            return Err(LaunchError::Purged);
        }
        let recipients = recipients?;
        remove_idle_rules(&mut plan, &recipients.countries);
        if recipients.recipients == 0 {
            let tallies = self.store.tallies(batch.id).await?;
            return Err(LaunchError::NoRecipientsToRepeat(NoRecipientsToRepeat::of(
                batch,
                again,
                &recipients,
                &tallies,
            )));
        }
        let is_draft = again.is_draft || limit_below(self.config, recipients.recipients).is_some();
        if let Some(problem) = counts_from_its_launch(&plan).filter(|_| is_draft) {
            return Err(LaunchError::Problems(vec![problem]));
        }
        let beginnings = Beginnings::of(&plan, &schedule, &recipients.crowd(), now).map_err(LaunchError::Problems)?;
        let name = self.name_of(batch, again).await?;
        let prepared = Prepared::unwarned(name, recipients, plan, schedule, beginnings, now);
        let repeats = Some(batch.id);
        self.lay_out(&mut Prepared { is_draft, repeats, ..prepared }).await
    }

    /// Checks that all lanes of the plan are still configured.
    fn has_lanes(&self, plan: &Plan) -> Result<(), LaunchError> {
        let gone = |index: StepIndex, lane: &str| {
            let sentence = format!("lane {lane} is no longer in volley.toml; add it again, or launch a campaign file");
            Problem::new(Some(index), "lane", sentence)
        };
        let lanes = plan.indexed_steps().flat_map(|(index, step)| step.lanes.names().map(move |lane| (index, lane)));
        let missing = lanes.filter(|(_, lane)| self.config.lane(lane).is_none());
        let problems: Vec<Problem> = missing.map(|(index, lane)| gone(index, lane)).collect();
        if problems.is_empty() { Ok(()) } else { Err(LaunchError::Problems(problems)) }
    }

    pub(super) async fn recipients_of(
        &self,
        batch: &Batch,
        plan: &Plan,
        again: &Repeat,
    ) -> Result<Recipients, LaunchError> {
        let retries = match again.outcomes {
            Some(_) if !again.include_reached => self.retries_beside(batch).await?,
            Some(_) | None => Retries::default(),
        };
        let (mut parts, mut crowd, mut base) = (Vec::new(), Crowd::new(), 0);
        // As at every launch, recipients that have opted out get no message, and are counted.
        let of = plan.heeds().unwrap_or_default();
        let (opt_outs, mut opted_out, mut reached_before) = (OptOuts::load(self.store, of).await?, 0, 0);
        for part in self.store.parts_of(batch.id).await? {
            let mut left_out = Vec::new();
            let mut from = 0;
            while from < part.recipients {
                let until = from.saturating_add(PAGE).min(part.recipients);
                if again.only.is_some_and(|only| !(base + from..base + until).contains(&only)) {
                    left_out.extend(from..until);
                    from = until;
                    continue;
                }
                let keys = (from..until).map(|n| MessageKey { batch: batch.id, n: base + n }).collect();
                // A recipient without a message in the first campaign gets none in this one.
                let messages = self.store.load(keys).await?;
                let is_for = |message: &&Loaded| {
                    again.only.is_none_or(|only| only == message.key.n)
                        && message.address != AddressKey::ERASED
                        && again.is_for(batch, &message.present)
                };
                let mut messages = messages.iter().filter(is_for).peekable();
                let reached = self.reached_by(&retries, base + from, base + until).await?;
                for (n, recipient) in (from..).zip(self.store.recipients(part.id, from, until - from).await?) {
                    let message = messages.next_if(|message| message.key.n == base + n);
                    let was_reached = message.is_some_and(|message| reached.contains(&message.key.n));
                    let has_opted_out =
                        message.is_some() && recipient.address.as_ref().is_some_and(|it| opt_outs.contains(it));
                    reached_before += u64::from(was_reached);
                    opted_out += u64::from(has_opted_out && !was_reached);
                    if message.is_some() && !has_opted_out && !was_reached {
                        *crowd.entry((&recipient).into()).or_default() += 1;
                    } else {
                        left_out.push(n);
                    }
                }
                from = until;
            }
            base += part.recipients;
            parts.push(Part { id: part.id, recipients: part.recipients, left_out, own: false });
        }
        Ok(Recipients { opted_out, reached_before, ..Recipients::of_parts(batch.audience.clone(), parts, &crowd) })
    }

    async fn name_of(&self, batch: &Batch, again: &Repeat) -> Result<String, LaunchError> {
        match &again.name {
            Some(name) => Ok(name.clone()),
            None => self.unused_name(batch.name.as_deref().unwrap_or(&batch.audience)).await,
        }
    }

    /// Returns the name, or the name with a number if another campaign has it.
    pub(super) async fn unused_name(&self, name: &str) -> Result<String, LaunchError> {
        let (mut candidate, mut number) = (name.to_owned(), 2_u32);
        while self.store.batch_named(&candidate).await?.is_some() {
            candidate = format!("{name} {number}");
            number += 1;
        }
        Ok(candidate)
    }
}

fn schedule(again: &Repeat, plan: &Plan, now: crate::base::domain::Timestamp) -> Result<Schedule, LaunchError> {
    let wrong = |sentence: String| LaunchError::Problems(vec![Problem::new(None, "at", sentence)]);
    let at = again
        .at
        .as_deref()
        .map(|text| instant(text, plan.time_zone))
        .transpose()
        .map_err(|error| wrong(error.to_string()))?;
    let Some(at) = at else { return Ok(Schedule::default()) };
    if let (true, Some(text)) = (at.at + PRESENT <= now, &again.at) {
        let ago = roughly(now.since(at.at));
        return Err(wrong(format!("\"{text}\" was {ago} ago; write a later time, or remove it to send at once")));
    }
    Ok(Schedule { at: Some(at.at), notes: at.note.into_iter().map(Sentence::new).collect(), ..Schedule::default() })
}
