//! What Volley knows of the provider's templates: the latest list, and the words of later webhooks.

use std::collections::HashMap;

use crate::base::config::Lane;
use crate::base::domain::{Category, Channel, Span, Timestamp, nearest};
use crate::rules::wire::{TemplatePart, instant, template_parts};
use crate::store::{self, FetchedTemplates, ProviderReport, Store, StoredTemplate, TemplatePlace};

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
    /// While it is flagged: from when on a list that calls it approved ends that.
    pub flagged_until: Option<Timestamp>,
    /// The last change of its status or category that is reported here, by the list or by a later webhook.
    pub updated_at: Option<Timestamp>,
    pub fetched_at: Timestamp,
}

/// Every template of the lanes' channels that were fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// The channels, and when each was fetched.
    pub fetched: Vec<(TemplatePlace, Timestamp)>,
    /// In order of channel, name and language.
    pub templates: Vec<KnownTemplate>,
    /// What webhooks have reported of categories, also for channels that were never fetched.
    categories: Vec<ProviderReport>,
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

/// How long a flag lasts for which the provider names no day: it lists no flags, and reports no end of one.
const FLAGGED: Span = Span::from_secs(7 * 86_400);

/// The lanes that send on a channel.
pub fn lanes_at<'a>(lanes: &'a [Lane], place: &TemplatePlace) -> impl Iterator<Item = &'a Lane> {
    lanes.iter().filter(move |lane| place_of(lane).as_ref() == Some(place))
}

impl KnownTemplate {
    /// The template as listed, and what webhooks have said since. `lanes` are those of its channel.
    fn of(
        place: &TemplatePlace,
        fetched_at: Timestamp,
        listed: StoredTemplate,
        reports: &[&ProviderReport],
        lanes: &[&str],
    ) -> Self {
        let StoredTemplate { name, language, category, status, components, updated_at } = listed;
        let of_it = |report: &&ProviderReport| {
            let about = report.template();
            about.is_some_and(|(about, its)| about == name && (its == language || its.is_empty()))
                && lanes.iter().any(|lane| report.applies_on(lane))
        };
        let latest = |what: &str| {
            let reports = reports.iter().copied().filter(of_it);
            let found = reports.filter(|report| report.what == what && !report.value.is_empty());
            found.max_by_key(|report| report.at)
        };
        let newer = |what: &str, listed: String| match latest(what) {
            Some(report) if report.at > fetched_at || is_a_warning(&report.value, &listed) => {
                (report.value.to_ascii_uppercase(), Some(report.at))
            }
            Some(_) | None => (listed, None),
        };
        let value = |what| latest(what).map(|report| report.value.clone());
        let flagged_at = latest("status").filter(|report| report.value == "FLAGGED").map(|report| report.at);
        let flagged_until = flagged_at.map(|at| {
            let improved = latest("quality").filter(|report| report.value == "GREEN" && report.at > at);
            let disabled_at = value("disable_date").and_then(|date| instant(&date));
            improved.map(|report| report.at).or(disabled_at).unwrap_or(at + FLAGGED)
        });
        let (status, status_at) = newer("status", status.to_ascii_uppercase());
        let (category_word, category_at) = newer("category", category.to_ascii_uppercase());
        Self {
            place: place.clone(),
            category_word,
            quality: value("quality"),
            rejection: value("rejection").filter(|_| status == "REJECTED"),
            flagged_until: flagged_until.filter(|_| status == "FLAGGED"),
            status,
            parts: template_parts(&components).ok(),
            updated_at: updated_at.max(status_at).max(category_at),
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
    /// Reads the templates of the lanes' channels; if `names` are given, only these. A channel that no lane names is not ours
    /// any more.
    pub async fn read(store: &dyn Store, lanes: &[Lane], names: Option<Vec<String>>) -> store::Result<Self> {
        Ok(Self::of(store.templates(names).await?, &store.provider_reports().await?, lanes))
    }

    pub(super) fn of(stored: Vec<FetchedTemplates>, reports: &[ProviderReport], lanes: &[Lane]) -> Self {
        let categories = reports.iter().filter(|report| report.what == "category" && report.template().is_some());
        let mut catalogue = Self { categories: categories.cloned().collect(), ..Self::default() };
        // An account may have thousands of templates, and several reports about each.
        let mut by_name: HashMap<&str, Vec<&ProviderReport>> = HashMap::new();
        for report in reports {
            if let Some((name, _)) = report.template() {
                by_name.entry(name).or_default().push(report);
            }
        }
        for FetchedTemplates { place, fetched_at, templates } in stored {
            let here: Vec<&str> = lanes_at(lanes, &place).map(|lane| lane.name.as_str()).collect();
            if here.is_empty() {
                continue;
            }
            let known = |listed: StoredTemplate| {
                let about_it = by_name.get(listed.name.as_str()).map(Vec::as_slice).unwrap_or_default();
                KnownTemplate::of(&place, fetched_at, listed, about_it, &here)
            };
            catalogue.templates.extend(templates.into_iter().map(known));
            catalogue.fetched.push((place, fetched_at));
        }
        catalogue
    }

    /// The category of a template on a lane, as last listed or reported; `None` if it is unknown. The catalogue must have been
    /// read with its name, or with all names.
    pub fn category(&self, lane: &Lane, name: &str, language: &str) -> Option<Category> {
        if let Lookup::Found(known) = self.find(lane, name, language) {
            return known.category();
        }
        let of_it = |report: &&ProviderReport| {
            let about = report.template();
            about.is_some_and(|(about, its)| about == name && (its == language || its.is_empty()))
                && report.applies_on(&lane.name)
        };
        let latest = self.categories.iter().filter(of_it).max_by_key(|report| report.at);
        latest.and_then(|report| report.value.parse().ok())
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
    use crate::base::config::Config;
    use crate::base::events::Subject;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    fn known(status: &str, reports: &[(&str, &str, &str, i64)]) -> KnownTemplate {
        let mut stored = fetched("wa-1", "acme-1");
        let listed = &mut stored.templates[0];
        (listed.category, listed.status) = ("Utility".to_owned(), status.to_owned());
        let report = |(language, what, value, second): &(&str, &str, &str, i64)| {
            reported(Subject::template("promo", language), what, value, *second)
        };
        let reports: Vec<_> = reports.iter().map(report).collect();
        Catalogue::of(vec![stored], &reports, &lanes()).templates.remove(0)
    }

    /// A lane of each of two channels of an account, and one of another account.
    fn lanes() -> Vec<Lane> {
        let lane = |name: &str, account: &str| {
            format!(
                "[[lane]]\nname = \"{name}\"\nchannel = \"WhatsApp\"\nsub_account = \"acme\"\naccount_id = \
                 \"{account}\"\nchannel_id = \"{name}\"\n"
            )
        };
        let text = [lane("wa-1", "acme-1"), lane("wa-2", "acme-1"), lane("wa-3", "acme-2")].concat();
        let file = Some((std::path::Path::new("volley.toml"), text.as_str()));
        Config::read(file, std::iter::empty(), std::iter::empty::<(&str, String)>()).unwrap().config.lanes
    }

    fn reported(about: Subject, what: &str, value: &str, second: i64) -> ProviderReport {
        ProviderReport { about, what: what.to_owned(), value: value.to_owned(), at: at(second) }
    }

    fn fetched(channel: &str, account: &str) -> FetchedTemplates {
        let listed = StoredTemplate {
            name: "promo".to_owned(),
            language: "en".to_owned(),
            category: "UTILITY".to_owned(),
            status: "APPROVED".to_owned(),
            components: "[]".to_owned(),
            updated_at: None,
        };
        let place = TemplatePlace { account_id: account.to_owned(), channel_id: channel.to_owned() };
        FetchedTemplates { place, fetched_at: at(10), templates: vec![listed] }
    }

    #[test]
    fn a_report_about_one_lane_changes_its_channel_only() {
        let paused = reported(Subject::held("wa-2", "promo", "en"), "status", "PAUSED", 11);
        let stored = ["wa-1", "wa-2"].map(|channel| fetched(channel, "acme-1")).to_vec();
        let catalogue = Catalogue::of(stored, &[paused], &lanes());
        let statuses: Vec<&str> = catalogue.templates.iter().map(|template| template.status.as_str()).collect();
        assert_eq!(statuses, ["APPROVED", "PAUSED"]);
    }

    #[test]
    fn a_channel_that_no_lane_names_is_not_known() {
        let stored = vec![fetched("wa-1", "acme-1"), fetched("wa-1", "acme-9"), fetched("old", "acme-1")];
        let catalogue = Catalogue::of(stored, &[], &lanes());
        assert_eq!((catalogue.fetched.len(), catalogue.templates.len()), (1, 1));
    }

    #[test]
    fn a_reported_category_counts_also_where_no_list_was_fetched() {
        let lanes = lanes();
        let everywhere = reported(Subject::template("promo", "en"), "category", "MARKETING", 9);
        let on_one = reported(Subject::held("wa-3", "promo", "en"), "category", "AUTHENTICATION", 11);
        let catalogue = Catalogue::of(vec![fetched("wa-1", "acme-1")], &[everywhere, on_one], &lanes);
        let of = |lane: usize| catalogue.category(&lanes[lane], "promo", "en");
        assert_eq!(of(0), Some(Category::Utility), "the list is newer");
        assert_eq!((of(1), of(2)), (Some(Category::Marketing), Some(Category::Authentication)));
        assert_eq!(catalogue.category(&lanes[1], "other", "en"), None);
    }

    #[test]
    fn a_flag_ends_with_its_day_a_good_score_or_after_a_week() {
        let until = |reports: &[_]| known("APPROVED", reports).flagged_until;
        let flag = ("en", "status", "FLAGGED", 5);
        assert_eq!(until(&[flag]), Some(at(5 + 7 * 86_400)));
        assert_eq!(until(&[flag, ("en", "disable_date", "1970-01-02T00:00:00.00Z", 5)]), Some(at(86_400)));
        assert_eq!(until(&[flag, ("en", "quality", "GREEN", 4)]), Some(at(5 + 7 * 86_400)), "from before");
        assert_eq!(until(&[flag, ("en", "quality", "GREEN", 8)]), Some(at(8)));
        assert_eq!(until(&[("en", "status", "APPROVED", 5)]), None);
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
    fn a_later_event_of_the_status_or_the_category_is_the_last_update() {
        let updated = |listed: Option<i64>, reports: &[(&str, &str, i64)]| {
            let mut stored = fetched("wa-1", "acme-1");
            stored.templates[0].updated_at = listed.map(at);
            let report = |(what, value, second): &(&str, &str, i64)| {
                reported(Subject::template("promo", "en"), what, value, *second)
            };
            let reports: Vec<_> = reports.iter().map(report).collect();
            Catalogue::of(vec![stored], &reports, &lanes()).templates.remove(0).updated_at
        };
        assert_eq!(updated(Some(3), &[]), Some(at(3)));
        assert_eq!(updated(Some(3), &[("status", "PAUSED", 11)]), Some(at(11)));
        assert_eq!(updated(None, &[("category", "MARKETING", 12), ("status", "PAUSED", 11)]), Some(at(12)));
        assert_eq!(updated(Some(3), &[("status", "PAUSED", 9)]), Some(at(3)), "the list is newer");
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
