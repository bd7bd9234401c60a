//! Reads webhooks with damaged and hostile bodies: each ends, and its memory and its parts are bounded by its size.
//!
//! Every run tries some bodies. `VOLLEY_FUZZ_MINUTES` sets how long to try more; `VOLLEY_FUZZ_SEED` repeats a single one.

use super::*;
use crate::base::clock::RealClock;
use crate::sending::receipts::incoming::Portions;

/// Bodies that every run tries.
const TRIED: u64 = 100;
/// The longest of them. Longer ones are those of `tests/it/webhook_memory.rs`.
const LENGTH_MAX: usize = 256 << 10;
/// Bytes of memory at a time, for each byte of a body, and beside that.
const MEMORY_FOR_A_BYTE: u64 = 32;
const MEMORY: u64 = 4 << 20;

const PARTS: [&str; 17] = [
    r#"{"namespace":"ChatApps","eventType":"outbound_message_status_changed","payload":{"umid":"u","subAccountId":"acme","channel":"whatsapp","user":{"msisdn":"+6591000001","channelUserId":"6591000001"},"status":{"state":"delivered","timestamp":"2027-01-15T08:00:00Z"}}}"#,
    r#"{"namespace":"ChatApps","eventType":"inbound_message_received","payload":{"umid":"in","subAccountId":"acme","user":{"msisdn":"+6591000001"},"recipient":{"channel":"whatsapp","channelId":"c"},"type":"Text","content":{"text":"STOP"}}}"#,
    r#"{"eventId":"e","provider":"WhatsApp","accountId":"acme","eventType":"template_status_update","eventDetails":{"templateId":1,"templateName":"promo","meta":{"status":"PAUSED"}}}"#,
    r#"{"eventType":"inbound_message_received","payload":{"user":{"msisdn":"+6591000001"},"content":{"order":{"product_items":[{},{},{}]}}}}"#,
    r#"{"eventType":"something_new","more":[[[[]]]]}"#,
    r#"{"eventType":"something_new","$serde_json::private::RawValue":"{\"$serde_json::private::RawValue\":\"[]\"}"}"#,
    r#"{"eventType":"inbound_message_received","payload":{"\u0024serde_json::private::RawValue":"1"}}"#,
    r#"{"entry":[{"changes":[{"value":{"user_preferences":[{"wa_id":"6591000001","value":"stop"},{},{},{}]}}]}]}"#,
    r#"{"eventType":["#,
    r#"{"namespace":""#,
    "{}",
    "[]",
    "1",
    r#""\ud83d""#,
    r#"{"a":{"a":{"a":"#,
    "null",
    " ",
];

/// A hostile body: parts of few or many kinds, in an array or not, with some damage.
fn body(random: &mut fastrand::Rng) -> Vec<u8> {
    let (count, mixes) = ([1, 3, 50, 2_000, 60_000][random.usize(0..5)], random.bool());
    let one = PARTS[random.usize(0..PARTS.len())];
    let mut text = String::from(["[", "[", "[", ""][random.usize(0..4)]);
    for _ in 0..count {
        text += if mixes { PARTS[random.usize(0..PARTS.len())] } else { one };
        text += ",";
        if text.len() > LENGTH_MAX {
            break;
        }
    }
    text.pop();
    text += ["]", "]", "]", ""][random.usize(0..4)];
    let mut bytes = text.into_bytes();
    for _ in 0..[0, 1, 4, 200][random.usize(0..4)] {
        let at = random.usize(0..bytes.len());
        match random.u8(0..4) {
            0 => bytes[at] = random.u8(..),
            1 => bytes.insert(at, b"\"\\{}[],\xff"[random.usize(0..8)]),
            2 if bytes.len() > 1 => _ = bytes.remove(at),
            _ => bytes.truncate(at.max(bytes.len() / 2).max(1)),
        }
    }
    bytes
}

/// Reads one body within the bounds. Returns whether it has a receipt or a reply.
fn try_one(seed: u64) -> bool {
    let bytes = body(&mut fastrand::Rng::with_seed(seed));
    let size = bytes.len() as u64;
    let ours = Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() };
    let (mut is_readable, mut strays) = (false, 0);
    let memory = allocation_counter::measure(|| {
        let body = Bytes::from(wire::mended(&bytes).into_owned());
        for portion in Portions::of(&body, Some(&ours), Timestamp::from_millis(1_800_000_000_000)) {
            is_readable |= !portion.receipts.is_empty() || !portion.replies.is_empty();
            strays += portion.strays.iter().map(|stray| stray.raw.len() as u64).sum::<u64>();
        }
    });
    let most = MEMORY + MEMORY_FOR_A_BYTE * size;
    assert!(memory.bytes_max <= most, "seed {seed}: {} bytes of memory for {size} bytes", memory.bytes_max);
    assert!(strays <= 4 * size, "seed {seed}: {strays} bytes of strays for {size} bytes");
    is_readable
}

#[test]
fn the_memory_of_a_hostile_webhook_is_bounded_by_its_size() {
    let setting = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    if let Some(seed) = setting("VOLLEY_FUZZ_SEED") {
        try_one(seed);
        return;
    }
    let readable = (0..TRIED).filter(|seed| try_one(*seed)).count() as u64;
    assert!((1..TRIED).contains(&readable), "{readable} of {TRIED} are readable; the damage is too weak or too strong");
    let Some(minutes) = setting("VOLLEY_FUZZ_MINUTES") else { return };
    let (clock, mut seed) = (RealClock::new(), TRIED);
    let end = clock.now() + Span::from_secs(i64::try_from(minutes * 60).unwrap());
    while clock.now() < end {
        try_one(seed);
        seed += 1;
    }
    println!("{seed} webhooks");
}
