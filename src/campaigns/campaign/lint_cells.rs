//! Warnings about cells that messages may fail for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::lint::{Facts, Lint, Warning, Warnings};
use crate::base::domain::{Countries, Plan, Step, grouped};
use crate::rules::forecast::Share;
use crate::rules::template::{self, Variable};

/// The empty cells of a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EmptyCells {
    name: Arc<str>,
    /// How many have one: `2 of 1,000 recipients`.
    recipients: String,
}

impl Warnings {
    /// Warns about empty cells: once for all steps that need the same ones.
    pub(super) fn empty_cells(&mut self) {
        for (EmptyCells { name, recipients }, steps) in std::mem::take(&mut self.empty) {
            let (step, what) = match steps[..] {
                [step] => (Some(step), "the message".to_owned()),
                _ => {
                    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
                    (None, format!("the messages of steps {}", steps.join(", ")))
                }
            };
            let sentence = format!(
                "{recipients} have an empty {name}, so {what} cannot be rendered for them; give the variable a default: \
                 {{{{{name}|…}}}}"
            );
            self.found.push(Warning { code: Lint::EmptyVariable, step, sentence: sentence.into() });
        }
    }

    pub(super) fn cells(&mut self, plan: &Plan, step: &Step, facts: &Facts<'_>, share: Share) {
        let Ok(marked) = template::mark(&step.content, step.user_id.as_deref(), plan.names()) else { return };
        // Cells are not counted by country.
        let of = |cells: u64| match &step.countries {
            Countries::Everywhere => format!("{} of {} recipients", grouped(cells), grouped(facts.recipients)),
            Countries::Only(_) | Countries::AllBut(_) => {
                format!("up to {} of {} recipients", grouped(cells.min(share.recipients)), grouped(share.recipients))
            }
        };
        let needed = marked.variables.iter().flat_map(Variable::needed_columns);
        for (name, cells) in columns(needed, &facts.odd.empty) {
            let (recipients, step) = (of(cells), self.step());
            self.empty.entry(EmptyCells { name, recipients }).or_default().push(step);
        }
        let is_parameter = |variable: &&Variable| variable.part.is_parameter();
        let shown = marked.variables.iter().filter(is_parameter).flat_map(Variable::shown_columns);
        for (name, cells) in columns(shown, &facts.odd.refused) {
            let sentence = format!(
                "{} have a {name} with a line break, many spaces or one of #, $ and %, which the provider may refuse in \
                 a parameter; change these cells, or move the signs into the template",
                of(cells)
            );
            self.warn(Lint::ParameterText, sentence);
        }
    }
}

/// The columns with such cells, each once, in the order of the columns.
fn columns(columns: impl Iterator<Item = (usize, Arc<str>)>, cells: &[u64]) -> impl Iterator<Item = (Arc<str>, u64)> {
    let counted = columns.filter_map(|(column, name)| {
        let cells = cells.get(column).copied().filter(|cells| *cells > 0)?;
        Some((column, (name, cells)))
    });
    counted.collect::<BTreeMap<_, _>>().into_values()
}
