//! Templates and prices.

use askama::Template;
use serde::Deserialize;
use url::form_urlencoded;

use super::frame::Frame;
use super::preview::{button_name, class, language, media_name};
use super::show::percent_encoded;
use super::texts::ENGLISH;
use crate::base::domain::{Channel, Charged, Free, Timestamp};
use crate::campaigns::status::{KnownTemplateView, TemplateView};
use crate::rules::template::preview::{Bubble, BubbleHeader, Run, TemplateParameter};

/// Languages and channels of a template that its page shows.
const LANGUAGES_SHOWN: usize = 20;

/// The address of a template's page.
pub fn template_path(name: &str) -> String {
    format!("/templates/{}", percent_encoded(name))
}

/// The class of the badge of the provider's word.
fn status_class(status: &str) -> &'static str {
    match status {
        "APPROVED" => "reached",
        "FLAGGED" | "PAUSED" => "paused",
        "REJECTED" | "DISABLED" | "DELETED" | "PENDING_DELETION" => "cancelled",
        _ => "before",
    }
}

fn small(count: &usize) -> i64 {
    i64::try_from(*count).unwrap_or(i64::MAX)
}

/// A word of the provider as a label: `PENDING_DELETION` is `Pending deletion`.
fn label(word: &str) -> String {
    super::show::capital(super::show::visible(word).replace('_', " ").to_lowercase())
}

/// The provider's templates.
#[derive(Debug, Template)]
#[template(path = "templates.html")]
pub struct TemplatesPage {
    pub frame: Frame,
    pub rows: Vec<TemplateRow>,
    /// The provider's words that templates have now.
    pub statuses: Vec<String>,
    /// Whether the provider's list was ever fetched.
    pub is_fetched: bool,
    /// The lanes of each channel, and when its templates were fetched.
    pub fetched: Vec<(Vec<String>, Timestamp)>,
    /// What the provider has answered to an operator.
    pub answer: Option<FetchedTemplates>,
    /// Why the templates of some lanes cannot be fetched: the setting that each of them lacks.
    pub missing_settings: Vec<String>,
    pub name: String,
    pub status: String,
    pub held: bool,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

/// An answer of the provider.
#[derive(Debug)]
pub struct FetchedTemplates {
    pub at: Timestamp,
    pub by: String,
    pub channels: Vec<FetchedLanes>,
}

/// What the provider answered about one channel of WhatsApp.
#[derive(Debug, Clone)]
pub struct FetchedLanes {
    pub lanes: Vec<String>,
    /// How many templates it has, or why they were not fetched.
    pub outcome: Result<String, String>,
    pub changes: Vec<String>,
}

/// A template of the list.
#[derive(Debug)]
pub struct TemplateRow {
    name: String,
    languages: Vec<String>,
    categories: Vec<String>,
    /// The provider's words, each once.
    statuses: Vec<String>,
    qualities: Vec<String>,
    lanes: Vec<String>,
    campaigns: usize,
    is_held: bool,
    /// Messages that wait for its holds.
    waiting: i64,
}

impl TemplateRow {
    pub fn new(view: &TemplateView) -> Self {
        let each = |text: fn(&KnownTemplateView) -> Option<&String>| {
            let mut all: Vec<String> = view.at_provider.iter().filter_map(text).cloned().collect();
            all.sort();
            all.dedup();
            all
        };
        let languages = each(|known| Some(&known.language));
        let mut lanes: Vec<String> = view.at_provider.iter().flat_map(|known| known.lanes.clone()).collect();
        lanes.extend(view.lanes.iter().cloned());
        lanes.sort();
        lanes.dedup();
        Self {
            name: view.name.clone(),
            languages: if languages.is_empty() { view.languages.clone() } else { languages },
            categories: each(|known| Some(&known.category)),
            statuses: each(|known| Some(&known.status)),
            qualities: each(|known| known.quality.as_ref()),
            lanes,
            campaigns: view.campaigns.len(),
            is_held: !view.holds.is_empty(),
            // A step with several lanes waits for the holds of each.
            waiting: view.holds.iter().map(|hold| hold.waiting).max().unwrap_or_default(),
        }
    }

    fn path(&self) -> String {
        template_path(&self.name)
    }
}

impl TemplatesPage {
    /// The latest answer, unless a fetch had nothing to ask because of the missing settings.
    fn shown_answer(&self) -> Option<&FetchedTemplates> {
        self.answer.as_ref().filter(|answer| !answer.channels.is_empty() || self.missing_settings.is_empty())
    }

    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn is_chosen(&self, status: &str) -> bool {
        self.status == status
    }

    const fn is_filtered(&self) -> bool {
        !self.name.is_empty() || !self.status.is_empty() || self.held
    }
}

/// What was just done about a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateDone {
    Held,
    Resumed,
}

impl TemplateDone {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Resumed => "resumed",
        }
    }
}

/// One template, in all its languages.
#[derive(Debug, Template)]
#[template(path = "template.html")]
pub struct TemplatePage<'a> {
    pub frame: Frame,
    pub template: &'a TemplateView,
    pub holds: Vec<TemplateHold>,
    /// What handsets show, in the order of the provider's list.
    pub languages: Vec<TemplateInLanguage>,
    /// The lanes on which it can be held.
    pub lanes: Vec<String>,
    /// The latest events about it, latest first.
    pub history: Vec<(Timestamp, String)>,
}

#[derive(Debug)]
pub struct TemplateHold {
    pub sentence: String,
    pub what_to_do: String,
}

/// A template in one language, on one channel.
#[derive(Debug)]
pub struct TemplateInLanguage {
    pub account: String,
    pub channel: String,
    pub language: String,
    /// Whether a new campaign can send it.
    pub is_approved: bool,
    /// `None` if its components cannot be read.
    pub bubble: Option<Bubble>,
    pub parameters: Vec<TemplateParameter>,
}

impl TemplatePage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        template_path(&self.template.name)
    }

    /// What is known of the template in a language and on a channel of the list.
    fn in_language(&self, known: &KnownTemplateView) -> Option<&TemplateInLanguage> {
        let is_it = |one: &&TemplateInLanguage| {
            one.language == known.language && known.channel() == (&one.account, &one.channel)
        };
        self.languages.iter().find(is_it)
    }

    /// The languages and channels with a card.
    fn shown(&self) -> &[KnownTemplateView] {
        let all = &self.template.at_provider;
        all.get(..LANGUAGES_SHOWN).unwrap_or(all)
    }

    fn more_languages(&self) -> Option<String> {
        let more = self.template.at_provider.len().checked_sub(LANGUAGES_SHOWN)?;
        (more > 0).then(|| ENGLISH.sending.and_more(more))
    }

    /// The address at which a campaign is found by its name.
    fn campaign(name: &str) -> String {
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("whom", name).finish();
        format!("/find?{query}")
    }

    /// What the provider reports, in sentences.
    fn reports(&self) -> Vec<String> {
        self.template.reports.iter().map(|report| report.sentence(&self.template.name)).collect()
    }
}

/// The price list.
#[derive(Debug, Template)]
#[template(path = "prices.html")]
pub struct PricesPage {
    pub frame: Frame,
    /// The file, if one is configured.
    pub file: Option<String>,
    /// Why it cannot be used.
    pub problem: Option<String>,
    pub currency: Option<String>,
    /// Whether the list has no lines.
    pub is_empty: bool,
    pub rows: Vec<PriceRow>,
    /// The lanes whose channel has no price.
    pub unpriced: Vec<(String, Channel)>,
    pub channel: Option<Channel>,
    pub country: String,
    pub is_later: bool,
    pub first: String,
    pub next: Option<String>,
}

#[derive(Debug)]
pub struct PriceRow {
    pub channel: Channel,
    /// `None` for every country without a price of its own.
    pub country: Option<String>,
    /// `None` for every category without a price of its own.
    pub category: Option<String>,
    pub price: String,
    pub charged: Charged,
    pub free: Option<Free>,
}

impl PriceRow {
    fn free(&self) -> String {
        self.free.map(|free| ENGLISH.sending.free_messages(free)).unwrap_or_default()
    }

    const fn charged(&self) -> &'static str {
        match self.charged {
            Charged::Submission => ENGLISH.sending.for_submission,
            Charged::Delivery => ENGLISH.sending.for_delivery,
        }
    }
}

impl PricesPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    const fn is_filtered(&self) -> bool {
        self.channel.is_some() || !self.country.is_empty()
    }

    fn is_chosen(&self, channel: &Channel) -> bool {
        self.channel == Some(*channel)
    }

    /// The head of the column of prices.
    fn price_head(&self) -> String {
        let currency = self.currency.as_ref().map(|currency| format!(", {currency}"));
        format!("{}{}", ENGLISH.sending.price, currency.unwrap_or_default())
    }
}
