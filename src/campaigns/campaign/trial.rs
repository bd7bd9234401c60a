//! Sends a trial of a campaign to a few of the operator's own numbers.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use super::beginnings::Beginnings;
use super::file::Draft;
use super::launch::{LaunchError, Launched, Launcher, Prepared};
use super::recipients::{Part, Recipients, RecipientsError};
use super::time::Schedule;
use crate::base::config::Problem;
use crate::base::domain::text::plural;
use crate::base::domain::{Countries, Crowd, Fields, Hours, Limits, Plan, Recipient, find_column};
use crate::recipients::audience::{
    self, DefaultCountry, Example, ImportError, ImportRecord, Keep, Options, Source, SourceFilter,
};
use crate::rules::template::RecipientText;
use crate::store::{Batch, KnownAs, NewAudience};

/// The most numbers of a trial.
const MOST: u32 = 10;

/// The key of problems with a trial itself. A campaign has no such key.
pub const TEST_PROBLEM: &str = "test";

/// The numbers of a trial, and the step to try out.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    pub to: Vec<String>,
    /// Only the step with this number, counted from 1; `None` for the whole route.
    pub only: Option<NonZeroU8>,
    /// Default country for numbers without a country code.
    pub country: Option<DefaultCountry>,
    /// Values by column, instead of those of the first recipients.
    pub with: Vec<(String, String)>,
}

/// What is tried out, with the rows whose fields fill the variables.
struct Tried {
    name: String,
    plan: Plan,
    rows: Vec<Recipient>,
    /// The index of the number's column.
    number: Option<usize>,
}

impl Launcher<'_> {
    /// Tries out a campaign file, with the fields of its first recipients.
    pub async fn try_file(&self, draft: &Draft, trial: &Trial) -> Result<Launched, LaunchError> {
        let Prepared { name, recipients, plan, .. } = self.plan(draft).await?;
        let number = recipients.columns.iter().position(|column| *column == recipients.number_column);
        let name = name.unwrap_or_else(|| recipients.label.clone());
        let country = trial.country.or(draft.country);
        self.try_out(Tried { name, plan, rows: recipients.first, number }, &Trial { country, ..trial.clone() }).await
    }

    /// Tries out a launched campaign or a draft, with the fields of its first recipients.
    pub async fn try_campaign(&self, batch: &Batch, trial: &Trial) -> Result<Launched, LaunchError> {
        let plan = self.store.plan(batch.id).await?.ok_or(LaunchError::NoPlan)?;
        let mut rows = Vec::new();
        for part in self.store.parts_of(batch.id).await?.into_iter().take(1) {
            rows = self.store.recipients(part.id, 0, 3).await?;
        }
        let name = batch.name.clone().unwrap_or_else(|| batch.audience.clone());
        self.try_out(Tried { name, plan, rows, number: None }, trial).await
    }

    async fn try_out(&self, tried: Tried, trial: &Trial) -> Result<Launched, LaunchError> {
        let plan = as_trial(tried.plan, trial.only).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let recipients = self.own_numbers(&plan, &tried.rows, tried.number, trial).await?;
        let now = self.clock.now();
        let schedule = Schedule::default();
        let beginnings = Beginnings::of(&plan, &schedule, &recipients.crowd(), now).map_err(LaunchError::Problems)?;
        let name = self.unused_name(&format!("{} (test)", tried.name)).await?;
        let mut prepared = Prepared::unwarned(name, recipients, plan, schedule, beginnings, now);
        let launched = self.lay_out(&mut prepared).await;
        if launched.is_err() {
            prepared.recipients.discard(self.store).await;
        }
        launched
    }

    /// Makes recipients of the trial's numbers, each with the fields of a row.
    async fn own_numbers(
        &self,
        plan: &Plan,
        rows: &[Recipient],
        number: Option<usize>,
        trial: &Trial,
    ) -> Result<Recipients, LaunchError> {
        let refused = |sentence: String| LaunchError::Problems(vec![Problem::new(None, TEST_PROBLEM, sentence)]);
        if trial.to.is_empty() || trial.to.len() > MOST as usize {
            let named = match trial.to.len() {
                0 => "give some with --to".to_owned(),
                given => format!("{given} are given"),
            };
            return Err(refused(format!("goes to 1 to {MOST} numbers; {named}")));
        }
        let filter = SourceFilter::load(self.store).await?;
        let options = Options { country: trial.country, ..Options::default() };
        let source = Source::numbers(trial.to.clone());
        let read = audience::import(self.store, self.clock, source, Keep::Unnamed, options, filter, None);
        let read = read.await.map_err(|error| match error {
            ImportError::NoRecipients { .. } | ImportError::NoRows { .. } => {
                refused("none of the numbers can be used: each is invalid or has opted out; write numbers with + and country code".to_owned())
            }
            error => RecipientsError::from(error).into(),
        })?;
        let found = self.store.recipients(read.id, 0, MOST).await;
        self.store.remove_audience(read.id).await?;
        let found = found?;
        if found.len() < trial.to.len() {
            let refusal = |it: &Example| format!("\"{}\": {}", it.value, it.sentence_of_bare_number());
            let reasons: Vec<String> = read.summary.examples.iter().map(refusal).collect();
            return Err(refused(format!(
                "{} of {} numbers cannot be used. {}",
                trial.to.len() - found.len(),
                trial.to.len(),
                reasons.join(" ")
            )));
        }
        let given = given(plan, &trial.with).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let empty = vec![""; plan.columns.len()];
        let mut recipients = Vec::with_capacity(found.len());
        for (index, recipient) in found.into_iter().enumerate() {
            let row = rows.get(index % rows.len().max(1));
            let mut fields: Vec<String> = match row.map(|row| row.fields.unpack()) {
                Some(Ok(fields)) => fields.iter().map(|field| field.to_string()).collect(),
                Some(Err(_)) | None => empty.iter().map(|field| (*field).to_owned()).collect(),
            };
            if let Some(own) = number.and_then(|number| fields.get_mut(number)) {
                *own = recipient.address.as_ref().map(ToString::to_string).unwrap_or_default();
            }
            given.iter().for_each(|(column, value)| fields[*column].clone_from(value));
            recipients.push(Recipient { fields: Fields::pack(fields.iter().map(String::as_str)), ..recipient });
        }
        self.store_recipients(plan, recipients).await
    }

    async fn store_recipients(&self, plan: &Plan, recipients: Vec<Recipient>) -> Result<Recipients, LaunchError> {
        let mut crowd = Crowd::new();
        recipients.iter().for_each(|recipient| *crowd.entry(recipient.into()).or_default() += 1);
        let count = u32::try_from(recipients.len()).unwrap_or(u32::MAX);
        let (known_as, source) = (KnownAs::Nothing, "test numbers".to_owned());
        let new =
            NewAudience { known_as, source: source.clone(), columns: plan.columns.clone(), now: self.clock.now() };
        let id = self.store.begin_audience(new).await?;
        self.store.add_recipients(id, 0, recipients).await?;
        self.store.publish_audience(id, count, ImportRecord::default().json()).await?;
        let part = Part { id, recipients: count, left_out: Vec::new(), own: true };
        Ok(Recipients::of_parts(source, vec![part], &crowd))
    }
}

/// The given values by their columns. A step that addresses recipients by an id needs one: with the ids of the file, the
/// trial would reach its recipients.
fn given(plan: &Plan, with: &[(String, String)]) -> Result<BTreeMap<usize, String>, Problem> {
    let mut given = BTreeMap::new();
    for (name, value) in with {
        let column = find_column(name, &plan.columns)
            .map_err(|error| Problem::new(None, TEST_PROBLEM, format!("--with {name}: {error}")))?;
        given.insert(column, value.clone());
    }
    for (index, step) in plan.indexed_steps() {
        let needed = RecipientText::user_id(step, plan.names()).map(|id| id.columns()).unwrap_or_default();
        if let Some(column) = needed.into_iter().find(|column| !given.contains_key(column)) {
            let name = plan.columns.get(column).map_or("…", String::as_str);
            let sentence = format!(
                "a test does not use the ids of the recipients, because they would get its message; add --with {name}=ID \
                 with an id of your own, or test another step with --step"
            );
            return Err(Problem::new(Some(index), "line_user_id", sentence));
        }
    }
    Ok(given)
}

/// Changes a plan for a trial: no hours, no limits, every country that its lanes serve, and sent at once.
fn as_trial(plan: Plan, only: Option<NonZeroU8>) -> Result<Plan, Problem> {
    let mut steps = plan.steps;
    if let Some(only) = only {
        let all = plural(steps.len() as u64, "step", "steps");
        steps = steps.into_iter().nth(usize::from(only.get()) - 1).into_iter().collect();
        if steps.is_empty() {
            return Err(Problem::new(None, TEST_PROBLEM, format!("the campaign has no step {only}; it has {all}")));
        }
    }
    if let Some(last) = steps.last_mut() {
        last.fallback_after = None;
    }
    for step in &mut steps {
        step.hours = Hours::default();
        step.limits = Limits::default();
        step.us_marketing = None;
        step.countries = step.lanes.countries().map_or(Countries::Everywhere, Countries::Only);
    }
    let limits = Limits::default();
    Ok(Plan {
        steps,
        cost: None,
        at: None,
        when: None,
        end: None,
        over: None,
        on_missed: None,
        limits,
        pause_when: None,
        hold_paid_when: None,
        is_test: true,
        ..plan
    })
}
