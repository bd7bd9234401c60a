//! Tells which pieces of an audience may contain a recipient, by a Bloom filter for each piece.
//!
//! The filter covers the keys of addresses and clients' own ids, and takes 1.5 bytes for each. Recipients are stored in the order of
//! their file. An index by number would have to be sorted while it grows, which takes as long as the import itself.
//! Instead, a search reads the pieces that may contain the recipient, and hardly any others.

use crate::base::domain::{Address, AddressKey, AudienceId, mixed, stable_hash};

/// With 12 bits for each key and 8 probes, one in three hundred pieces is read in vain.
const BITS: usize = 12;
const PROBES: u64 = 8;

/// What a recipient is searched by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    Address(Address),
    /// A `ClientMessageId` of the recipient file.
    ClientId(String),
}

/// A recipient in the audiences: the number in its audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct RecipientPlace {
    pub audience: AudienceId,
    pub n: u32,
}

/// Where a bounded search found a recipient.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundRecipient {
    /// Latest first.
    pub places: Vec<RecipientPlace>,
    /// Where the search goes on; `None` at its end.
    pub next: Option<RecipientPlace>,
}

/// The same, with the keys of the recipient's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought {
    Addresses(Vec<AddressKey>),
    ClientId(String),
}

impl Sought {
    /// A number is searched in each of its spellings.
    fn keys(&self) -> impl Iterator<Item = u64> {
        let (addresses, id) = match self {
            Self::Addresses(keys) => (keys.as_slice(), None),
            Self::ClientId(id) => (&[][..], Some(of_text(id))),
        };
        addresses.iter().flat_map(|key| key.spellings()).map(of_key).chain(id)
    }
}

/// What is filtered of a recipient: the key of the address, and the client's own id.
pub(super) type Filtered<'a> = (AddressKey, Option<&'a str>);

/// The filter of a piece that grows, before its first recipient, with room for so many keys.
pub(super) fn growing(keys: usize) -> Vec<u8> {
    vec![0; (keys * BITS).div_ceil(8)]
}

/// Adds recipients to the filter of a piece that grows.
pub(super) fn grow<'a>(sieve: &mut [u8], recipients: impl Iterator<Item = Filtered<'a>>) {
    for (key, id) in recipients {
        add(sieve, of_key(key));
        id.into_iter().for_each(|id| add(sieve, of_text(id)));
    }
}

/// Whether a filter has as many keys as it has room for: then about half of its bits are set.
pub(super) fn is_full(sieve: &[u8]) -> bool {
    sieve.iter().map(|byte| byte.count_ones() as usize).sum::<usize>() >= sieve.len() * 4
}

/// The filter of these recipients.
pub(super) fn of<'a>(recipients: impl Iterator<Item = Filtered<'a>> + Clone) -> Vec<u8> {
    let keys = recipients.clone().map(|(_, id)| 1 + usize::from(id.is_some())).sum();
    let mut bytes = growing(keys);
    grow(&mut bytes, recipients);
    bytes
}

fn add(sieve: &mut [u8], key: u64) {
    for (byte, bit) in probes(key, sieve.len()) {
        if let Some(byte) = sieve.get_mut(byte) {
            *byte |= bit;
        }
    }
}

/// Whether a piece with this filter may contain the recipient.
pub(super) fn may_hold(sieve: &[u8], whom: &Sought) -> bool {
    let is_in = |(byte, bit): (usize, u8)| sieve.get(byte).is_some_and(|there| there & bit != 0);
    whom.keys().any(|key| probes(key, sieve.len()).all(is_in))
}

fn probes(key: u64, bytes: usize) -> impl Iterator<Item = (usize, u8)> {
    let bits = (bytes as u64 * 8).max(1);
    // The step is odd, so that no two probes are equal.
    let (first, step) = (key & 0xffff_ffff, key >> 32 | 1);
    (0..PROBES).map(move |probe| {
        let bit = (first + probe * step) % bits;
        (usize::try_from(bit / 8).unwrap_or_default(), 1 << (bit % 8))
    })
}

/// This function and [`of_text`] must never change, because their results are on disk.
const fn of_key(key: AddressKey) -> u64 {
    mixed(key.get().cast_unsigned())
}

fn of_text(text: &str) -> u64 {
    mixed(stable_hash(text.bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: i64) -> AddressKey {
        // Every third recipient has an id of a channel.
        AddressKey::try_from(if n % 3 == 0 { -n - 1 } else { 6_581_000_000 + n }).unwrap()
    }

    fn id(n: i64) -> Option<String> {
        (n % 2 == 0).then(|| format!("spring-{n}"))
    }

    #[test]
    fn a_filter_passes_all_recipients_of_its_piece_and_few_others() {
        let ids: Vec<Option<String>> = (0..2_000).map(id).collect();
        let sieve = of((0..).map(key).zip(ids.iter().map(Option::as_deref)));
        assert_eq!(sieve.len(), 4_500);
        assert!((0..2_000).all(|n| may_hold(&sieve, &Sought::Addresses(vec![key(n)]))));
        assert!(ids.into_iter().flatten().all(|id| may_hold(&sieve, &Sought::ClientId(id))));
        let others = (2_000..102_000).filter(|n| may_hold(&sieve, &Sought::Addresses(vec![key(*n)]))).count();
        assert!(others < 600, "{others} of 100,000 pass");
        assert!(!may_hold(&of(std::iter::empty()), &Sought::ClientId("spring-0".to_owned())));
    }

    #[test]
    fn a_growing_filter_passes_what_was_added_and_is_full_before_it_passes_all() {
        let (mut sieve, mut added) = (growing(512), 0);
        while !is_full(&sieve) {
            grow(&mut sieve, std::iter::once((key(added), id(added).as_deref())));
            added += 1;
        }
        // Every other recipient has an id too, so two of them are three keys.
        assert!((300..400).contains(&added), "{added}");
        assert!((0..added).all(|n| may_hold(&sieve, &Sought::Addresses(vec![key(n)]))));
        assert!(may_hold(&sieve, &Sought::ClientId("spring-0".to_owned())));
        let others = (2_000..102_000).filter(|n| may_hold(&sieve, &Sought::Addresses(vec![key(*n)]))).count();
        assert!(others < 600, "{others} of 100,000 pass");
        assert!(!is_full(&growing(64)) && is_full(&[]));
    }

    #[test]
    fn keys_equal_those_on_disk() {
        assert_eq!(mixed(6_581_234_510), 0x4164_cfed_b3bf_0d5f);
        assert_eq!(of_text("spring-0001"), 0x4e02_da70_1ab2_09b2);
    }
}
