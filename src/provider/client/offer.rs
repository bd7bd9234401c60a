//! The last check before a request is sent: a body that asks its gate when a live connection takes it.
//!
//! Opening a connection may take seconds. Decisions from before are old by then, and a request that is given up
//! meanwhile must not be sent later. So the body is a gate: hyper polls it only on a live connection, and its first
//! poll asks the [`Gate`]. One atomic decides whether the body was taken or the caller gave up first.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// Asked once, when a live connection takes the body.
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// Whether the request may be sent now. If so, it also takes what that costs, for example tokens.
    ///
    /// It runs on the connection's own task and must not wait.
    fn open(&self) -> bool;
}

/// A gate that is always open, for requests that nothing can stop.
#[derive(Debug)]
pub struct Open;

impl Gate for Open {
    fn open(&self) -> bool {
        true
    }
}

const WAITING: u8 = 0;
const SENT: u8 = 1;
const WITHDRAWN: u8 = 2;
const REVOKED: u8 = 3;

/// The progress of a request, shared by its body and by the task that waits for its answer.
#[derive(Debug)]
pub(super) struct Offer {
    state: AtomicU8,
    sent_at: OnceLock<Instant>,
    gate: Arc<dyn Gate>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// No connection has taken its body, and none will.
    NotOffered,
    /// The gate was closed: nothing was sent.
    Withdrawn,
    /// A connection took its body at this time.
    Sent(Instant),
}

impl Offer {
    pub(super) fn new(gate: Arc<dyn Gate>) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(WAITING), sent_at: OnceLock::new(), gate })
    }

    /// Asks the gate. Returns whether the body may be written.
    fn take(&self, now: Instant) -> bool {
        // If the request is given up at this very time, its tokens are lost, which is safe.
        let is_open = self.state.load(Ordering::Acquire) == WAITING && self.gate.open();
        let next = if is_open { SENT } else { WITHDRAWN };
        if is_open {
            let _ = self.sent_at.set(now);
        }
        self.state.compare_exchange(WAITING, next, Ordering::AcqRel, Ordering::Acquire).is_ok() && is_open
    }

    /// When its body was taken, if it was.
    pub(super) fn sent_at(&self) -> Option<Instant> {
        (self.state.load(Ordering::Acquire) == SENT).then(|| self.sent_at.get().copied()).flatten()
    }

    /// Ends the offer, so that the body cannot be sent from now on. Returns how far it has come.
    pub(super) fn revoke(&self) -> Progress {
        match self.state.compare_exchange(WAITING, REVOKED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(REVOKED) => Progress::NotOffered,
            Err(WITHDRAWN) => Progress::Withdrawn,
            // The time is set before the state becomes `SENT`.
            Err(_) => self.sent_at.get().map_or(Progress::NotOffered, |at| Progress::Sent(*at)),
        }
    }
}

/// The gate was closed, or the caller had given up.
#[derive(Debug, thiserror::Error)]
#[error("the request was withdrawn before it was sent")]
pub(super) struct Withdrawn;

/// All bytes of a request in one frame, if the gate is open.
#[derive(Debug)]
pub(super) struct GatedBody {
    bytes: Option<Bytes>,
    length: u64,
    offer: Arc<Offer>,
}

impl GatedBody {
    pub(super) fn new(bytes: Bytes, offer: Arc<Offer>) -> Self {
        Self { length: bytes.len().try_into().unwrap_or(u64::MAX), bytes: Some(bytes), offer }
    }

    /// The body of a read, which needs no gate.
    pub(super) fn empty() -> Self {
        Self { length: 0, bytes: None, offer: Offer::new(Arc::new(Open)) }
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Withdrawn;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Withdrawn>>> {
        let Some(bytes) = self.bytes.take() else { return Poll::Ready(None) };
        #[expect(clippy::disallowed_methods, reason = "the time-out runs on tokio's own clock")]
        let now = Instant::now();
        Poll::Ready(Some(if self.offer.take(now) { Ok(Frame::data(bytes)) } else { Err(Withdrawn) }))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.bytes.is_some() { self.length } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use futures_util::FutureExt;
    use futures_util::future::poll_fn;

    use super::*;

    #[derive(Debug, Default)]
    struct Asked {
        times: AtomicU32,
        is_closed: bool,
    }

    impl Gate for Asked {
        fn open(&self) -> bool {
            self.times.fetch_add(1, Ordering::Relaxed);
            !self.is_closed
        }
    }

    fn offer(is_closed: bool) -> (Arc<Asked>, Arc<Offer>, GatedBody) {
        let gate = Arc::new(Asked { is_closed, ..Asked::default() });
        let offer = Offer::new(Arc::clone(&gate) as Arc<dyn Gate>);
        (gate, Arc::clone(&offer), GatedBody::new(Bytes::from_static(b"hello"), offer))
    }

    async fn polled(body: &mut GatedBody) -> Option<Result<Bytes, Withdrawn>> {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).now_or_never().unwrap();
        frame.map(|frame| frame.map(|frame| frame.into_data().unwrap()))
    }

    #[tokio::test]
    async fn an_open_gate_sends_all_bytes_once() {
        let (gate, offer, mut body) = offer(false);
        assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
        assert_eq!((gate.times.load(Ordering::Relaxed), offer.sent_at()), (0, None), "asked when it is sent");
        assert_eq!(polled(&mut body).await.unwrap().unwrap(), "hello");
        assert!(body.is_end_stream() && polled(&mut body).await.is_none());
        assert!(matches!(offer.revoke(), Progress::Sent(_)), "what was sent cannot be revoked");
        assert_eq!(gate.times.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_closed_gate_sends_nothing() {
        let (_, offer, mut body) = offer(true);
        assert!(polled(&mut body).await.unwrap().is_err());
        assert_eq!(offer.revoke(), Progress::Withdrawn);
    }

    #[tokio::test]
    async fn a_revoked_offer_is_never_sent_and_asks_no_gate() {
        let (gate, offer, mut body) = offer(false);
        assert_eq!(offer.revoke(), Progress::NotOffered);
        assert!(polled(&mut body).await.unwrap().is_err());
        assert_eq!((offer.revoke(), gate.times.load(Ordering::Relaxed)), (Progress::NotOffered, 0));
    }
}
