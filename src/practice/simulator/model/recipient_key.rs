//! The key of a recipient: of a phone number, or of a user id of a channel.

use crate::base::domain::{Msisdn, stable_hash};
use crate::rules::wire::rules::Addressee;

/// A recipient in one integer, which also seeds their dice: the number, or a digest of the user id. No number equals a
/// digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct RecipientKey(u64);

const IS_DIGEST: u64 = 1 << 63;

impl RecipientKey {
    pub(super) fn of_user_id(id: &str) -> Self {
        Self(stable_hash(id.bytes()) | IS_DIGEST)
    }

    pub(super) fn number(self) -> Option<Msisdn> {
        Msisdn::try_from(self.0).ok()
    }

    /// The key of the same recipient under any spelling of the number.
    pub(super) fn canonical(self) -> Self {
        self.number().map_or(self, |number| number.canonical().into())
    }

    pub(super) const fn seed(self) -> u64 {
        self.0
    }
}

impl From<&Addressee<'_>> for RecipientKey {
    fn from(to: &Addressee<'_>) -> Self {
        match to {
            Addressee::Number { number, .. } => (*number).into(),
            Addressee::User(_, id) => Self::of_user_id(id),
        }
    }
}

impl From<Msisdn> for RecipientKey {
    fn from(number: Msisdn) -> Self {
        Self(number.get())
    }
}
