//! What the provider knows of its templates, whether they were created or an event named them first. It is the only state
//! of a template; a message is held against it.

use std::collections::BTreeMap;

use super::account_events::{
    Reason, Score, StatusChange, TemplateAsked, TemplateCategory, TemplateChange, TemplateStatus, Title,
};
use super::delivery::Webhook;
use super::record::Doom;
use super::{Model, fit};
use crate::base::domain::{Span, Timestamp};
use crate::practice::simulator::Faults;
use crate::rules::wire::{NewTemplate, Template, TemplatePart};

/// The channel of an account that a template was created on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) account: String,
    pub(super) channel: String,
}

/// A template in one language.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) language: String,
    /// `None` if it was never created: an event named it first, and it is on every channel.
    pub(super) created: Option<(Place, NewTemplate)>,
    pub(super) category: Option<TemplateCategory>,
    pub(super) status: TemplateStatus,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    quality: Score,
    /// How often its quality paused it.
    pauses: u8,
    /// What happens to it next by itself.
    next: Option<(Timestamp, Next)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Its review ends.
    Reviewed,
    /// Its pause ends.
    Unpaused,
}

/// Every template that was created or named by an event, and not removed.
#[derive(Debug, Default)]
pub(super) struct Registry {
    by_name: BTreeMap<String, Vec<Registered>>,
    /// When a name was removed, by account.
    removed: BTreeMap<String, BTreeMap<String, Timestamp>>,
}

/// The pauses of a template whose quality is RED; the next time it is disabled.
const PAUSES: [(Title, Span); 2] =
    [(Title::FirstPause, Span::from_secs(3 * 3_600)), (Title::SecondPause, Span::from_secs(6 * 3_600))];

impl Registry {
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Registered)> {
        self.by_name.iter().flat_map(|(name, all)| all.iter().map(move |one| (name.as_str(), one)))
    }

    fn named(&self, name: &str) -> &[Registered] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    fn find(&self, template: &Template<'_>) -> Option<&Registered> {
        self.named(&template.name).iter().find(|one| one.language == *template.language)
    }

    /// The components that the template of a message was created with.
    pub(super) fn parts_of(&self, template: &Template<'_>) -> Option<&[TemplatePart]> {
        let (_, created) = self.find(template)?.created.as_ref()?;
        Some(&created.components)
    }

    /// Whether the name was removed, and no template has it any more.
    fn is_gone(&self, name: &str) -> bool {
        self.named(name).is_empty() && self.removed.contains_key(name)
    }

    pub(super) fn has(&self, place: &Place, name: &str, language: &str) -> bool {
        self.named(name).iter().any(|one| one.language == language && one.place() == Some(place))
    }

    pub(super) fn removed_at(&self, account: &str, name: &str) -> Option<Timestamp> {
        self.removed.get(name)?.get(account).copied()
    }

    /// Adds a created template. It replaces one that only an event had named.
    pub(super) fn create(&mut self, name: &str, registered: Registered) {
        let of_name = self.by_name.entry(name.to_owned()).or_default();
        of_name.retain(|one| one.created.is_some() || one.language != registered.language);
        of_name.push(registered);
    }

    /// Removes a name from a channel, in every language. Returns whether there was one.
    pub(super) fn remove(&mut self, place: &Place, name: &str, now: Timestamp) -> bool {
        let Some(of_name) = self.by_name.get_mut(name) else { return false };
        let before = of_name.len();
        of_name.retain(|one| one.place().is_some_and(|of| of != place));
        if of_name.len() == before {
            return false;
        }
        if of_name.is_empty() {
            self.by_name.remove(name);
        }
        self.removed.entry(name.to_owned()).or_default().insert(place.account.clone(), now);
        true
    }

    /// The templates that an event is about: at least one, unless the name was removed.
    fn of_event(&mut self, name: &str, language: &str, now: Timestamp) -> impl Iterator<Item = &mut Registered> {
        let is_new = !self.is_gone(name) && self.named(name).iter().all(|one| one.language != language);
        if is_new {
            let registered = Registered::approved(language, now);
            self.by_name.entry(name.to_owned()).or_default().push(registered);
        }
        self.by_name.get_mut(name).into_iter().flatten().filter(move |one| one.language == language)
    }
}

impl Registered {
    /// A template that is new to the provider, and under review until then.
    pub(super) fn created(
        place: Place,
        template: NewTemplate,
        category: TemplateCategory,
        now: Timestamp,
        reviewed: Timestamp,
    ) -> Self {
        let language = template.language.clone().unwrap_or_default();
        Self {
            created: Some((place, template)),
            category: Some(category),
            status: TemplateStatus::Pending,
            next: Some((reviewed, Next::Reviewed)),
            ..Self::approved(&language, now)
        }
    }

    /// A template that was approved before anything was heard of it.
    fn approved(language: &str, now: Timestamp) -> Self {
        Self {
            language: language.to_owned(),
            created: None,
            category: None,
            status: TemplateStatus::Approved,
            created_at: now,
            updated_at: now,
            quality: Score::Unknown,
            pauses: 0,
            next: None,
        }
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.created.as_ref().map(|(place, _)| place)
    }

    const fn can_be_sent(&self) -> bool {
        matches!(self.status, TemplateStatus::Approved | TemplateStatus::Flagged)
    }

    /// Obeys what an operator says of it, and returns what is reported. `pause` gives the time of the profile's speed.
    fn obey(&mut self, asked: &TemplateAsked, now: Timestamp, pause: impl Fn(Span) -> Span) -> Vec<TemplateChange> {
        self.updated_at = now;
        match asked {
            TemplateAsked::Status(change) => {
                (self.status, self.next) = (change.effective(), None);
                vec![TemplateChange::Status(change.clone())]
            }
            TemplateAsked::Quality { previous, new } => {
                let previous = previous.unwrap_or(self.quality);
                self.quality = *new;
                let paused = (*new == Score::Red && self.can_be_sent()).then(|| self.pause(now, pause));
                let quality = TemplateChange::Quality { previous, new: *new };
                [quality].into_iter().chain(paused.map(TemplateChange::Status)).collect()
            }
            TemplateAsked::Category { previous, new } => {
                let before = self.category.replace(*new);
                vec![TemplateChange::Category { previous: previous.or(before), new: *new }]
            }
            TemplateAsked::Advice { category, correct } => {
                vec![TemplateChange::Advice { category: *category, correct: *correct }]
            }
        }
    }

    /// Pauses it because its quality is RED: for 3 hours, then for 6, and the third time for good.
    fn pause(&mut self, now: Timestamp, pause: impl Fn(Span) -> Span) -> StatusChange {
        let (status, title) = match PAUSES.get(usize::from(self.pauses)) {
            Some((title, lasts)) => {
                self.pauses += 1;
                self.next = Some((now + pause(*lasts), Next::Unpaused));
                (TemplateStatus::Paused, *title)
            }
            None => (TemplateStatus::Disabled, Title::Disabled),
        };
        self.status = status;
        StatusChange { title: Some(title), ..StatusChange::to(status) }
    }

    /// Ends its review or its pause, if that is due, and returns what is reported.
    fn advance(&mut self, now: Timestamp, is_rejected: bool) -> Option<TemplateChange> {
        let (_, next) = self.next.take_if(|(at, _)| *at <= now)?;
        self.updated_at = now;
        let change = match next {
            Next::Reviewed if is_rejected => {
                StatusChange { reason: Reason::InvalidFormat, ..StatusChange::to(TemplateStatus::Rejected) }
            }
            Next::Reviewed => StatusChange::to(TemplateStatus::Approved),
            Next::Unpaused => {
                StatusChange { title: Some(Title::Unpause), ..StatusChange::to(TemplateStatus::Approved) }
            }
        };
        self.status = change.status;
        Some(TemplateChange::Status(change))
    }

    /// Holds the values of a message against the template. The error is how the message fails.
    fn fits(&self, template: &Template<'_>) -> Result<(), Doom> {
        // Of a template that was never created nothing is known.
        let Some((_, own)) = &self.created else { return Ok(()) };
        let is_code = self.category == Some(TemplateCategory::Authentication);
        fit::check(&own.components, &template.components, is_code)
    }
}

impl Model {
    /// Changes a template as an event says, and returns what reports it: one event for each account that has it. A removed
    /// template is reported and stays removed.
    pub(super) fn change_template(
        &mut self,
        name: &str,
        language: &str,
        asked: &TemplateAsked,
        now: Timestamp,
    ) -> Vec<Webhook> {
        let (own, speed) = (self.account(), self.profile.speed);
        let mut changes: Vec<(Option<String>, Vec<TemplateChange>)> = Vec::new();
        for registered in self.templates.of_event(name, language, now) {
            let account = registered.place().map(|place| place.account.clone()).or_else(|| own.clone());
            let made = registered.obey(asked, now, |span| super::delivery::sped_up(span, speed));
            if changes.iter().all(|(known, _)| *known != account) {
                changes.push((account, made));
            }
        }
        if changes.is_empty() {
            let made = Registered::approved(language, now).obey(asked, now, |span| span);
            changes.push((own, made));
        }
        let each = changes.iter().flat_map(|(account, made)| made.iter().map(move |change| (account, change)));
        each.map(|(account, change)| self.template_event(account.as_deref(), (name, language), change, now)).collect()
    }

    /// When the next review or pause ends.
    pub fn next_template_change(&self) -> Option<Timestamp> {
        self.templates.all().filter_map(|(_, registered)| Some(registered.next?.0)).min()
    }

    /// Ends the reviews and pauses that are due, and returns the webhooks that report them.
    pub fn take_template_changes(&mut self, now: Timestamp) -> Vec<Webhook> {
        let own = self.account();
        let mut changes = Vec::new();
        for (name, of_name) in &mut self.templates.by_name {
            let is_rejected = self.profile.templates.reject.contains(name);
            for registered in of_name {
                if let Some(change) = registered.advance(now, is_rejected) {
                    let account = registered.place().map(|place| place.account.clone()).or_else(|| own.clone());
                    changes.push((account, name.clone(), registered.language.clone(), change));
                }
            }
        }
        let event = |(account, name, language, change): &(Option<String>, String, String, TemplateChange)| {
            self.template_event(account.as_deref(), (name, language), change, now)
        };
        changes.iter().map(event).collect()
    }

    /// Whether a template is known to be of the category MARKETING.
    pub(super) fn is_marketing(&self, template: &Template<'_>) -> bool {
        self.templates.find(template).is_some_and(|known| known.category == Some(TemplateCategory::Marketing))
    }

    /// Whether a message of this template is accepted. The error is the code with which it is refused at once; an accepted
    /// message may be undelivered. A fault comes before what is known of the template.
    ///
    /// A template that was never created is accepted unless the profile is strict, so practice needs no set-up.
    pub(super) fn template_standing(&self, template: &Template<'_>, faults: &Faults) -> Result<Doom, i64> {
        let is_named = |fault: &Option<String>| fault.as_deref() == Some(&*template.name);
        if is_named(&faults.template_missing) {
            return Err(3_038);
        }
        if is_named(&faults.template_paused) {
            return Ok(Doom::TemplatePaused);
        }
        let registry = &self.templates;
        let Some(registered) = registry.find(template) else {
            let is_known = registry.named(&template.name).iter().any(|one| one.created.is_some());
            return match (is_known, self.profile.templates.strict || registry.is_gone(&template.name)) {
                (true, _) => Err(3_037),
                (false, true) => Err(3_038),
                (false, false) => Ok(Doom::None),
            };
        };
        if registered.created.is_none() && self.profile.templates.strict {
            return Err(3_038);
        }
        Ok(match registered.status {
            TemplateStatus::Approved | TemplateStatus::Flagged => registered.fits(template).err().unwrap_or(Doom::None),
            TemplateStatus::Paused => Doom::TemplatePaused,
            TemplateStatus::Disabled => Doom::TemplateDisabled,
            TemplateStatus::Rejected | TemplateStatus::Pending | TemplateStatus::PendingDeletion => {
                Doom::TemplateMissing
            }
        })
    }
}
