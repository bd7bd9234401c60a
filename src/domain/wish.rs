//! Opt-outs and opt-ins: the recipient's wish to get no messages, or to get messages again.

use super::word::words;

words! {
    /// The meaning of a word that a recipient wrote.
    Keyword, "keyword" {
        Stop = 0, "stop";
        Start = 1, "start";
    }
}

words! {
    /// The source of an opt-out. A later variant weighs more: it takes more to undo it.
    OptOutSource, "source of an opt-out" {
        /// The recipient wrote to us.
        Recipient = 0, "recipient";
        /// The provider, to which the recipient opted out.
        Provider = 1, "provider";
        /// An operator, with a list or a command.
        Operator = 2, "operator";
    }
}
