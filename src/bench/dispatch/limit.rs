//! The limit of dispatch: the same requests in a bare HTTP loop against the same sink, with nothing stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::Load;
use crate::bench::{Begun, Error, Run, SinkProcess};
use crate::clock::Clock;
use crate::provider::install_tls;
use crate::wire;

/// Posts `load` as fast as the connections carry it; bodies are written by serde, as anybody would.
pub async fn limit(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    install_tls();
    let sink = SinkProcess::start(None, 0).await?;
    let single = format!("{}/api/v1/subaccounts/bench/messages", sink.base_url());
    let client = reqwest::Client::builder()
        .http1_only()
        .pool_max_idle_per_host(usize::try_from(load.connections.get())?)
        .build()?;
    let next = Arc::new(AtomicU32::new(0));
    let begun = Begun::now(clock);
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections.get() {
        let (client, next, load, single) = (client.clone(), Arc::clone(&next), load.clone(), single.clone());
        connections.spawn(async move {
            loop {
                let first = next.fetch_add(load.batch.get(), Ordering::Relaxed);
                if first >= load.messages {
                    return Ok::<(), reqwest::Error>(());
                }
                let until = first.saturating_add(load.batch.get()).min(load.messages);
                let request = match load.batch.get() {
                    1 => client.post(&single).body(serde_json::to_vec(&message(first)).unwrap_or_default()),
                    _ => client.post(format!("{single}/batch")).body(batch(first, until)),
                };
                let answer = request.header("content-type", "application/json").send().await?.bytes().await?;
                match load.batch.get() {
                    1 => drop(serde_json::from_slice::<wire::MessageAnswer<'_>>(&answer)),
                    _ => drop(serde_json::from_slice::<wire::BatchAnswer<'_>>(&answer)),
                }
            }
        });
    }
    while let Some(ended) = connections.join_next().await {
        ended??;
    }
    Ok(Run::since(begun, u64::from(load.messages), clock))
}

/// The same message that the product sends, with an id of the same length.
fn message(n: u32) -> wire::SendRequest<'static> {
    wire::SendRequest {
        user: Some(wire::User { msisdn: Some(format!("+659{n:07}").into()), ..wire::User::default() }),
        client_message_id: Some(format!("att_{n:032x}").into()),
        kind: Some("template".into()),
        content: Some(wire::Content {
            template: Some(wire::Template {
                name: "promo".into(),
                language: "en".into(),
                components: vec![wire::Component {
                    kind: "body".into(),
                    parameters: [format!("Name {n}"), format!("CODE{n}")]
                        .map(|text| wire::Parameter {
                            kind: "text".into(),
                            text: Some(text.into()),
                            ..wire::Parameter::default()
                        })
                        .into(),
                    ..wire::Component::default()
                }],
            }),
            ..wire::Content::default()
        }),
        channels: vec![wire::ChannelStep { channel: "WhatsApp".into(), ..wire::ChannelStep::default() }],
        ..wire::SendRequest::default()
    }
}

fn batch(first: u32, until: u32) -> Vec<u8> {
    let request = wire::BatchRequest {
        include_messages_in_response: true,
        messages: (first..until).map(message).collect(),
        ..wire::BatchRequest::default()
    };
    serde_json::to_vec(&request).unwrap_or_default()
}
