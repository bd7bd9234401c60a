//! Checks that the provider's templates are known.

use super::{Findings, Health};
use crate::base::clock::format_time;
use crate::base::config::{Config, Lane};
use crate::base::domain::text::{about, plural};
use crate::base::domain::{Channel, Span, Timestamp};
use crate::provider::catalogue::{Catalogue, place_of};
use crate::provider::client::TemplatesClient;
use crate::store::{self, Store};

/// From this age on a list is old: a server fetches it once an hour.
const OLD: Span = Span::from_secs(86_400);
const WHAT: &str = "templates";

/// Says when the templates of each channel were fetched, and why those of a lane cannot be.
pub(super) async fn check_templates(
    config: &Config,
    store: &dyn Store,
    now: Timestamp,
    findings: &mut Findings,
) -> store::Result<()> {
    let lanes: Vec<&Lane> = config.lanes_on(Channel::WhatsApp).collect();
    if lanes.is_empty() {
        return Ok(());
    }
    let catalogue = Catalogue::read(store, &config.lanes, None).await?;
    for lane in lanes {
        let name = &lane.name;
        let Some(place) = place_of(lane) else {
            if let Err(error) = TemplatesClient::new(lane) {
                findings.add(WHAT, Health::Warning, format!("plans are not checked against templates: {error}"), None);
            }
            continue;
        };
        let Some(at) = catalogue.fetched_at(lane) else {
            let text =
                format!("the templates of lane {name} were never fetched, so plans are not checked against them");
            findings.add(WHAT, Health::Warning, text, Some("volley template pull"));
            continue;
        };
        let here = catalogue.templates.iter().filter(|template| template.place == place);
        let count = plural(here.count() as u64, "template", "templates");
        let (fetched, age) = (format_time(at, None), now.since(at));
        if age >= OLD {
            let text = format!("lane {name} has {count}, but the list is {} old: it was fetched {fetched}", about(age));
            findings.add(WHAT, Health::Warning, text, Some("volley template pull"));
        } else {
            findings.add_ok(WHAT, format!("lane {name} has {count}, fetched {fetched}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::{Clock, ManualClock};
    use crate::store::{FetchedTemplates, TemplatePlace};

    #[tokio::test]
    async fn each_lane_says_how_old_its_list_is_or_why_it_has_none() {
        let text = "[provider]\nsub_account = \"acme\"\naccount_id = \"acme-1\"\n[[lane]]\nname = \"wa\"\nchannel = \
                    \"WhatsApp\"\nchannel_id = \"wa-1\"\n[[lane]]\nname = \"new\"\nchannel = \"WhatsApp\"\nchannel_id = \
                    \"wa-2\"\n[[lane]]\nname = \"bare\"\nchannel = \"WhatsApp\"\n";
        let file = Some((std::path::Path::new("volley.toml"), text));
        let config = Config::read(file, std::iter::empty(), []).unwrap().config;
        let now = Timestamp::from_millis(1_800_000_000_000);
        let store = store::open("sqlite::memory:", Arc::new(ManualClock::at(now)) as Arc<dyn Clock>).await.unwrap();
        let place = TemplatePlace { account_id: "acme-1".to_owned(), channel_id: "wa-1".to_owned() };
        let fetched = FetchedTemplates { place, fetched_at: now, templates: Vec::new() };
        store.replace_templates(fetched, Vec::new()).await.unwrap();
        let found = async |now| {
            let mut findings = Findings::default();
            check_templates(&config, &*store, now, &mut findings).await.unwrap();
            let all = findings.all().iter().map(|finding| (finding.health, finding.text.clone()));
            all.collect::<Vec<_>>()
        };
        let fresh = found(now + OLD - Span::from_millis(1)).await;
        let [listed, never, bare] = &fresh[..] else { panic!("{fresh:?}") };
        assert!(listed.0 == Health::Ok && listed.1.contains("lane wa has 0 templates, fetched"), "{listed:?}");
        assert!(never.0 == Health::Warning && never.1.contains("lane new were never fetched"), "{never:?}");
        assert!(bare.0 == Health::Warning && bare.1.contains("lane bare has no channel_id"), "{bare:?}");
        let old = &found(now + OLD).await[0];
        assert!(old.0 == Health::Warning && old.1.contains("the list is 1 d old"), "{old:?}");
    }
}
