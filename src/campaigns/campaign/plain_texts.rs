//! Counts what the transliteration of SMS texts changes for the recipients of a campaign.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::base::domain::text::plural;
use crate::base::domain::{Plan, Recipient, StepIndex, Takers};
use crate::rules::template::PartsOf;

/// The texts of the steps that transliterate.
#[derive(Debug)]
pub(super) struct PlainTexts(Vec<(StepIndex, Takers, PartsOf)>);

/// What transliteration changes on a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Transliterated {
    /// Recipients whose text is changed.
    pub recipients: u64,
    /// The characters that are written in another way.
    pub replaced: BTreeSet<char>,
    /// The parts that it saves, over all recipients.
    pub parts_saved: u64,
}

/// How many characters are named.
const NAMED: usize = 12;

impl PlainTexts {
    pub(super) fn of(plan: &Plan) -> Self {
        let of_step = |(index, step): (StepIndex, &crate::base::domain::Step)| {
            let text = PartsOf::of_step(step, plan.names()).filter(|_| step.transliterate)?.ok()?;
            Some((index, step.takers(), text))
        };
        Self(plan.indexed_steps().filter_map(of_step).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds what changes for a recipient.
    pub(super) fn count(
        &self,
        recipient: &Recipient,
        fields: &[Cow<'_, str>],
        found: &mut BTreeMap<StepIndex, Transliterated>,
    ) {
        for (index, takers, text) in &self.0 {
            if let Some(plain) = text.plain_text(fields).filter(|_| takers.include(recipient)) {
                let of_step = found.entry(*index).or_default();
                of_step.recipients += 1;
                of_step.parts_saved += plain.saved;
                of_step.replaced.extend(plain.replaced);
            }
        }
    }
}

impl Transliterated {
    /// What it changes, for operators: `written in plain characters for 3 recipients, which saves 4 parts: “ ” ą`.
    pub fn sentence(&self) -> String {
        let named: Vec<String> = self.replaced.iter().take(NAMED).map(|c| c.escape_debug().to_string()).collect();
        let more = if self.replaced.len() > NAMED { " …" } else { "" };
        let saved = match self.parts_saved {
            0 => String::new(),
            parts => format!(", which saves {}", plural(parts, "part", "parts")),
        };
        let recipients = plural(self.recipients, "recipient", "recipients");
        format!("written in plain characters for {recipients}{saved}: {}{more}", named.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transliteration_that_saves_no_part_claims_no_saving() {
        let of = |parts_saved| Transliterated { recipients: 2, replaced: ['ą', 'ę'].into(), parts_saved }.sentence();
        assert_eq!(of(0), "written in plain characters for 2 recipients: ą ę");
        assert_eq!(of(1), "written in plain characters for 2 recipients, which saves 1 part: ą ę");
    }
}
