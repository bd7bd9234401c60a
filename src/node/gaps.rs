//! Records and reports gaps (times without receipts) and doubts (provider addresses without proof that they work), for
//! operators and for the next node.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::domain::{DoubtCause, Span, Timestamp};
use crate::base::events::{Event, EventKind, Subject, describe_doubt};
use crate::rules::engine::Gap;
use crate::sending::timers::{Doubt, EndedDoubt, Gaps};
use crate::store::{self, Events, KeptGap, LinkState, Store};

/// How long a gap is kept: longer than any message waits for its receipts.
const GAP_REMEMBERED: Span = Span::from_secs(60 * 86_400);
/// How far the recorded time of the last proof may be behind: a working link is recorded only now and then.
const PROOF_NOTED: Span = Span::from_secs(5);
/// How long the provider must fail to answer before that is reported.
const LASTS: Span = Span::from_secs(40);
/// How often a doubt is reported again.
const REPORT_EVERY: Span = Span::from_secs(60);

/// Says how an operator ends a doubt.
pub const fn doubt_remedy(cause: DoubtCause) -> &'static str {
    match cause {
        DoubtCause::SecretMismatch => {
            "write the secret that is registered with the provider into the file of webhook_authorization_file or \
             webhook_secret_file, which takes effect within 5 s; or set webhook_authorization and restart the server"
        }
        DoubtCause::NoWebhooks => {
            "check that server.public_url is registered with the provider, and that it can be reached from outside: its \
             DNS name, its certificate, a proxy or a firewall in front of it"
        }
        DoubtCause::Unreachable => {
            "check the network, a proxy in front of the provider, and base_url; the server retries automatically"
        }
    }
}

/// Holds the deadlines that a gap makes doubtful, and records the gap, so that the next node holds them too.
pub(super) async fn add_gap(store: &dyn Store, gaps: &Gaps, gap: Gap) -> store::Result<()> {
    let filled = gaps.add(gap, None);
    record_gap(store, gap, filled).await
}

pub(super) async fn record_gap(store: &dyn Store, gap: Gap, filled: Option<Timestamp>) -> store::Result<()> {
    record(store, gap, None, filled).await
}

/// Records a gap, in general or of one provider address that was in doubt, with its event.
async fn record(
    store: &dyn Store,
    gap: Gap,
    of: Option<(&str, DoubtCause)>,
    filled: Option<Timestamp>,
) -> store::Result<()> {
    let Gap { from, until } = gap;
    let (address, doubt) = (of.map(|(address, _)| address.to_owned()), of.map(|(_, doubt)| doubt));
    store.keep_gap(KeptGap { from, until, address: address.clone() }, until - GAP_REMEMBERED).await?;
    let kind = EventKind::GapEnded { from, lasted: gap.length(), doubt, address, repeats_until: filled };
    store.record_event(Event::by_server(until, Subject::Server, kind)).await
}

/// Watches for doubts about provider addresses, and reports them.
pub(super) struct DoubtMonitor {
    gaps: Arc<Gaps>,
    /// When each present doubt was last reported.
    reported: BTreeMap<(String, DoubtCause), Timestamp>,
    /// The present doubts that have an event.
    recorded: BTreeSet<(String, DoubtCause)>,
    /// Ended doubts that already hold deadlines, and are still to be recorded.
    unwritten: Vec<EndedDoubt>,
    /// The recorded state of each direction of each address.
    links: Vec<LinkState>,
}

impl DoubtMonitor {
    pub(super) const fn new(gaps: Arc<Gaps>) -> Self {
        Self { gaps, reported: BTreeMap::new(), recorded: BTreeSet::new(), unwritten: Vec::new(), links: Vec::new() }
    }

    pub(super) async fn look(&mut self, store: &dyn Store, now: Timestamp) -> store::Result<()> {
        let (doubts, over) = self.gaps.look(now);
        for over in &over {
            let key = (over.address.clone(), over.cause);
            if self.reported.remove(&key).is_some() {
                let since = over.gap.from.rfc3339();
                tracing::info!(address = over.address, since, "the provider is reachable again in both directions");
            }
            self.recorded.remove(&key);
        }
        self.unwritten.extend(over);
        while let Some(over) = self.unwritten.first() {
            record(store, over.gap, Some((&over.address, over.cause)), over.filled).await?;
            self.unwritten.remove(0);
        }
        for doubt in doubts {
            self.report(store, doubt, now).await?;
        }
        Ok(())
    }

    /// The link states that the next node needs and that are not recorded yet.
    pub(super) fn changed_links(&self, now: Timestamp) -> Vec<LinkState> {
        let is_known = |link: &LinkState| {
            let known = self.links.iter().find(|known| is_same_link(link, known));
            known.is_some_and(|known| known.doubt == link.doubt && link.proven.since(known.proven) < PROOF_NOTED)
        };
        let mut links = self.gaps.links(now);
        links.retain(|link| !is_known(link));
        links
    }

    /// Notes that these link states are on disk.
    pub(super) fn set_written(&mut self, links: Vec<LinkState>) {
        self.links.retain(|known| !links.iter().any(|link| is_same_link(link, known)));
        self.links.extend(links);
    }

    async fn report(&mut self, store: &dyn Events, of: Doubt, now: Timestamp) -> store::Result<()> {
        let Doubt { address, cause, since } = of;
        // One failed request is not reported: the next one may succeed.
        if cause == DoubtCause::Unreachable && now.since(since) < LASTS {
            return Ok(());
        }
        let key = (address, cause);
        if self.reported.get(&key).is_none_or(|at| now.since(*at) >= REPORT_EVERY) {
            self.reported.insert(key.clone(), now);
            let (what, what_to_do) = (describe_doubt(&key.0, cause), doubt_remedy(cause));
            tracing::error!(
                since = %since.rfc3339(),
                "{what}; until that is fixed, no message on its lanes falls back because receipts are missing; {what_to_do}"
            );
        }
        if !self.recorded.contains(&key) {
            let kind = EventKind::ReceiptsDoubted { since, doubt: cause, address: key.0.clone() };
            store.record_event(Event::by_server(now, Subject::Server, kind)).await?;
            self.recorded.insert(key);
        }
        Ok(())
    }
}

fn is_same_link(one: &LinkState, other: &LinkState) -> bool {
    (&one.address, one.direction) == (&other.address, other.direction)
}
