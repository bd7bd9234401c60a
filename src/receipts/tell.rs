//! What receipts say to others: about places in tiers, about lanes that are too fast, and that webhooks come.

use std::fmt;
use std::sync::Arc;

use crate::domain::{MessageKey, Msisdn, StepIndex, Timestamp};

/// Something that a receipt tells about a place in a tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceNews {
    pub message: MessageKey,
    pub step: StepIndex,
    /// Whose it most likely was; the attempt knows for sure.
    pub lane: String,
    pub person: Msisdn,
    /// Which try of the step it is about; the last one, where nobody had to know.
    pub tries: Option<u16>,
    /// What was taken for it is free again; else it has arrived after all, and takes a place now.
    pub is_free: bool,
}

/// A receipt says that its lane is too fast for the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFast {
    pub lane: String,
    /// When what it is about was handed over: of several that were under way together the lane hears once.
    pub begun: Timestamp,
    pub reason: &'static str,
}

/// An authentic webhook has come. It names these subaccounts, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub subaccounts: Vec<String>,
    pub at: Timestamp,
}

/// Whom something is told to.
pub struct Tell<T>(Arc<dyn Fn(T) + Send + Sync>);

impl<T> Clone for Tell<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Tell<T> {
    pub fn new(tell: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn tell(&self, news: T) {
        (self.0)(news);
    }
}

impl<T> fmt::Debug for Tell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tell")
    }
}
