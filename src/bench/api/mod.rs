//! The API over HTTP: messages that a program sends, files that it uploads, and lists that it reads. The load comes from
//! another process.
//!
//! The product is a whole server whose one lane is paused, so it stores every message and sends none. Each request has an
//! API key, as in production.

mod pages;
mod sends;
mod uploads;

pub use pages::{List, Walk, add_rows, pages, walk};
pub use sends::{Sends, bare, kept, send, sends};
pub use uploads::{Upload, upload, uploads};

use std::num::NonZeroU32;
use std::sync::Arc;

use super::Error;
use super::dispatch::{provider, read};
use super::stock::LANE;
use crate::base::clock::Clock;
use crate::base::config::Config;
use crate::base::domain::{Scope, Scopes};
use crate::base::events::Origin;
use crate::http::access::{Access, By, NewKey};
use crate::store::{Hold, KeyLimits, Store};

/// Rows of the largest page.
const MOST: u32 = 500;

fn config() -> Result<Arc<Config>, Error> {
    // Nothing listens at this address, and nothing is sent to it.
    let provider = provider("http://127.0.0.1:9", NonZeroU32::MIN, NonZeroU32::MIN);
    let lane = format!("[[lane]]\nname = \"{LANE}\"\nchannel = \"SMS\"\nrate = \"100/s\"\nsource = \"bench\"\n");
    Ok(Arc::new(read(&(provider + &lane))?))
}

/// Pauses the lane, and creates the key of the load. Returns what the load sends as its `Authorization`.
async fn prepare(store: &Arc<dyn Store>, clock: &dyn Clock) -> Result<String, Error> {
    let now = clock.now();
    store.hold(Hold::by_operator(LANE, "", Origin::SERVER, now), now).await?;
    let scopes = Scopes::default().with(Scope::Send).with(Scope::Read).with(Scope::Manage);
    let limits = KeyLimits { requests_per_s: Some(NonZeroU32::MAX), ..KeyLimits::default() };
    let new = NewKey { name: "bench".to_owned(), scopes, limits };
    let issued = Access::new(Arc::clone(store)).create_key(new, &By::command("bench"), now).await?;
    Ok(format!("Bearer {}", issued.text.expose()))
}
