//! Message ids, built as the provider's own are: a random beginning, and at the end the day and the time of day, so that
//! whoever indexes them feels what real ones cost. And yet they lead back to the message without any table.

use uuid::Uuid;

/// Turns counters into ids and back. Two with different tags do not know each other's ids.
#[derive(Debug, Clone, Copy)]
pub(super) struct Umids {
    tag: u128,
}

/// The bits of a UUID of version 8 that name the run: those between the first 32 and the last 48, without the
/// version and the variant.
const TAG_MASK: u128 = (0xffff << 80) | (0xfff << 64) | (((1 << 14) - 1) << 48);

impl Umids {
    pub(super) const fn new(random: u64) -> Self {
        // The same 64 bits twice over: they are a name, not a secret.
        let wide = ((random as u128) << 64) | (random.rotate_left(32) as u128);
        Self { tag: (wide & TAG_MASK) | (0x8 << 76) | (0b10 << 62) }
    }

    pub(super) fn of(self, n: u32) -> Uuid {
        Uuid::from_u128((u128::from(scramble(n)) << 96) | self.tag | u128::from(time_like(n)))
    }

    pub(super) fn n(self, umid: Uuid) -> Option<u32> {
        let n = u32::try_from(umid.as_u128() >> 96).ok().map(unscramble)?;
        (self.of(n) == umid).then_some(n)
    }
}

/// A day, and a time of day in three hundredths of a second that moves on with every tenth message.
const fn time_like(n: u32) -> u64 {
    0xb46d_0000_0000 + (n / 10) as u64
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
