//! Opt-outs as JSON.

use std::fmt;

use serde::Serialize;

use crate::base::domain::{
    Address, Channel, Keyword, Msisdn, OptOutOf, OptOutSource, Timestamp, WishSenders, WishSubject, rfc3339_option,
};
use crate::store::{Cursor, InboundOf, OptOut, Result, Store, Wish};

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

/// What an opt-out or opt-in is about.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SubjectView {
    pub purpose: OptOutOf,
    /// The senders whose messages it is about; null means all.
    pub scope: Option<ScopeView>,
}

/// The senders on a channel.
#[derive(Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct ScopeView {
    pub channel: Channel,
    /// The one of a subaccount; null means all of the channel.
    pub sub_account: Option<String>,
}

impl SubjectView {
    pub fn is_everything(&self) -> bool {
        self.purpose == OptOutOf::Everything && self.scope.is_none()
    }
}

/// `marketing on WhatsApp from acme-promo`.
impl fmt::Display for SubjectView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sender = |ScopeView { channel, sub_account }: &ScopeView| WishSenders {
            channel: *channel,
            sub_account: sub_account.clone(),
        };
        WishSubject { of: self.purpose, senders: self.scope.as_ref().map(sender) }.fmt(f)
    }
}

impl From<WishSubject> for SubjectView {
    fn from(WishSubject { of, senders }: WishSubject) -> Self {
        let scope = |WishSenders { channel, sub_account }| ScopeView { channel, sub_account };
        Self { purpose: of, scope: senders.map(scope) }
    }
}

/// An opt-out of an address.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OptOutView {
    #[serde(flatten)]
    pub address: AddressView,
    #[serde(flatten)]
    pub subject: SubjectView,
    pub since: String,
    pub by: OptOutSource,
    pub how: String,
}

impl From<OptOut> for OptOutView {
    fn from(OptOut { address, of, since, from, source }: OptOut) -> Self {
        Self { address: address.into(), subject: of.into(), since: since.rfc3339(), by: from, how: source }
    }
}

/// Whether an address has opted out of everything, its other opt-outs, and its history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentView {
    #[serde(flatten)]
    pub address: AddressView,
    pub is_opted_out: bool,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub since: Option<Timestamp>,
    pub by: Option<OptOutSource>,
    pub how: Option<String>,
    /// The opt-outs of the address, the widest first.
    pub opt_outs: Vec<OptOutView>,
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
    #[serde(flatten)]
    pub subject: SubjectView,
    pub by: OptOutSource,
    pub how: String,
}

impl From<Wish> for WishView {
    fn from(Wish { at, wants, of, from, source }: Wish) -> Self {
        Self { at, wants, subject: of.into(), by: from, how: source }
    }
}

impl ConsentView {
    pub async fn read(store: &dyn Store, address: Address) -> Result<Self> {
        let present = store.opt_outs_of(address.clone()).await?;
        let of_everything = present.iter().find(|opt_out| opt_out.of.is_everything()).cloned();
        let wishes = store.wishes(address.clone()).await?.into_iter().map(WishView::from).collect();
        let other_addresses = store.other_addresses(address.clone()).await?;
        let replies = store.inbound(InboundOf::Recipient(address.clone()), Cursor::START, COUNTED).await?.len();
        Ok(Self {
            address: address.into(),
            is_opted_out: of_everything.is_some(),
            since: of_everything.as_ref().map(|wish| wish.since),
            by: of_everything.as_ref().map(|wish| wish.from),
            how: of_everything.map(|wish| wish.source),
            opt_outs: present.into_iter().map(OptOutView::from).collect(),
            wishes,
            other_addresses,
            replies,
        })
    }
}
