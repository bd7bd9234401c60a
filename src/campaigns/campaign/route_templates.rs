//! Holds the templates of a route against what is known of them at the provider.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::chosen::ChosenSteps;
use super::route::Building;
use crate::base::config::{Config, DraftStep};
use crate::base::domain::{Category, Channel, Content, Pool, Step, StepIndex, TemplateName};
use crate::provider::catalogue::{Catalogue, KnownTemplate, Lookup, problems};
use crate::rules::template::preview::ApprovedTemplate;
use crate::store::{self, Store};

/// What is known of the provider's templates, for a campaign.
#[derive(Debug, Clone, Copy)]
pub(super) struct Templates<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Whether the campaign begins only once its templates are approved.
    pub(super) waits_for_approval: bool,
}

/// What is known of the templates of a plan's steps.
#[derive(Debug, Default)]
pub struct PlanTemplates {
    /// The templates that were found at the provider.
    pub known: BTreeMap<StepIndex, KnownTemplate>,
    /// Whether a step's template could not be checked, because the provider's list was never fetched.
    pub is_unchecked: bool,
}

impl PlanTemplates {
    pub(super) fn of<'a>(
        steps: impl Iterator<Item = (StepIndex, &'a Step)>,
        config: &Config,
        catalogue: &Catalogue,
    ) -> Self {
        let mut templates = Self::default();
        let of_whatsapp = |(_, step): &(StepIndex, &Step)| step.channel == Channel::WhatsApp;
        for (index, step) in steps.filter(of_whatsapp) {
            let Some(TemplateName { name, language }) = step.content.template() else { continue };
            let lanes = step.lanes.names().filter_map(|lane| config.lane(lane));
            let mut found = lanes.map(|lane| catalogue.find(lane, name, language)).peekable();
            templates.is_unchecked |= found.peek().is_some_and(|first| *first == Lookup::NotFetched);
            let known = found.find_map(|lookup| if let Lookup::Found(known) = lookup { Some(known) } else { None });
            templates.known.extend(known.map(|known| (index, known.clone())));
        }
        templates
    }

    /// The text of a step's template, if it is known.
    pub fn approved(&self, step: StepIndex) -> Option<ApprovedTemplate> {
        self.known.get(&step)?.approved()
    }
}

/// Reads the catalogue for these steps; it stays empty if none of them has a template of WhatsApp.
pub(super) async fn catalogue_for(
    chosen: ChosenSteps<'_>,
    store: &dyn Store,
    config: &Config,
) -> store::Result<Catalogue> {
    let has_template = |step: &DraftStep| step.channel == Channel::WhatsApp && step.content.template().is_some();
    // All of it, because a misspelled name gets the nearest one as a suggestion.
    let has_any = chosen.steps.iter().any(has_template);
    if has_any { Catalogue::read(store, &config.lanes, None).await } else { Ok(Catalogue::default()) }
}

impl<'a> Building<'a> {
    /// The step with the category of its template, if the file leaves it to the provider: always for a template in `raw`, of
    /// which it may stay unknown.
    pub(super) fn with_category<'s>(&mut self, index: StepIndex, step: &'s DraftStep) -> Cow<'s, DraftStep> {
        let is_raw = matches!(step.content, Content::Raw(_)) && step.channel == Channel::WhatsApp;
        let is_asked = step.category_is_open || is_raw;
        let Some(templates) = self.templates.filter(|_| is_asked) else { return Cow::Borrowed(step) };
        let Some(category) = self.category(templates, step) else {
            if !is_raw {
                let sentence = "is missing; write AUTHENTICATION, UTILITY or MARKETING, as at the provider, or fetch the \
                                templates: volley template pull";
                self.add_problem(index, "template, category", sentence);
            }
            return Cow::Borrowed(step);
        };
        let mut step = step.clone();
        step.content.set_category(category);
        Cow::Owned(step)
    }

    /// The category of a step's template at the provider. That a template is missing is a problem of its own, so any category
    /// does then.
    fn category(&self, templates: Templates<'a>, step: &DraftStep) -> Option<Category> {
        let template = step.content.template()?;
        self.lanes_of(step).into_iter().find_map(|lane| {
            match templates.catalogue.find(lane, template.name, template.language) {
                Lookup::NotFetched | Lookup::Found(_) => {
                    templates.catalogue.category(lane, template.name, template.language)
                }
                Lookup::Missing { .. } | Lookup::InOtherLanguages(_) => Some(Category::Marketing),
            }
        })
    }

    /// Checks a step's template on each of its lanes. One problem of several lanes is reported once.
    pub(super) fn check_templates(&mut self, index: StepIndex, step: &DraftStep, lanes: &Pool) {
        let Some(templates) = self.templates.filter(|_| step.channel == Channel::WhatsApp) else { return };
        let config = self.config;
        let known = lanes.names().filter_map(|name| config.lane(name));
        let mut misfits = Vec::new();
        for lane in known {
            for misfit in problems(templates.catalogue, lane, &step.content, templates.waits_for_approval) {
                if !misfits.contains(&misfit) {
                    misfits.push(misfit);
                }
            }
        }
        for misfit in misfits {
            let key = if misfit.key.is_empty() { "template".to_owned() } else { format!("template, {}", misfit.key) };
            self.add_problem(index, key, misfit.sentence);
        }
    }
}
