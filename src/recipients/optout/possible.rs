//! What an operator decides about a reply that may be an opt-out.

use serde::{Deserialize, Serialize};

use super::change;
use crate::base::domain::{Address, Keyword, Timestamp, WishSubject};
use crate::store::{Inbound, Result, Store};

/// The decision about a reply that may be an opt-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Its writer has opted out.
    OptOut,
    /// It is none.
    Dismiss,
}

/// Carries a decision out. `how` says who made it. Returns `false` if the reply awaits none.
///
/// An opt-out settles every reply of its writer.
pub async fn decide(store: &dyn Store, umid: &str, decision: Decision, now: Timestamp, how: &str) -> Result<bool> {
    let Some(reply) = store.possible_stop(umid.to_owned()).await? else { return Ok(false) };
    if decision == Decision::OptOut {
        let addresses: Vec<Address> = writers(&reply).collect();
        change(store, &addresses, (Keyword::Stop, &WishSubject::EVERYTHING), now, how).await?;
        return Ok(true);
    }
    store.decide_possible_stop(umid.to_owned()).await
}

/// The addresses under which a reply was written.
fn writers(reply: &Inbound) -> impl Iterator<Item = Address> {
    reply.msisdn.map(Address::Number).into_iter().chain(reply.address())
}
