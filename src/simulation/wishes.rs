//! The opt-outs and opt-ins of recipients, as far as the server knows of them.

use std::collections::{HashMap, HashSet};

use crate::domain::{AttemptId, Msisdn, Timestamp};
use crate::wire;

/// An opt-out or opt-in that the provider passes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    /// A receipt reports that the recipient of this attempt opted out.
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

/// The recipients who opted out, by their canonical numbers: WhatsApp names some by another spelling.
#[derive(Debug, Default, Clone)]
pub(super) struct OptOuts {
    /// Since when each opt-out is known.
    since: HashMap<Msisdn, Timestamp>,
    /// Recipients whose opt-out the node has noted.
    noted: HashSet<Msisdn>,
    /// Recipients who ever opted out, even if they opted in again later.
    ever: HashSet<Msisdn>,
    /// When each recipient last opted in.
    came_back: HashMap<Msisdn, Timestamp>,
    /// Recipients whom an operator opted out; no message of theirs undoes that.
    for_good: HashSet<Msisdn>,
}

impl OptOuts {
    pub(super) fn opt_out(&mut self, recipient: Msisdn, now: Timestamp) {
        let recipient = recipient.canonical();
        self.since.entry(recipient).or_insert(now);
        self.ever.insert(recipient);
    }

    /// Notes that an operator opted the recipient out.
    pub(super) fn opt_out_for_good(&mut self, recipient: Msisdn, now: Timestamp) {
        self.opt_out(recipient, now);
        self.for_good.insert(recipient.canonical());
    }

    pub(super) fn take_stop(&mut self, recipient: Msisdn, at: Timestamp, now: Timestamp) {
        // A later opt-in outweighs this opt-out. A message counts at most from its arrival.
        if self.came_back.get(&recipient.canonical()).is_none_or(|back| *back <= at.min(now)) {
            self.opt_out(recipient, now);
        }
    }

    pub(super) fn take_start(&mut self, recipient: Msisdn, at: Timestamp, now: Timestamp) {
        let recipient = recipient.canonical();
        let back = self.came_back.entry(recipient).or_insert(at.min(now));
        *back = at.min(now).max(*back);
        if !self.for_good.contains(&recipient) {
            // Whether a later STOP still applies is looked up in the store.
            self.since.remove(&recipient);
            self.noted.remove(&recipient);
        }
    }

    /// Notes that the node obeys every decision up to now.
    pub(super) fn note(&mut self) {
        self.noted.extend(self.since.keys());
    }

    /// The same, but only for recipients who had not opted out before.
    pub(super) fn note_since(&mut self, before: &Self) {
        self.noted.extend(self.since.keys().filter(|recipient| !before.since.contains_key(recipient)));
    }

    pub(super) fn is_noted(&self, recipient: Msisdn) -> bool {
        self.noted.contains(&recipient.canonical())
    }

    pub(super) fn since(&self, recipient: Msisdn) -> Option<Timestamp> {
        self.since.get(&recipient.canonical()).copied()
    }

    pub(super) fn ever_opted_out(&self, recipient: Msisdn) -> bool {
        self.ever.contains(&recipient.canonical())
    }
}
