//! What the tests of the API build on: the parts of a server, without its loops.

use std::sync::Arc;

use super::{ApiParts, Door};
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::config::{Config, Loaded};
use crate::base::domain::Histogram;
use crate::http::metrics::Sources;
use crate::recipients::optout::Words;
use crate::sending::book::Book;
use crate::sending::receipts::{Applier, ApplierOptions, Callback, Proofs, Verifier};
use crate::store::Store;

/// The parts over a store. Webhooks are taken, and applied by nobody.
pub(super) fn parts(
    config: Arc<Config>,
    store: &Arc<dyn Store>,
    clock: &Arc<ManualClock>,
    chance: Arc<Chance>,
) -> ApiParts {
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let options = ApplierOptions {
        subaccounts: Vec::new(),
        lanes: Vec::new(),
        words: Words::default(),
        stops: crate::base::domain::OptOutOf::Everything,
        confirms: false,
        missed: Vec::new(),
        on_slot_change: Callback::new(|_| {}),
        on_webhook: Callback::new(|_| {}),
        buckets: Callback::new(|()| Vec::new()),
        on_throttled: Callback::new(|_| {}),
    };
    let book = Arc::new(Book::new(Arc::clone(store)));
    let (_, intake) = Applier::new(Arc::clone(store), book, options, Arc::clone(&clock), Arc::clone(&chance));
    let proofs = Proofs::new(&config.provider);
    let report = Arc::new(|_| {});
    let verifier = Verifier::new(proofs, Arc::clone(store), Arc::clone(&clock), Arc::clone(&chance), report);
    let door = Door::new(Arc::clone(&clock), None, Vec::new());
    let sources = Arc::new(Sources { lanes: Vec::new(), lateness: Arc::new(Histogram::new(&[])) });
    let (store, verifier) = (Arc::clone(store), Arc::new(verifier));
    let loaded = Arc::new(Loaded::without_sources(Config::clone(&config)));
    ApiParts { config, loaded, store, clock, chance, intake, verifier, door, sources, commands: None }
}
