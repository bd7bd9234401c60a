//! Message ids, built like the provider's own: a random beginning, and at the end the day and the time of day. So an
//! index over them costs what it costs for real ids. Yet each id yields its message without a table.

use uuid::Uuid;

/// Converts counters into ids and back. A converter does not recognise the ids of another tag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Umids {
    /// The bits of a version 8 UUID that name the run. They lie between the first 32 and the last 48 bits, beside the
    /// version and the variant.
    tag: u128,
}

impl Umids {
    /// The ids of a run. They contain the lower 42 bits of `run`, enough for a time in milliseconds until 2109.
    pub(super) const fn new(run: u64) -> Self {
        let run = run as u128;
        let tag = ((run >> 26 & 0xffff) << 80) | ((run >> 14 & 0xfff) << 64) | ((run & 0x3fff) << 48);
        Self { tag: tag | (0x8 << 76) | (0b10 << 62) }
    }

    pub(super) fn of(self, n: u32) -> Uuid {
        Uuid::from_u128((u128::from(scramble(n)) << 96) | self.tag | u128::from(time_like(n)))
    }

    pub(super) fn n(self, umid: Uuid) -> Option<u32> {
        let n = u32::try_from(umid.as_u128() >> 96).ok().map(unscramble)?;
        (self.of(n) == umid).then_some(n)
    }
}

/// Returns a day, and a time of day in units of three hundredths of a second that advances with every tenth message.
const fn time_like(n: u32) -> u64 {
    0xb46d_0000_0000 + (n / 10) as u64
}

/// The finisher of Murmur3: it maps different numbers to different values, and neighbours far apart.
const fn scramble(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85eb_ca6b);
    h ^= h >> 13;
    h = h.wrapping_mul(0xc2b2_ae35);
    h ^ (h >> 16)
}

/// The inverse of `scramble`; the factors are the inverses modulo 2^32.
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
        fn an_id_yields_its_message_and_is_unknown_to_other_runs(n: u32, run: u64, bit in 0..42_u32) {
            let umids = Umids::new(run);
            let umid = umids.of(n);
            prop_assert_eq!(umid.get_version_num(), 8);
            prop_assert_eq!(umids.n(umid), Some(n));
            prop_assert_eq!(Umids::new(run ^ (1_u64 << bit)).n(umid), None);
        }
    }
}
