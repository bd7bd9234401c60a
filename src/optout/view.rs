//! Opt-outs as JSON.

use serde::Serialize;

use crate::domain::{Address, Channel, Keyword, Msisdn, OptOutSource, Timestamp, rfc3339_option};
use crate::store::{Cursor, InboundOf, OptOut, OptOutRecord, Result, Store};

/// Maximum number of a recipient's messages that are counted.
const COUNTED: u32 = 1_000;

/// An address: a number, or a channel and its id for a recipient.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum AddressView {
    Number { msisdn: Msisdn },
    User { channel: Channel, channel_user: String },
}

impl From<Address> for AddressView {
    fn from(address: Address) -> Self {
        match address {
            Address::Number(msisdn) => Self::Number { msisdn },
            Address::User(user) => Self::User { channel: user.channel, channel_user: user.id },
        }
    }
}

fn as_views<S: serde::Serializer>(addresses: &[Address], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(addresses.iter().cloned().map(AddressView::from))
}

/// An address that has opted out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OptOutView {
    #[serde(flatten)]
    pub address: AddressView,
    pub since: String,
    pub by: OptOutSource,
    pub how: String,
}

impl From<OptOut> for OptOutView {
    fn from(OptOut { address, since, from, source }: OptOut) -> Self {
        Self { address: address.into(), since: since.rfc3339(), by: from, how: source }
    }
}

/// Whether an address has opted out, and its history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentView {
    #[serde(flatten)]
    pub address: AddressView,
    pub is_opted_out: bool,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub since: Option<Timestamp>,
    pub by: Option<OptOutSource>,
    pub how: Option<String>,
    /// The opt-outs and opt-ins of the address, in order.
    pub wishes: Vec<WishView>,
    /// The other addresses that are known to be the recipient's.
    #[serde(serialize_with = "as_views")]
    #[schema(value_type = Vec<AddressView>)]
    pub other_addresses: Vec<Address>,
    /// Number of messages that the recipient sent.
    pub replies: usize,
}

/// An opt-out or an opt-in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WishView {
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub wants: Keyword,
    pub by: OptOutSource,
    pub how: String,
}

impl From<OptOutRecord> for WishView {
    fn from(OptOutRecord { at, wants, from, source }: OptOutRecord) -> Self {
        Self { at, wants, by: from, how: source }
    }
}

impl ConsentView {
    pub async fn read(store: &dyn Store, address: Address) -> Result<Self> {
        let present = store.opt_out_of(address.clone()).await?;
        let wishes = store.wishes(address.clone()).await?.into_iter().map(WishView::from).collect();
        let other_addresses = store.other_addresses(address.clone()).await?;
        let replies = store.inbound(InboundOf::Recipient(address.clone()), Cursor::START, COUNTED).await?.len();
        Ok(Self {
            address: address.into(),
            is_opted_out: present.is_some(),
            since: present.as_ref().map(|wish| wish.since),
            by: present.as_ref().map(|wish| wish.from),
            how: present.map(|wish| wish.source),
            wishes,
            other_addresses,
            replies,
        })
    }
}
