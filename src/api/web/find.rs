//! The search of the page frame: for a campaign, a message, or a recipient by the number or the id of a client. It asks
//! indexes alone.

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::admit::Session;
use super::campaigns::with_cursor;
use super::frame::page;
use super::recipients::{is_known, number_of};
use crate::api::Shared;
use crate::api::native::{Answer, Query};
use crate::audience::{ImportRecord, number_of_program};
use crate::campaign::find_exactly;
use crate::domain::{Country, MessageId, Msisdn};
use crate::pages::{FoundPage, Place, campaign_path, recipient_path};
use crate::report::{MessageView, MessageViews, RecipientCursor, message_by_id, messages_to};
use crate::store::{BatchFilter, Whom};

/// Messages of a page.
const SHOWN: u32 = 50;
/// The latest campaigns whose countries are those of a number without its country code.
const CAMPAIGNS: u32 = 20;
/// The most countries for which a number is read.
const COUNTRIES: usize = 10;
/// The fewest digits of a number.
const DIGITS: usize = 5;

/// What an operator looks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FindQuery {
    whom: String,
    cursor: String,
}

/// Finds a campaign by its name, a message by its id, a recipient by the number, or the messages to a client id.
pub(super) async fn find(
    State(shared): State<Shared>,
    Query(query): Query<FindQuery>,
    session: Session,
    uri: Uri,
) -> Answer<Response> {
    let store = shared.store.as_ref();
    let text = query.whom.trim();
    // An id of another installation is not found; the page says so.
    if let Ok(Some(batch)) = find_exactly(store, text).await {
        return Ok(Redirect::to(&campaign_path(&batch.public_id().to_string())).into_response());
    }
    if let Some((batch, key)) = message_by_id(store, text).await? {
        return Ok(Redirect::to(&format!("/messages/{}", MessageId { key, tag: batch.tag })).into_response());
    }
    let to_recipient = |number| Ok(Redirect::to(&recipient_path(number)).into_response());
    let number = number_of(text);
    if let Some(number) = number
        && (has_code(text) || is_known(&shared, Whom::Number(number)).await?)
    {
        return to_recipient(number);
    }
    let mut numbers = Vec::new();
    if looks_like_number(text) && !is_known(&shared, Whom::ClientId(text.to_owned())).await? {
        numbers = read_at_home(&shared, text).await?;
        let mut known = Vec::new();
        for number in &numbers {
            if is_known(&shared, Whom::Number(*number)).await? {
                known.push(*number);
            }
        }
        match known[..] {
            [] => numbers.extend(number.filter(|number| !numbers.contains(number))),
            [only] => return to_recipient(only),
            _ => numbers = known,
        }
    }
    let cursors = shared.cursors("found-pages", &text).await?;
    let from = cursors.position::<RecipientCursor>(&query.cursor)?;
    let found = messages_to(store, Whom::ClientId(text.to_owned()), from, SHOWN, |_, _| true).await?;
    let mut rows: Vec<MessageView> = Vec::new();
    for (batch, messages) in &found.messages {
        rows.extend(MessageViews::of(store, batch).await?.read(messages).await?);
    }
    let next = found.next.map(|next| cursors.write(&next)).transpose()?;
    page(&FoundPage {
        frame: session.frame(Place::Elsewhere),
        whom: text.to_owned(),
        numbers,
        rows,
        next: next.map(|next| with_cursor(&uri, &next)),
    })
}

/// Whether a number is written with the code of its country.
fn has_code(text: &str) -> bool {
    text.starts_with('+') || text.starts_with("00")
}

fn looks_like_number(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c.is_whitespace() || "-()./".contains(c);
    text.chars().all(is_part) && text.chars().filter(char::is_ascii_digit).count() >= DIGITS
}

/// The numbers that a text without a country code may be, by the countries of the latest campaigns.
async fn read_at_home(shared: &Shared, text: &str) -> Answer<Vec<Msisdn>> {
    let mut numbers = Vec::new();
    for country in home_countries(shared).await? {
        let read = number_of_program(text, Some(country)).filter(|(_, of)| *of == country);
        numbers.extend(read.map(|(number, _)| number).filter(|number| !numbers.contains(number)));
    }
    Ok(numbers)
}

/// The countries of the recipients of the latest campaigns: first those that were given for numbers without a country code,
/// then those of most recipients.
async fn home_countries(shared: &Shared) -> Answer<Vec<Country>> {
    let store = shared.store.as_ref();
    let mut given: Vec<Country> = Vec::new();
    let mut counted = std::collections::BTreeMap::<Country, u64>::new();
    for (batch, _) in store.batch_page(BatchFilter::default(), None, CAMPAIGNS).await?.batches {
        // The record of a newer version, or a damaged one, only makes the search poorer.
        for record in store.parts_of(batch.id).await?.iter().filter_map(|part| ImportRecord::of(part).ok()) {
            given.extend(record.country.filter(|country| !given.contains(country)));
            for (country, recipients) in record.summary.unwrap_or_default().countries {
                *counted.entry(country).or_default() += recipients;
            }
        }
    }
    let mut others: Vec<(Country, u64)> = counted.into_iter().filter(|(country, _)| !given.contains(country)).collect();
    others.sort_by_key(|(_, recipients)| std::cmp::Reverse(*recipients));
    given.extend(others.into_iter().map(|(country, _)| country));
    given.truncate(COUNTRIES);
    Ok(given)
}
