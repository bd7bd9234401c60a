//! The provider's APIs for sending.

use super::word::words;

words! {
    /// An API of the provider for sending messages. Each has hosts, subaccounts and requests of its own.
    MessagingApi, "API" {
        /// Every channel.
        ChatApps = 0, "chatapps";
        /// SMS alone.
        Sms = 1, "sms";
    }
}
