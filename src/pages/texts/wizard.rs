//! The texts about writing a campaign that are not with the others.

use super::texts;

texts! {
    /// The texts about writing a campaign that are not with the others.
    WizardTexts;
}
