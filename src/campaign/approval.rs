//! Campaigns with `when = "approved"`: what their start waits for.

use std::fmt;

use super::route_templates::PlanTemplates;
use crate::catalogue::{Catalogue, KnownTemplate};
use crate::config::Problem;
use crate::domain::{BeginsWhen, Channel, Plan, Step, StepIndex, TemplateName};
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

/// The WhatsApp templates of a plan.
fn templates(plan: &Plan) -> impl Iterator<Item = TemplateName<'_>> {
    plan.steps.iter().filter(|step| step.channel == Channel::WhatsApp).filter_map(|step| step.content.template())
}

impl Approval {
    /// Looks up the templates of a plan. A template that exists in several accounts must be approved in each of them.
    pub async fn of(plan: &Plan, store: &dyn Store) -> store::Result<Self> {
        match plan.when {
            None => return Ok(Self::Ready),
            Some(BeginsWhen::Approved) => {}
        }
        let names = templates(plan).map(|template| template.name.to_owned()).collect();
        let catalogue = Catalogue::read(store, Some(names)).await?;
        let mut pending = Vec::new();
        for TemplateName { name, language } in templates(plan) {
            let is_it = |known: &&KnownTemplate| known.name == name && known.language == language;
            let known: Vec<&KnownTemplate> = catalogue.templates.iter().filter(is_it).collect();
            let unapproved = |status: Option<&str>| Unapproved {
                name: name.to_owned(),
                language: language.to_owned(),
                status: status.map(str::to_owned),
            };
            if let Some(lost) = known.iter().find(|known| known.is_lost()) {
                return Ok(Self::Lost(unapproved(Some(&lost.status))));
            }
            match known.iter().find(|known| !known.is_approved()) {
                Some(waiting) => pending.push(unapproved(Some(&waiting.status))),
                None if known.is_empty() => pending.push(unapproved(None)),
                None => {}
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
    let short = |(index, step): (StepIndex, &Step)| step.leave_within.map(|_| index);
    problems
        .extend(plan.indexed_steps().find_map(short).map(|index| Problem::new(Some(index), "leave_within", sentence)));
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
