//! Opt-outs as JSON.

use serde::Serialize;

use crate::domain::{Keyword, Msisdn, OptOutSource, Timestamp, rfc3339_option};
use crate::store::{Cursor, InboundOf, OptOut, OptOutRecord, Result, Store};

/// Maximum number of a recipient's messages that are counted.
const COUNTED: u32 = 1_000;

/// A number that has opted out.
#[derive(Debug, Serialize)]
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

/// Whether a number has opted out, and its history.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub struct WishView {
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub wants: Keyword,
    pub by: OptOutSource,
    pub how: String,
}

impl NumberView {
    pub async fn read(store: &dyn Store, msisdn: Msisdn) -> Result<Self> {
        let is_opted_out = !store.opted_out(vec![msisdn]).await?.is_empty();
        let before = Msisdn::try_from(msisdn.get() - 1).ok();
        let present = store.opt_out_list(before, 1).await?.into_iter().find(|wish| wish.msisdn == msisdn);
        let wish = |OptOutRecord { at, wants, from, source }| WishView { at, wants, by: from, how: source };
        let wishes = store.wishes(msisdn).await?.into_iter().map(wish).collect();
        let replies = store.inbound(InboundOf::Recipient(msisdn), Cursor::START, COUNTED).await?.len();
        let (since, by) = (present.as_ref().map(|wish| wish.since), present.as_ref().map(|wish| wish.from));
        Ok(Self { msisdn, is_opted_out, since, by, how: present.map(|wish| wish.source), wishes, replies })
    }
}
