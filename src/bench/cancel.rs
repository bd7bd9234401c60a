//! A campaign of millions on a slow lane: the memory of its server, and how long a cancel takes to stop all of it.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use super::dispatch::{provider, read};
use super::figures::memory_peak;
use super::stock::LANE;
use super::{Begun, Error, Run, SinkProcess, Stock};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::{Count, Span};
use crate::base::events::Origin;
use crate::campaigns::campaign::{self, Decided};
use crate::node::{Node, NodeParts, Os};
use crate::store::{self, Store};

/// The rate of the lane.
const SLOW: u32 = 100;
const CONNECTIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(7);
/// How many messages are submitted before the cancel.
const SENT_BEFORE: i64 = 50;
/// How long the benchmark checks afterwards that nothing is sent.
const STILL: Span = Span::from_secs(2);
const PATIENCE: Span = Span::from_secs(60);

/// Submits some messages of a queued [`Stock`], and then cancels it.
pub async fn cancel(database: &Path, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let sink = SinkProcess::start(None, 0).await?;
    let lane = format!("[[lane]]\nname = \"{LANE}\"\nchannel = \"SMS\"\nrate = \"{SLOW}/s\"\nsource = \"bench\"\n");
    let config = Arc::new(read(&(provider(&sink.base_url(), CONNECTIONS, NonZeroU32::MIN) + &lane))?);
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let begun = Begun::now(clock.as_ref());
    let processes = Arc::new(Os);
    let parts = NodeParts { config, store: Arc::clone(&store), clock: Arc::clone(&clock), chance, processes };
    let node = Node::start(parts).await?;
    let patience = clock.now() + PATIENCE;
    while handed_over(store.as_ref()).await? < SENT_BEFORE {
        if clock.now() > patience {
            return Err("the campaign never started sending".into());
        }
        clock.sleep(Span::from_millis(50)).await;
    }
    let batch = store.batch(Stock::BATCH).await?.ok_or("the campaign is not stored")?;
    let asked = clock.now();
    let Decided::Saved(noted) = campaign::cancel(store.as_ref(), clock.as_ref(), &batch, &Origin::SERVER).await? else {
        return Err("the campaign could not be cancelled".into());
    };
    let certificate = campaign::certify(store.as_ref(), clock.as_ref(), &batch, noted).await?;
    let answered = clock.now().since(asked);
    let submitted = handed_over(store.as_ref()).await?;
    let mut run = Run::since(begun, submitted.try_into()?, clock.as_ref());
    // The rows follow meanwhile, and nothing is sent.
    clock.sleep(STILL).await;
    if handed_over(store.as_ref()).await? > submitted + certificate.in_flight {
        return Err("a message was sent after the cancel was answered".into());
    }
    run.stopped_ms = certificate.stopped_after_ms;
    run.answered_ms = Some(answered.millis());
    run.peak_mib = memory_peak();
    node.stop().await?;
    store.close().await;
    Ok(run)
}

async fn handed_over(store: &dyn Store) -> Result<i64, Error> {
    Ok(store.tallies(Stock::BATCH).await?.total(Count::HandedOver))
}
