//! Posts receipts as fast as they are answered, or at a rate. One thread writes the HTTP by hand, so sending costs
//! little beside what is measured.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::{AUTHORIZATION, PATH};
use crate::base::clock::Clock;
use crate::base::domain::Timestamp;
use crate::bench::figures::percentile;
use crate::bench::http::{Connection, due};
use crate::bench::served::Sending;
use crate::bench::{Begun, Error, Run, Stock};

/// The receipts to post.
#[derive(Debug, Clone)]
pub struct Load {
    pub receipts: u32,
    pub connections: NonZeroU32,
    /// Receipts in one body.
    pub array: NonZeroU32,
    /// Receipts a second; `None` posts as fast as they are answered.
    pub rate: Option<NonZeroU32>,
    /// Over how many messages simultaneous receipts are spread; 1 is the order of submission.
    pub spread: NonZeroU32,
}

impl Load {
    pub(super) fn arrivals(&self) -> Arrivals {
        Arrivals { receipts: self.receipts, spread: self.spread.get() }
    }

    pub(super) fn sending(&self) -> Sending {
        Sending { command: "load", arguments: self.arguments(), count: self.receipts.into() }
    }

    /// Returns the command line arguments of this load.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            ("--receipts", self.receipts),
            ("--connections", self.connections.get()),
            ("--array", self.array.get()),
            ("--spread", self.spread.get()),
        ];
        arguments.extend(self.rate.map(|rate| ("--rate", rate.get())));
        arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_string()]).collect()
    }
}

/// Messages whose receipts arrive together: first all sent, then all delivered, then all read.
const BLOCK: u32 = 10_000;

/// The order of the receipts.
#[derive(Debug, Clone, Copy)]
pub struct Arrivals {
    pub receipts: u32,
    pub spread: u32,
}

const STATES: [(&str, &str); 3] = [("sent", ""), ("delivered", "\"detail\":\"delivered_to_recipient\","), ("read", "")];

impl Arrivals {
    /// Returns the message and the state of receipt `k`.
    fn at(self, k: u32) -> (u32, usize) {
        let (block, within) = (k / (3 * BLOCK), k % (3 * BLOCK));
        let (state, index) = (within / BLOCK, within % BLOCK);
        // No message of a stretch occurs twice, because 7919 is a prime.
        let stretch = self.spread.clamp(1, BLOCK);
        let start = index - index % stretch;
        let length = stretch.min(BLOCK - start);
        let n = start + if length.is_multiple_of(7_919) { index - start } else { (index - start) * 7_919 % length };
        (block * BLOCK + n, state as usize)
    }

    /// Returns how many messages are sent, delivered and read in the end.
    pub(super) fn counts(self) -> [i64; 3] {
        let (blocks, rest) = (i64::from(self.receipts / (3 * BLOCK)), i64::from(self.receipts % (3 * BLOCK)));
        let block = i64::from(BLOCK);
        [0, 1, 2].map(|state| blocks * block + (rest - state * block).clamp(0, block))
    }
}

/// Sends `load` to `address`. Fails unless every answer is a 200.
pub async fn load(address: SocketAddr, load: Load, clock: Arc<dyn Clock>) -> Result<Run, Error> {
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(send(address, &load, &clock))
    })
    .await?
}

async fn send(address: SocketAddr, load: &Load, clock: &Arc<dyn Clock>) -> Result<Run, Error> {
    let next = Arc::new(AtomicU32::new(0));
    let begun_at = clock.now();
    let begun = Begun::now(clock.as_ref());
    let mut connections = tokio::task::JoinSet::new();
    for _ in 0..load.connections.get() {
        let (next, load, clock) = (Arc::clone(&next), load.clone(), Arc::clone(clock));
        connections.spawn(async move {
            let connection = Connection::open(address).await?;
            Sender::new(connection, begun_at).run(&load, &next, clock.as_ref()).await
        });
    }
    let mut late = Vec::new();
    while let Some(ended) = connections.join_next().await {
        late.extend(ended??);
    }
    late.sort_unstable();
    let mut measured = Run::since(begun, load.receipts.into(), clock.as_ref());
    (measured.p50_ms, measured.p99_ms) = (percentile(&late, 50), percentile(&late, 99));
    Ok(measured)
}

/// Posts receipts over one connection.
struct Sender {
    connection: Connection,
    begun: Timestamp,
    body: Vec<u8>,
    /// The time of the latest receipts, and the same as text.
    stamp: (Timestamp, String),
}

impl Sender {
    fn new(connection: Connection, begun: Timestamp) -> Self {
        Self { connection, begun, body: Vec::new(), stamp: (begun, begun.rfc3339()) }
    }

    /// Returns how long each request took, in milliseconds. With a rate, a request counts from when it was due.
    async fn run(mut self, load: &Load, next: &AtomicU32, clock: &dyn Clock) -> Result<Vec<i64>, Error> {
        let mut took = Vec::new();
        loop {
            let first = next.fetch_add(load.array.get(), Ordering::Relaxed);
            if first >= load.receipts {
                return Ok(took);
            }
            let due = due(self.begun, first, load.rate, clock).await;
            self.write(load, first, due);
            self.connection.post(PATH, AUTHORIZATION, &self.body).await?;
            took.push(clock.now().since(due).millis());
        }
    }

    fn write(&mut self, load: &Load, first: u32, now: Timestamp) {
        if self.stamp.0 != now {
            self.stamp = (now, now.rfc3339());
        }
        let last = first.saturating_add(load.array.get()).min(load.receipts);
        let arrivals = load.arrivals();
        self.body.clear();
        if load.array.get() > 1 {
            self.body.push(b'[');
        }
        for k in first..last {
            if k > first {
                self.body.push(b',');
            }
            let (n, state) = arrivals.at(k);
            event(&mut self.body, n, state, &self.stamp.1);
        }
        if load.array.get() > 1 {
            self.body.push(b']');
        }
    }
}

/// Writes one event. The receipts of every other message carry our id; the rest carry only the provider's.
fn event(body: &mut Vec<u8>, n: u32, state: usize, stamp: &str) {
    let (state, detail) = STATES[state];
    let msisdn = Stock::msisdn(n).to_string();
    let mut umid = uuid::Uuid::encode_buffer();
    let umid: &str = Stock::umid(n).hyphenated().encode_lower(&mut umid);
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| body.extend_from_slice(part.as_bytes()));
    put(&[
        "{\"namespace\":\"ChatApps\",\"eventType\":\"outbound_message_status_changed\",",
        "\"description\":\"ChatApps outbound message delivery receipt\",\"payload\":{\"umid\":\"",
        umid,
        "\",\"subAccountId\":\"bench\",\"channel\":\"WhatsApp\",\"user\":{\"msisdn\":\"+",
        &msisdn,
        "\",\"channelUserId\":\"",
        &msisdn,
        "\"},",
    ]);
    if n.is_multiple_of(2) {
        body.extend_from_slice(b"\"clientMessageId\":\"");
        Stock::attempt(n).append_to(body);
        body.extend_from_slice(b"\",");
    }
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| body.extend_from_slice(part.as_bytes()));
    put(&["\"status\":{\"state\":\"", state, "\",", detail, "\"timestamp\":\"", stamp, "\"}}}"]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::wire;
    use std::collections::BTreeSet;

    #[test]
    fn each_message_is_sent_then_delivered_then_read_for_any_spread() {
        for spread in [1, 100, 3_000, 7_919, 10_000] {
            let arrivals = Arrivals { receipts: 60_000, spread };
            for state in 0..3 {
                let block: BTreeSet<_> = (0..10_000).map(|k| arrivals.at(30_000 + state * 10_000 + k)).collect();
                let wanted: BTreeSet<_> = (10_000..20_000).map(|n| (n, state as usize)).collect();
                assert!(block == wanted, "spread over {spread}, state {state}");
            }
        }
        assert_eq!(Arrivals { receipts: 45_000, spread: 1 }.counts(), [20_000, 15_000, 10_000]);
    }

    #[test]
    fn the_posted_events_are_receipts() {
        for (state, wanted) in
            [(0, wire::ReportedStatus::Sent), (1, wire::ReportedStatus::Delivered), (2, wire::ReportedStatus::Read)]
        {
            let mut body = Vec::new();
            event(&mut body, 2, state, "2026-11-20T09:00:00.000Z");
            let [wire::WebhookEvent::Receipt(receipt)] = &wire::parse_events(&body)[..] else { panic!("no receipt") };
            assert_eq!(receipt.report(), wanted);
            assert_eq!(receipt.client_message_id.as_deref(), Some(&*Stock::attempt(2).to_string()));
            assert_eq!(receipt.msisdn().map(|number| number.get()), Some(Stock::msisdn(2)));
        }
    }
}
