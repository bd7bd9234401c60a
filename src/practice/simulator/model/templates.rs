//! The provider's API of templates: they are created, listed and removed.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::account_events::TemplateCategory;
use super::registry::{Place, Registered};
use super::{Call, Method, Model, Reply, creation, languages};
use crate::base::domain::{Span, Timestamp};
use crate::rules::wire::{ErrorAnswer, ListedTemplate, NewTemplate, TemplateList, TemplatePart};

/// How the practice provider treats templates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplatesProfile {
    /// Whether a message with a template that was never created is refused.
    pub strict: bool,
    /// The time from the creation of a template to its approval.
    pub approved_after: Span,
    /// Names of templates that are rejected instead.
    pub reject: Vec<String>,
}

impl Default for TemplatesProfile {
    fn default() -> Self {
        Self { strict: false, approved_after: Span::from_secs(60), reject: Vec::new() }
    }
}

/// How long the name of a removed template stays locked.
const LOCKED: Span = Span::from_secs(30 * 86_400);
/// The most creations of an account in an hour.
const CREATIONS_MAX: usize = 100;
const HOUR: Span = Span::from_secs(3_600);

impl Model {
    /// Handles a request about the templates of a channel, or about those of a name.
    pub(super) fn about_templates(
        &mut self,
        place: Place,
        name: Option<&str>,
        call: &Call<'_>,
        now: Timestamp,
    ) -> Reply {
        match (call.method, name) {
            (Method::Get, None) => self.list_templates(&place),
            (Method::Post, None) => match serde_json::from_slice::<NewTemplate>(call.body) {
                Ok(template) => self.create_template(place, template, now).err().unwrap_or_else(nothing),
                Err(error) => self.error(&ErrorAnswer::unreadable(&error), now),
            },
            (Method::Delete, Some(name)) if self.templates.remove(&place, name, now) => nothing(),
            (Method::Delete, Some(_)) => self.error(&ErrorAnswer::Invalid("unknown template".into()), now),
            _ => self.error(&ErrorAnswer::UnknownAddress, now),
        }
    }

    fn list_templates(&self, here: &Place) -> Reply {
        let is_here = |(_, registered): &(&str, &Registered)| registered.place().is_none_or(|place| place == here);
        let listed = |(name, registered): (&str, &Registered)| ListedTemplate {
            channel_id: Some(here.channel.clone()),
            channel_name: Some("Practice channel".to_owned()),
            template_name: Some(name.to_owned()),
            language: Some(registered.language.clone()),
            language_name: Some(languages::name_of(&registered.language).to_owned()),
            components: registered.created.as_ref().and_then(|(_, template)| {
                let listed: Vec<TemplatePart> = template.components.iter().map(TemplatePart::listed).collect();
                serde_json::value::to_raw_value(&listed).ok()
            }),
            category: registered.category.and_then(word),
            category_name: registered.category.and_then(friendly),
            status: word(registered.status),
            status_name: friendly(registered.status),
            created_at: Some(registered.created_at.rfc3339()),
            updated_at: Some(registered.updated_at.rfc3339()),
        };
        Reply::ok(&TemplateList { templates: self.templates.all().filter(is_here).map(listed).collect() })
    }

    /// Adds a template to the registry. The error is the refusal.
    fn create_template(&mut self, place: Place, template: NewTemplate, now: Timestamp) -> Result<(), Reply> {
        let invalid = |what: &str| self.error(&ErrorAnswer::Invalid(what.into()), now);
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (name, language, category) = (text(&template.name), text(&template.language), text(&template.category));
        let (Some(name), Some(language), Some(category)) = (name, language, category) else {
            return Err(invalid("name, language and category are required"));
        };
        let category = serde_json::from_value::<TemplateCategory>(Value::String(category.to_ascii_uppercase()));
        let category = category.map_err(|_| invalid("the category is unknown"))?;
        if template.components.is_empty() {
            return Err(invalid("components are required"));
        }
        creation::check(&template, category).map_err(invalid)?;
        let removed = self.templates.removed_at(&place.account, &name);
        if removed.is_some_and(|removed| now.since(removed) < LOCKED) {
            let language = languages::name_of(&language);
            return Err(self.error(&ErrorAnswer::LockedTemplateName { language }, now));
        }
        if self.templates.has(&place, &name, &language) {
            return Err(invalid("the template exists in this language"));
        }
        let created = self.creations.entry(place.account.clone()).or_default();
        created.retain(|at| now.since(*at) < HOUR);
        if created.len() >= CREATIONS_MAX {
            return Err(self.throttled(3_600, now));
        }
        created.push(now);
        let reviewed = now + self.profile.templates.approved_after;
        self.templates.create(&name, Registered::created(place, template, category, now, reviewed));
        Ok(())
    }
}

fn nothing() -> Reply {
    Reply::ok(&serde_json::json!({}))
}

/// A word of the provider as it is written.
fn word(word: impl Serialize) -> Option<String> {
    serde_json::to_value(word).ok()?.as_str().map(str::to_owned)
}

/// The user-friendly name that lists have for a word of the provider: `Pending deletion`.
fn friendly(word: impl Serialize) -> Option<String> {
    let word = self::word(word)?.to_ascii_lowercase().replace('_', " ");
    let (first, rest) = word.split_at_checked(1)?;
    Some(first.to_ascii_uppercase() + rest)
}

#[cfg(test)]
mod tests;
