//! One row of an audience.

use super::{Address, Country, Fields, Msisdn};

/// A recipient with all fields of its row. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Nothing once the recipient was erased.
    pub address: Option<Address>,
    pub country: Country,
    /// The client's own id, stored and shown; the provider gets the attempt's id instead.
    pub client_message_id: Option<Box<str>>,
    /// All columns of the row, in column order.
    pub fields: Fields,
}

impl Recipient {
    /// The phone number; `None` if only an id is known, or if the recipient was erased.
    pub fn number(&self) -> Option<Msisdn> {
        self.address.as_ref()?.number()
    }
}
