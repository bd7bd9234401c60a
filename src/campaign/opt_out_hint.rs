//! Warns about MARKETING templates that do not tell their recipients how to opt out.

use super::lint::{Lint, Warning};
use super::route_templates::PlanTemplates;
use crate::catalogue::{KnownTemplate, TemplateTextView};
use crate::config::Config;
use crate::domain::{Category, Channel, Content, Plan, StepIndex};
use crate::optout::Words;

/// The steps whose template is known and names no word to opt out: not in its text, its footer, its buttons or the values that
/// the step gives.
pub(super) fn without_opt_out(plan: &Plan, templates: &PlanTemplates, config: &Config) -> Vec<Warning> {
    let words = Words::with(&config.opt_out.stop, &config.opt_out.start, &config.opt_out.ignore);
    let warning = |(step, known): (&StepIndex, &KnownTemplate)| {
        let content = &plan.step(*step)?.content;
        let parts = known.parts.as_ref().filter(|_| known.category() == Some(Category::Marketing))?;
        let texts = texts_of(&TemplateTextView::of(parts, known.category()), content);
        let is_named = texts.iter().any(|text| words.name_stop(text, Channel::WhatsApp));
        (!is_named).then(|| {
            let (name, language) = (&known.name, &known.language);
            let sentence = format!(
                "template {name} ({language}) is MARKETING, but neither its text nor its footer says how to opt out; add a \
                 footer such as \"Reply STOP to opt out\", or a button"
            );
            Warning { code: Lint::NoOptOut, step: Some(*step), sentence }
        })
    };
    templates.known.iter().filter_map(warning).collect()
}

fn texts_of(view: &TemplateTextView, content: &Content) -> Vec<String> {
    let mut texts = vec![view.body.clone()];
    texts.extend(view.footer.clone());
    texts.extend(view.buttons.iter().map(|button| button.text.clone()));
    let Ok(()) = content.each_text(|_, text| {
        texts.push(text.to_owned());
        Ok::<_, std::convert::Infallible>(())
    });
    texts
}
