//! What the account's own events say of templates: a paused or disabled one is accepted and reported undelivered.

use hashbrown::HashMap;

use super::record::Doom;
use crate::wire::{self, Business, WebhookEvent, parse_events};

/// Templates by name and language that the provider does not deliver at present.
#[derive(Debug, Default)]
pub(super) struct Reported(HashMap<(String, String), Doom>);

impl Reported {
    pub(super) fn doom(&self, template: &wire::Template<'_>) -> Doom {
        if self.0.is_empty() {
            return Doom::None;
        }
        self.0.get(&(template.name.to_string(), template.language.to_string())).copied().unwrap_or(Doom::None)
    }

    fn take(&mut self, event: &Business<'_>) {
        let details = &event.details;
        let (Some(name), Some(language)) = (details.template_name.as_deref(), details.template_language.as_deref())
        else {
            return;
        };
        let title = details.meta.other_info.as_ref().and_then(|other| other.title.as_deref()).unwrap_or_default();
        let status = details.meta.status.as_deref().unwrap_or_default();
        let is = |word: &str| status.eq_ignore_ascii_case(word) || title.eq_ignore_ascii_case(word);
        let doom = if is("UNPAUSE") || is("APPROVED") {
            Doom::None
        } else if is("DISABLED") {
            Doom::TemplateDisabled
        } else if is("PAUSED") {
            Doom::TemplatePaused
        } else {
            return;
        };
        self.0.insert((name.to_owned(), language.to_owned()), doom);
    }
}

impl super::Model {
    /// A new id for an account event.
    pub fn event_id(&self) -> String {
        self.random_id()
    }

    /// Obeys the account events that an operator posts: later messages with a template that they pause or disable are
    /// reported undelivered, until they release it.
    pub fn take_account_events(&mut self, body: &[u8]) {
        for event in parse_events(body) {
            if let WebhookEvent::Business { business, .. } = event
                && business.event_type.eq_ignore_ascii_case("template_status_update")
            {
                self.reported.take(&business);
            }
        }
    }
}
