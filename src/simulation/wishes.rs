//! The opt-outs and opt-ins of recipients, as far as the server knows of them.

use std::collections::{HashMap, HashSet};

use crate::base::domain::{AttemptId, Channel, Msisdn, OptOutOf, Purpose, Timestamp, WishSubject};
use crate::rules::wire;

/// An opt-out or opt-in that the provider passes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    /// A receipt reports that the recipient of this attempt opted out of marketing on its channel.
    NoMore(AttemptId),
    Stop {
        recipient: Msisdn,
        at: Timestamp,
    },
    Start {
        recipient: Msisdn,
        at: Timestamp,
    },
}

impl Wish {
    /// Returns the STOP or START in a recipient's message, if it contains one.
    pub(super) fn in_event(event: &[u8]) -> Option<Self> {
        wire::parse_events(event).into_iter().find_map(|event| {
            let wire::WebhookEvent::Inbound { inbound, .. } = event else { return None };
            let (recipient, at) = (inbound.msisdn()?, inbound.at()?);
            inbound.words().find_map(|word| match word {
                "STOP" => Some(Self::Stop { recipient, at }),
                "START" => Some(Self::Start { recipient, at }),
                _ => None,
            })
        })
    }
}

/// What a recipient has opted out of. All senders of a storm have one subaccount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Matter {
    Everything,
    Marketing,
    MarketingOn(Channel),
}

impl Matter {
    pub(super) fn of(subject: &WishSubject) -> Self {
        match (subject.of, &subject.senders) {
            (OptOutOf::Everything, None) => Self::Everything,
            (OptOutOf::Marketing, None) => Self::Marketing,
            (OptOutOf::Marketing, Some(senders)) => Self::MarketingOn(senders.channel),
            other => panic!("nobody in a storm opts out of {other:?}"),
        }
    }
}

/// An opt-out: whose, and of what.
type OptOut = (Msisdn, Matter);

/// The recipients who opted out, by their canonical numbers: WhatsApp names some by another spelling.
#[derive(Debug, Default, Clone)]
pub(super) struct OptOuts {
    /// Since when each opt-out is known.
    since: HashMap<OptOut, Timestamp>,
    /// The opt-outs that the node has noted.
    noted: HashSet<OptOut>,
    /// Recipients who ever opted out, even if they opted in again later.
    ever: HashSet<Msisdn>,
    /// When each recipient last opted in.
    came_back: HashMap<Msisdn, Timestamp>,
    /// What an operator opted recipients out of; no message of theirs undoes that.
    for_good: HashSet<OptOut>,
}

impl OptOuts {
    pub(super) fn opt_out(&mut self, recipient: Msisdn, of: Matter, now: Timestamp) {
        let recipient = recipient.canonical();
        self.since.entry((recipient, of)).or_insert(now);
        self.ever.insert(recipient);
    }

    /// Notes that an operator opted the recipient out.
    pub(super) fn opt_out_for_good(&mut self, recipient: Msisdn, of: Matter, now: Timestamp) {
        self.opt_out(recipient, of, now);
        self.for_good.insert((recipient.canonical(), of));
    }

    pub(super) fn take_stop(&mut self, recipient: Msisdn, at: Timestamp, now: Timestamp) {
        // A later opt-in outweighs this opt-out. A message counts at most from its arrival.
        if self.came_back.get(&recipient.canonical()).is_none_or(|back| *back <= at.min(now)) {
            self.opt_out(recipient, Matter::Everything, now);
        }
    }

    pub(super) fn take_start(&mut self, recipient: Msisdn, at: Timestamp, now: Timestamp) {
        let recipient = recipient.canonical();
        let back = self.came_back.entry(recipient).or_insert(at.min(now));
        *back = at.min(now).max(*back);
        // Whether a later STOP still applies is looked up in the store.
        let stays = |opt_out: &OptOut| opt_out.0 != recipient || self.for_good.contains(opt_out);
        self.since.retain(|opt_out, _| stays(opt_out));
        self.noted.retain(stays);
    }

    /// Notes that the node obeys every decision up to now.
    pub(super) fn note(&mut self) {
        self.noted.extend(self.since.keys());
    }

    /// The same, but only for opt-outs that were not there before.
    pub(super) fn note_since(&mut self, before: &Self) {
        self.noted.extend(self.since.keys().filter(|opt_out| !before.since.contains_key(opt_out)));
    }

    /// The opt-outs that stop a message for this on this channel.
    fn that_stop(recipient: Msisdn, purpose: Purpose, channel: Channel) -> impl Iterator<Item = OptOut> {
        let of_marketing = [Matter::Marketing, Matter::MarketingOn(channel)];
        let of_marketing = of_marketing.into_iter().filter(move |_| purpose == Purpose::Marketing);
        std::iter::once(Matter::Everything).chain(of_marketing).map(move |of| (recipient.canonical(), of))
    }

    pub(super) fn are_noted(&self, recipient: Msisdn, purpose: Purpose, channel: Channel) -> bool {
        Self::that_stop(recipient, purpose, channel).any(|opt_out| self.noted.contains(&opt_out))
    }

    /// Since when such a message may not be sent.
    pub(super) fn since(&self, recipient: Msisdn, purpose: Purpose, channel: Channel) -> Option<Timestamp> {
        Self::that_stop(recipient, purpose, channel).filter_map(|opt_out| self.since.get(&opt_out).copied()).min()
    }

    pub(super) fn ever_opted_out(&self, recipient: Msisdn) -> bool {
        self.ever.contains(&recipient.canonical())
    }
}
