//! A provider with another webhook secret than the installation: its receipts are rejected, and no message falls
//! back.

use reqwest::StatusCode;
use volley::base::domain::{Channel, MessageKey, Outcome, Present, Span, State, StepIndex};
use volley::store::{Cursor, Direction, RejectionReason};

use crate::support::by_hand::{AUTHORIZATION, ByHand, ProviderAnswer, VIBER_THEN_SMS, is_awaiting};

const PEOPLE: &str = "numbers = [\"+6591000001\", \"+6591000002\"]";

async fn post(url: &str, authorization: &str, body: String) -> StatusCode {
    posted(url, authorization, body).await.unwrap()
}

/// The answer; none if the server hung up before the body was sent.
async fn posted(url: &str, authorization: &str, body: String) -> Option<StatusCode> {
    volley::provider::client::install_tls();
    let request = reqwest::Client::new().post(url).header("Authorization", authorization).body(body);
    request.send().await.ok().map(|answer| answer.status())
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_receipts_hold_every_deadline_until_a_proven_one_arrives() {
    let world = ByHand::start("").await;
    let door = world.open_door().await;
    let launched = world.launch(&format!("{PEOPLE}{VIBER_THEN_SMS}")).await;
    let [told, silent] = [0, 1].map(|n| MessageKey { batch: launched.batch, n });
    let State::Awaiting { due } = world.until(told, "handed over", is_awaiting).await.state else { unreachable!() };
    world.until(silent, "handed over", is_awaiting).await;
    world.advance_to(due - Span::from_secs(5)).await;

    let delivered = world.receipt(&launched, (told, 0), Channel::Viber, "delivered", None);
    assert_eq!(post(&door, "Bearer another", delivered.clone()).await, StatusCode::UNAUTHORIZED);
    let doubt_since = async || world.store.links().await.unwrap().into_iter().find_map(|link| link.doubt);
    world.when("the node is in doubt", async || doubt_since().await.ok_or_else(|| "not yet".to_owned())).await;
    world.advance_to(due + Span::from_secs(1)).await;
    for key in [told, silent] {
        let held = |present: &Present| present.state != State::Awaiting { due };
        let held = world.until(key, "the deadline decided", held).await;
        assert!(is_awaiting(&held) && held.step == StepIndex::FIRST, "{held:?}");
    }

    // An operator corrects the secret.
    assert_eq!(post(&door, AUTHORIZATION, delivered).await, StatusCode::OK);
    assert_eq!(world.message(told).await.present.outcome(), Some(Outcome::Reached));
    world
        .when("the doubt has ended", async || match doubt_since().await {
            None => Ok(()),
            Some((since, _)) => Err(format!("in doubt since {}", since.rfc3339())),
        })
        .await;
    let gaps = world.store.gaps().await.unwrap();
    assert!(gaps.iter().any(|gap| gap.from < due && gap.until >= due), "{gaps:?}");
    let texts: Vec<_> =
        world.store.events(Cursor::START, 10).await.unwrap().into_iter().map(|(_, event)| event.text()).collect();
    assert!(texts.iter().any(|text| text.contains("the webhook secret does not match")), "{texts:?}");
    // No receipt reports the other one, although it could: once the repeats are over, its silence counts.
    let falls_back = |present: &Present| present.step > StepIndex::FIRST;
    world.until(silent, "fallen back", falls_back).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_of_a_stranger_are_counted_and_hold_no_deadline() {
    let world = ByHand::start("").await;
    let door = world.open_door().await;
    // A receipt could find an unknown attempt by its number, which strangers know.
    world.set_answer(ProviderAnswer::Nothing);
    let launched = world.launch(&format!("{PEOPLE}{VIBER_THEN_SMS}")).await;
    let key = MessageKey { batch: launched.batch, n: 0 };
    let State::Awaiting { due } = world.until(key, "handed over", is_awaiting).await.state else { unreachable!() };
    for body in [
        r#"{"eventType":"outbound_message_status_changed","payload":{"channel":"viber","user":{"msisdn":"+6591000001"},
            "umid":"5b1f6c0e-2c55-4a5f-9c7e-0d6a3f1f9f10","status":{"state":"delivered"}}}"#,
        "rubbish",
    ] {
        assert_eq!(post(&door, "Bearer guessed", body.to_owned()).await, StatusCode::UNAUTHORIZED);
    }
    let too_large = " ".repeat(9 << 20);
    // A client that sends a body that is not read may be cut off before it gets the answer.
    let answer = posted(&door, AUTHORIZATION, too_large).await;
    assert!(answer.is_none_or(|answer| answer == StatusCode::PAYLOAD_TOO_LARGE), "{answer:?}");
    world
        .when("they are counted on disk", async || {
            let turned = world.store.turned_away().await.unwrap();
            let counts: Vec<_> = turned.iter().map(|turned| (turned.why, turned.count)).collect();
            let whole = [(RejectionReason::Nothing, 2), (RejectionReason::TooLarge, 1)];
            if counts == whole { Ok(()) } else { Err(format!("{counts:?}")) }
        })
        .await;
    // A harmless read soon proves the way out, which the broken request had put in doubt; the way in is not in doubt.
    world
        .when("both ways proven", async || {
            let links = world.store.links().await.unwrap();
            assert!(links.iter().all(|link| link.direction == Direction::Out || link.doubt.is_none()), "{links:?}");
            if links.iter().all(|link| link.doubt.is_none()) { Ok(()) } else { Err(format!("{links:?}")) }
        })
        .await;
    world.advance_to(due).await;
    world.until(key, "fallen back", |present| present.step > StepIndex::FIRST).await;
    world.stop().await;
}
