//! `volley serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::campaign::name_of;
use super::interrupt::Interrupts;
use super::out;
use super::server::Server;
use super::words::{list, of};
use super::{Exit, Ground, stranded};
use crate::api;
use crate::campaign::Stranded;
use crate::clock::{Set, set};
use crate::domain::Span;
use crate::store::Store;

#[derive(Debug, clap::Args)]
#[command(
    long_about = "Send: claims what campaigns have queued at exactly the pace that lanes and tiers allow, takes the \
                  provider's webhooks at /webhooks/8x8, and falls back where a deadline passes.\n\nOne line says where it \
                  listens. Ctrl-C (or SIGTERM) stops it in good order: requests under way are finished, what was claimed \
                  and not begun goes back to its queue; a second Ctrl-C stops it at once, which is as safe, but leaves \
                  what was under way unknown.",
    after_help = "\
Examples:
  volley serve
  volley --config staging.toml serve --listen 127.0.0.1:9000
  VOLLEY_LOG=info volley serve"
)]
pub(super) struct Args {
    /// Listen there instead of at server.listen of the configuration.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where it listens as one object, on one line.
    #[arg(long)]
    json: bool,
}

/// How long a server that has failed may take to stop in good order.
const STOP_AFTER_FAILURE: Span = Span::from_secs(10);

/// Rest where a server cannot start anew.
const TRY_AGAIN: Span = Span::from_secs(1);

#[derive(Serialize)]
struct Listening {
    listen: String,
    webhooks: String,
    database: String,
    lanes: usize,
    pid: u32,
}

/// What has ended a server.
enum End {
    Asked,
    Failed(anyhow::Error),
    /// Somebody has set the wall clock: times that people have written are meant by the new one.
    ClockSet(Set),
}

pub(super) async fn run(args: Args, file: Option<&Path>) -> anyhow::Result<Exit> {
    let flags = args.listen.map(|listen| ("server.listen", listen)).into_iter().collect();
    let mut ground = Ground::new(file, flags)?;
    ground.config.check_serve()?;
    super::config::warn(&ground.loaded.warnings);
    // From here on a Ctrl-C waits for its turn instead of tearing something apart.
    let mut interrupts = Interrupts::listen();
    let mut address = None;
    loop {
        let (server, store) = match start(&ground, address).await {
            Ok(started) => started,
            // It ran until now, and would have gone on.
            Err(error) if address.is_some() => {
                out::talk(format_args!("{error:#}; trying again"));
                tokio::select! {
                    () = ground.clock.sleep(TRY_AGAIN) => continue,
                    () = interrupts.next() => return Ok(Exit::Done),
                }
            }
            Err(error) => return Err(error),
        };
        if address.is_none() {
            listening(&ground, &server, args.json)?;
        }
        address = Some(server.address);
        match until_its_end(&ground, server, store, &mut interrupts).await? {
            Some(exit) => return Ok(exit),
            None => ground = ground.by_the_clock_of_now(),
        }
    }
}

/// Starts a server, where an earlier one has listened if there was one.
async fn start(ground: &Ground, address: Option<SocketAddr>) -> anyhow::Result<(Server, Arc<dyn Store>)> {
    let store = ground.store().await?;
    let listener = api::listen(address.unwrap_or(ground.config.server.listen)).await?;
    if address.is_none() {
        warn_of_stranded(ground, store.as_ref()).await?;
    }
    Ok((Server::start(ground, Arc::clone(&store), listener).await?, store))
}

/// Serves until it is asked to stop or has failed; nothing where it is to start anew.
async fn until_its_end(
    ground: &Ground,
    mut server: Server,
    store: Arc<dyn Store>,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Option<Exit>> {
    let mut end = tokio::select! {
        () = interrupts.next() => End::Asked,
        error = server.failed() => End::Failed(error),
        set = set(ground.clock.as_ref()) => End::ClockSet(set),
    };
    match &end {
        End::Asked => out::talk("Stopping; a second Ctrl-C stops at once."),
        End::Failed(error) => out::talk(format_args!("{error:#}; stopping what still works")),
        End::ClockSet(set) => {
            let (way, by) = match set {
                Set::Forward(by) => ("forward", by.rounded()),
                Set::Back(by) => ("back", by.rounded()),
            };
            out::talk(format_args!("The wall clock was set {way} by {by}; starting anew by it."));
        }
    }
    let stopped = async {
        server.stop(|what| out::talk(format_args!("  {what}"))).await?;
        store.close().await;
        anyhow::Ok(())
    };
    // What has failed may be just what the others wait for.
    let has_failed = matches!(end, End::Failed(_));
    let at_the_latest =
        async { if has_failed { ground.clock.sleep(STOP_AFTER_FAILURE).await } else { std::future::pending().await } };
    tokio::pin!(stopped, at_the_latest);
    let stopped = loop {
        tokio::select! {
            stopped = &mut stopped => break Some(stopped),
            () = interrupts.next() => match end {
                // The first, of whoever is asked.
                End::ClockSet(_) => {
                    out::talk("Stopping; a second Ctrl-C stops at once.");
                    end = End::Asked;
                }
                End::Asked | End::Failed(_) => break None,
            },
            () = &mut at_the_latest => break None,
        }
    };
    match (end, stopped) {
        (End::Failed(error), _) => Err(error),
        (End::Asked, Some(stopped)) => {
            stopped?;
            out::talk("Stopped.");
            Ok(Some(Exit::Done))
        }
        (End::ClockSet(_), Some(stopped)) => stopped.map(|()| None),
        (End::Asked | End::ClockSet(_), None) => {
            out::talk("Stopped at once; what was under way is found again by the next start.");
            Ok(Some(Exit::Failed))
        }
    }
}

/// A lane that was taken out of the configuration, or renamed, leaves nobody to send what waits for it.
async fn warn_of_stranded(ground: &Ground, store: &dyn Store) -> anyhow::Result<()> {
    let all = Stranded::everywhere(store, &ground.config).await?;
    let told = all.iter().map(|(batch, gone)| {
        let name = name_of(batch);
        format!("campaign \"{name}\": {}; {}", stranded::what(gone), stranded::what_to_do(gone, &name))
    });
    super::config::warn(told.collect::<Vec<_>>());
    Ok(())
}

fn listening(ground: &Ground, server: &Server, json: bool) -> anyhow::Result<()> {
    let address = format!("http://{}", server.address);
    let database = ground.database().display().to_string();
    let lanes: Vec<&str> = ground.config.lanes.iter().map(|lane| lane.name.as_str()).collect();
    if json {
        let webhooks = format!("{address}/webhooks/8x8");
        let pid = std::process::id();
        out::json(&Listening { listen: address, webhooks, database, lanes: lanes.len(), pid })?;
    } else {
        let lanes = if lanes.is_empty() { "no lanes yet".to_owned() } else { format!("lanes {}", list(&lanes)) };
        out::data(format_args!("Volley listens on {address} (database {database}; {lanes})"))?;
    }
    if server.recovered() > 0 {
        let found = of(server.recovered(), "message was", "messages were");
        out::talk(format_args!("{found} in flight when the last server died; it is unknown which arrived."));
    }
    Ok(())
}
