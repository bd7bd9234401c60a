//! The texts about figures over time.

use super::texts;

texts! {
    /// The texts about figures over time.
    ProgressTexts;
}
