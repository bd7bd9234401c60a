//! How messages and batches end, and what causes a refusal.

use super::word::words;

words! {
    /// How a message ended. Every message gets exactly one outcome.
    Outcome, "outcome" {
        /// A step met its success status.
        Reached = 1, "reached";
        /// The last step was submitted, or would have been, and the provider rejected it or reported that it failed.
        Undelivered = 2, "undelivered";
        /// The last step's receipt window closed without success.
        Silent = 3, "silent";
        /// It is unknown whether the provider accepted the last submission.
        Unknown = 4, "unknown";
        /// Its time ran out before its next step was submitted.
        Expired = 5, "expired";
        /// An operator cancelled it before its first submission.
        Cancelled = 6, "cancelled";
        /// It was not to be sent. Its [`SkipReason`] says why.
        Skipped = 7, "skipped";
    }
}

words! {
    /// Why a message was skipped.
    SkipReason, "reason to skip" {
        OptedOut = 1, "opted out";
        MissingVariable = 2, "missing variable";
        OutsideWindow = 3, "outside window";
        Excluded = 4, "excluded";
        /// No step of the route applies to the recipient's country.
        NoStep = 5, "no step applies";
    }
}

words! {
    /// The state of a batch. Every claim reads it.
    BatchState, "state" {
        /// The launch inserts its messages in chunks. It stays invisible until one switch at the end.
        Launching = 0, "launching";
        Draft = 1, "draft";
        Scheduled = 2, "scheduled";
        Running = 3, "running";
        Paused = 4, "paused";
        /// Cancelled for every claim; its rows follow in the background.
        Cancelling = 5, "cancelling";
        Cancelled = 6, "cancelled";
        /// No message is left to submit; final receipts may still arrive.
        Finished = 7, "finished";
        /// Every message has its outcome.
        Settled = 8, "settled";
    }
}

impl BatchState {
    /// The states in which messages may still be sent and the batch is not cancelled.
    pub const OPEN: [Self; 4] = [Self::Draft, Self::Scheduled, Self::Running, Self::Paused];

    /// Whether an operator cancelled the batch: nothing is submitted, and every message's present step is its last.
    pub const fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }
}

/// The part of the sender that causes a refusal, and that is therefore held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SenderPart {
    Lane,
    Template,
    /// One step of one campaign: its content is the same for every recipient, and the provider refuses it.
    Step,
}

/// The subject of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalSubject {
    /// The recipient: the number, the account on the channel, or the recipient's wish.
    Number,
    /// How the recipient's network or device handles the message.
    Operator,
    Text,
    /// An image, a video, a document, or a location.
    Media,
    /// A value that fills a variable.
    Parameter,
    /// The time at which the provider is to give up: the step's `ttl`, or the message's own expiry.
    Expiry,
    Template,
    /// The account, its key, its sender, or the shape of our requests.
    Account,
    /// Unspecified: it may concern this recipient alone, or content that all recipients get.
    Unsaid,
}

/// The cause of a refusal. It decides what follows: no message falls back because of the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// This recipient cannot be reached on this channel: the message falls back at once.
    Recipient,
    /// The sender may not send: the lane, template or step is held, and the message keeps its step.
    Sender(SenderPart),
    /// The provider's own limit for this recipient is reached: the step falls back, or is sent again a day later.
    RecipientLimit,
    /// The recipient opted out: suppress the message on every channel.
    OptedOut,
    /// Temporary: the same step is retried, within its time.
    Temporary,
}

/// Which reasons of the provider are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasons {
    All,
    WithoutCode,
    Of(u32),
}
