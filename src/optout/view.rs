//! Opt-outs as JSON.

use serde::Serialize;

use crate::domain::{Channel, ChannelUser, Keyword, Msisdn, OptOutSource, Timestamp, rfc3339_option};
use crate::store::{Cursor, InboundOf, OptOut, OptOutRecord, Result, Store, UserOptOut};

/// Maximum number of a recipient's messages that are counted.
const COUNTED: u32 = 1_000;

/// A number that has opted out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct OptOutView<'a> {
    pub msisdn: Msisdn,
    pub since: String,
    pub by: OptOutSource,
    pub how: &'a str,
}

impl<'a> OptOutView<'a> {
    pub fn new(opt_out: &'a OptOut) -> Self {
        let OptOut { msisdn, since, from, source } = opt_out;
        Self { msisdn: *msisdn, since: since.rfc3339(), by: *from, how: source }
    }
}

/// A channel user who has opted out.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct UserOptOutView<'a> {
    pub channel: Channel,
    pub channel_user: &'a str,
    pub since: String,
    pub by: OptOutSource,
    pub how: &'a str,
}

impl<'a> UserOptOutView<'a> {
    pub fn new(opt_out: &'a UserOptOut) -> Self {
        let UserOptOut { user, since, from, source } = opt_out;
        Self { channel: user.channel, channel_user: &user.id, since: since.rfc3339(), by: *from, how: source }
    }
}

/// Whether a channel user has opted out, with the history and the known numbers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ChannelUserView {
    pub channel: Channel,
    pub channel_user: String,
    pub is_opted_out: bool,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub since: Option<Timestamp>,
    pub by: Option<OptOutSource>,
    pub how: Option<String>,
    /// The opt-outs and opt-ins under the id, in order.
    pub wishes: Vec<WishView>,
    pub known_numbers: Vec<Msisdn>,
}

impl ChannelUserView {
    pub async fn read(store: &dyn Store, user: ChannelUser) -> Result<Self> {
        let wishes = store.user_wishes(user.clone()).await?;
        let present = store.opt_out_of_user(user.clone()).await?;
        let known_numbers = store.numbers_of_user(user.clone()).await?;
        let (since, by) = (present.as_ref().map(|wish| wish.since), present.as_ref().map(|wish| wish.from));
        Ok(Self {
            channel: user.channel,
            channel_user: user.id,
            is_opted_out: present.is_some(),
            since,
            by,
            how: present.map(|wish| wish.source),
            wishes: wishes.into_iter().map(WishView::from).collect(),
            known_numbers,
        })
    }
}

/// Whether a number has opted out, and its history.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct NumberView {
    pub msisdn: Msisdn,
    pub is_opted_out: bool,
    #[serde(serialize_with = "rfc3339_option::serialize")]
    pub since: Option<Timestamp>,
    pub by: Option<OptOutSource>,
    pub how: Option<String>,
    /// The opt-outs and opt-ins of the number, in order.
    pub wishes: Vec<WishView>,
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

impl NumberView {
    pub async fn read(store: &dyn Store, msisdn: Msisdn) -> Result<Self> {
        let is_opted_out = !store.opted_out(vec![msisdn]).await?.is_empty();
        let before = Msisdn::try_from(msisdn.get() - 1).ok();
        let present = store.opt_out_list(before, 1).await?.into_iter().find(|wish| wish.msisdn == msisdn);
        let wishes = store.wishes(msisdn).await?.into_iter().map(WishView::from).collect();
        let replies = store.inbound(InboundOf::Recipient(msisdn), Cursor::START, COUNTED).await?.len();
        let (since, by) = (present.as_ref().map(|wish| wish.since), present.as_ref().map(|wish| wish.from));
        Ok(Self { msisdn, is_opted_out, since, by, how: present.map(|wish| wish.source), wishes, replies })
    }
}
