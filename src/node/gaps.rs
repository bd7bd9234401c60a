//! What a node tells about times in which nobody listened: to whoever comes next, and to people.

use std::sync::Arc;

use crate::campaign::moment;
use crate::domain::{Span, Timestamp};
use crate::engine::Gap;
use crate::store::{self, Deafness, Event, Store};
use crate::timers::{Deaf, Gaps};

/// How long a gap is remembered: longer than any message waits for its receipts.
const GAP_REMEMBERED: Span = Span::from_secs(60 * 86_400);
/// How often it is said that receipts do not get to us.
const SAY_AGAIN: Span = Span::from_secs(60);

/// What is said where receipts do not get to us.
pub const fn deaf(how: Deafness) -> &'static str {
    match how {
        Deafness::TurnedAway => {
            "the provider's receipts are turned away, because their proof is not what was agreed on"
        }
        Deafness::Unheard => {
            "the provider has news that it says it has sent, and none of its receipts comes to /webhooks/8x8"
        }
    }
}

/// What to do about it.
pub const fn hear_again(how: Deafness) -> &'static str {
    match how {
        Deafness::TurnedAway => {
            "tell the provider what webhook_authorization or webhook_secret_file says, or put there what the provider was \
             told, and start the server again"
        }
        Deafness::Unheard => {
            "check that the provider was told server.public_url, and that a request from outside gets through to it: its \
             name, its certificate, a proxy or a firewall before it"
        }
    }
}

/// Holds what a time in which nobody listened has made doubtful, and writes it down, so that whoever comes next holds
/// it too.
pub(super) async fn note_gap(store: &dyn Store, gaps: &Gaps, gap: Gap) -> store::Result<()> {
    let filled = gaps.add(gap);
    keep_gap(store, gap, filled).await
}

pub(super) async fn keep_gap(store: &dyn Store, gap: Gap, filled: Option<Timestamp>) -> store::Result<()> {
    store.keep_gap(gap.from, gap.until, gap.until - GAP_REMEMBERED).await?;
    let taken = match gap.length() {
        Some(length) => format!("no receipts could be taken for {}", length.rounded()),
        None => "no receipts could be taken, and nobody knows for how long, because the clock was set back meanwhile"
            .to_owned(),
    };
    let text = match filled {
        Some(filled) => format!("{taken}; deadlines wait until {} for their repeats", moment(filled, None)),
        None => format!(
            "{taken}; what the provider said meanwhile is lost; deadlines that fell into it do as the campaign's \
             after_gap says (the provider is asked, unless it says otherwise)"
        ),
    };
    note(store, gap.until, text).await
}

async fn note(store: &dyn Store, at: Timestamp, text: String) -> store::Result<()> {
    store.note(Event { at, subject: "node".to_owned(), text }).await
}

/// Looks whether receipts of ours get to us, and says so where they do not.
pub(super) struct Ear {
    gaps: Arc<Gaps>,
    said: Option<Timestamp>,
    noted: bool,
    /// A gap that holds already, and is still to be written down.
    unwritten: Option<(Gap, Option<Timestamp>)>,
}

impl Ear {
    pub(super) const fn new(gaps: Arc<Gaps>) -> Self {
        Self { gaps, said: None, noted: false, unwritten: None }
    }

    /// Returns since when the node is deaf, where it is.
    pub(super) async fn look(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
    ) -> store::Result<Option<(Timestamp, Deafness)>> {
        let found = self.gaps.deaf(now);
        if let Some(Deaf::Over(gap, filled)) = found {
            tracing::info!(since = %gap.from.rfc3339(), "the provider's receipts are taken again");
            self.unwritten = Some((gap, filled));
            (self.said, self.noted) = (None, false);
        }
        if let Some((gap, filled)) = self.unwritten {
            keep_gap(store, gap, filled).await?;
            self.unwritten = None;
        }
        let Some(Deaf::Since(since, how)) = found else { return Ok(None) };
        let (what, what_to_do) = (deaf(how), hear_again(how));
        if self.said.is_none_or(|said| now.since(said) >= SAY_AGAIN) {
            self.said = Some(now);
            tracing::error!(
                since = %since.rfc3339(),
                "{what}; until that is put right no deadline fires for want of them; {what_to_do}"
            );
        }
        if !self.noted {
            let since = moment(since, None);
            let text = format!("since {since} {what}; no deadline fires for want of them; {what_to_do}");
            note(store, now, text).await?;
            self.noted = true;
        }
        Ok(Some((since, how)))
    }
}
