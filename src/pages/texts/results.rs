//! The texts about reports, and about sending again.

use super::texts;

texts! {
    /// The texts about reports, and about sending again.
    ResultTexts;
}
