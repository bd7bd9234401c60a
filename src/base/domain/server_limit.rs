//! The limits by which a server keeps room for others.

use super::word::words;

words! {
    /// What a server has a limited number of: for all clients together, and for each of them.
    ServerLimit, "limit of the server" {
        /// Connections, also of one address.
        Connections = 0, "connections";
        /// Event streams, also of one caller.
        EventStreams = 1, "event_streams";
        /// Uploads, downloads and operations that take longer than other requests, also of one caller.
        LongOperations = 2, "long_operations";
    }
}

impl ServerLimit {
    /// What it counts, in a sentence.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::EventStreams => "event streams",
            Self::LongOperations => "uploads, downloads and long operations",
        }
    }
}
