//! What the provider says that a message cost.

use super::Money;

/// The charge for a message, as a receipt or the details of the message state it. Each part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Charge {
    /// The price of the whole message.
    pub price: Option<Money>,
    /// The currency of the price, such as `EUR`.
    pub currency: Option<Box<str>>,
    /// The parts of an SMS.
    pub parts: Option<u16>,
    /// The category by which WhatsApp charges it, such as `utility`. It may differ from that of the template.
    pub category: Option<Box<str>>,
}
