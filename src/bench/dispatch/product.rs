//! The product: a newly launched campaign, from its first claim until everything is on disk.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use super::Load;
use super::rules::Rules;
use crate::base::clock::{Chance, Clock};
use crate::base::config::{Config, Loaded};
use crate::base::domain::{BatchId, Count, Country, Fields, Msisdn, Recipient, Span};
use crate::base::events::Origin;
use crate::bench::browse::{Viewers, signed_in};
use crate::bench::sink::AUTHORIZATION;
use crate::bench::stock::scratch;
use crate::bench::{Begun, Error, Run, SinkProcess};
use crate::campaigns::campaign::{Draft, Launcher};
use crate::http::api::{self, ApiParts, Door};
use crate::node::{Node, NodeParts, Os};
use crate::store::{self, KnownAs, NewAudience};

/// How often progress is read. It costs one small read.
const LOOK: Span = Span::from_millis(5);

/// Launches `load` on a new database, in a temporary folder if none is named. Waits until all of it has been submitted
/// and recorded, and until all its receipts have been applied.
pub async fn product(
    load: &Load,
    database: Option<&Path>,
    clock: Arc<dyn Clock>,
    chance: Arc<Chance>,
) -> Result<Run, Error> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let webhook = format!("http://{address}/webhooks/8x8");
    let sink = SinkProcess::start((load.receipts > 0).then_some(webhook.as_str()), load.receipts).await?;
    let (folder, store) = match database {
        Some(database) => (None, store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?),
        None => scratch(&clock).await.map(|(folder, store)| (Some(folder), store))?,
    };
    let rules = load.with_rules.then(|| Rules::new(load, clock.now())).transpose()?;
    let mut config = config(load, &sink.base_url())?;
    if let Some(rules) = &rules {
        rules.configure(&mut config);
    }
    let config = Arc::new(config);
    let launcher =
        Launcher { store: store.as_ref(), clock: clock.as_ref(), chance: &chance, config: &config, by: Origin::SERVER };
    store_audience(load.messages, &launcher).await?;
    let batch = launch_with(LANE, rules.as_ref().map_or("", Rules::of_campaign), &launcher).await?;

    let viewer = if load.viewers == 0 { None } else { Some(signed_in(&store, clock.as_ref()).await?) };
    let begun = Begun::now(clock.as_ref());
    let processes = Arc::new(Os);
    let parts = NodeParts {
        config: Arc::clone(&config),
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance: Arc::clone(&chance),
        processes,
    };
    let mut node = Node::start(parts).await?;
    let door = Door::new(Arc::clone(&clock), None, Vec::new());
    let intake = node.intake().ok_or("the node accepts no receipts")?;
    let loaded = Arc::new(Loaded::without_sources(Config::clone(&config)));
    let parts = ApiParts {
        config,
        loaded,
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        chance,
        intake,
        verifier: node.door(),
        door: Arc::clone(&door),
        sources: node.sources(),
        commands: None,
    };
    let serving = tokio::spawn(api::serve(listener, parts));
    let watching = match &viewer {
        Some(credentials) => {
            let page = format!("/campaigns/{LANE}/live?state=running");
            Some(Viewers::start(&address, credentials, &page, load.viewers).await?)
        }
        None => None,
    };
    let all = i64::from(load.messages);
    loop {
        let tallies = store.tallies(batch).await?;
        if tallies.total(Count::HandedOver) >= all && tallies.total(Count::Sending) == 0 {
            break;
        }
        clock.sleep(LOOK).await;
    }
    let mut run = Run::since(begun, u64::from(load.messages), clock.as_ref());
    run.p50_ms = Some(node.latency(50).millis());
    run.p99_ms = Some(node.latency(99).millis());
    if load.receipts > 0 {
        while store.tallies(batch).await?.total(Count::Read) < all {
            clock.sleep(LOOK).await;
        }
        let receipts = u64::from(load.messages) * u64::try_from(load.receipts)?;
        let whole = Run::since(begun, receipts, clock.as_ref());
        run.receipt_count = Some(receipts);
        run.receipts_per_s = Some(whole.rate_per_s);
        run.peak_mib = whole.peak_mib;
    }
    node.stop_sending().await;
    door.close();
    drop((sink, watching));
    serving.await??;
    node.stop().await?;
    store.close().await;
    drop(folder);
    Ok(run)
}

pub(in crate::bench) fn config(load: &Load, base_url: &str) -> Result<Config, Error> {
    let lane = lane(LANE, "10000000/s", "unlimited");
    read(&(provider(base_url, load.connections, load.batch) + &lane))
}

/// The one lane of a benchmark that needs no more.
pub(in crate::bench) const LANE: &str = "bench";

/// A WhatsApp lane with a portfolio of its own.
pub(in crate::bench) fn lane(name: &str, rate: &str, tier: &str) -> String {
    format!(
        "[[lane]]\nname = \"{name}\"\nchannel = \"WhatsApp\"\nrate = \"{rate}\"\ntier = \"{tier}\"\nportfolio = \"{name}\"\n"
    )
}

/// Returns the beginning of every benchmark's configuration.
pub(in crate::bench) fn provider(base_url: &str, connections: NonZeroU32, batch: NonZeroU32) -> String {
    let send = match batch.get() {
        1 => "send = \"single\"".to_owned(),
        size => format!("send = \"batch\"\nbatch_size = {size}"),
    };
    format!(
        "[provider]\nbase_url = \"{base_url}\"\nsub_account = \"bench\"\napi_key = \"bench\"\n\
         webhook_authorization = \"{AUTHORIZATION}\"\n{send}\nconnections = {connections}\n"
    )
}

pub(in crate::bench) fn read(text: &str) -> Result<Config, Error> {
    let path = Path::new("bench.toml");
    Ok(Config::read(Some((path, text)), std::iter::empty(), std::iter::empty::<(&str, String)>())?.config)
}

/// Recipients stored in one transaction.
const PIECE: u32 = 5_000;

/// Stores this many recipients and launches a campaign to them on a lane.
pub(in crate::bench) async fn launch(messages: u32, lane: &str, launcher: &Launcher<'_>) -> Result<BatchId, Error> {
    store_audience(messages, launcher).await?;
    launch_on(lane, launcher).await
}

/// Stores the audience of every campaign.
pub(in crate::bench) async fn store_audience(count: u32, launcher: &Launcher<'_>) -> Result<(), Error> {
    let new = NewAudience {
        known_as: KnownAs::Name("bench".to_owned()),
        source: "bench".to_owned(),
        columns: vec!["Name".to_owned(), "Code".to_owned()],
        now: launcher.clock.now(),
    };
    let store = launcher.store;
    let audience = store.begin_audience(new).await?;
    let mut first = 0;
    while first < count {
        let until = first.saturating_add(PIECE).min(count);
        store.add_recipients(audience, first, (first..until).map(recipient).collect::<Result<_, _>>()?).await?;
        first = until;
    }
    store.publish_audience(audience, count, "{}".to_owned()).await?;
    Ok(())
}

/// Launches a campaign to the whole audience on a lane; the campaign has the lane's name.
pub(in crate::bench) async fn launch_on(lane: &str, launcher: &Launcher<'_>) -> Result<BatchId, Error> {
    launch_with(lane, "", launcher).await
}

/// The same with further keys.
async fn launch_with(lane: &str, keys: &str, launcher: &Launcher<'_>) -> Result<BatchId, Error> {
    let text = format!(
        r#"
name = "{lane}"
audience = "bench"
{keys}
[[step]]
channel = "WhatsApp"
lane = "{lane}"
success_status = "Read"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
body = ["{{{{Name}}}}", "{{{{Code}}}}"]
"#
    );
    let (launched, _) = launcher.launch(&Draft::parse("bench.toml", &text)?, |_| None).await?;
    Ok(launched.batch)
}

/// Returns recipients of two countries by turns.
fn recipient(n: u32) -> Result<Recipient, Error> {
    let (code, country) = if n.is_multiple_of(2) { (6_590_000_000, "SG") } else { (60_120_000_000, "MY") };
    Ok(Recipient {
        address: Some(Msisdn::try_from(code + u64::from(n))?.into()),
        country: country.parse::<Country>()?,
        client_message_id: None,
        fields: Fields::pack([format!("Name {n}").as_str(), format!("CODE{n}").as_str()]),
    })
}
