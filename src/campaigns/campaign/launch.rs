//! Plans and launches campaigns: a launch sends exactly what the plan shows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::approval::can_wait;
use super::beginnings::Beginnings;
use super::examination::{Examination, Wish};
use super::file::Draft;
use super::lint::{Facts, Lint, Warning, lint};
use super::lint_hours::out_of_reach;
use super::need_no_slot::need_no_slot;
use super::opt_out_hint::without_opt_out;
use super::plan_checks::{counts_from_its_launch, has_recipients, priced, remove_idle_rules, too_soon};
use super::preview::PreviewRequest;
use super::prices::{PriceError, PriceList};
use super::recipients::{Gathering, Recipients, RecipientsError};
use super::repeat::NoRecipientsToRepeat;
use super::restored::HowToLaunch;
use super::route;
use super::route::heeds_of;
use super::route_templates::{PlanTemplates, catalogue_for};
use super::second_operator::{limit_below, will_wait};
use super::time::{Schedule, schedule};
use super::windows::open_windows;
use crate::base::clock::{Chance, Clock, format_time};
use crate::base::config::{Config, Problem};
use crate::base::domain::{BatchId, BatchState, CampaignId, Plan, StepIndex, Timestamp, Zone, grouped};
use crate::base::events::Origin;
use crate::provider::catalogue::Catalogue;
use crate::recipients::audience::{DefaultCountry, Misread, OnProgress};
use crate::rules::forecast::{Bill, Forecast, Shares};
use crate::store::{self, Store};

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// All problems, each with its step and key.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problems(Vec<Problem>),
    #[error(transparent)]
    Prices(#[from] PriceError),
    #[error(transparent)]
    Recipients(RecipientsError),
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
    #[error(
        "nothing was launched: the database is a backup of {}, which does not know what was launched since; what was sent \
         already would be sent again, so the launch needs a confirmation (--confirm-restored, or \"confirm_restored\": true)",
        format_time(*copied_at, None)
    )]
    Restored { copied_at: Timestamp },
    #[error("{0}")]
    NoRecipientsToRepeat(NoRecipientsToRepeat),
}

/// A campaign that is ready to launch.
#[derive(Debug)]
pub struct Prepared {
    pub name: Option<String>,
    pub recipients: Recipients,
    pub plan: Plan,
    pub schedule: Schedule,
    pub beginnings: Beginnings,
    /// What its messages are billed for.
    pub bill: Bill,
    /// When the campaign was checked.
    pub now: Timestamp,
    /// When all first messages will be sent; `None` if that is never.
    pub forecast: Option<Forecast>,
    pub warnings: Vec<Warning>,
    /// Default country for numbers without a country code.
    pub country: Option<DefaultCountry>,
    /// For each step of free text on WhatsApp, the number of recipients with an open 24-hour window.
    pub windows: BTreeMap<StepIndex, u64>,
    /// What is known of its templates at the provider.
    pub templates: PlanTemplates,
    /// Whether an operator starts it later.
    pub is_draft: bool,
    /// The campaign that it sends again.
    pub repeats: Option<BatchId>,
}

impl Prepared {
    /// Whether the first step of any recipient waits until a hold is released.
    pub fn starts_held(&self) -> bool {
        let shares = Shares::of(&self.plan, &self.recipients.crowd());
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
        Self {
            name: Some(name),
            recipients,
            plan,
            schedule,
            beginnings,
            bill: Bill::default(),
            now,
            forecast: None,
            warnings: Vec::new(),
            country: None,
            windows: BTreeMap::new(),
            templates: PlanTemplates::default(),
            is_draft: false,
            repeats: None,
        }
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
    bill: Bill,
    now: Timestamp,
    forecast: Option<Forecast>,
    warnings: Vec<Warning>,
    windows: BTreeMap<StepIndex, u64>,
    templates: PlanTemplates,
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
    /// Messages whose numbers the campaign excludes, so that they are not sent.
    pub excluded: u64,
    /// Rows of its sources whose recipients have opted out.
    pub opted_out: u64,
    /// Recipients of the campaign that it retries whom another retry has reached.
    pub reached_before: u64,
    /// Rows of its sources that its `where` does not select.
    pub not_selected: u64,
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

/// How many recipients a draft has.
#[derive(Debug)]
pub struct Counted {
    pub recipients: u64,
    /// Cells that `where` could not compare.
    pub misread: Vec<Misread>,
}

impl Launcher<'_> {
    /// The same launcher with another configuration, such as one with overrides.
    pub fn with_config<'b>(&'b self, config: &'b Config) -> Launcher<'b> {
        Launcher { store: self.store, clock: self.clock, chance: self.chance, config, by: self.by.clone() }
    }

    /// Checks and plans a campaign without storing anything.
    pub async fn plan(&self, draft: &Draft) -> Result<Prepared, LaunchError> {
        self.prepare(draft, false, |_| None, None).await
    }

    /// Counts the recipients of a draft, whatever it sends: its route may be none yet.
    pub async fn count(&self, draft: &Draft) -> Result<Counted, LaunchError> {
        let schedule = schedule(draft, self.clock.now()).map_err(LaunchError::Problems)?;
        let examination = Examination::new(draft, self.config, &schedule, None, Catalogue::default(), None);
        let examination = Arc::new(examination);
        let heeds = heeds_of(draft, self.config, &Catalogue::default());
        let gathering = Gathering { store: self.store, clock: self.clock, keep: false, examination, heeds };
        match gathering.gather(draft, |_| None).await {
            Ok(Recipients { recipients, misread, .. }) => Ok(Counted { recipients, misread }),
            Err(RecipientsError::Nobody { misread, .. }) => Ok(Counted { recipients: 0, misread }),
            Err(error) => Err(error.into()),
        }
    }

    /// Plans a campaign, and previews the messages of its recipients. `looked_at` is called with the number of recipients
    /// looked at so far.
    pub async fn plan_with_preview(
        &self,
        draft: &Draft,
        request: PreviewRequest,
        looked_at: impl FnMut(u64) + Send + 'static,
    ) -> Result<Prepared, LaunchError> {
        let wish = Wish { request, on_looked: Box::new(looked_at) };
        self.prepare(draft, false, |_| None, Some(wish)).await
    }

    /// Launches or schedules a campaign. It is on disk and complete when this returns; on an error, nothing of it is
    /// stored.
    pub async fn launch(
        &self,
        draft: &Draft,
        progress: impl FnMut(&str) -> Option<OnProgress>,
    ) -> Result<(Launched, Vec<Warning>), LaunchError> {
        self.launch_as(draft, HowToLaunch::default(), progress, async |_| Ok(())).await
    }

    /// Launches a campaign; if `how` says so, or if it has so many recipients that it needs the approval of another
    /// operator, as a draft that an operator starts.
    ///
    /// `finish` does the last thing that the plan needs, such as an upload, once everything else is found right.
    pub async fn launch_as(
        &self,
        draft: &Draft,
        how: HowToLaunch,
        progress: impl FnMut(&str) -> Option<OnProgress>,
        finish: impl AsyncFnOnce(&mut Plan) -> Result<(), LaunchError>,
    ) -> Result<(Launched, Vec<Warning>), LaunchError> {
        self.ensure_not_launched_before(how).await?;
        let mut prepared = self.prepare(draft, true, progress, None).await?;
        prepared.is_draft = how.is_draft || limit_below(self.config, prepared.recipients.recipients).is_some();
        match self.finish(&mut prepared, finish).await {
            Ok(launched) => Ok((launched, prepared.warnings)),
            Err(error) => {
                prepared.recipients.discard(self.store).await;
                Err(error)
            }
        }
    }

    async fn finish(
        &self,
        prepared: &mut Prepared,
        finish: impl AsyncFnOnce(&mut Plan) -> Result<(), LaunchError>,
    ) -> Result<Launched, LaunchError> {
        if let Some(problem) = counts_from_its_launch(&prepared.plan).filter(|_| prepared.is_draft) {
            return Err(LaunchError::Problems(vec![problem]));
        }
        finish(&mut prepared.plan).await?;
        self.lay_out(prepared).await
    }

    async fn prepare(
        &self,
        draft: &Draft,
        keep: bool,
        progress: impl FnMut(&str) -> Option<OnProgress>,
        preview: Option<Wish>,
    ) -> Result<Prepared, LaunchError> {
        let now = self.clock.now();
        let schedule = schedule(draft, now).map_err(LaunchError::Problems)?;
        // Checks that need no audience come before a long import, without the columns.
        let taken = match &draft.name {
            Some(name) if self.store.batch_named(name).await?.is_some() => Some(name),
            Some(_) | None => None,
        };
        if let Some(name) = taken.filter(|_| keep) {
            return Err(store::Error::NameTaken { name: name.clone() }.into());
        }
        let prices = self.config.prices.as_deref().map(PriceList::load).transpose()?;
        let chosen = draft.route.choose(self.config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let catalogue = catalogue_for(chosen, self.store, self.config).await?;
        let heeds = heeds_of(draft, self.config, &catalogue);
        let examination = Examination::new(draft, self.config, &schedule, prices.as_ref(), catalogue, preview);
        let examination = Arc::new(examination);
        let gathering = Gathering { store: self.store, clock: self.clock, keep, examination, heeds };
        let recipients = gathering.gather(draft, progress).await?;
        match self.look_over(draft, &recipients, &schedule, prices.as_ref()).await {
            Ok(looked) => {
                let LookedOver { plan, beginnings, bill, now, forecast, mut warnings, windows, templates } = looked;
                warnings.splice(0..0, taken.map(|name| Warning::name_taken(name)));
                Ok(Prepared {
                    name: draft.name.clone(),
                    recipients,
                    plan,
                    schedule,
                    beginnings,
                    bill,
                    now,
                    forecast,
                    warnings,
                    country: draft.country,
                    windows,
                    templates,
                    is_draft: false,
                    repeats: None,
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
        let chosen = draft.route.choose(self.config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let catalogue = catalogue_for(chosen, self.store, self.config).await?;
        let planned = route::plan(draft, &recipients.columns, self.config, schedule, prices, &catalogue);
        let planned = planned.and_then(|planned| has_recipients(draft, recipients, planned));
        let crowd = recipients.crowd();
        let begun = planned.and_then(|(mut plan, warnings)| {
            remove_idle_rules(&mut plan, &recipients.countries);
            priced(&crowd, &plan)?;
            if let Some(problem) = recipients.lacking.problem(&plan, recipients.recipients) {
                return Err(vec![problem]);
            }
            if let Some(problem) = recipients.addresses.problem(recipients.recipients) {
                return Err(vec![problem]);
            }
            let templates = PlanTemplates::of(plan.indexed_steps(), self.config, &catalogue);
            can_wait(&plan, &templates)?;
            let beginnings = Beginnings::of(&plan, schedule, &crowd, now)?;
            Ok((plan, beginnings, warnings, templates))
        });
        let (mut plan, beginnings, mut warnings, templates) = begun.map_err(LaunchError::Problems)?;
        let windows = open_windows(self.store, self.config, &plan, recipients, now).await?;
        let need_no_slot = need_no_slot(self.store, self.config, &plan, recipients, now).await?;
        let bill = match &recipients.costed {
            Some(costed) => costed.bill().clone(),
            None => Bill::of_crowd(&plan, &crowd),
        };
        plan.cost = bill.cost(&plan);
        let facts = Facts {
            recipients: recipients.recipients,
            countries: &recipients.countries,
            without_number: &recipients.without_number,
            bill: &bill,
            odd: &recipients.odd,
            allowed: draft.allow_countries.as_ref(),
            windows: &windows,
            need_no_slot: &need_no_slot,
        };
        let forecast = self.forecast(&plan, (&crowd, &bill), &need_no_slot, &beginnings, now).await?;
        let lacking = recipients.lacking.warning(&plan, recipients.recipients);
        let mut found = lint(&plan, self.config, &facts);
        // Where each recipient was examined, those with an empty cell are among the ones that lack a value.
        found.retain(|warning| lacking.is_none() || warning.code != Lint::EmptyVariable);
        warnings.extend(found);
        warnings.extend(lacking);
        warnings.extend(recipients.costed.iter().flat_map(|costed| costed.warnings(&plan)));
        warnings.extend(recipients.addresses.warnings(recipients.recipients));
        warnings.extend(recipients.misread_cells());
        warnings.extend(recipients.excluded.warnings());
        warnings.extend(beginnings.warnings());
        warnings.extend(out_of_reach(&plan, &crowd, &beginnings));
        warnings.extend(forecast.as_ref().and_then(|forecast| too_soon(forecast, recipients.recipients)));
        warnings.extend(without_opt_out(&plan, &templates, self.config));
        warnings.extend(self.flagged(&plan, forecast.as_ref()).await?);
        warnings.extend(will_wait(self.config, recipients.recipients));
        warnings.extend(self.held(&plan, &recipients.countries).await?);
        Ok(LookedOver { plan, beginnings, bill, now, forecast, warnings, windows, templates })
    }
}
