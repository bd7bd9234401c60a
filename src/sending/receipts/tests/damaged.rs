//! Opt-outs in damaged webhooks, and in webhooks for subaccounts that are not configured.

use std::ops::Range;

use super::*;
use crate::base::domain::{Keyword, OptOutOf};
use crate::sending::receipts::incoming::{Parsed, Portions};
use crate::sending::receipts::replies::Reply;

const NUMBER: &str = "6591000001";
const STOP: &str = r#"{"namespace":"ChatApps","eventType":"inbound_message_received","description":"ChatApps inbound","payload":{"umid":"in-1","subAccountId":"acme","timestamp":"2027-01-15T08:00:00Z","user":{"msisdn":"+6591000001","name":"Ann"},"recipient":{"channel":"whatsapp","channelId":"c-1"},"type":"Text","content":{"text":"STOP"}}}"#;

fn ours() -> Ours {
    Ours { subaccounts: ["acme".to_owned()].into(), ..Ours::default() }
}

fn read(body: &[u8]) -> Parsed {
    let body = Bytes::from(wire::mended(body).into_owned());
    Portions::of(&body, Some(&ours()), Timestamp::from_millis(1_800_000_000_000)).next().unwrap_or_default()
}

/// Whether a body opts the recipient out.
fn opts_out(body: &[u8]) -> bool {
    let is_stop = |reply: &Reply| {
        reply.inbound.keyword == Some(Keyword::Stop)
            && reply.inbound.msisdn.is_some_and(|number| number.get().to_string() == NUMBER)
    };
    read(body).replies.iter().any(is_stop)
}

/// The positions within the values of the event that are texts, but for the number and the keyword.
fn values() -> Vec<Range<usize>> {
    let whole: serde_json::Value = serde_json::from_str(STOP).unwrap();
    let mut texts = Vec::new();
    let mut rest = vec![&whole];
    while let Some(value) = rest.pop() {
        match value {
            serde_json::Value::Object(keys) => rest.extend(keys.values()),
            serde_json::Value::String(text) => texts.push(text.clone()),
            _ => {}
        }
    }
    texts.retain(|text| text != "STOP" && !text.contains(NUMBER));
    let place = |text: &String| {
        let quoted = format!(":\"{text}\"");
        let at = STOP.find(&quoted).unwrap() + 2;
        at..at + text.len()
    };
    texts.iter().map(place).collect()
}

/// `--long` tries every byte. Those tried always belong to the syntax of JSON, or begin, continue or break a character of
/// several bytes.
fn damage() -> Vec<u8> {
    let telling = b"\0\t\n\r\x1b\"\\{}[]:,/ua1- \x7f\x80\xbf\xc0\xc2\xe0\xed\xf0\xf4\xf5\xff";
    if std::env::var_os("VOLLEY_LONG").is_some() { (0..=u8::MAX).collect() } else { telling.to_vec() }
}

#[test]
fn an_opt_out_survives_any_damaged_byte_in_another_value() {
    let (mut tried, values, damage) = (0, values(), damage());
    assert!(values.len() >= 8, "{values:?}");
    for range in values {
        for at in range.clone() {
            for &byte in &damage {
                let ends = at + 1 == range.end;
                // These change where the text ends.
                if byte == b'"' || (byte == b'\\' && ends) {
                    continue;
                }
                let mut body = STOP.as_bytes().to_vec();
                body[at] = byte;
                assert!(opts_out(&body), "byte {byte} at {at}: {}", String::from_utf8_lossy(&body));
                tried += 1;
            }
        }
    }
    assert!(tried > 2_000, "{tried}");
}

#[test]
fn an_opt_out_survives_half_an_emoji_and_stray_bytes_beside_it() {
    let beside = |text: &str| STOP.replace("\"Ann\"", &format!("\"{text}\"")).into_bytes();
    for name in [r"Ann \ud83d", r"\ude00 Ann", r"\ud83dAnn", r"\ud83d\ud83d", r"\u12", r"\q", "A\nB", "A\u{0}B"] {
        assert!(opts_out(&beside(name)), "{name}");
    }
    let mut between = Vec::new();
    for byte in STOP.bytes() {
        between.push(byte);
        // A stray byte between two values.
        between.extend((byte == b',').then_some(0xff));
    }
    assert!(opts_out(&between));
    let marked: Vec<u8> = [&b"\xef\xbb\xbf"[..], STOP.as_bytes()].concat();
    assert!(opts_out(&marked), "a byte order mark");
}

#[test]
fn an_opt_out_survives_damage_of_its_word_and_an_unusual_sender() {
    for word in [&b"STOP\\ud83d"[..], b"STOP \\ud83d", b"STOP\xff", b"S\xffTOP", b"\xf0\x9fstop"] {
        let (before, after) = STOP.split_once("\"STOP\"").unwrap();
        let body = [before.as_bytes(), b"\"", word, b"\"", after.as_bytes()].concat();
        assert!(opts_out(&body), "{}", String::from_utf8_lossy(word));
    }
    let own = r#""msisdn":"+6591000001","name":"Ann""#;
    for sender in [
        r#""msisdn":"+65 9100 0001","name":"Ann""#,
        r#""msisdn":"whatsapp:+6591000001""#,
        r#""msisdn":"+65-(9100).0001""#,
        r#""msisdn":6591000001,"name":{"first":"Ann"}"#,
        r#""msisdn":["x"],"channelUserId":"65 9100 0001","country":7"#,
    ] {
        assert!(opts_out(STOP.replace(own, sender).as_bytes()), "{sender}");
    }
    let us = r#""channel":"whatsapp","channelId":"c-1""#;
    assert!(opts_out(STOP.replace(us, r#""channel":{},"channelId":[1]"#).as_bytes()));
}

#[test]
fn a_damaged_event_harms_no_other_event_of_its_body() {
    let damaged = STOP.replace("in-1", "in-2").replace("Ann", "A\u{1}");
    let mut body = format!("[{damaged},").into_bytes();
    body.extend_from_slice(b"{\"eventType\":\"x\xff\"},");
    body.extend_from_slice(format!("{STOP}]").as_bytes());
    let parsed = read(&body);
    let of: Vec<_> = parsed.replies.iter().map(|reply| (&*reply.inbound.umid, reply.inbound.keyword)).collect();
    assert_eq!(of, [("in-2", Some(Keyword::Stop)), ("in-1", Some(Keyword::Stop))]);
    assert_eq!(parsed.strays.len(), 1);
}

#[tokio::test]
async fn a_damaged_stop_is_on_disk_once_it_is_acknowledged() {
    let Desk { store, applier, intake, .. } = Desk::new().await;
    tokio::spawn(applier.run(|_| {}));
    let body = reply_body("in-1", "STOP").replace("\"viber\"}", "\"viber\",\"channelId\":\"\\ud83d\"}");
    intake.take(body.into()).await.unwrap();
    let msisdn = recipient().number().unwrap();
    assert_eq!(store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap(), [msisdn]);
}

#[tokio::test]
async fn a_stop_to_an_unconfigured_subaccount_is_obeyed_and_counted() {
    for subaccount in ["another", "ACME"] {
        let Desk { store, applier, intake, .. } = Desk::new().await;
        tokio::spawn(applier.run(|_| {}));
        let to = |umid: &str, text: &str| reply_body(umid, text).replace("\"acme\"", &format!("\"{subaccount}\""));
        intake.take(format!("[{},{}]", to("in-1", "STOP"), to("in-2", "hello")).into()).await.unwrap();
        let msisdn = recipient().number().unwrap();
        assert_eq!(store.opted_out(vec![msisdn], OptOutOf::Everything).await.unwrap(), [msisdn], "{subaccount}");
        let strays = store.strays(StrayKind::OtherSubaccount, Timestamp::default(), Cursor::START, 10).await.unwrap();
        assert_eq!(strays.len(), 2, "{subaccount}");
        // Only the opt-out is a message to us, and it opens no window to our own numbers.
        let kept = store.inbound(store::InboundOf::All, Cursor::START, 10).await.unwrap();
        assert_eq!(kept.len(), 1, "{subaccount}");
        assert!(kept[0].1.window.is_none_or(|until| until <= kept[0].1.written_at), "{:?}", kept[0].1.window);
    }
}

#[test]
fn a_stop_whose_sender_cannot_be_read_is_counted() {
    let own = r#""msisdn":"+6591000001","name":"Ann""#;
    let strays = |sender: &str| {
        let parsed = read(STOP.replace(own, sender).as_bytes());
        assert_eq!(parsed.replies.len(), 1, "{sender}: it is listed among the replies");
        parsed.strays.into_iter().map(|stray| stray.kind).collect::<Vec<_>>()
    };
    assert_eq!(strays(own), []);
    assert_eq!(strays(r#""channelUserId":"SG.1234567890ABCDEF""#), []);
    for nobody in [r#""name":"Ann""#, r#""msisdn":["x"]"#, r#""msisdn":"private","channelUserId":"""#] {
        assert_eq!(strays(nobody), [StrayKind::Unreadable], "{nobody}");
    }
}

#[tokio::test]
async fn a_body_of_more_events_than_one_portion_is_applied_whole() {
    let Desk { store, applier, intake, .. } = Desk::new().await;
    tokio::spawn(applier.run(|_| {}));
    let receipt = |n: usize| {
        format!(
            r#"{{"eventType":"outbound_message_status_changed","payload":{{"umid":"u-{n}","status":{{"state":"sent"}}}}}}"#
        )
    };
    let receipts: Vec<String> = (0..4_500).map(receipt).collect();
    let nothing = vec!["{}"; 5_000].join(",");
    let body = format!("[{},{nothing},{}]", receipts.join(","), reply_body("in-1", "STOP"));
    let count = async |kind| store.strays(kind, Timestamp::default(), Cursor::START, 100_000).await.unwrap().len();
    intake.take(body.into()).await.unwrap();
    assert_eq!(count(StrayKind::NoAttempt).await, 4_500);
    // The first hundred one by one, and the run of the others as one.
    assert_eq!((count(StrayKind::OtherType).await, count(StrayKind::Unreadable).await), (100, 1));
    assert_eq!(store.opted_out(vec![recipient().number().unwrap()], OptOutOf::Everything).await.unwrap().len(), 1);
    let run = store.strays(StrayKind::Unreadable, Timestamp::default(), Cursor::START, 10).await.unwrap();
    assert_eq!(run[0].1.raw.matches("{}").count(), 4_900, "nothing is lost");
}
