//! The search of the page frame: for a campaign, a message, or a recipient by the number or the id from the file. It reads
//! indexes, and the sieves of one search of a recipient.

use std::collections::{BTreeMap, HashSet};

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::admit::Session;
use super::campaigns::with_cursor;
use super::frame::page;
use super::recipients::{is_known, is_separator, number_of};
use crate::base::domain::{Address, ChannelUser, Country, MessageId, Msisdn};
use crate::campaigns::campaign::find_exactly;
use crate::campaigns::report::{MessageView, MessageViews, RecipientCursor, message_by_id, messages_to};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Query};
use crate::http::pages::{FoundPage, Place, campaign_path, recipient_path};
use crate::recipients::audience::{ImportRecord, number_of_program};
use crate::store::{BatchFilter, Whom};

/// Messages of a page.
const SHOWN: u32 = 50;
/// The latest campaigns whose countries are those of a number without its country code.
const CAMPAIGNS: u32 = 20;
/// The files of a campaign whose countries count.
const PARTS: usize = 8;
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
    let numbers = numbers_of(&shared, text).await?;
    let to_recipient = |address: Address| Ok(Redirect::to(&recipient_path(&address)).into_response());
    if let ([number], true) = (&numbers[..], text.starts_with('+')) {
        return to_recipient((*number).into());
    }
    let cursors = shared.cursors("found-pages", &text).await?;
    let from = cursors.position::<RecipientCursor>(&query.cursor)?;
    let found = messages_to(store, Whom::ClientId(text.to_owned()), from, SHOWN, |_, _| true).await?;
    if let (true, Ok(user)) = (found.messages.is_empty(), text.parse::<ChannelUser>()) {
        return to_recipient(user.into());
    }
    if let ([number], true) = (&numbers[..], found.messages.is_empty()) {
        // Of a large installation, a part was searched: digits may still be an id that is further back.
        if found.next.is_none() || is_known(&shared, Whom::Address((*number).into())).await? {
            return to_recipient((*number).into());
        }
    }
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

/// The numbers that a text may be: one if it has a country code, else those of the countries of the latest campaigns.
async fn numbers_of(shared: &Shared, text: &str) -> Answer<Vec<Msisdn>> {
    let whole = number_of(text);
    if text.starts_with('+') || text.starts_with("00") {
        return Ok(whole.into_iter().collect());
    }
    let is_part = |c: char| c.is_ascii_digit() || is_separator(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits < DIGITS || !text.chars().all(is_part) {
        return Ok(Vec::new());
    }
    let mut numbers = Vec::new();
    for country in home_countries(shared).await? {
        let read = number_of_program(text, Some(country)).filter(|(_, of)| *of == country);
        numbers.extend(read.map(|(number, _)| number).filter(|number| !numbers.contains(number)));
    }
    // Without such a country, the code may be written without a sign before it.
    Ok(if numbers.is_empty() { whole.into_iter().collect() } else { numbers })
}

/// The countries of the recipients of the latest campaigns: first those that were given for numbers without a country code,
/// then those of most recipients.
async fn home_countries(shared: &Shared) -> Answer<Vec<Country>> {
    let store = shared.store.as_ref();
    let (mut given, mut seen): (Vec<Country>, _) = (Vec::new(), HashSet::new());
    let mut counted = BTreeMap::<Country, u64>::new();
    let filter = BatchFilter { is_campaign: Some(true), ..BatchFilter::default() };
    for (batch, _) in store.batch_page(filter, None, CAMPAIGNS).await?.batches {
        let parts = store.parts_of(batch.id).await?;
        let new = parts.iter().take(PARTS).filter(|part| seen.insert(part.id));
        // The record of a newer version, or a damaged one, only makes the search poorer.
        for record in new.filter_map(|part| ImportRecord::of(part).ok()) {
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
