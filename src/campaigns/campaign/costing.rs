//! Counts what the messages to each recipient of a campaign are billed for.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::lint::{Lint, Warning};
use crate::base::config::Sentence;
use crate::base::domain::text::plural;
use crate::base::domain::{OnMissingValue, Plan, StepIndex, Taker, Takers};
use crate::rules::forecast::Bill;
use crate::rules::template::{self, BilledParts, Variables, Widening};

/// The steps of a plan, as far as they decide what is billed.
#[derive(Debug)]
pub(super) struct Costing {
    steps: Vec<CostedStep>,
    /// Whether nothing is sent to a recipient who lacks a value for one of the steps.
    skips: bool,
}

#[derive(Debug)]
struct CostedStep {
    index: StepIndex,
    takers: Takers,
    variables: Variables,
    parts: BilledParts,
}

/// What was counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Costed {
    bill: Bill,
    widened: BTreeMap<StepIndex, Widened>,
}

/// The texts of a step that have more parts because of characters beyond GSM-7.
#[derive(Debug, Clone, Default)]
struct Widened {
    recipients: u64,
    more_parts: u64,
    /// The characters, by the variables that have them; `None` is the text itself.
    characters: BTreeMap<Option<Arc<str>>, BTreeSet<char>>,
}

impl Costing {
    /// `None` if the countries of the recipients say enough, or if nothing has a price. `all_get_one` says whether every
    /// recipient gets a message.
    pub(super) fn of(plan: &Plan, all_get_one: bool) -> Option<Self> {
        if !plan.has_prices() {
            return None;
        }
        let of_step = |(index, step): (StepIndex, &crate::base::domain::Step)| {
            let marked = template::mark(&step.content, step.user_id.as_deref(), plan.names()).ok()?;
            let (takers, parts) = (step.takers(), BilledParts::of_step(step, plan.names()));
            Some(CostedStep { index, takers, variables: marked.variables, parts })
        };
        let steps: Vec<CostedStep> = plan.indexed_steps().filter_map(of_step).collect();
        let is_same = |step: &CostedStep| step.parts.are_same() && step.variables.is_empty();
        let skips = plan.on_missing_value == Some(OnMissingValue::Skip);
        (!all_get_one || !steps.iter().all(is_same)).then_some(Self { steps, skips })
    }

    /// Adds what is billed for a recipient, who may lack a value for one of the steps. A step whose variables have no value
    /// is not sent.
    pub(super) fn count(&self, taker: Taker, fields: &[Cow<'_, str>], lacks: bool, found: &mut Costed) {
        if self.skips && lacks {
            return;
        }
        let theirs = self.steps.iter().filter(|step| step.takers.include(taker));
        for (n, step) in theirs.filter(|step| step.variables.are_met(fields)).enumerate() {
            let (parts, widening) = step.parts.with_widening(fields);
            found.bill.add((step.index, taker.country), (1, parts), n == 0);
            if let Some(widening) = widening {
                found.widened.entry(step.index).or_default().add(widening);
            }
        }
    }
}

impl Costed {
    pub(super) const fn bill(&self) -> &Bill {
        &self.bill
    }

    pub(super) fn warnings(&self, plan: &Plan) -> impl Iterator<Item = Warning> {
        self.widened.iter().filter_map(|(index, widened)| {
            let transliterates = plan.step(*index)?.transliterate;
            Some(Warning { code: Lint::SmsParts, step: Some(*index), sentence: widened.sentence(transliterates) })
        })
    }
}

/// How many characters of each variable are named.
const NAMED: usize = 5;

impl Widened {
    fn add(&mut self, Widening { more, character, variable }: Widening) {
        self.recipients += 1;
        self.more_parts += more;
        self.characters.entry(variable).or_default().insert(character);
    }

    fn sentence(&self, transliterates: bool) -> Sentence {
        let of = |(variable, characters): (&Option<Arc<str>>, &BTreeSet<char>)| {
            let named: Vec<String> = characters.iter().take(NAMED).map(|c| format!("“{}”", c.escape_debug())).collect();
            let more = if characters.len() > NAMED { " and others" } else { "" };
            let place = variable.as_deref().unwrap_or("the text");
            format!("{}{more} in {place}", named.join(", "))
        };
        let recipients = plural(self.recipients, "recipient gets", "recipients get");
        let parts = plural(self.more_parts, "more part", "more parts");
        let causes = self.characters.iter().map(of).collect::<Vec<_>>().join("; ");
        let sentence = Sentence::new(format!(
            "{recipients} {parts} to be paid, because of characters with which a part holds only 70: {causes}"
        ));
        if transliterates {
            return sentence;
        }
        sentence.text("; with ").step_key("transliterate").text(" they are written plainly where that is possible")
    }
}
