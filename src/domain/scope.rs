//! What a key of the API permits.

use super::word::words;

words! {
    /// What a key permits. A higher scope does not include a lower one, except that `admin` includes all.
    Scope, "scope" {
        /// Read everything.
        Read = 0, "read";
        /// Send single messages and batches.
        Send = 1, "send";
        /// Launch and change campaigns, audiences, templates, lanes and opt-outs.
        Manage = 2, "manage";
        /// Keys, operators and webhooks.
        Admin = 3, "admin";
    }
}
