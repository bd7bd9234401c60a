//! What Volley knows of the provider's templates: the latest list, and the words of later webhooks.

use crate::config::Lane;
use crate::domain::{Category, Channel, Timestamp, nearest};
use crate::store::{self, FetchedTemplates, ProviderReport, Store, StoredTemplate, TemplatePlace};
use crate::wire::{TemplatePart, template_parts};

/// A template of the provider in one language, as last reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTemplate {
    pub place: TemplatePlace,
    pub name: String,
    pub language: String,
    /// The provider's word, in capitals; [`KnownTemplate::category`] reads it.
    pub category_word: String,
    /// The provider's word, in capitals.
    pub status: String,
    pub quality: Option<String>,
    /// Why the provider rejected it; only while it is rejected.
    pub rejection: Option<String>,
    /// `None` if its components cannot be read.
    pub parts: Option<Vec<TemplatePart>>,
    pub updated_at: Option<Timestamp>,
    pub fetched_at: Timestamp,
}

/// Every template of the channels that were fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The channels, and when each was fetched.
    pub fetched: Vec<(TemplatePlace, Timestamp)>,
    /// In order of channel, name and language.
    pub templates: Vec<KnownTemplate>,
}

/// What is known about a template on a lane.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The templates of the lane's channel were never fetched.
    NotFetched,
    Found(&'a KnownTemplate),
    /// It exists, but not in this language.
    InOtherLanguages(Vec<&'a str>),
    Missing {
        /// The name that was probably meant.
        nearest: Option<&'a str>,
    },
}

/// The place of a lane's templates at the provider; `None` if its configuration does not name it, or if its channel has no
/// templates.
pub fn place_of(lane: &Lane) -> Option<TemplatePlace> {
    let account_id = lane.provider.account_id.clone().filter(|_| lane.channel == Channel::WhatsApp)?;
    Some(TemplatePlace { account_id, channel_id: lane.channel_id.clone()? })
}

impl KnownTemplate {
    /// The template as listed, and what webhooks have said since.
    fn of(place: &TemplatePlace, fetched_at: Timestamp, listed: StoredTemplate, reports: &[ProviderReport]) -> Self {
        let StoredTemplate { name, language, category, status, components, updated_at } = listed;
        let of_it = |report: &&ProviderReport| {
            let about = report.template();
            about.is_some_and(|(about, its)| about == name && (its == language || its.is_empty()))
        };
        let latest = |what: &str| {
            let found = reports.iter().filter(of_it).filter(|report| report.what == what && !report.value.is_empty());
            found.max_by_key(|report| report.at)
        };
        let newer = |what: &str, listed: String| match latest(what) {
            Some(report) if report.at > fetched_at || is_a_warning(&report.value, &listed) => report.value.clone(),
            Some(_) | None => listed,
        };
        let value = |what| latest(what).map(|report| report.value.clone());
        let status = newer("status", status.to_ascii_uppercase()).to_ascii_uppercase();
        Self {
            place: place.clone(),
            category_word: newer("category", category.to_ascii_uppercase()).to_ascii_uppercase(),
            quality: value("quality"),
            rejection: value("rejection").filter(|_| status == "REJECTED"),
            status,
            parts: template_parts(&components).ok(),
            updated_at,
            fetched_at,
            name,
            language,
        }
    }

    /// Its category; `None` for an unknown word.
    pub fn category(&self) -> Option<Category> {
        self.category_word.parse().ok()
    }

    /// Whether the provider accepts its messages.
    pub fn is_approved(&self) -> bool {
        matches!(self.status.as_str(), "APPROVED" | "FLAGGED")
    }

    /// Whether the provider will not approve it as it is.
    pub fn is_lost(&self) -> bool {
        matches!(self.status.as_str(), "REJECTED" | "DISABLED" | "PENDING_DELETION" | "DELETED")
    }
}

/// Whether a reported status adds a warning to the listed one. Lists do not have the status FLAGGED: a flagged template is
/// still approved.
fn is_a_warning(reported: &str, listed: &str) -> bool {
    reported == "FLAGGED" && listed == "APPROVED"
}

impl Catalogue {
    /// Reads the templates of every fetched channel; if `names` are given, only these.
    pub async fn read(store: &dyn Store, names: Option<Vec<String>>) -> store::Result<Self> {
        let stored = store.templates(names).await?;
        if stored.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self::of(stored, &store.provider_reports().await?))
    }

    pub(super) fn of(stored: Vec<FetchedTemplates>, reports: &[ProviderReport]) -> Self {
        let mut catalogue = Self::default();
        for FetchedTemplates { place, fetched_at, templates } in stored {
            let known = templates.into_iter().map(|listed| KnownTemplate::of(&place, fetched_at, listed, reports));
            catalogue.templates.extend(known);
            catalogue.fetched.push((place, fetched_at));
        }
        catalogue
    }

    /// When the templates of a lane's channel were fetched.
    pub fn fetched_at(&self, lane: &Lane) -> Option<Timestamp> {
        let place = place_of(lane)?;
        self.fetched.iter().find(|(known, _)| *known == place).map(|(_, at)| *at)
    }

    /// Finds a template on a lane. The catalogue must have been read with its name, or with all names.
    pub fn find(&self, lane: &Lane, name: &str, language: &str) -> Lookup<'_> {
        if self.fetched_at(lane).is_none() {
            return Lookup::NotFetched;
        }
        let place = place_of(lane);
        let place = place.as_ref();
        let here = || self.templates.iter().filter(move |template| Some(&template.place) == place);
        if let Some(found) = here().find(|template| template.name == name && template.language == language) {
            return Lookup::Found(found);
        }
        let languages: Vec<&str> =
            here().filter(|template| template.name == name).map(|template| template.language.as_str()).collect();
        if languages.is_empty() {
            let names = here().map(|template| template.name.as_str()).collect::<Vec<_>>();
            return Lookup::Missing { nearest: nearest(name, names) };
        }
        Lookup::InOtherLanguages(languages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::Subject;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn known(status: &str, reports: &[(&str, &str, &str, i64)]) -> KnownTemplate {
        let listed = StoredTemplate {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: "Utility".to_owned(),
            status: status.to_owned(),
            components: "[]".to_owned(),
            updated_at: None,
        };
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
        let stored = FetchedTemplates { place, fetched_at: at(10), templates: vec![listed] };
        let report = |(language, what, value, second): &(&str, &str, &str, i64)| ProviderReport {
            about: Subject::template("promo", language),
            what: (*what).to_owned(),
            value: (*value).to_owned(),
            at: at(*second),
        };
        Catalogue::of(vec![stored], &reports.iter().map(report).collect::<Vec<_>>()).templates.remove(0)
    }

    #[test]
    fn the_newer_of_list_and_webhook_applies() {
        let template = known("Approved", &[("en", "status", "PAUSED", 9), ("en", "category", "MARKETING", 11)]);
        assert_eq!((template.status.as_str(), template.category()), ("APPROVED", Some(Category::Marketing)));
        let template = known("APPROVED", &[("en", "status", "PAUSED", 11), ("en", "category", "MARKETING", 9)]);
        assert_eq!((template.status.as_str(), template.category()), ("PAUSED", Some(Category::Utility)));
        assert_eq!(known("APPROVED", &[("de", "status", "PAUSED", 11)]).status, "APPROVED", "another language");
        assert_eq!(known("APPROVED", &[("", "status", "PAUSED", 11)]).status, "PAUSED", "every language");
    }

    #[test]
    fn a_flagged_template_stays_flagged_while_the_list_calls_it_approved() {
        let flagged = known("APPROVED", &[("en", "status", "FLAGGED", 5)]);
        assert_eq!((flagged.status.as_str(), flagged.is_approved()), ("FLAGGED", true));
        assert_eq!(known("PAUSED", &[("en", "status", "FLAGGED", 5)]).status, "PAUSED");
    }

    #[test]
    fn quality_and_rejection_come_from_webhooks_of_any_time() {
        let reports = [("en", "quality", "RED", 3), ("en", "rejection", "SCAM", 3)];
        let rejected = known("REJECTED", &reports);
        assert_eq!((rejected.quality.as_deref(), rejected.rejection.as_deref()), (Some("RED"), Some("SCAM")));
        assert!(rejected.is_lost());
        assert_eq!(known("APPROVED", &reports).rejection, None, "it was approved later");
    }
}
