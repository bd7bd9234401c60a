//! The tier: which messages need a slot in it, and whether one is free.

use std::collections::HashSet;

use crate::base::domain::{AddressKey, Queue, Timestamp};

/// The reason why a message passes the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// The tier is unlimited, or the message is never sent.
    Uncounted,
    /// The recipient wrote to the sender; the customer service window is open until then.
    Window(Timestamp),
    /// A slot of the tier: one that the recipient holds, or one that this claim takes.
    Slot,
}

/// The standing of a recipient on a lane whose tier is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TierStanding {
    /// Holds no slot, as far as the store has looked.
    #[default]
    New,
    Holder,
    Window(Timestamp),
}

/// A queue whose step falls back rather than wait for a slot (`on_tier_spent = "fall_back"`). A message without a later
/// step waits all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImpatientQueue {
    pub queue: Queue,
    /// The steps of the route.
    pub steps: usize,
}

/// The slots of a limited tier that one claim may take.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    /// For recipients who hold none yet.
    pub free: u32,
    /// Empty unless this claim has the last slots of the tier. While other claims hold reservations, which may come
    /// back, these queues wait like the others.
    pub impatient: Vec<ImpatientQueue>,
}

/// Checks the recipients of one claim against its slots.
#[derive(Debug)]
pub(super) struct TierCheck {
    slots: Slots,
    /// Recipients who take a slot with this claim.
    newcomers: HashSet<AddressKey>,
}

impl TierCheck {
    pub(super) fn new(slots: Slots) -> Self {
        Self { slots, newcomers: HashSet::new() }
    }

    fn free(&self) -> usize {
        usize::try_from(self.slots.free).unwrap_or(usize::MAX).saturating_sub(self.newcomers.len())
    }

    /// Whether the check needs to know which of so many recipients hold a slot. If all fit, it does not: a holder then
    /// counts twice until the claim is over. If messages fall back for want of a slot, it always does.
    pub(super) fn needs_holders(&self, recipients: usize) -> bool {
        !self.slots.impatient.is_empty() || recipients > self.free()
    }

    /// The pass of a message to this recipient; `None` if it needs a slot and none is free.
    pub(super) fn pass(&self, recipient: AddressKey, standing: TierStanding) -> Option<Pass> {
        match standing {
            TierStanding::Window(until) => Some(Pass::Window(until)),
            TierStanding::Holder => Some(Pass::Slot),
            TierStanding::New => {
                (self.free() > 0 || self.newcomers.contains(&recipient.canonical())).then_some(Pass::Slot)
            }
        }
    }

    /// Notes that the claim takes a message to this recipient.
    pub(super) fn take_slot(&mut self, recipient: AddressKey, standing: TierStanding) {
        if standing == TierStanding::New {
            self.newcomers.insert(recipient.canonical());
        }
    }

    /// The steps of the route, if messages of this queue fall back rather than wait for a slot.
    pub(super) fn route_steps(&self, queue: &Queue) -> Option<usize> {
        self.slots.impatient.iter().find(|impatient| impatient.queue == *queue).map(|impatient| impatient.steps)
    }
}
