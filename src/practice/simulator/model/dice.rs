//! Dice that depend only on the recipient and the throw. So a seed gives every recipient the same results, in whatever
//! order requests arrive and over however many connections.

use crate::base::domain::Channel;

/// What the dice are thrown for. Each throw has a number of its own, so none depends on another.
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
    Choice = 12,
}

/// Returns the same dice for the same recipient, channel, try and throw, whenever they are thrown.
pub(super) fn throw<const N: usize>(seed: u64, to: u64, channel: Channel, nth: u8, throw: u64) -> [f64; N] {
    let key = (u64::from(channel.code()) << 32) | (u64::from(nth) << 16) | throw;
    let mut state = seed ^ to.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key.wrapping_mul(0xd1b5_4a32_d192_ed03);
    std::array::from_fn(|_| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // A float's fraction holds exactly these upper 53 bits.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    })
}

/// Picks an element of a list by a fraction.
pub(super) fn pick<T: Copy>(list: &[T], fraction: f64) -> Option<T> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to the length of a list")]
    let index = (fraction * list.len() as f64) as usize;
    list.get(index).copied()
}
