//! Messages of a program, one or many in a call, each stored before its answer.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sqlx::{Connection as _, Row};

use super::{config, prepare};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::Timestamp;
use crate::bench::figures::percentile;
use crate::bench::http::{Connection, due};
use crate::bench::journal::{Journal, journal};
use crate::bench::served::{Sending, Server, from_another_process, served};
use crate::bench::stock::scratch;
use crate::bench::{Begun, Error, Run};
use crate::rules::wire::rules::Arriving;
use crate::store::Sqlite;

const SINGLE: &str = "/api/v1/subaccounts/bench/messages";
const MANY: &str = "/api/v1/subaccounts/bench/messages/batch";
/// The first number; the others follow it. All of them are mobile numbers of Singapore.
const FIRST_NUMBER: u64 = 6_590_000_000;

/// The messages to send. Each has a number and a text of its own.
#[derive(Debug, Clone)]
pub struct Sends {
    pub messages: u32,
    pub connections: NonZeroU32,
    /// Messages in one call; one for single sends.
    pub batch: NonZeroU32,
    /// Messages a second; `None` sends as fast as calls are answered.
    pub rate: Option<NonZeroU32>,
}

impl Sends {
    /// Returns the command line arguments of this load.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            ("--messages", self.messages),
            ("--connections", self.connections.get()),
            ("--batch", self.batch.get()),
        ];
        arguments.extend(self.rate.map(|rate| ("--rate", rate.get())));
        arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]).collect()
    }

    fn sending(&self, authorization: &str) -> Sending {
        let mut arguments = self.arguments();
        arguments.extend(["--authorization".to_owned(), authorization.to_owned()]);
        Sending { command: "send", arguments, count: self.messages.into() }
    }
}

/// The limit: parses every single send, and answers as the product does.
pub async fn bare(load: &Sends, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    let routes = Router::new().route(SINGLE, post(parse)).with_state(Arc::clone(&clock));
    served(routes, &load.sending("Bearer bench"), clock.as_ref()).await
}

/// The limit of a server that only stores single sends: their bodies in a table.
pub async fn kept(load: &Sends, clock: &dyn Clock) -> Result<Run, Error> {
    let is_understood = |body: &[u8]| Arriving::message(body).is_ok();
    journal(Journal { path: SINGLE, is_understood }, &load.sending("Bearer bench"), clock).await
}

async fn parse(State(clock): State<Arc<dyn Clock>>, body: Bytes) -> Response {
    match Arriving::message(&body) {
        Ok(message) => axum::Json(message.answer(uuid::Uuid::nil().to_string(), None, clock.now())).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

/// The product: a server on a new database. Fails unless every message is stored once, with its own text.
pub async fn sends(load: &Sends, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let (folder, store) = scratch(&clock).await?;
    let authorization = prepare(&store, clock.as_ref()).await?;
    let server = Server::start(config()?, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    let measured = from_another_process(&load.sending(&authorization), &server.address, clock.as_ref()).await?;
    server.stop().await?;
    store.close().await;
    check(&folder.path().join("bench.db"), load.messages).await?;
    Ok(measured)
}

/// Fails unless the messages with the numbers `0..messages` are stored once each, and no others.
async fn check(database: &Path, messages: u32) -> Result<(), Error> {
    let mut connection = Sqlite::bare(database).await?;
    let row = sqlx::query(
        "SELECT count(*) AS stored, count(DISTINCT m.address) AS numbers,
                count(*) FILTER (WHERE m.address >= ?1 AND m.address < ?1 + ?2
                                   AND r.fields->>0 = 'Your code is ' || (m.address - ?1)) AS right
         FROM message m JOIN recipient r ON r.audience = m.audience AND r.n = m.recipient",
    )
    .bind(FIRST_NUMBER.cast_signed())
    .bind(messages)
    .fetch_one(&mut connection)
    .await?;
    connection.close().await?;
    let [stored, numbers, right] = ["stored", "numbers", "right"].map(|column| row.try_get::<i64, _>(column));
    let (stored, numbers, right) = (stored?, numbers?, right?);
    if [stored, numbers, right] == [i64::from(messages); 3] {
        return Ok(());
    }
    let sentence = format!("{messages} were answered, {stored} are stored, to {numbers} numbers, {right} as sent");
    Err(sentence.into())
}

/// Sends `load` to `address`. Fails unless every message is accepted.
pub async fn send(
    address: SocketAddr,
    authorization: String,
    load: Sends,
    clock: Arc<dyn Clock>,
) -> Result<Run, Error> {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send_all(address, authorization.into(), &load, &clock))
    })
    .await?
}

async fn send_all(
    address: SocketAddr,
    authorization: Arc<str>,
    load: &Sends,
    clock: &Arc<dyn Clock>,
) -> Result<Run, Error> {
    let next = Arc::new(AtomicU32::new(0));
    let begun_at = clock.now();
    let begun = Begun::now(clock.as_ref());
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections.get() {
        let (next, load, clock, authorization) =
            (Arc::clone(&next), load.clone(), Arc::clone(clock), Arc::clone(&authorization));
        connections.spawn(async move {
            let sender = Sender { connection: Connection::open(address).await?, authorization, begun: begun_at };
            sender.run(&load, &next, clock.as_ref()).await
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = connections.join_next().await {
        took.extend(ended??);
    }
    took.sort_unstable();
    let mut measured = Run::since(begun, load.messages.into(), clock.as_ref());
    (measured.p50_ms, measured.p99_ms) = (percentile(&took, 50), percentile(&took, 99));
    Ok(measured)
}

/// Sends messages over one connection.
struct Sender {
    connection: Connection,
    authorization: Arc<str>,
    begun: Timestamp,
}

impl Sender {
    /// Returns how long each call took, in milliseconds. With a rate, a call counts from when it was due.
    async fn run(mut self, load: &Sends, next: &AtomicU32, clock: &dyn Clock) -> Result<Vec<i64>, Error> {
        let (mut took, mut body) = (Vec::new(), String::new());
        loop {
            let first = next.fetch_add(load.batch.get(), Ordering::Relaxed);
            if first >= load.messages {
                return Ok(took);
            }
            let until = first.saturating_add(load.batch.get()).min(load.messages);
            let due = due(self.begun, first, load.rate, clock).await;
            body.clear();
            let path = if load.batch == NonZeroU32::MIN {
                message(&mut body, first);
                SINGLE
            } else {
                batch(&mut body, first, until);
                MANY
            };
            let answer = self.connection.post(path, &self.authorization, body.as_bytes()).await?;
            // The answer to a batch counts what was accepted.
            let accepted = format!("\"acceptedCount\":{},", until - first);
            if path == MANY && !str::from_utf8(answer)?.contains(&accepted) {
                return Err(format!("a batch was not accepted: {:?}", String::from_utf8_lossy(answer)).into());
            }
            took.push(clock.now().since(due).millis());
        }
    }
}

/// Writes a text on SMS as the chat-apps API has it.
fn message(body: &mut String, n: u32) {
    let number = FIRST_NUMBER + u64::from(n);
    let _ = write!(
        body,
        "{{\"user\":{{\"msisdn\":\"+{number}\"}},\"type\":\"text\",\"content\":{{\"text\":\"Your code is {n}\"}},\
         \"channels\":[{{\"channel\":\"SMS\"}}]}}"
    );
}

fn batch(body: &mut String, first: u32, until: u32) {
    body.push_str("{\"messages\":[");
    for n in first..until {
        if n > first {
            body.push(',');
        }
        message(body, n);
    }
    body.push_str("]}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::Channel;
    use crate::rules::wire::rules::ArrivingBatch;

    #[test]
    fn the_sent_bodies_are_texts_on_sms() {
        let (mut single, mut many) = (String::new(), String::new());
        message(&mut single, 7);
        batch(&mut many, 7, 9);
        let alone = Arriving::message(single.as_bytes()).unwrap();
        let listed = ArrivingBatch::messages(many.as_bytes()).unwrap().messages;
        assert_eq!(listed.len(), 2);
        for (message, n) in [(&alone, 7), (&listed[0], 7), (&listed[1], 8)] {
            let request = &message.request;
            assert_eq!(request.user.as_ref().unwrap().msisdn.as_deref(), Some(&*format!("+659000000{n}")));
            let content = request.content.as_ref().unwrap();
            assert_eq!(content.text.as_deref(), Some(&*format!("Your code is {n}")));
            assert_eq!(request.channels.len(), 1);
            assert_eq!(&*request.channels[0].channel, Channel::Sms.as_str());
        }
    }
}
