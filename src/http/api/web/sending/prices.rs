//! The price list that plans use.

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use crate::base::config::Lane;
use crate::base::domain::{Causes, Channel};
use crate::campaigns::campaign::{PriceLine, PriceList};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Query};
use crate::http::api::web::admit::Session;
use crate::http::api::web::campaigns::{with_cursor, without_cursor};
use crate::http::api::web::frame::page;
use crate::http::pages::{Place, PriceRow, PricesPage};

/// Prices of a page.
const SHOWN: usize = 50;

/// Which prices are shown.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(super) struct PricesQuery {
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    channel: Option<Channel>,
    country: String,
    #[serde(skip_serializing)]
    cursor: String,
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Query(query): Query<PricesQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let cursors = shared.cursors("price-pages", &query).await?;
    let first: usize = cursors.position(&query.cursor)?.unwrap_or(0);
    // Plans read the file too, so a change of it counts at once.
    let (list, problem) = match shared.config.prices.as_deref().map(PriceList::load) {
        Some(Ok(list)) => (Some(list), None),
        Some(Err(error)) => (None, Some(Causes(&error).to_string())),
        None => (None, None),
    };
    let lines = list.as_ref().map(|list| &list.lines[..]).unwrap_or_default();
    let country = query.country.trim().to_uppercase();
    let is_wanted = |line: &&PriceLine| {
        let in_country = |code: &str| line.of.country.is_some_and(|country| country.to_string() == code);
        query.channel.is_none_or(|channel| line.of.channel == channel) && (country.is_empty() || in_country(&country))
    };
    let wanted: Vec<&PriceLine> = lines.iter().filter(is_wanted).collect();
    let follows = wanted.len() > first.saturating_add(SHOWN);
    let next = follows.then(|| cursors.write(&(first + SHOWN))).transpose()?;
    let unpriced = shared.config.lanes.iter().filter(|lane| !lines.iter().any(|line| line.of.channel == lane.channel));
    page(&PricesPage {
        frame: session.frame(Place::Prices),
        file: shared.config.prices.as_ref().map(|file| file.display().to_string()),
        problem,
        currency: list.as_ref().and_then(|list| list.currency.clone()),
        is_empty: lines.is_empty(),
        rows: wanted.iter().skip(first).take(SHOWN).map(|line| row(line)).collect(),
        unpriced: unpriced.map(lane_name).collect(),
        channel: query.channel,
        country,
        is_later: first > 0,
        first: without_cursor(&uri),
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

fn row(line: &PriceLine) -> PriceRow {
    PriceRow {
        channel: line.of.channel,
        country: line.of.country.map(|country| country.to_string()),
        category: line.of.category.map(|category| category.as_str().to_owned()),
        price: line.price.to_string(),
        charged: line.charged,
        free: line.free,
    }
}

fn lane_name(lane: &Lane) -> (String, Channel) {
    (lane.name.clone(), lane.channel)
}
