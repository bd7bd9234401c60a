//! Warns about MARKETING templates that do not tell their recipients how to opt out.

use super::lint::{Lint, Warning};
use super::route_templates::PlanTemplates;
use crate::base::config::Config;
use crate::base::domain::{Category, Channel, Plan, StepIndex};
use crate::provider::catalogue::KnownTemplate;
use crate::recipients::optout::Words;
use crate::rules::template::preview::ApprovedTemplate;

/// The steps whose template is known and names no word to opt out: not in its text, its footer, its buttons, its cards or the
/// values that the step gives.
pub(super) fn without_opt_out(plan: &Plan, templates: &PlanTemplates, config: &Config) -> Vec<Warning> {
    let words =
        Words::with(&config.opt_out.stop, &config.opt_out.start, &config.opt_out.ignore, &config.opt_out.contains);
    let warning = |(step, known): (&StepIndex, &KnownTemplate)| {
        let content = &plan.step(*step)?.content;
        let approved = known.approved().filter(|_| known.category() == Some(Category::Marketing))?;
        let mut texts = fixed_texts(&approved);
        let Ok(()) = content.each_text(|_, text| {
            texts.push(text.to_owned());
            Ok::<_, std::convert::Infallible>(())
        });
        let is_named = texts.iter().any(|text| words.name_stop(text, Channel::WhatsApp));
        (!is_named).then(|| {
            let (name, language) = (&known.name, &known.language);
            let sentence = format!(
                "template {name} ({language}) is MARKETING, but neither its text nor its footer says how to opt out; add a \
                 footer such as \"Reply STOP to opt out\", or a button"
            );
            Warning { code: Lint::NoOptOut, step: Some(*step), sentence: sentence.into() }
        })
    };
    templates.known.iter().filter_map(warning).collect()
}

/// The texts of a template that every recipient sees.
fn fixed_texts(template: &ApprovedTemplate) -> Vec<String> {
    let ApprovedTemplate { header, body, footer, buttons, cards } = template;
    let mut texts: Vec<String> = [header, body, footer].into_iter().flatten().cloned().collect();
    texts.extend(buttons.iter().filter_map(|button| button.title.clone()));
    texts.extend(cards.iter().flat_map(fixed_texts));
    texts
}
