//! Messages with given values, for a preview without recipients.

use super::MessagePreview;
use crate::base::config::Config;
use crate::base::domain::{ColumnError, Names, Step, StepIndex, Values, hint};
use crate::campaigns::campaign::chosen::DraftRoute;
use crate::campaigns::campaign::file::Draft;
use crate::campaigns::campaign::launch::LaunchError;
use crate::campaigns::campaign::route;
use crate::campaigns::campaign::route_templates::{PlanTemplates, catalogue_for};
use crate::rules::template::preview::{ApprovedTemplate, BoundMessage};
use crate::rules::template::{self, ContentProblem};
use crate::store::Store;

/// Why a message cannot be shown with the values given.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    #[error(transparent)]
    Template(#[from] template::Error),
    #[error(transparent)]
    Column(#[from] ColumnError),
    #[error("no message has a variable {name}; {}", hint(name, known.iter().map(String::as_str)))]
    Unused { name: String, known: Vec<String> },
}

/// The steps of a campaign file or of a route, for messages with given values.
#[derive(Debug)]
pub struct Sample {
    pub steps: Vec<Step>,
    pub(super) templates: PlanTemplates,
    pub(super) values: Values,
}

impl Sample {
    /// The steps of a campaign file, with its own values. Its recipients are not read.
    pub async fn of_draft(draft: &Draft, config: &Config, store: &dyn Store) -> Result<Self, LaunchError> {
        Self::of(&draft.route, draft.values.clone(), config, store).await
    }

    /// The steps of a configured route.
    pub async fn of_route(route: &DraftRoute, config: &Config, store: &dyn Store) -> Result<Self, LaunchError> {
        Self::of(route, Values::default(), config, store).await
    }

    async fn of(route: &DraftRoute, values: Values, config: &Config, store: &dyn Store) -> Result<Self, LaunchError> {
        let chosen = route.choose(config).map_err(|problem| LaunchError::Problems(vec![problem]))?;
        let catalogue = catalogue_for(chosen, store, config).await?;
        let steps = route::steps_of(chosen, config, &catalogue).map_err(LaunchError::Problems)?;
        let templates = PlanTemplates::of(StepIndex::all().zip(&steps), config, &catalogue);
        Ok(Self { steps, templates, values })
    }

    /// The messages of the steps that are wanted, with these values by column. A variable without a value or default is
    /// missing.
    pub fn messages(
        &self,
        is_wanted: impl Fn(StepIndex) -> bool,
        with: &[(String, String)],
        sms_parts_max: usize,
    ) -> Result<Vec<(StepIndex, MessagePreview)>, ValuesError> {
        let (mut columns, mut values): (Vec<String>, Vec<String>) = with.iter().cloned().unzip();
        let mut is_used = vec![false; with.len()];
        let mut messages = Vec::new();
        for (index, step) in StepIndex::all().zip(&self.steps).filter(|(index, _)| is_wanted(*index)) {
            let bound = self.bound(step, self.templates.approved(index).as_ref(), &mut columns)?;
            values.resize(columns.len(), String::new());
            is_used.resize(columns.len(), false);
            for column in bound.columns() {
                is_used.get_mut(column).into_iter().for_each(|used| *used = true);
            }
            messages.push((index, MessagePreview::of_values(step, &bound, &values, sms_parts_max)));
        }
        let named = || columns.iter().zip(&is_used);
        if let Some((name, _)) = named().find(|(_, is_used)| !**is_used) {
            let known = named().filter(|(_, is_used)| **is_used).map(|(name, _)| name.clone()).collect();
            return Err(ValuesError::Unused { name: name.clone(), known });
        }
        Ok(messages)
    }

    /// Binds the variables of a step. What they name beyond the columns becomes a column of its own.
    fn bound(
        &self,
        step: &Step,
        approved: Option<&ApprovedTemplate>,
        columns: &mut Vec<String>,
    ) -> Result<BoundMessage, ValuesError> {
        loop {
            let problem = match BoundMessage::new(step, Names { columns, values: &self.values }, approved) {
                Ok(bound) => return Ok(bound),
                Err(template::Error { part, problem }) => (part, problem),
            };
            match problem {
                (_, ContentProblem::Column(ColumnError::Unknown { name, .. })) => columns.push(name),
                (_, ContentProblem::Column(error @ ColumnError::Ambiguous { .. })) => return Err(error.into()),
                (part, problem) => return Err(template::Error { part, problem }.into()),
            }
        }
    }
}
