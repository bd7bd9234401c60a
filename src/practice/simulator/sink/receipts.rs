//! Posts receipts for the messages that the sink has accepted, in arrays, as fast as the receiver acknowledges them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use super::Shared;
use crate::base::domain::Span;
use crate::practice::simulator::post::Post;
use crate::rules::wire::{self, Receipt, StatusBody, Text, User};

/// The states of a message's receipts, in order.
pub(super) const STATES: [(&str, Option<&str>); 3] =
    [("sent", None), ("delivered", Some("delivered_to_recipient")), ("read", None)];

/// About two hundred megabytes. A benchmark of receipts does not let its receiver fall this far behind.
const WAITING_MAX: usize = 2_000_000;
const PAUSE: Span = Span::from_millis(200);

/// A message that will get receipts.
#[derive(Debug)]
pub(super) struct SinkMessage {
    n: u32,
    client_id: Box<str>,
    /// Digits only; 0 if the request had none.
    msisdn: u64,
    channel: &'static str,
}

impl SinkMessage {
    pub(super) fn new(n: u32, client_id: &str, msisdn: Option<&str>, channel: &str) -> Self {
        let digits = msisdn.map(|text| text.trim_start_matches('+'));
        Self {
            n,
            client_id: client_id.into(),
            msisdn: digits.and_then(|digits| digits.parse().ok()).unwrap_or_default(),
            channel: wire::channel(channel).map_or("WhatsApp", crate::base::domain::Channel::as_str),
        }
    }
}

/// The messages that wait for their receipts, and their HTTP client.
#[derive(Debug)]
pub(super) struct Receipts {
    post: Post,
    per_message: usize,
    waiting: Mutex<VecDeque<SinkMessage>>,
    more: Notify,
    /// The first subaccount that was seen; a benchmark has one.
    sub_account: OnceLock<String>,
    taken: AtomicU64,
    forgone: AtomicU64,
}

#[derive(Debug, Default)]
pub(super) struct Count {
    pub(super) taken: u64,
    pub(super) waiting: u64,
    pub(super) forgone: u64,
}

impl Receipts {
    pub(super) fn new(post: Post, per_message: usize) -> Self {
        Self {
            post,
            per_message,
            waiting: Mutex::new(VecDeque::new()),
            more: Notify::new(),
            sub_account: OnceLock::new(),
            taken: AtomicU64::new(0),
            forgone: AtomicU64::new(0),
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.post.target().connections.max(1)
    }

    pub(super) fn count(&self) -> Count {
        Count {
            taken: self.taken.load(Ordering::Relaxed),
            waiting: self.waiting().len() as u64,
            forgone: self.forgone.load(Ordering::Relaxed),
        }
    }

    /// A panic elsewhere leaves the queue consistent.
    fn waiting(&self) -> MutexGuard<'_, VecDeque<SinkMessage>> {
        self.waiting.lock()
    }

    pub(super) fn note(&self, sub_account: &str, messages: &mut Vec<SinkMessage>) {
        self.sub_account.get_or_init(|| sub_account.to_owned());
        let mut waiting = self.waiting();
        let room = WAITING_MAX.saturating_sub(waiting.len());
        let over = messages.len().saturating_sub(room);
        self.forgone.fetch_add(over as u64, Ordering::Relaxed);
        waiting.extend(messages.drain(..).take(room));
        drop(waiting);
        self.more.notify_one();
    }

    /// Takes the next messages whose receipts fill one post.
    fn take(&self) -> Vec<SinkMessage> {
        let most = (self.post.target().group / self.per_message).max(1);
        let mut waiting = self.waiting();
        let count = waiting.len().min(most);
        let taken: Vec<_> = waiting.drain(..count).collect();
        if !waiting.is_empty() {
            // Another poster can work on the rest.
            self.more.notify_one();
        }
        taken
    }
}

/// Runs one poster: it takes messages, writes their receipts, and posts them until they are acknowledged.
pub(super) async fn run(shared: Arc<Shared>) {
    let Some(receipts) = &shared.receipts else { return };
    loop {
        let messages = receipts.take();
        if messages.is_empty() {
            tokio::select! {
                () = receipts.more.notified() => continue,
                () = shared.shutdown.cancelled() => return,
            }
        }
        let body = Bytes::from(write(&shared, receipts, &messages));
        while !receipts.post.deliver(None, body.clone()).await {
            tokio::select! {
                () = shared.clock.sleep(PAUSE) => {}
                () = shared.shutdown.cancelled() => return,
            }
        }
        receipts.taken.fetch_add((messages.len() * receipts.per_message) as u64, Ordering::Relaxed);
    }
}

fn write(shared: &Shared, receipts: &Receipts, messages: &[SinkMessage]) -> Vec<u8> {
    let now = shared.clock.now().rfc3339();
    let sub_account = receipts.sub_account.get().map_or("", String::as_str);
    let mut body = Vec::with_capacity(messages.len() * receipts.per_message * 480 + 2);
    let alone = messages.len() * receipts.per_message == 1;
    if !alone {
        body.push(b'[');
    }
    let mut umid_text = [0; uuid::fmt::Hyphenated::LENGTH];
    for message in messages {
        let umid = &*shared.umids.of(message.n).hyphenated().encode_lower(&mut umid_text);
        let number = (message.msisdn != 0).then(|| format!("+{}", message.msisdn));
        for (state, detail) in &STATES[..receipts.per_message] {
            if !alone && body.len() > 1 {
                body.push(b',');
            }
            let receipt = Receipt {
                umid: Some(umid.into()),
                sub_account_id: Some(sub_account.into()),
                channel: Some(message.channel.into()),
                user: Some(User { msisdn: number.as_deref().map(Into::into), ..User::default() }),
                client_message_id: Some(Text::from(&*message.client_id)),
                status: StatusBody {
                    state: (*state).into(),
                    detail: detail.map(Into::into),
                    timestamp: Some(now.as_str().into()),
                    ..StatusBody::default()
                },
                ..Receipt::default()
            };
            receipt.append_event(&mut body);
        }
    }
    if !alone {
        body.push(b']');
    }
    body
}
