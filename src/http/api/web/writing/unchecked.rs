//! Templates that a plan could not check, because those of their lanes were never fetched.

use crate::base::domain::{Channel, Step, StepIndex};
use crate::campaigns::campaign::Prepared;
use crate::http::pages::{WritingPage, texts};

/// A warning for each of them, with the field that names the template.
///
/// A template that is missing from a list that was fetched is a problem of the plan.
pub(super) fn unchecked(prepared: &Prepared) -> Vec<(String, (WritingPage, String))> {
    let of_step = |(index, step): (StepIndex, &Step)| {
        let template = step.content.template().filter(|_| step.channel == Channel::WhatsApp)?;
        if prepared.templates.known.contains_key(&index) {
            return None;
        }
        let lanes: Vec<&str> = step.lanes.names().collect();
        let sentence = texts().wizard.unchecked(template.name, template.language, &lanes);
        let field = format!("{index}-template_name");
        Some((texts().about_step(index, &sentence), (WritingPage::Content, field)))
    };
    prepared.plan.indexed_steps().filter_map(of_step).collect()
}
