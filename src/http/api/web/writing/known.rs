//! The templates that the steps of a campaign may use, by the lanes that send them.

use serde_json::Value;

use super::document::Keys;
use crate::base::domain::Channel;
use crate::http::api::Shared;
use crate::http::api::native::Answer;
use crate::provider::catalogue::{Catalogue, KnownTemplate, TemplateNeeds, place_of};
use crate::store::TemplatePlace;

/// Separates the parts of a template in the value of a choice. No name of a template has it.
pub(super) const BETWEEN: char = '|';

/// The approved templates of all lanes, and the lanes.
#[derive(Debug)]
pub(super) struct Known {
    templates: Vec<KnownTemplate>,
    lanes: Vec<TemplateLane>,
}

/// A lane on WhatsApp.
#[derive(Debug)]
struct TemplateLane {
    name: String,
    /// Where its templates were fetched; `None` if they never were.
    fetched: Option<TemplatePlace>,
}

/// The templates that one step may use.
#[derive(Debug)]
pub(super) struct KnownOfStep<'a> {
    templates: Vec<&'a KnownTemplate>,
    /// The lanes of the step whose templates were never fetched.
    pub(super) unfetched: Vec<&'a str>,
}

impl Known {
    pub(super) async fn read(shared: &Shared) -> Answer<Self> {
        let lanes = &shared.config.lanes;
        let read = Catalogue::read(shared.store.as_ref(), lanes, None).await?;
        let lanes = lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp).map(|lane| TemplateLane {
            name: lane.name.clone(),
            fetched: place_of(lane).filter(|_| read.fetched_at(lane).is_some()),
        });
        let lanes = lanes.collect();
        let mut templates = read.templates;
        templates.retain(KnownTemplate::is_approved);
        templates.sort_by(|a, b| (&a.name, &a.language).cmp(&(&b.name, &b.language)));
        Ok(Self { templates, lanes })
    }

    /// Those of the lanes that a step names; of every lane if it names none.
    pub(super) fn of(&self, step: &Keys) -> KnownOfStep<'_> {
        let pool = step.0.get("lanes").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut named: Vec<String> = pool.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        named.extend(Some(step.text("lane")).filter(|lane| !lane.is_empty()));
        let lanes: Vec<&TemplateLane> =
            self.lanes.iter().filter(|lane| named.is_empty() || named.contains(&lane.name)).collect();
        let is_theirs =
            |template: &&KnownTemplate| lanes.iter().any(|lane| lane.fetched.as_ref() == Some(&template.place));
        let mut templates: Vec<&KnownTemplate> = self.templates.iter().filter(is_theirs).collect();
        templates.dedup_by(|a, b| (&a.name, &a.language) == (&b.name, &b.language));
        let unfetched = lanes.iter().filter(|lane| lane.fetched.is_none()).map(|lane| lane.name.as_str()).collect();
        KnownOfStep { templates, unfetched }
    }
}

impl KnownOfStep<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// What a template needs; `None` if it is not known.
    pub(super) fn needs(&self, template: &Keys) -> Option<TemplateNeeds> {
        let (name, language) = (template.text("name"), template.text("language"));
        self.templates.iter().find(|known| known.name == name && known.language == language)?.needs()
    }

    /// Value and label of each.
    pub(super) fn choices(&self) -> impl Iterator<Item = (String, String)> {
        self.templates.iter().map(|known| {
            let KnownTemplate { name, language, category_word, .. } = known;
            let value = format!("{name}{BETWEEN}{language}{BETWEEN}{category_word}");
            (value, format!("{name} ({language}, {})", category_word.to_lowercase()))
        })
    }
}
