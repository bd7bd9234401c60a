//! The texts about audiences and rejected rows.

use super::texts;

texts! {
    /// The texts about audiences and rejected rows.
    AudienceTexts;
    title = "Audiences";
}
