//! Campaigns with `when = "approved"`: what their start waits for.

use std::fmt;

use super::route_templates::PlanTemplates;
use crate::base::config::{Config, Problem};
use crate::base::domain::{BeginsWhen, Channel, Plan, Step, StepIndex, TemplateName};
use crate::provider::catalogue::{Catalogue, KnownTemplate, Lookup};
use crate::store::{self, Store};

/// What a campaign that waits for the approval of its templates is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// It may begin: it does not wait, or all its templates are approved.
    Ready,
    /// It waits for these templates.
    Pending(Vec<Unapproved>),
    /// This template will not be approved as it is.
    Lost(Unapproved),
}

/// A template that is not approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unapproved {
    pub name: String,
    pub language: String,
    /// The provider's word; `None` if the provider does not list it.
    pub status: Option<String>,
}

impl fmt::Display for Unapproved {
    /// `template promo (en), which is PENDING`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, language, status } = self;
        match status {
            Some(status) => write!(f, "template {name} ({language}), which is {status}"),
            None => write!(f, "template {name} ({language}), which the provider does not list"),
        }
    }
}

/// The steps of a plan with a WhatsApp template.
fn templates(plan: &Plan) -> impl Iterator<Item = (&Step, TemplateName<'_>)> {
    let of_whatsapp = plan.steps.iter().filter(|step| step.channel == Channel::WhatsApp);
    of_whatsapp.filter_map(|step| Some((step, step.content.template()?)))
}

impl Approval {
    /// Looks up the templates of a plan, each on the lanes of its step: it must be approved on every one whose templates were
    /// fetched.
    pub async fn of(plan: &Plan, store: &dyn Store, config: &Config) -> store::Result<Self> {
        match plan.when {
            None => return Ok(Self::Ready),
            Some(BeginsWhen::Approved) => {}
        }
        let names = templates(plan).map(|(_, template)| template.name.to_owned()).collect();
        let catalogue = Catalogue::read(store, &config.lanes, Some(names)).await?;
        let mut pending = Vec::new();
        for (step, TemplateName { name, language }) in templates(plan) {
            let lanes = step.lanes.names().filter_map(|lane| config.lane(lane));
            let found = lanes.map(|lane| catalogue.find(lane, name, language));
            let known: Vec<Option<&KnownTemplate>> = found
                .filter_map(|lookup| match lookup {
                    Lookup::NotFetched => None,
                    Lookup::Found(known) => Some(Some(known)),
                    Lookup::InOtherLanguages(_) | Lookup::Missing { .. } => Some(None),
                })
                .collect();
            let unapproved = |known: Option<&KnownTemplate>| Unapproved {
                name: name.to_owned(),
                language: language.to_owned(),
                status: known.map(|known| known.status.clone()),
            };
            if let Some(lost) = known.iter().flatten().find(|known| known.is_lost()) {
                return Ok(Self::Lost(unapproved(Some(lost))));
            }
            let is_approved = |known: &Option<&KnownTemplate>| known.is_some_and(KnownTemplate::is_approved);
            if known.is_empty() {
                pending.push(unapproved(None));
            } else if let Some(waiting) = known.into_iter().find(|known| !is_approved(known)) {
                pending.push(unapproved(waiting));
            }
        }
        Ok(if pending.is_empty() { Self::Ready } else { Self::Pending(pending) })
    }
}

/// Checks that a plan can wait for the approval of its templates.
pub(super) fn can_wait(plan: &Plan, templates_of_plan: &PlanTemplates) -> Result<(), Vec<Problem>> {
    if plan.when.is_none() {
        return Ok(());
    }
    let mut problems = Vec::new();
    if templates(plan).next().is_none() {
        let sentence = "no step has a WhatsApp template, so there is nothing to wait for; remove it";
        problems.push(Problem::new(None, "when", sentence));
    } else if templates_of_plan.is_unchecked {
        let sentence = "the status of its templates is unknown, because they were never fetched: volley template pull";
        problems.push(Problem::new(None, "when", sentence));
    }
    let sentence =
        "counts from the launch, but the campaign begins only after an approval, whose time is unknown; remove it";
    if plan.over.is_some() {
        problems.push(Problem::new(None, "over", sentence));
    }
    if plan.on_missed.is_some() {
        let sentence = "is about a start at a known time, but the campaign begins only after an approval; remove it";
        problems.push(Problem::new(None, "on_missed", sentence));
    }
    let short = |(index, step): (StepIndex, &Step)| step.leave_within.map(|_| index);
    problems
        .extend(plan.indexed_steps().find_map(short).map(|index| Problem::new(Some(index), "leave_within", sentence)));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
