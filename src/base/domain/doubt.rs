//! Why it is not proven that a provider address works.

use super::word::words;

words! {
    /// Why proof is missing that a provider address can be reached, or can reach Volley.
    DoubtCause, "doubt" {
        /// Receipts are rejected, because their webhook secret does not match.
        SecretMismatch = 0, "secret mismatch";
        /// No webhooks arrive.
        NoWebhooks = 1, "no webhooks";
        /// Requests get no answer from the provider itself.
        Unreachable = 2, "unreachable";
    }
}
