//! The texts about a recipient, opt-outs and replies.

use super::texts;

texts! {
    /// The texts about a recipient, opt-outs and replies.
    RecipientTexts;
}
