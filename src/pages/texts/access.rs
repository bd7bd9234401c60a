//! The texts about operators, keys, webhooks and the audit log.

use super::texts;

texts! {
    /// The texts about operators, keys, webhooks and the audit log.
    AccessTexts;
    title = "Access";
}
