//! Whom a message is for: a phone number, or a user id of a channel.

use super::seen::digest;
use crate::domain::Msisdn;

/// A recipient in one integer, which also seeds their dice: the number, or a digest of the user id. No number equals a
/// digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Addressee(u64);

const IS_DIGEST: u64 = 1 << 63;

impl Addressee {
    pub(super) fn of_user_id(id: &str) -> Self {
        Self(digest(id) | IS_DIGEST)
    }

    pub(super) fn number(self) -> Option<Msisdn> {
        Msisdn::try_from(self.0).ok()
    }

    pub(super) const fn seed(self) -> u64 {
        self.0
    }
}

impl From<Msisdn> for Addressee {
    fn from(number: Msisdn) -> Self {
        Self(number.get())
    }
}
