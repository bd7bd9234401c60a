//! Checks that the provider's templates are known.

use super::{Findings, Health};
use crate::catalogue::{Catalogue, place_of};
use crate::clock::format_time;
use crate::config::Config;
use crate::domain::Channel;
use crate::domain::text::plural;
use crate::store::{self, Store};

/// Says when the templates of each channel were fetched. Lanes whose channel the configuration does not name have none.
pub(super) async fn check_templates(config: &Config, store: &dyn Store, findings: &mut Findings) -> store::Result<()> {
    let places = config.lanes_on(Channel::WhatsApp).filter_map(|lane| Some((lane, place_of(lane)?)));
    let places: Vec<_> = places.collect();
    if places.is_empty() {
        return Ok(());
    }
    let catalogue = Catalogue::read(store, None).await?;
    for (lane, place) in places {
        let name = &lane.name;
        match catalogue.fetched_at(lane) {
            None => findings.add(
                "templates",
                Health::Warning,
                format!("the templates of lane {name} were never fetched, so plans are not checked against them"),
                Some("volley template pull"),
            ),
            Some(at) => {
                let here = catalogue.templates.iter().filter(|template| template.place == place);
                let count = plural(here.count() as u64, "template", "templates");
                findings.add_ok("templates", format!("lane {name} has {count}, fetched {}", format_time(at, None)));
            }
        }
    }
    Ok(())
}
