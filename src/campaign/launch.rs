//! Plans and launches campaigns: a launch sends exactly what the plan shows.

use std::collections::{BTreeMap, BTreeSet};

use super::beginnings::Beginnings;
use super::file::Draft;
use super::lint::{Facts, Lint, Warning, lint, named};
use super::lint_hours::out_of_reach;
use super::passes::passes;
use super::prices::{PriceError, PriceList};
use super::recipients::{Gathering, Part, Recipients, RecipientsError};
use super::route;
use super::time::{Schedule, schedule};
use super::windows::open_windows;
use crate::audience::OnProgress;
use crate::clock::{Chance, Clock};
use crate::config::{Config, Problem};
use crate::domain::{
    BatchId, BatchState, CampaignId, Countries, Country, Plan, Step, StepIndex, Tag, Timestamp, Zone, grouped,
};
use crate::engine;
use crate::events::Origin;
use crate::forecast::Shares;
use crate::forecast::{Forecast, Stop};
use crate::store::{self, Lane, NewBatch, Over, PieceOfMessages, Start, Store};

/// Messages written in one transaction: about 20 ms of writing.
const PIECE: u32 = 5_000;

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// All problems, each with its step and key.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
    #[error(transparent)]
    Prices(#[from] PriceError),
    #[error(transparent)]
    Recipients(#[from] RecipientsError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the route has no lane for one of its steps")]
    NoLane,
    #[error("its plan is no longer stored, so it cannot be repeated")]
    NoPlan,
    #[error("its messages and its recipients have been purged")]
    Purged,
    #[error(
        "{} messages are too many to join an open batch, which accepts {} at once; launch them as a batch",
        grouped(*.0 as u64),
        grouped(super::join::AT_ONCE as u64)
    )]
    TooManyToJoin(usize),
    #[error("no recipient has that outcome; see `volley campaign report`")]
    NoRecipientsToRepeat,
}

/// A campaign that is ready to launch.
#[derive(Debug)]
pub struct Prepared {
    pub name: Option<String>,
    pub recipients: Recipients,
    pub plan: Plan,
    pub schedule: Schedule,
    pub beginnings: Beginnings,
    /// When the campaign was checked.
    pub now: Timestamp,
    /// When all first messages will be sent; `None` if that is never.
    pub forecast: Option<Forecast>,
    pub warnings: Vec<Warning>,
    /// Default country for numbers without a country code.
    pub country: Option<Country>,
    /// For each step of free text on WhatsApp, the number of recipients with an open 24-hour window.
    pub windows: BTreeMap<StepIndex, u64>,
    /// Whether an operator starts it later.
    pub is_draft: bool,
}

impl Prepared {
    /// Whether the first step of any recipient waits until a hold is released.
    pub fn starts_held(&self) -> bool {
        let shares = Shares::of(&self.plan, &self.recipients.countries);
        let mut held = self.warnings.iter().filter(|warning| warning.code == Lint::Held);
        held.any(|warning| warning.step.is_some_and(|step| shares.at(step).beginning > 0))
    }

    /// A campaign that was checked before: it gets no warnings again.
    pub(super) fn unwarned(
        name: String,
        recipients: Recipients,
        plan: Plan,
        schedule: Schedule,
        beginnings: Beginnings,
        now: Timestamp,
    ) -> Self {
        let (forecast, warnings, windows) = (None, Vec::new(), BTreeMap::new());
        let (name, country, is_draft) = (Some(name), None, false);
        Self { name, recipients, plan, schedule, beginnings, now, forecast, warnings, country, windows, is_draft }
    }

    /// Whether no message may be sent at once.
    pub fn waits(&self) -> bool {
        self.beginnings.first > self.now
    }
}

/// The result of the checks, without the recipients, which the caller discards on an error.
struct LookedOver {
    plan: Plan,
    beginnings: Beginnings,
    now: Timestamp,
    forecast: Option<Forecast>,
    warnings: Vec<Warning>,
    windows: BTreeMap<StepIndex, u64>,
}

/// The result of a launch.
#[derive(Debug, Clone)]
pub struct Launched {
    pub id: CampaignId,
    pub batch: BatchId,
    pub name: String,
    pub state: BatchState,
    pub messages: u32,
    /// Rows of its sources without a number of their own: invalid ones and duplicates.
    pub rejected: u64,
    /// Rows of its sources whose recipients have opted out.
    pub opted_out: u64,
    /// Rejected rows whose number is also in an earlier source.
    pub across: u64,
    pub starts_at: Option<Timestamp>,
    /// The zone in which its times are shown.
    pub zone: Option<Zone>,
}

/// Plans and launches campaigns.
#[derive(Debug)]
pub struct Launcher<'a> {
    pub store: &'a dyn Store,
    pub clock: &'a dyn Clock,
    pub chance: &'a Chance,
    pub config: &'a Config,
    /// Who launches and changes.
    pub by: Origin,
}

impl Launcher<'_> {
    /// The same launcher with another configuration, such as one with overrides.
    pub fn with_config<'b>(&'b self, config: &'b Config) -> Launcher<'b> {
        Launcher { store: self.store, clock: self.clock, chance: self.chance, config, by: self.by.clone() }
    }

    /// Checks and plans a campaign without storing anything.
    pub async fn plan(&self, draft: &Draft) -> Result<Prepared, LaunchError> {
        self.prepare(draft, false, |_| None).await
    }

    /// Launches or schedules a campaign. It is on disk and complete when this returns; on an error, nothing of it is
    /// stored.
    pub async fn launch(
        &self,
        draft: &Draft,
        progress: impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<(Launched, Vec<Warning>), LaunchError> {
        self.launch_as(draft, false, progress).await
    }

    /// Launches a campaign; if `waits` is set, as a draft that an operator starts.
    pub async fn launch_as(
        &self,
        draft: &Draft,
        waits: bool,
        progress: impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<(Launched, Vec<Warning>), LaunchError> {
        let mut prepared = self.prepare(draft, true, progress).await?;
        if let Some(problem) = counts_from_its_launch(&prepared.plan).filter(|_| waits) {
            prepared.recipients.discard(self.store).await;
            return Err(LaunchError::Problems(vec![problem]));
        }
        prepared.is_draft = waits;
        match self.lay_out(&mut prepared).await {
            Ok(launched) => Ok((launched, prepared.warnings)),
            Err(error) => {
                prepared.recipients.discard(self.store).await;
                Err(error)
            }
        }
    }

    async fn prepare(
        &self,
        draft: &Draft,
        keep: bool,
        progress: impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<Prepared, LaunchError> {
        let now = self.clock.now();
        let schedule = schedule(draft, now).map_err(LaunchError::Problems)?;
        // Checks that need no audience come before a long import, without the columns.
        if let Some(name) = &draft.name
            && keep
            && self.store.batch_named(name).await?.is_some()
        {
            return Err(store::Error::NameTaken { name: name.clone() }.into());
        }
        let prices = self.config.prices.as_deref().map(PriceList::load).transpose()?;
        draft.route.choose(self.config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let recipients = Gathering { store: self.store, clock: self.clock, keep }.gather(draft, progress).await?;
        match self.look_over(draft, &recipients, &schedule, prices.as_ref()).await {
            Ok(looked) => {
                let LookedOver { plan, beginnings, now, forecast, warnings, windows } = looked;
                Ok(Prepared {
                    name: draft.name.clone(),
                    recipients,
                    plan,
                    schedule,
                    beginnings,
                    now,
                    forecast,
                    warnings,
                    country: draft.country,
                    windows,
                    is_draft: false,
                })
            }
            Err(error) => {
                recipients.discard(self.store).await;
                Err(error)
            }
        }
    }

    /// Checks and plans a campaign for these recipients.
    async fn look_over(
        &self,
        draft: &Draft,
        recipients: &Recipients,
        schedule: &Schedule,
        prices: Option<&PriceList>,
    ) -> Result<LookedOver, LaunchError> {
        // Reading the recipients may have taken long.
        let now = self.clock.now();
        let planned = route::plan(draft, &recipients.columns, self.config, schedule, prices);
        let planned = planned.and_then(|planned| has_recipients(draft, recipients, planned));
        let begun = planned.and_then(|(plan, warnings)| {
            priced(&recipients.countries, &plan)?;
            let beginnings = Beginnings::of(&plan, schedule, &recipients.countries, now)?;
            Ok((plan, beginnings, warnings))
        });
        let (plan, beginnings, mut warnings) = begun.map_err(LaunchError::Problems)?;
        let windows = open_windows(self.store, self.config, &plan, recipients, now).await?;
        let passes = passes(self.store, self.config, &plan, recipients, now).await?;
        let facts = Facts {
            recipients: recipients.recipients,
            countries: &recipients.countries,
            empty: &recipients.empty,
            allowed: draft.allow_countries.as_ref(),
            windows: &windows,
            passes: &passes,
        };
        let forecast = self.forecast(&plan, &recipients.countries, &passes, &beginnings, now).await?;
        warnings.extend(lint(&plan, self.config, &facts));
        warnings.extend(recipients.excluded.warnings());
        warnings.extend(beginnings.warnings());
        warnings.extend(out_of_reach(&plan, &recipients.countries, &beginnings));
        warnings.extend(forecast.as_ref().and_then(|forecast| too_soon(forecast, recipients.recipients)));
        warnings.extend(self.flagged(&plan, forecast.as_ref()).await?);
        warnings.extend(self.held(&plan, &recipients.countries).await?);
        Ok(LookedOver { plan, beginnings, now, forecast, warnings, windows })
    }

    pub(super) async fn lay_out(&self, prepared: &mut Prepared) -> Result<Launched, LaunchError> {
        let now = self.clock.now();
        let Prepared { recipients, plan, schedule, beginnings, .. } = prepared;
        let starts_at = Some(beginnings.first).filter(|at| *at > now);
        let name = match prepared.name.take() {
            Some(name) => name,
            // Several campaigns may be launched in one second.
            None => self.unused_name(&generated_name(&recipients.label, now)).await?,
        };
        let lanes = self.store.lanes(plan.lanes()).await?;
        let tag = Tag::from_random(self.chance.bits());
        let new = NewBatch {
            tag,
            plan: plan.clone(),
            name: Some(name.clone()),
            audience: recipients.label.clone(),
            audience_ids: recipients.audiences.iter().map(|part| part.id).collect(),
            starts_at: starts_at.or(schedule.at),
            open_until: None,
            now,
        };
        let batch = self.store.begin_batch(new).await?;
        let begins = |country| beginnings.in_country(country).max(now);
        let messages = self.write_all_messages(batch, plan, recipients, &lanes, (beginnings, &begins)).await?;
        // Its start time may have come meanwhile.
        let published = self.clock.now();
        let starts_at = starts_at.filter(|at| *at > published);
        let state = match starts_at {
            _ if prepared.is_draft => BatchState::Draft,
            Some(_) => BatchState::Scheduled,
            None => BatchState::Running,
        };
        self.store.publish_batch(batch, state, self.by.clone(), published).await?;
        let (rejected, across, opted_out) = (recipients.rejected(), recipients.across, recipients.opted_out);
        let (id, zone) = (CampaignId { batch, tag }, plan.time_zone);
        Ok(Launched { id, batch, name, state, messages, rejected, opted_out, across, starts_at, zone })
    }

    async fn write_all_messages(
        &self,
        batch: BatchId,
        plan: &Plan,
        recipients: &Recipients,
        lanes: &[Lane],
        (beginnings, at): (&Beginnings, &(dyn Fn(Option<Country>) -> Timestamp + Sync)),
    ) -> Result<u32, LaunchError> {
        let (start, elsewhere) = starts(plan, lanes, beginnings.countries(), at)?;
        let all = recipients.audiences.iter().map(|part| part.recipients).sum();
        let over = plan.over.map(|span| Over { span, messages: all });
        let (mut base, mut messages) = (0, 0);
        for part in &recipients.audiences {
            let mut from = 0;
            while from < part.recipients {
                let until = from.saturating_add(PIECE).min(part.recipients);
                let piece = PieceOfMessages {
                    batch,
                    audience: part.id,
                    from,
                    until,
                    base,
                    over,
                    start: start.clone(),
                    elsewhere: elsewhere.clone(),
                    excluded: self.excluded(recipients, part, from).await?,
                    left_out: part.left_out_between(from, until).to_vec(),
                    now: self.clock.now(),
                };
                messages += self.store.write_messages(piece).await?;
                from = until;
            }
            base += part.recipients;
        }
        Ok(messages)
    }

    /// The excluded recipients of one piece, by their positions. Each transaction gets only those of its own piece,
    /// however long the exclusion list is.
    async fn excluded(&self, recipients: &Recipients, part: &Part, from: u32) -> Result<Vec<u32>, LaunchError> {
        if recipients.excluded.numbers.is_empty() {
            return Ok(Vec::new());
        }
        let numbers = self.store.numbers(part.id, from, PIECE).await?;
        let excluded = (from..).zip(numbers).filter(|(_, msisdn)| recipients.excluded.numbers.contains(msisdn));
        Ok(excluded.map(|(n, _)| n).collect())
    }
}

/// How the messages of a plan begin: the default, and the countries that begin differently.
pub(super) fn starts(
    plan: &Plan,
    lanes: &[Lane],
    countries: impl Iterator<Item = Country>,
    at: &(dyn Fn(Option<Country>) -> Timestamp + Sync),
) -> Result<(Start, Vec<(Country, Start)>), LaunchError> {
    let begins = |country| {
        let present = engine::begin(plan, plan.marks_at_first(country), at(country));
        let pool = &plan.step(present.step).ok_or(LaunchError::NoLane)?.lanes;
        let id = |position: usize| {
            let name = pool.members().get(position).map(|member| &member.lane);
            lanes.iter().find(|lane| Some(&lane.name) == name).map(|lane| lane.id).ok_or(LaunchError::NoLane)
        };
        let lanes = pool.lane_indexes(country).into_iter().map(id).collect::<Result<_, LaunchError>>()?;
        Ok::<_, LaunchError>(Start::of(&present, lanes))
    };
    let start = begins(None)?;
    let mut elsewhere = Vec::new();
    let countries: BTreeSet<Country> = plan.named_countries().into_iter().chain(countries).collect();
    for country in countries {
        elsewhere.extend(Some((country, begins(Some(country))?)).filter(|(_, other)| *other != start));
    }
    Ok((start, elsewhere))
}

/// Warns about first messages that expire at the campaign's end.
fn too_soon(forecast: &Forecast, recipients: u64) -> Option<Warning> {
    let late = forecast.left_behind.iter().find(|left| left.by == Stop::End)?;
    let because = forecast.bottleneck.as_ref().map(|found| format!("; limited by {found}"));
    let sentence = format!(
        "{} of {} first messages will not be sent by `end` as things stand, and expire then{}; write a later `end`",
        grouped(late.messages),
        grouped(recipients),
        because.unwrap_or_default()
    );
    Some(Warning { code: Lint::EndTooSoon, step: None, sentence })
}

/// The key of a plan that a draft cannot have. `leave_within` and `over` fix times when the messages are written, and a
/// draft starts at an unknown time after that.
///
/// With a start time, `over` counts from it. `leave_within` stays refused: a draft that is started later than that would
/// fall back at once.
pub(super) fn counts_from_its_launch(plan: &Plan) -> Option<Problem> {
    let has_start = plan.at.is_some() || plan.steps.iter().any(|step| step.hours.since.is_some());
    if plan.over.is_some() && !has_start {
        let sentence =
            "counts from the start, but the start of a draft is unknown; add a start time (`at`), or remove it";
        return Some(Problem::new(None, "over", sentence));
    }
    let sentence = "counts from the launch, but the start of a draft is unknown; remove it, or launch with a start \
                    time (--at) instead of a draft";
    let short = plan.indexed_steps().find(|(_, step)| step.leave_within.is_some())?;
    Some(Problem::new(Some(short.0), "leave_within", sentence))
}

/// Refuses a route that applies to none of the recipients, because it would send nothing.
fn has_recipients<T>(
    draft: &Draft,
    recipients: &Recipients,
    (plan, warnings): (Plan, T),
) -> Result<(Plan, T), Vec<Problem>> {
    let without_step = Shares::of(&plan, &recipients.countries).without_step;
    if recipients.recipients == 0 || without_step.values().sum::<u64>() < recipients.recipients {
        return Ok((plan, warnings));
    }
    let from = named(&without_step).join(", ");
    if let Some(allowed) = &draft.allow_countries
        && without_step.keys().all(|country| !allowed.contains(country))
    {
        let sentence = format!(
            "names none of the recipients' countries, so nothing would be sent; they are from: \
                                {from}"
        );
        return Err(vec![Problem::new(None, "allow_countries", sentence)]);
    }
    let problem = |(index, step): (StepIndex, &Step)| {
        let key = if matches!(step.countries, Countries::AllBut(_)) { "skip_when" } else { "only" };
        let sentence = format!(
            "applies to none of the recipients, and neither does any other step, so nothing would be sent; they are \
             from: {from}"
        );
        Problem::new(Some(index), key, sentence)
    };
    Err(plan.indexed_steps().map(problem).collect())
}

/// Checks that every message under a budget has a price.
pub(super) fn priced(countries: &BTreeMap<Country, u64>, plan: &Plan) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (index, step) in plan.indexed_steps() {
        if plan.limits.budget.is_none() && step.limits.budget.is_none() {
            continue;
        }
        let unpriced: BTreeMap<Country, u64> = countries
            .iter()
            .filter(|(country, _)| step.countries.contain(Some(**country)) && step.prices.of(**country).is_none())
            .map(|(country, recipients)| (*country, *recipients))
            .collect();
        if !unpriced.is_empty() {
            let sentence = format!(
                "the price list has no price for {} in: {}; add a line for each, or one without a country for all \
                 others",
                step.channel,
                named(&unpriced).join(", ")
            );
            problems.push(Problem::new(Some(index), "budget", sentence));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn generated_name(audience: &str, now: Timestamp) -> String {
    let text = now.rfc3339();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{audience} {date} {}", time.get(..8).unwrap_or(time))
}
