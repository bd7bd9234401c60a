//! The texts about templates, prices and the calendar.

use super::texts;

texts! {
    /// The texts about templates, prices and the calendar.
    SendingTexts;
}
