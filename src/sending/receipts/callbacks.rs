//! What receipts report to other rooms: changes of tier slots, throttled lanes, and that webhooks arrive.

use std::fmt;
use std::sync::Arc;

use crate::base::domain::{AddressKey, MessageKey, StepIndex, Timestamp};

/// A receipt shows that a tier slot is free, or taken after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotChange {
    pub message: MessageKey,
    pub step: StepIndex,
    /// The most likely lane; the attempt's fact is certain.
    pub lane: String,
    pub recipient: AddressKey,
    /// The try of the step that the receipt is about; `None` means the last one.
    pub tries: Option<u16>,
    /// Whether the slot is free again. Otherwise the message arrived after all and takes a slot now.
    pub is_free: bool,
}

/// A receipt reports that the provider throttled its lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    pub lane: String,
    /// When its message was submitted. A lane slows once for several messages that were in flight together.
    pub begun: Timestamp,
    pub reason: &'static str,
}

/// An authentic webhook arrived. It names these subaccounts, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookArrived {
    pub subaccounts: Vec<String>,
    pub at: Timestamp,
}

/// A function that another room passes in, to be notified or asked.
pub struct Callback<T, R = ()>(Arc<dyn Fn(T) -> R + Send + Sync>);

impl<T, R> Clone for Callback<T, R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T, R> Callback<T, R> {
    pub fn new(tell: impl Fn(T) -> R + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn call(&self, event: T) -> R {
        (self.0)(event)
    }
}

impl<T, R> fmt::Debug for Callback<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}
