//! Recipients who lack a value for a variable.

use std::collections::BTreeSet;

use super::lint::{Lint, Warning};
use crate::config::Problem;
use crate::domain::{Countries, Msisdn, OnMissingValue, Plan, Recipient, grouped};
use crate::template::{self, Lack, LackCause, Variables};

/// The variables of a plan's steps.
#[derive(Debug)]
pub(super) struct Needs {
    steps: Vec<(Countries, Variables)>,
}

impl Needs {
    pub(super) fn of(plan: &Plan) -> Self {
        let of_step = |step: &crate::domain::Step| {
            let marked = template::mark(&step.content, step.line_user_id.as_deref(), plan.names()).ok()?;
            (!marked.variables.is_empty()).then(|| (step.countries.clone(), marked.variables))
        };
        Self { steps: plan.steps.iter().filter_map(of_step).collect() }
    }

    /// What the recipient lacks for a step that applies to it.
    pub(super) fn lacked_by(&self, recipient: &Recipient) -> Option<Lack> {
        // A message with unreadable fields is reported when it is to be sent.
        let fields = recipient.fields.unpack().ok()?;
        let theirs = self.steps.iter().filter(|(countries, _)| countries.contain(Some(recipient.country)));
        theirs.filter_map(|(_, variables)| variables.first_missing(&fields)).next()
    }

    /// Whether the empty cells of the columns do not tell who lacks a value.
    pub(super) fn may_be_unreadable(&self) -> bool {
        self.steps.iter().flat_map(|(_, variables)| variables.iter()).any(template::Variable::may_be_unreadable)
    }
}

/// The recipients who lack a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    pub recipients: u64,
    /// A few of them, each with what it lacks.
    pub first: Vec<(Msisdn, Lack)>,
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

/// How many of them are named.
const NAMED: usize = 3;

impl Lacking {
    pub(super) fn add(&mut self, msisdn: Msisdn, lacked: Lack) {
        self.recipients += 1;
        self.remedies.insert(Remedy::of(&lacked.cause));
        if self.first.len() < NAMED {
            self.first.push((msisdn, lacked));
        }
    }

    /// Who lacks what: `2 of 10 recipients lack a value: +6591234567 (Code), …`.
    fn sentence(&self, all: u64) -> String {
        let named: Vec<String> = self.first.iter().map(|(msisdn, lacked)| format!("{msisdn} ({lacked})")).collect();
        let more = if self.recipients > self.first.len() as u64 { ", …" } else { "" };
        let verb = if self.recipients == 1 { "lacks" } else { "lack" };
        let of = format!("{} of {} recipients", grouped(self.recipients), grouped(all));
        format!("{of} {verb} a value for a variable: {}{more}", named.join(", "))
    }

    fn advice(&self) -> String {
        self.remedies.iter().map(|remedy| remedy.sentence()).collect::<Vec<_>>().join("; ")
    }

    /// The problem of a campaign that may not have such recipients.
    pub(super) fn problem(&self, plan: &Plan, all: u64) -> Option<Problem> {
        let refuses = plan.on_missing_value == Some(OnMissingValue::Refuse) && self.recipients > 0;
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
        (self.recipients > 0).then(|| Warning { code: Lint::EmptyVariable, step: None, sentence: sentence() })
    }
}
