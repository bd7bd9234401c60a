//! The tier: who needs a place in it, and whether there is one.

use std::collections::HashSet;

use crate::domain::{Msisdn, Queue, Timestamp};

/// What lets a message pass the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Nobody counts, or the recipient gets nothing anyway.
    Uncounted,
    /// The recipient has written to us, and their window stays open until then.
    Window(Timestamp),
    /// A place in the tier, taken by this claim.
    Place,
}

/// What is known of somebody who waits on a lane whose tier is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TierClaim {
    /// Holds no place, as far as anybody has looked.
    #[default]
    New,
    Holder,
    Window(Timestamp),
}

/// A queue whose recipients go on to the next step rather than wait for a place. Who has none to go on to waits all the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Impatient {
    pub queue: Queue,
    /// How many steps the route has.
    pub steps: usize,
}

/// What a tier that is limited leaves to one claim.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// How many recipients may take a place who hold none.
    pub free: u32,
    /// Named only where the tier is spent: a place that another claim holds for the moment may come back.
    pub impatient: Vec<Impatient>,
}

/// Lets recipients of one claim in, as far as its places go.
#[derive(Debug)]
pub(super) struct Gate {
    places: Places,
    /// Those who take a place that they had not.
    newcomers: HashSet<Msisdn>,
}

impl Gate {
    pub(super) fn new(places: Places) -> Self {
        Self { places, newcomers: HashSet::new() }
    }

    fn free(&self) -> usize {
        usize::try_from(self.places.free).unwrap_or(usize::MAX).saturating_sub(self.newcomers.len())
    }

    /// Whether it has to be known who of so many holds a place. Where all fit, whoever holds one counts twice until the
    /// claim is over. Where that sent somebody on to another step for want of a place, it would be a lie.
    pub(super) fn asks_who_holds(&self, recipients: usize) -> bool {
        !self.places.impatient.is_empty() || recipients > self.free()
    }

    /// What lets a recipient in, if anything does.
    pub(super) fn pass(&self, recipient: Msisdn, claim: TierClaim) -> Option<Pass> {
        match claim {
            TierClaim::Window(until) => Some(Pass::Window(until)),
            TierClaim::Holder => Some(Pass::Place),
            TierClaim::New => (self.free() > 0 || self.newcomers.contains(&recipient)).then_some(Pass::Place),
        }
    }

    /// Somebody leaves.
    pub(super) fn let_in(&mut self, recipient: Msisdn, claim: TierClaim) {
        if claim == TierClaim::New {
            self.newcomers.insert(recipient);
        }
    }

    /// Where whoever is kept out of this queue goes on to another step rather than wait: how many steps the route has.
    pub(super) fn goes_on(&self, queue: &Queue) -> Option<usize> {
        self.places.impatient.iter().find(|impatient| impatient.queue == *queue).map(|impatient| impatient.steps)
    }
}
