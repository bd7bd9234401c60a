//! Message ids: random to look at, so that whoever indexes them feels what real ones cost, and yet they lead back to
//! the message without any table.

use uuid::Uuid;

/// Turns counters into ids and back. Two with different tags do not know each other's ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct Umids {
    tag: u128,
}

/// The bits of a UUID of version 8 that are ours below the first 32.
const TAG_MASK: u128 = (0xffff << 80) | (0xfff << 64) | ((1 << 62) - 1);

impl Umids {
    pub(super) const fn new(random: u64) -> Self {
        // The same 64 bits twice over: they are a name, not a secret.
        let wide = ((random as u128) << 64) | (random.rotate_left(32) as u128);
        Self { tag: (wide & TAG_MASK) | (0x8 << 76) | (0b10 << 62) }
    }

    pub(super) fn of(self, n: u32) -> Uuid {
        Uuid::from_u128((u128::from(scramble(n)) << 96) | self.tag)
    }

    pub(super) fn n(self, umid: Uuid) -> Option<u32> {
        let bits = umid.as_u128();
        let low = bits & ((1 << 96) - 1);
        u32::try_from(bits >> 96).ok().filter(|_| low == self.tag).map(unscramble)
    }
}

/// The finisher of Murmur3: every number has its own, and neighbours lie far apart.
const fn scramble(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// The way back; the factors are the inverses modulo 2^32.
const fn unscramble(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x7ed1_b41d);
    h ^= (h >> 13) ^ (h >> 26);
    h = h.wrapping_mul(0xa5cb_9243);
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_leads_back_to_its_message_and_to_no_other_run(n: u32, random: u64) {
            let umids = Umids::new(random);
            let umid = umids.of(n);
            prop_assert_eq!(umid.get_version_num(), 8);
            prop_assert_eq!(umids.n(umid), Some(n));
            prop_assert_eq!(Umids::new(random ^ 1).n(umid), None);
        }
    }
}
