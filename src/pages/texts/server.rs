//! The texts about the health of a server and its settings.

use super::texts;

texts! {
    /// The texts about the health of a server and its settings.
    ServerTexts;
}
