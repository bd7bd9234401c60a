//! What a node tells about times in which nobody listened, and about provider addresses of which proof is missing: to
//! whoever comes next, and to people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::campaign::moment;
use crate::domain::{Span, Timestamp};
use crate::engine::Gap;
use crate::store::{self, Direction, DoubtCause, Event, KeptGap, LinkState, Store};
use crate::timers::{Doubt, Gaps, Over};

/// How long a gap is remembered: longer than any message waits for its receipts.
const GAP_REMEMBERED: Span = Span::from_secs(60 * 86_400);
/// How much later than it is on record the last proof may be: a way that works is written down now and then.
const PROOF_NOTED: Span = Span::from_secs(5);
/// How long the provider does not answer before that is said.
const LASTS: Span = Span::from_secs(40);
/// How often it is said that receipts do not get to us.
const SAY_AGAIN: Span = Span::from_secs(60);

/// What is said where proof is missing that a provider address can be reached or can reach us.
pub fn doubt(address: &str, cause: DoubtCause) -> String {
    match cause {
        DoubtCause::TurnedAway => {
            format!("receipts of the provider at {address} are turned away, because the webhook secret does not match")
        }
        DoubtCause::Unheard => format!(
            "the provider at {address} reports statuses when asked, but its webhooks do not arrive at /webhooks/8x8"
        ),
        DoubtCause::Unreachable => format!("the provider at {address} does not answer"),
    }
}

/// What to do about it.
pub const fn end_doubt(cause: DoubtCause) -> &'static str {
    match cause {
        DoubtCause::TurnedAway => {
            "tell the provider what webhook_authorization or webhook_secret_file says, or put there what the provider was \
             told, and start the server again"
        }
        DoubtCause::Unheard => {
            "check that the provider was told server.public_url, and that a request from outside gets through to it: its \
             name, its certificate, a proxy or a firewall before it"
        }
        DoubtCause::Unreachable => {
            "check the network, a proxy before the provider, and base_url; the server goes on trying by itself"
        }
    }
}

/// Holds what a time in which nobody listened has made doubtful, and writes it down, so that whoever comes next holds
/// it too.
pub(super) async fn note_gap(store: &dyn Store, gaps: &Gaps, gap: Gap) -> store::Result<()> {
    let filled = gaps.add(gap, None);
    keep_gap(store, gap, filled).await
}

pub(super) async fn keep_gap(store: &dyn Store, gap: Gap, filled: Option<Timestamp>) -> store::Result<()> {
    let taken = match gap.length() {
        Some(length) => format!("no receipts could be taken for {}", length.rounded()),
        None => "no receipts could be taken, for an unknown time, because the clock was set back meanwhile".to_owned(),
    };
    keep(store, gap, None, taken, filled).await
}

/// Writes a doubt down that has ended.
async fn keep_doubt(store: &dyn Store, over: &Over) -> store::Result<()> {
    let Over { gap, address, cause, filled } = over;
    let lasted = gap.length().unwrap_or_default().rounded();
    let what = match cause.direction() {
        Direction::Out => "could not be confirmed as reachable",
        Direction::In => "could not be confirmed to reach us",
    };
    keep(store, *gap, Some(address.clone()), format!("the provider at {address} {what} for {lasted}"), *filled).await
}

async fn keep(
    store: &dyn Store,
    gap: Gap,
    address: Option<String>,
    what: String,
    filled: Option<Timestamp>,
) -> store::Result<()> {
    let Gap { from, until } = gap;
    store.keep_gap(KeptGap { from, until, address }, until - GAP_REMEMBERED).await?;
    let text = match filled {
        Some(filled) => format!("{what}; deadlines wait until {} for repeated receipts", moment(filled, None)),
        None => format!(
            "{what}; receipts from that time are lost; after_gap decides its deadlines (by default the provider is asked)"
        ),
    };
    note(store, until, text).await
}

async fn note(store: &dyn Store, at: Timestamp, text: String) -> store::Result<()> {
    store.note(Event { at, subject: "node".to_owned(), text }).await
}

/// Looks whether proof of any provider address is missing, and says so where it is.
pub(super) struct Ear {
    gaps: Arc<Gaps>,
    /// When each doubt that goes on was said last, and which of them are on record.
    said: BTreeMap<(String, DoubtCause), Timestamp>,
    noted: BTreeSet<(String, DoubtCause)>,
    /// What holds already, and is still to be written down.
    unwritten: Vec<Over>,
    /// What is on record of each direction of each address.
    links: Vec<LinkState>,
}

impl Ear {
    pub(super) const fn new(gaps: Arc<Gaps>) -> Self {
        Self { gaps, said: BTreeMap::new(), noted: BTreeSet::new(), unwritten: Vec::new(), links: Vec::new() }
    }

    pub(super) async fn look(&mut self, store: &dyn Store, now: Timestamp) -> store::Result<()> {
        let (doubts, over) = self.gaps.look(now);
        for over in &over {
            let key = (over.address.clone(), over.cause);
            if self.said.remove(&key).is_some() {
                let since = over.gap.from.rfc3339();
                tracing::info!(address = over.address, since, "the provider is proven to be there again");
            }
            self.noted.remove(&key);
        }
        self.unwritten.extend(over);
        while let Some(over) = self.unwritten.first() {
            keep_doubt(store, over).await?;
            self.unwritten.remove(0);
        }
        for doubt in doubts {
            self.say(store, doubt, now).await?;
        }
        Ok(())
    }

    /// What the next node has to know of provider addresses, and is not on record yet.
    pub(super) fn changed_links(&self) -> Vec<LinkState> {
        let is_known = |link: &LinkState| {
            let known = self.links.iter().find(|known| is_same_way(link, known));
            known.is_some_and(|known| known.doubt == link.doubt && link.proven.since(known.proven) < PROOF_NOTED)
        };
        let mut links = self.gaps.links();
        links.retain(|link| !is_known(link));
        links
    }

    pub(super) fn written(&mut self, links: Vec<LinkState>) {
        self.links.retain(|known| !links.iter().any(|link| is_same_way(link, known)));
        self.links.extend(links);
    }

    async fn say(&mut self, store: &dyn Store, of: Doubt, now: Timestamp) -> store::Result<()> {
        let Doubt { address, cause, since } = of;
        // One request that fails is no news: the next one may get through.
        if cause == DoubtCause::Unreachable && now.since(since) < LASTS {
            return Ok(());
        }
        let (what, what_to_do) = (doubt(&address, cause), end_doubt(cause));
        let then = format!("no message on its lanes falls back because receipts are missing; {what_to_do}");
        let key = (address, cause);
        if self.said.get(&key).is_none_or(|said| now.since(*said) >= SAY_AGAIN) {
            self.said.insert(key.clone(), now);
            tracing::error!(since = %since.rfc3339(), "{what}; until that is put right {then}");
        }
        if !self.noted.contains(&key) {
            let since = moment(since, None);
            note(store, now, format!("since {since} {what}; {then}")).await?;
            self.noted.insert(key);
        }
        Ok(())
    }
}

fn is_same_way(one: &LinkState, other: &LinkState) -> bool {
    (&one.address, one.direction) == (&other.address, other.direction)
}
