//! The limit of dispatch: the same requests in a bare HTTP loop against the same sink, with nothing stored. The same
//! loop through the product's own client shows the cost of the gates.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

use super::{Load, config};
use crate::base::clock::Clock;
use crate::bench::{Begun, Error, Run, SinkProcess};
use crate::provider::client::{Endpoint, Http, Open, Transport, install_tls};
use crate::rules::wire;

/// Posts `load` as fast as the connections carry it, with bodies written by serde.
pub async fn limit(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    install_tls();
    let sink = SinkProcess::start(None, 0).await?;
    let end = if load.batch.get() == 1 { "" } else { "/batch" };
    let address = format!("{}/api/v1/subaccounts/bench/messages{end}", sink.base_url());
    let client = reqwest::Client::builder()
        .http1_only()
        .pool_max_idle_per_host(usize::try_from(load.connections.get())?)
        .build()?;
    let post = move |body: Vec<u8>| {
        let request = client.post(&address).body(body).header("content-type", "application/json");
        async move { Ok(request.send().await?.bytes().await?) }
    };
    posted(load, post, clock).await
}

/// The same through the product's client, with a gate that is always open.
pub async fn gated(load: &Load, clock: &dyn Clock) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let config = config(load, &sink.base_url())?;
    let lane = config.lanes.first().ok_or("the bench has no lane")?;
    let http = Http::new(&lane.name, &lane.provider)?;
    let to = if load.batch.get() == 1 { Endpoint::Messages } else { Endpoint::Batch };
    let post = move |body: Vec<u8>| {
        let http = http.clone();
        async move {
            let answer = http.post(to, body, Arc::new(Open)).await;
            Ok(answer.map_err(|broken| format!("no answer: {broken:?}"))?.body)
        }
    };
    posted(load, post, clock).await
}

async fn posted<P, A>(load: &Load, post: P, clock: &dyn Clock) -> Result<Run, Error>
where
    P: Fn(Vec<u8>) -> A + Clone + Send + 'static,
    A: Future<Output = Result<Bytes, Error>> + Send,
{
    let next = Arc::new(AtomicU32::new(0));
    let begun = Begun::now(clock);
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections.get() {
        let (post, next, load) = (post.clone(), Arc::clone(&next), load.clone());
        connections.spawn(async move {
            loop {
                let first = next.fetch_add(load.batch.get(), Ordering::Relaxed);
                if first >= load.messages {
                    return Ok::<(), Error>(());
                }
                let until = first.saturating_add(load.batch.get()).min(load.messages);
                match load.batch.get() {
                    1 => {
                        let answer = post(serde_json::to_vec(&message(first))?).await?;
                        drop(serde_json::from_slice::<wire::MessageAnswer<'_>>(&answer));
                    }
                    _ => {
                        let answer = post(batch(first, until)).await?;
                        drop(serde_json::from_slice::<wire::BatchAnswer<'_>>(&answer));
                    }
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
