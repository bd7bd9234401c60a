//! The page of a recipient.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use serde::Deserialize;

use super::super::admit::Session;
use super::super::frame::page;
use super::super::results::may_repeat;
use super::after_cursor;
use super::replies::Reader;
use crate::base::domain::{Address, Channel, Keyword, Msisdn, Timestamp};
use crate::campaigns::report::{HistoryCounts, HistoryCursor, HistoryEntry, MessageView, MessageViews, history_of};
use crate::http::api::Shared;
use crate::http::api::native::{Answer, Call, Kind, Path, Problem, Query, current};
use crate::http::pages::{
    ConsentDone, Contact, Part, Place, RecipientPage, WishLine, campaign_path, repetition_of_one,
};
use crate::recipients::optout::{ConsentView, SubjectView, WishView};
use crate::store::{OptOut, Sender, Whom};

/// Entries of a page of the history.
const SHOWN: u32 = 40;
/// Entries of the history of opt-outs: the latest.
const WISHES_SHOWN: usize = 20;
/// Other addresses: the first.
const ADDRESSES_SHOWN: usize = 20;
/// The most replies that are counted.
const REPLIES_COUNTED: usize = 1_000;
/// Characters of a reply, more than any channel takes.
const TEXT_SHOWN: usize = 5_000;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RecipientQuery {
    cursor: String,
    #[serde(deserialize_with = "crate::http::api::web::form::known")]
    done: Option<ConsentDone>,
}

/// The number of an address.
pub(super) fn known(address: &str) -> Answer<Address> {
    Address::asked(address).map_err(|error| Problem::new(Kind::NotFound, error))
}

pub(super) fn wish_line(wish: WishView) -> WishLine {
    WishLine { at: wish.at, wants: wish.wants, of: of_words(&wish.subject), by: wish.by, how: wish.how }
}

/// What an opt-out or opt-in is about; empty if that is everything.
fn of_words(subject: &SubjectView) -> String {
    if subject.is_everything() { String::new() } else { subject.to_string() }
}

/// The present opt-outs, the widest first.
pub(super) fn present(opt_outs: Vec<OptOut>) -> Vec<WishLine> {
    opt_outs.into_iter().map(opt_out_line).collect()
}

pub(super) fn opt_out_line(OptOut { of, since, from, source, .. }: OptOut) -> WishLine {
    WishLine { at: since, wants: Keyword::Stop, of: of_words(&of.into()), by: from, how: source }
}

/// Whether a message to the recipient is found at once.
pub(in crate::http::api::web) async fn is_known(shared: &Shared, whom: Whom) -> Answer<bool> {
    Ok(!shared.store.find_recipient_from(whom, None).await?.places.is_empty())
}

pub(super) async fn show(
    State(shared): State<Shared>,
    Path(address): Path<String>,
    Query(query): Query<RecipientQuery>,
    session: Session,
    call: Call,
    uri: Uri,
) -> Answer<Response> {
    let address = known(&address)?;
    let store = shared.store.as_ref();
    let cursors = shared.cursors("recipient-history", &address).await?;
    let from = cursors.position::<HistoryCursor>(&query.cursor)?;
    let history = history_of(store, &address, from, SHOWN).await?;
    let next = history.next.map(|next| cursors.write(&next)).transpose()?;
    let view = ConsentView::read(store, address.clone()).await?;
    let mut frame = session.frame(Place::Below(Part::Audiences));
    frame.notice = query.done.map(|done| frame.texts().on_recipients.consent_done(done).to_owned());
    page(&RecipientPage {
        frame,
        opt_outs: present(store.opt_outs_of(address.clone()).await?),
        replies: u32::try_from(view.replies).unwrap_or(u32::MAX),
        has_more_replies: view.replies >= REPLIES_COUNTED,
        wishes: view.wishes.into_iter().rev().take(WISHES_SHOWN).map(wish_line).collect(),
        other_addresses: view.other_addresses.into_iter().take(ADDRESSES_SHOWN).collect(),
        windows: match address.number() {
            Some(number) => windows(&shared, number, call.at).await?,
            None => None,
        },
        counts: HistoryCounts::of(store, &address).await?,
        contacts: contacts(&shared, history.entries).await?,
        address,
        is_later: from.is_some(),
        next: next.map(|next| after_cursor(&uri, &next)),
    })
}

async fn contacts(shared: &Shared, entries: Vec<HistoryEntry>) -> Answer<Vec<Contact>> {
    let store = shared.store.as_ref();
    let (mut reader, mut contacts) = (Reader::new(store, TEXT_SHOWN), Vec::new());
    for entry in entries {
        match entry {
            HistoryEntry::Message { at, batch, message } => {
                let campaign_path = campaign_path(&batch.public_id().to_string());
                let views = MessageViews::of(store, &batch).await?.read(&[message]).await?;
                let contact = |view: MessageView| Contact::Message {
                    at,
                    repetition: repetition_of_one(&campaign_path, &view.id, view.outcome)
                        .filter(|_| may_repeat(&batch)),
                    campaign_path: campaign_path.clone(),
                    view,
                };
                contacts.extend(views.into_iter().map(contact));
            }
            HistoryEntry::Reply(reply) => contacts.push(Contact::Reply(reader.read(&reply).await?)),
        }
    }
    Ok(contacts)
}

/// The open windows of the number: the lanes of each sender, and the end. `None` without a WhatsApp lane.
async fn windows(shared: &Shared, number: Msisdn, now: Timestamp) -> Answer<Option<Vec<(String, Timestamp)>>> {
    let config = current(shared).await?;
    let mut senders: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for lane in config.lanes.iter().filter(|lane| lane.channel == Channel::WhatsApp) {
        senders.entry((&lane.provider.sub_account, &lane.channel_id)).or_default().push(&lane.name);
    }
    let mut open = Vec::new();
    for ((sub_account, channel_id), lanes) in &senders {
        let sender = Sender { sub_account: (*sub_account).clone(), channel_id: (*channel_id).clone() };
        let found = shared.store.open_windows(vec![number.into()], sender, now).await?;
        open.extend(found.into_iter().map(|(_, until)| (lanes.join(", "), until)));
    }
    Ok((!senders.is_empty()).then_some(open))
}
