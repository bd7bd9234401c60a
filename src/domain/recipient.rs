//! One row of an audience.

use super::{Country, Fields, Msisdn};

/// A recipient with all fields of its row. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub msisdn: Msisdn,
    pub country: Country,
    /// The client's own id, stored and shown; the provider gets the attempt's id instead.
    pub client_message_id: Option<Box<str>>,
    /// All columns of the row, in column order.
    pub fields: Fields,
}
