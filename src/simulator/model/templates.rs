//! The templates of the practice provider: its registry, their review, and what a message with one must have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::Doom;
use super::{Call, Method, Model, Reply, Webhook};
use crate::domain::{Span, Timestamp};
use crate::wire::{
    Business, BusinessDetails, BusinessMeta, ButtonKind, Component, ListedTemplate, NewTemplate, PartKind, Template,
    TemplateButton, TemplateList, placeholders,
};

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

/// A change of a template by hand.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateVerdict {
    pub name: String,
    /// Without it: in every language.
    pub language: Option<String>,
    pub status: Option<String>,
    pub reason: Option<String>,
    pub quality: Option<String>,
    pub category: Option<String>,
}

/// A template in one language.
#[derive(Debug)]
struct Registered {
    template: NewTemplate,
    category: String,
    status: String,
    quality: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// When it is approved or rejected.
    review_at: Option<Timestamp>,
}

/// Where a template is: account, channel, name and language.
type Key = (String, String, String, String);

/// Every template that was created and not removed.
#[derive(Debug, Default)]
pub(super) struct Registry {
    templates: BTreeMap<Key, Registered>,
    /// When the templates of an account were removed, by account and name.
    removed: BTreeMap<(String, String), Timestamp>,
    /// When templates were created, by account.
    created: BTreeMap<String, Vec<Timestamp>>,
}

/// How long the name of a removed template stays locked.
const LOCKED: Span = Span::from_secs(30 * 86_400);
/// The most creations of an account in an hour.
const CREATIONS_MAX: usize = 100;
const HOUR: Span = Span::from_secs(3_600);

/// The account, the channel and the name of a request about templates; `None` for another address.
fn address(path: &str) -> Option<(&str, &str, Option<&str>)> {
    let rest = path.strip_prefix("/api/v1/accounts/")?.trim_end_matches('/');
    let parts: Vec<&str> = rest.split('/').collect();
    match parts[..] {
        [account, "channels", channel, "templates"] => Some((account, channel, None)),
        [account, "channels", channel, "templates", name] => Some((account, channel, Some(name))),
        _ => None,
    }
}

impl Model {
    /// Handles a request about templates; `None` for another address.
    pub(super) fn about_templates(&mut self, call: &Call<'_>, now: Timestamp) -> Option<Reply> {
        let (account, channel, name) = address(call.path)?;
        Some(match (call.method, name) {
            (Method::Get, None) => self.list_templates(account, channel),
            (Method::Post, None) => match serde_json::from_slice::<NewTemplate>(call.body) {
                Ok(template) => self.create_template(account, channel, template, now),
                Err(error) => self.unreadable(&error, now),
            },
            (Method::Delete, Some(name)) => self.remove_template(account, channel, name, now),
            _ => self.not_found("Unknown address", now),
        })
    }

    fn list_templates(&self, account: &str, channel: &str) -> Reply {
        let here = |(key, _): &(&Key, &Registered)| key.0 == account && key.1 == channel;
        let templates = self.templates.templates.iter().filter(here).map(|(key, registered)| ListedTemplate {
            channel_id: Some(channel.to_owned()),
            channel_name: Some("Practice channel".to_owned()),
            template_name: Some(key.2.clone()),
            language: Some(key.3.clone()),
            components: serde_json::value::to_raw_value(&registered.template.components).ok(),
            category: Some(registered.category.clone()),
            status: Some(registered.status.clone()),
            created_at: Some(registered.created_at.rfc3339()),
            updated_at: Some(registered.updated_at.rfc3339()),
            ..ListedTemplate::default()
        });
        Reply::ok(&TemplateList { templates: templates.collect() })
    }

    fn create_template(&mut self, account: &str, channel: &str, template: NewTemplate, now: Timestamp) -> Reply {
        let text = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (name, language, category) = (text(&template.name), text(&template.language), text(&template.category));
        let (Some(name), Some(language), Some(category)) = (name, language, category) else {
            return self.error(400, 1_000, "Invalid parameter: name, language and category are required", now);
        };
        if template.components.is_empty() {
            return self.error(400, 1_000, "Invalid parameter: components are required", now);
        }
        let removed = self.templates.removed.get(&(account.to_owned(), name.clone()));
        if removed.is_some_and(|removed| now.since(*removed) < LOCKED) {
            let message = "New content can't be added while the existing content is being deleted. Try again in 4 weeks \
                           or consider creating a new message template.";
            return self.error(409, 3_060, message, now);
        }
        let key = (account.to_owned(), channel.to_owned(), name.clone(), language);
        if self.templates.templates.contains_key(&key) {
            return self.error(400, 1_000, "Invalid parameter: the template exists in this language", now);
        }
        let created = self.templates.created.entry(account.to_owned()).or_default();
        created.retain(|at| now.since(*at) < HOUR);
        if created.len() >= CREATIONS_MAX {
            return self.throttled(3_600, now);
        }
        created.push(now);
        let review_at = Some(now + self.profile.templates.approved_after);
        let registered = Registered {
            category: category.to_ascii_uppercase(),
            template,
            status: "PENDING".to_owned(),
            quality: "UNKNOWN".to_owned(),
            created_at: now,
            updated_at: now,
            review_at,
        };
        self.templates.templates.insert(key, registered);
        Reply::ok(&serde_json::json!({}))
    }

    fn remove_template(&mut self, account: &str, channel: &str, name: &str, now: Timestamp) -> Reply {
        let before = self.templates.templates.len();
        self.templates
            .templates
            .retain(|key, _| (key.0.as_str(), key.1.as_str(), key.2.as_str()) != (account, channel, name));
        if self.templates.templates.len() == before {
            return self.error(400, 1_000, "Invalid parameter: unknown template", now);
        }
        self.templates.removed.insert((account.to_owned(), name.to_owned()), now);
        Reply::ok(&serde_json::json!({}))
    }

    /// When the next review ends.
    pub fn next_review(&self) -> Option<Timestamp> {
        self.templates.templates.values().filter_map(|registered| registered.review_at).min()
    }

    /// Ends the reviews that are due, and returns the webhooks that report them.
    pub fn take_reviews(&mut self, now: Timestamp) -> Vec<Webhook> {
        let rejected = &self.profile.templates.reject;
        let mut webhooks = Vec::new();
        for (key, registered) in &mut self.templates.templates {
            if registered.review_at.is_none_or(|at| at > now) {
                continue;
            }
            registered.review_at = None;
            let (status, reason) =
                if rejected.contains(&key.2) { ("REJECTED", "INVALID_FORMAT") } else { ("APPROVED", "NONE") };
            registered.status = status.to_owned();
            registered.updated_at = now;
            let meta =
                BusinessMeta { status: Some(status.into()), reason: Some(reason.into()), ..BusinessMeta::default() };
            webhooks.push((key.clone(), "template_status_update", meta));
        }
        webhooks.into_iter().map(|(key, kind, meta)| self.template_event(&key, kind, meta, now)).collect()
    }

    /// Changes a template by hand; returns the webhooks that report it, none if the template is unknown.
    pub fn judge_template(&mut self, verdict: &TemplateVerdict, now: Timestamp) -> Vec<Webhook> {
        let mut webhooks = Vec::new();
        for (key, registered) in &mut self.templates.templates {
            if key.2 != verdict.name || verdict.language.as_ref().is_some_and(|language| *language != key.3) {
                continue;
            }
            registered.updated_at = now;
            if let Some(status) = &verdict.status {
                registered.review_at = None;
                registered.status = status.to_ascii_uppercase();
                let reason = verdict.reason.clone().unwrap_or_else(|| "NONE".to_owned());
                let status = Some(registered.status.clone().into());
                let meta = BusinessMeta { status, reason: Some(reason.into()), ..BusinessMeta::default() };
                webhooks.push((key.clone(), "template_status_update", meta));
            }
            if let Some(quality) = &verdict.quality {
                let before = std::mem::replace(&mut registered.quality, quality.to_ascii_uppercase());
                let meta = BusinessMeta {
                    previous_quality_score: Some(before.into()),
                    new_quality_score: Some(registered.quality.clone().into()),
                    ..BusinessMeta::default()
                };
                webhooks.push((key.clone(), "template_quality_update", meta));
            }
            if let Some(category) = &verdict.category {
                let before = std::mem::replace(&mut registered.category, category.to_ascii_uppercase());
                let meta = BusinessMeta {
                    previous_category: Some(before.into()),
                    new_category: Some(registered.category.clone().into()),
                    ..BusinessMeta::default()
                };
                webhooks.push((key.clone(), "template_category_update", meta));
            }
        }
        webhooks.into_iter().map(|(key, kind, meta)| self.template_event(&key, kind, meta, now)).collect()
    }

    fn template_event(&self, key: &Key, kind: &str, meta: BusinessMeta<'_>, now: Timestamp) -> Webhook {
        let event = Business {
            event_id: Some(self.random_id().into()),
            timestamp: Some(now.rfc3339().into()),
            provider: Some("WhatsApp".into()),
            business_account_id: None,
            account_id: Some(key.0.as_str().into()),
            event_type: kind.into(),
            details: BusinessDetails {
                template_name: Some(key.2.as_str().into()),
                template_language: Some(key.3.as_str().into()),
                meta,
                ..BusinessDetails::default()
            },
        };
        // Plain structs cannot fail to serialize into memory.
        Webhook { url: None, event: serde_json::to_vec(&event).unwrap_or_default() }
    }

    /// The code with which a message of a template is refused at once.
    ///
    /// A template that was never created is accepted unless the profile is strict, so practice needs no set-up.
    pub(super) fn template_refusal(&self, template: &Template<'_>) -> Option<i64> {
        let mut of_name = self.templates.named(&template.name).peekable();
        if of_name.peek().is_none() {
            return self.profile.templates.strict.then_some(3_038);
        }
        of_name.all(|(key, _)| key.3 != *template.language).then_some(3_037)
    }

    /// Why a message of a template that exists is accepted, and then not delivered.
    pub(super) fn template_doom(&self, template: &Template<'_>) -> Doom {
        let found = self.templates.named(&template.name).find(|(key, _)| key.3 == *template.language);
        let Some((_, registered)) = found else { return self.reported.doom(template) };
        match registered.status.as_str() {
            "APPROVED" | "FLAGGED" if registered.fits(template) => Doom::None,
            "APPROVED" | "FLAGGED" => Doom::ParameterCount,
            "PAUSED" => Doom::TemplatePaused,
            "DISABLED" => Doom::TemplateDisabled,
            _ => Doom::TemplateMissing,
        }
    }
}

impl Registry {
    fn named(&self, name: &str) -> impl Iterator<Item = (&Key, &Registered)> {
        self.templates.iter().filter(move |(key, _)| key.2 == name)
    }
}

impl Registered {
    /// Whether a message has as many values as the template has parameters: in its header, its body and each button.
    fn fits(&self, template: &Template<'_>) -> bool {
        let given = |kind: &str| {
            let of_kind = template.components.iter().filter(|component| component.kind.eq_ignore_ascii_case(kind));
            of_kind.map(|component| component.parameters.len()).sum::<usize>()
        };
        let mut header = 0;
        let mut body = usize::from(self.category == "AUTHENTICATION");
        let mut buttons: Vec<&TemplateButton> = Vec::new();
        for part in &self.template.components {
            let in_text = part.text.as_deref().map_or(0, |text| placeholders(text).len());
            match part.part_kind() {
                Some(PartKind::Header)
                    if part.format.as_deref().is_some_and(|format| !format.eq_ignore_ascii_case("text")) =>
                {
                    header = 1;
                }
                Some(PartKind::Header) => header = in_text,
                Some(PartKind::Body) => body = body.max(in_text),
                Some(PartKind::Buttons) => buttons.extend(&part.buttons),
                Some(PartKind::Footer | PartKind::Carousel | PartKind::CallPermissionRequest) | None => {}
            }
        }
        let button_fits = |(index, button): (usize, &&TemplateButton)| {
            let is_it = |component: &&Component<'_>| {
                component.kind.eq_ignore_ascii_case("button") && component.index == i64::try_from(index).ok()
            };
            let given = template.components.iter().find(is_it).map_or(0, |component| component.parameters.len());
            match button.button_kind() {
                Some(ButtonKind::Url) => given == usize::from(button.has_variable_url()),
                Some(ButtonKind::Otp | ButtonKind::CopyCode) => given == 1,
                Some(ButtonKind::QuickReply | ButtonKind::Flow) => given <= 1,
                Some(ButtonKind::PhoneNumber | ButtonKind::VoiceCall) | None => given == 0,
            }
        };
        given("header") == header && given("body") == body && buttons.iter().enumerate().all(button_fits)
    }
}

#[cfg(test)]
mod tests;
