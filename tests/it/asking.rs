//! Queries about messages, over HTTP to the practice provider.

use serde_json::json;
use volley::base::domain::{Count, MessageKey, Umid};
use volley::provider::client::{Client, DetailsAnswer, Http};
use volley::rules::wire::{Details, ReportedStatus};

use crate::support::world::{Setup, World};

const SMS: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";

fn client(world: &World) -> Client {
    let lane = world.config.lanes.iter().find(|lane| lane.name == "sms").unwrap();
    Client::new(Box::new(Http::new(&lane.name, &lane.provider).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_over_http_return_statuses_at_most_once_a_second() {
    let world = Setup::default().start().await;
    let launched = world.launch(1, SMS).await;
    world.until(&launched, Count::Delivered, 1).await;
    let key = MessageKey { batch: launched.batch, n: 0 };
    // The receipt may have overtaken the answer.
    let umid = world
        .when("the provider's id on disk", || async {
            let attempts = world.store.attempts(vec![key]).await.unwrap().concat();
            attempts.into_iter().find_map(|attempt| attempt.umid).ok_or_else(|| "none yet".to_owned())
        })
        .await;
    let client = client(&world);
    let DetailsAnswer::Records(body) = client.details(&umid).await else { panic!("the provider knows it") };
    let details: Details<'_> = serde_json::from_slice(&body).unwrap();
    assert_eq!(details.data[0].report(), ReportedStatus::Delivered);
    assert!(details.data[0].user.as_ref().unwrap().number().is_none(), "numbers are masked");
    // Repeated queries are throttled.
    world
        .when("to be throttled", || async {
            match client.details(&umid).await {
                DetailsAnswer::Throttled { retry_after: Some(_) } => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_message_and_a_missing_answer_are_distinguished() {
    let world = Setup::default().start().await;
    let client = client(&world);
    let umid = Umid::new("../9d5a1e30-0000-4000-8000-000000000000");
    assert_eq!(client.details(&umid).await, DetailsAnswer::NotKnown);
    world.faults(json!({ "key_refused": true })).await;
    assert!(matches!(client.details(&umid).await, DetailsAnswer::Refused { .. }));
    world.faults(json!({ "key_refused": false, "details_cut": 1.0 })).await;
    let told = world
        .when("an answer that is none", || async {
            match client.details(&umid).await {
                DetailsAnswer::Unavailable { detail } => Ok(detail),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    assert!(!told.is_empty());
    world.stop().await;
}
