//! How things end, and whose fault it was.

use super::word::words;

words! {
    /// How a message ended: exactly one of these, for every message.
    Outcome, "outcome" {
        /// A step met its success status.
        Reached = 1, "reached";
        /// The last step was handed over, or would have been, and the provider said no.
        Undelivered = 2, "undelivered";
        /// The last step's receipt window closed without success.
        Silent = 3, "silent";
        /// Nobody knows whether the last hand-over happened.
        Unknown = 4, "unknown";
        /// Its time ran out before the next step could leave.
        Expired = 5, "expired";
        /// A person cancelled it before its first hand-over.
        Cancelled = 6, "cancelled";
        /// It was never meant to leave; the reason stands beside it.
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
        /// Every step of the route is for people of other countries.
        NoStep = 5, "no step applies";
    }
}

words! {
    /// Where a batch stands. Every claim reads it.
    BatchState, "state" {
        /// Being laid out in chunks; visible to nobody until one switch at the end.
        Launching = 0, "launching";
        Draft = 1, "draft";
        Scheduled = 2, "scheduled";
        Running = 3, "running";
        Paused = 4, "paused";
        /// Cancelled for every claim; its rows still follow.
        Cancelling = 5, "cancelling";
        Cancelled = 6, "cancelled";
        /// Nothing is left to hand over; last receipts may still come.
        Finished = 7, "finished";
        /// Every message has its outcome.
        Settled = 8, "settled";
    }
}

impl BatchState {
    /// Those in which something may still leave that nobody has called off.
    pub const OPEN: [Self; 4] = [Self::Draft, Self::Scheduled, Self::Running, Self::Paused];

    /// Whether a person has called it off: nothing leaves, and every present step is the last.
    pub const fn is_cancelled(self) -> bool {
        matches!(self, Self::Cancelling | Self::Cancelled)
    }
}

/// Which part of the sender is at fault, and is therefore held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SenderPart {
    Lane,
    Template,
    /// One step of one campaign: what it sends is alike for every recipient, and the provider does not take it.
    Step,
}

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The recipient: their number, their account on the channel, or what they want.
    Number,
    /// What the recipient's network or device makes of the message.
    Operator,
    Text,
    /// An image, a video, a document, or a place on the map.
    Media,
    /// A value that fills a variable.
    Parameter,
    Template,
    /// The account, its key, its sender, or the shape of our requests.
    Account,
    /// Nothing says what: something of this recipient, or of what everybody gets.
    Unsaid,
}

/// Whose fault a refusal is. Decides who pays: nobody falls back for a fault of the sender's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// This recipient cannot be reached this way: the next step, at once.
    Recipient,
    /// The sender may not send: hold, and keep the message.
    Sender(SenderPart),
    /// The person wants no more: suppress, on every channel.
    Person,
    /// In passing: the same step again, within its time.
    Passing,
}
