//! What people wish, as far as anybody has been told.

use std::collections::{HashMap, HashSet};

use crate::domain::{AttemptId, Msisdn, Timestamp};
use crate::wire;

/// What the provider passes on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wish {
    /// A receipt says that whoever this was for wants no more.
    NoMore(AttemptId),
    Stop {
        who: Msisdn,
        said: Timestamp,
    },
    Start {
        who: Msisdn,
        said: Timestamp,
    },
}

impl Wish {
    /// The word that a person has written to us, if this is one.
    pub(super) fn spoken(event: &[u8]) -> Option<Self> {
        wire::parse_events(event).into_iter().find_map(|event| {
            let wire::Event::Inbound { inbound, .. } = event else { return None };
            let (who, said) = (inbound.msisdn()?, inbound.at()?);
            inbound.words().find_map(|word| match word {
                "STOP" => Some(Self::Stop { who, said }),
                "START" => Some(Self::Start { who, said }),
                _ => None,
            })
        })
    }
}

/// Who wants nothing.
#[derive(Debug, Default, Clone)]
pub(super) struct Unwilling {
    /// Since when it is known of each.
    since: HashMap<Msisdn, Timestamp>,
    /// Of whom the node has noted it.
    noted: HashSet<Msisdn>,
    /// Whoever has said so, be it that they came back later.
    ever: HashSet<Msisdn>,
    /// When each has last said that they come back.
    came_back: HashMap<Msisdn, Timestamp>,
    /// Whom no word of theirs brings back.
    for_good: HashSet<Msisdn>,
}

impl Unwilling {
    pub(super) fn stops(&mut self, person: Msisdn, now: Timestamp) {
        self.since.entry(person).or_insert(now);
        self.ever.insert(person);
    }

    /// An operator says so.
    pub(super) fn stops_for_good(&mut self, person: Msisdn, now: Timestamp) {
        self.stops(person, now);
        self.for_good.insert(person);
    }

    pub(super) fn says_stop(&mut self, person: Msisdn, said: Timestamp, now: Timestamp) {
        // Whoever has come back since has come back. No word is newer than its arrival.
        if self.came_back.get(&person).is_none_or(|back| *back <= said.min(now)) {
            self.stops(person, now);
        }
    }

    pub(super) fn says_start(&mut self, person: Msisdn, said: Timestamp, now: Timestamp) {
        let back = self.came_back.entry(person).or_insert(said.min(now));
        *back = said.min(now).max(*back);
        if !self.for_good.contains(&person) {
            // Whether a later word of theirs holds all the same is looked up.
            self.since.remove(&person);
            self.noted.remove(&person);
        }
    }

    /// The node says that it obeys everything up to now.
    pub(super) fn note(&mut self) {
        self.noted.extend(self.since.keys());
    }

    /// The same of those alone who had not said so before.
    pub(super) fn note_since(&mut self, before: &Self) {
        self.noted.extend(self.since.keys().filter(|person| !before.since.contains_key(person)));
    }

    pub(super) fn is_noted(&self, person: Msisdn) -> bool {
        self.noted.contains(&person)
    }

    pub(super) fn since(&self, person: Msisdn) -> Option<Timestamp> {
        self.since.get(&person).copied()
    }

    pub(super) fn ever(&self, person: Msisdn) -> bool {
        self.ever.contains(&person)
    }
}
