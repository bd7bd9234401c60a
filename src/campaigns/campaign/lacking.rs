//! Recipients who lack a value for a variable.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::affected::Affected;
use super::lint::{Lint, Warning};
use crate::base::config::Problem;
use crate::base::domain::{Address, OnMissingValue, Plan, Recipient, Takers};
use crate::rules::template::{self, Lack, LackCause, Variables};

/// The variables of a plan's steps.
#[derive(Debug)]
pub(super) struct Needs {
    steps: Vec<(Takers, Variables)>,
}

impl Needs {
    pub(super) fn of(plan: &Plan) -> Self {
        let of_step = |step: &crate::base::domain::Step| {
            let marked = template::mark(&step.content, step.user_id.as_deref(), plan.names()).ok()?;
            (!marked.variables.is_empty()).then(|| (step.takers(), marked.variables))
        };
        Self { steps: plan.steps.iter().filter_map(of_step).collect() }
    }

    /// What a recipient lacks for a step that applies to it.
    pub(super) fn lacked_by(&self, recipient: &Recipient, fields: &[Cow<'_, str>]) -> Option<Lack> {
        let theirs = self.steps.iter().filter(|(takers, _)| takers.include(recipient));
        theirs.filter_map(|(_, variables)| variables.first_missing(fields)).next()
    }

    /// Whether the empty cells of the columns do not tell who lacks a value.
    pub(super) fn may_be_unreadable(&self) -> bool {
        self.steps.iter().flat_map(|(_, variables)| variables.iter()).any(template::Variable::may_be_unreadable)
    }
}

/// The recipients who lack a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    who: Affected<Lack>,
    /// What to do about all of them.
    remedies: BTreeSet<Remedy>,
}

/// What to do about a lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Remedy {
    Fill,
    StateForm,
    AddOthers,
}

impl Remedy {
    const fn of(cause: &LackCause) -> Self {
        match cause {
            LackCause::Empty => Self::Fill,
            LackCause::Unreadable { .. } => Self::StateForm,
            LackCause::Unmatched { .. } => Self::AddOthers,
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::Fill => "fill these cells, or give the variable a default: {{Column|…}}",
            Self::StateForm => {
                "correct the cells that a filter cannot read, or tell it their form: number(2, \"en\", \"de\"), \
                 date(\"%d %B %Y\", \"en\", \"%d/%m/%Y\")"
            }
            Self::AddOthers => "add a text for each such value, or `others` for all of them",
        }
    }
}

impl Lacking {
    pub(super) fn add(&mut self, address: Option<&Address>, lacked: Lack) {
        self.remedies.insert(Remedy::of(&lacked.cause));
        self.who.add(address, || lacked);
    }

    /// How many they are.
    pub const fn recipients(&self) -> u64 {
        self.who.recipients
    }

    /// Who lacks what: `2 of 10 recipients lack a value: +6591234567 (Code), …`.
    fn sentence(&self, all: u64) -> String {
        format!("{} {} a value for a variable: {}", self.who.of(all), self.who.verb("lacks", "lack"), self.who)
    }

    fn advice(&self) -> String {
        self.remedies.iter().map(|remedy| remedy.sentence()).collect::<Vec<_>>().join("; ")
    }

    /// The problem of a campaign that may not have such recipients.
    pub(super) fn problem(&self, plan: &Plan, all: u64) -> Option<Problem> {
        let refuses = plan.on_missing_value == Some(OnMissingValue::Refuse) && self.recipients() > 0;
        refuses.then(|| Problem::new(None, "on_missing_value", format!("{}; {}", self.sentence(all), self.advice())))
    }

    pub(super) fn warning(&self, plan: &Plan, all: u64) -> Option<Warning> {
        let what = match plan.on_missing_value {
            Some(OnMissingValue::Skip) => "they get no message",
            Some(OnMissingValue::NextStep | OnMissingValue::Refuse) | None => {
                "a step that needs the value is not sent to them, and they get the next step"
            }
        };
        let sentence = || format!("{}; {what}; {}", self.sentence(all), self.advice());
        (self.recipients() > 0).then(|| Warning { code: Lint::EmptyVariable, step: None, sentence: sentence().into() })
    }
}
