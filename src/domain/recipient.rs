//! One row of an audience.

use super::{Country, Fields, Msisdn};

/// A person to write to, with everything that the file said about them. Never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    pub msisdn: Msisdn,
    pub country: Country,
    /// The client's own id, kept and shown; on the wire ours goes out.
    pub client_message_id: Option<Box<str>>,
    /// All columns of the row, in column order.
    pub fields: Fields,
}
