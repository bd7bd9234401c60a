//! Dice that depend on the person and the question, and on nothing else: so a seed gives everybody the same fate in
//! whatever order requests arrive, over however many connections.

use crate::domain::Channel;

/// What a throw of the dice is for; each has a number of its own, so that none depends on another.
#[derive(Clone, Copy)]
pub(super) enum Throw {
    Fate = 1,
    Code = 2,
    SentAfter = 3,
    EndedAfter = 4,
    Reads = 5,
    ReadAfter = 6,
    Duplicate = 7,
    Reorder = 8,
    Answers = 9,
    AnswerAfter = 10,
    AnswerWith = 11,
}

/// Dice that fall the same for the same person, channel, try and question, whenever they are thrown.
pub(super) fn throw<const N: usize>(seed: u64, to: u64, channel: Channel, nth: u8, throw: u64) -> [f64; N] {
    let place = (u64::from(channel.code()) << 32) | (u64::from(nth) << 16) | throw;
    let mut state = seed ^ to.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ place.wrapping_mul(0xd1b5_4a32_d192_ed03);
    std::array::from_fn(|_| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The upper 53 bits are exactly what a fraction holds.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// One of a list, by a fraction.
pub(super) fn pick<T: Copy>(list: &[T], fraction: f64) -> Option<T> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the length of a list")]
    let place = (fraction * list.len() as f64) as usize;
    list.get(place).copied()
}
