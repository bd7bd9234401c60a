//! `volley serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::interrupt::{Hangups, Interrupts};
use super::out;
use super::reload::reload;
use super::server::Server;
use super::service::ServiceManager;
use super::words::{list, plural};
use super::{CommandContext, Exit};
use crate::base::clock::{RealClock, Set, format_time, set};
use crate::base::config::Config;
use crate::base::domain::{Causes, Span};
use crate::base::events::{Event, Subject};
use crate::campaigns::report::Stranded;
use crate::http::access::Access;
use crate::http::api;
use crate::node::{self, Recovered};
use crate::store::{Batches, Store};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  volley serve
  volley --config staging.toml serve --listen 127.0.0.1:9000
  VOLLEY_LOG=info volley serve")]
pub(super) struct Args {
    /// Address to listen on. Default: server.listen of the configuration.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Print the address and more as one JSON object on one line.
    #[arg(long)]
    json: bool,
}

/// Time limit for the graceful stop of a server that has failed.
const STOP_AFTER_FAILURE: Span = Span::from_secs(10);

/// Pause before another attempt to restart the server.
const RETRY_DELAY: Span = Span::from_secs(1);

#[derive(Serialize)]
struct Listening {
    listen: String,
    webhooks: String,
    database: String,
    lanes: Vec<String>,
    pid: u32,
}

/// Why a server ends.
enum End {
    Asked,
    Failed(anyhow::Error),
    /// The wall clock was set. Times that operators wrote refer to the new time.
    ClockSet(Set),
}

/// What reaches the server from outside while it runs.
struct Outside<'a> {
    interrupts: Interrupts,
    hangups: Hangups,
    manager: &'a ServiceManager,
    file: Option<&'a Path>,
    flags: Vec<(&'static str, String)>,
}

pub(super) async fn run(args: Args, file: Option<&Path>) -> anyhow::Result<Exit> {
    let flags: Vec<_> = args.listen.map(|listen| ("server.listen", listen)).into_iter().collect();
    let context = CommandContext::new(file, flags.clone())?;
    context.config.check_serve()?;
    super::config::warn(&context.loaded.warnings);
    let manager = ServiceManager::of_environment();
    // From here on, Ctrl-C no longer ends the process in the middle of an operation.
    let (interrupts, hangups) = (Interrupts::listen(), Hangups::listen());
    let outside = Outside { interrupts, hangups, manager: &manager, file, flags };
    let clock = RealClock::new();
    tokio::select! {
        ended = serve(context, args.json, outside) => ended,
        // It polls the server as well, so it gives no sign of life while that hangs.
        never = manager.keep_alive(&clock) => match never {},
    }
}

/// Serves until an interrupt or a failure, and restarts after the wall clock was set.
async fn serve(mut context: CommandContext, json: bool, mut outside: Outside<'_>) -> anyhow::Result<Exit> {
    let mut address = None;
    loop {
        let (server, store) = match start(&context, address).await {
            Ok(started) => started,
            // The server ran before: keep trying.
            Err(error) if address.is_some() => {
                out::talk(format_args!("{error:#}; retrying"));
                tokio::select! {
                    () = context.clock.sleep(RETRY_DELAY) => continue,
                    () = outside.interrupts.next() => return Ok(Exit::Done),
                }
            }
            Err(error) => return Err(error),
        };
        if address.is_none() {
            listening(&context, &server, json)?;
            outside.manager.ready(format_args!("Listens on {}", address_of(&context, &server)));
        }
        address = Some(server.address);
        match serve_until_end(&context, server, store, &mut outside).await? {
            Some(exit) => return Ok(exit),
            None => context = context.with_new_clock(),
        }
    }
}

impl Outside<'_> {
    /// Reads the files again that can be, tells what it found, and records it beside the running server.
    fn reload(&self, context: &CommandContext, server: &Server, store: &Arc<dyn Store>) {
        self.manager.reloading();
        let load = || Config::load_with(self.file, std::env::vars(), self.flags.clone());
        let events = reload(context, server.certificate(), load);
        let now = context.now();
        let events: Vec<Event> = events.into_iter().map(|kind| Event::by_server(now, Subject::Server, kind)).collect();
        for event in &events {
            out::talk(event.text());
        }
        self.manager.ready(format_args!("Listens on {}", address_of(context, server)));
        let store = Arc::clone(store);
        tokio::spawn(async move {
            for event in events {
                if let Err(error) = store.record_event(event).await {
                    tracing::warn!(error = %Causes(&error), "cannot record which files were read again");
                }
            }
        });
    }
}

/// Starts a server, on the address of the previous one if there was one.
async fn start(context: &CommandContext, address: Option<SocketAddr>) -> anyhow::Result<(Server, Arc<dyn Store>)> {
    let store = context.store().await?;
    let listener = match api::listen(address.unwrap_or(context.config.server.listen)).await {
        Ok(listener) => listener,
        Err(error) => {
            // If another server has the database, that is what the operator needs to know: another port would not help.
            node::check_alone(store.as_ref(), context.database(), &node::Os).await?;
            return Err(error.into());
        }
    };
    if address.is_none() {
        warn_of_stranded(context, store.as_ref()).await?;
    }
    let server = Server::start(context, Arc::clone(&store), listener).await?;
    offer_setup(context, &server, &store).await;
    Ok((server, store))
}

/// Prints how the first admin is created, if there is none. Without it the server serves all the same.
async fn offer_setup(context: &CommandContext, server: &Server, store: &Arc<dyn Store>) {
    match Access::new(Arc::clone(store)).offer_setup(context.now()).await {
        Ok(None) => {}
        Ok(Some(token)) => out::talk(format_args!(
            "There is no operator and no key yet. To create the first operator, open {}/setup and enter this token, which is \
             valid for 24 hours: {}\n\
             For a key of the API instead: volley{} key create --name admin --scope admin; or POST /v1/setup with the token.",
            context.loaded.configured_public_url().map_or_else(|| address_of(context, server), str::to_owned),
            token.expose(),
            context.config_flag()
        )),
        Err(error) => tracing::warn!(error = %Causes(&error), "cannot make a token for the first admin key"),
    }
}

/// Serves until an interrupt or a failure. Returns `None` if the server must restart.
async fn serve_until_end(
    context: &CommandContext,
    mut server: Server,
    store: Arc<dyn Store>,
    outside: &mut Outside<'_>,
) -> anyhow::Result<Option<Exit>> {
    let clock_set = set(context.clock.as_ref());
    tokio::pin!(clock_set);
    let mut end = loop {
        tokio::select! {
            () = outside.interrupts.next() => break End::Asked,
            error = server.failed() => break End::Failed(error),
            set = &mut clock_set => break End::ClockSet(set),
            () = outside.hangups.next() => outside.reload(context, &server, &store),
        }
    };
    if !matches!(end, End::ClockSet(_)) {
        outside.manager.stopping();
    }
    match &end {
        End::Asked => out::talk("Stopping; a second Ctrl-C stops at once."),
        End::Failed(error) => out::talk(format_args!("{error:#}; stopping the rest of the server")),
        End::ClockSet(set) => {
            let (way, by) = match set {
                Set::Forward(by) => ("forward", by.rounded()),
                Set::Back(by) => ("back", by.rounded()),
            };
            out::talk(format_args!("The wall clock was set {way} by {by}; restarting with the new time."));
        }
    }
    let stopped = async {
        server.stop(|what| out::talk(format_args!("  {what}"))).await?;
        store.close().await;
        anyhow::Ok(())
    };
    // The other tasks may wait for the one that failed: limit the time.
    let has_failed = matches!(end, End::Failed(_));
    let time_limit =
        async { if has_failed { context.clock.sleep(STOP_AFTER_FAILURE).await } else { std::future::pending().await } };
    tokio::pin!(stopped, time_limit);
    let stopped = loop {
        tokio::select! {
            stopped = &mut stopped => break Some(stopped),
            () = outside.interrupts.next() => match end {
                // This is the first interrupt.
                End::ClockSet(_) => {
                    outside.manager.stopping();
                    out::talk("Stopping; a second Ctrl-C stops at once.");
                    end = End::Asked;
                }
                End::Asked | End::Failed(_) => break None,
            },
            () = &mut time_limit => break None,
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
            out::talk("Stopped at once; the next start recovers the requests in flight.");
            Ok(Some(Exit::Failed))
        }
    }
}

/// Warns of messages queued on lanes that are no longer in the configuration, so that no lane sends them.
async fn warn_of_stranded(context: &CommandContext, store: &dyn Batches) -> anyhow::Result<()> {
    let all = Stranded::everywhere(store, &context.config).await?;
    let warnings = all.iter().map(|(batch, missing)| {
        let name = batch.display_name();
        format!("campaign \"{name}\": {}; {}", missing.what(), missing.what_to_do(&name))
    });
    super::config::warn(warnings.collect::<Vec<_>>());
    Ok(())
}

fn address_of(context: &CommandContext, server: &Server) -> String {
    let scheme = if context.config.server.tls.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", server.address)
}

fn listening(context: &CommandContext, server: &Server, json: bool) -> anyhow::Result<()> {
    let address = address_of(context, server);
    let database = context.database().display().to_string();
    let lanes: Vec<&str> = context.config.lanes.iter().map(|lane| lane.name.as_str()).collect();
    if json {
        let webhooks = format!("{address}/webhooks/8x8");
        let pid = std::process::id();
        out::json(&Listening {
            listen: address,
            webhooks,
            database,
            lanes: lanes.iter().copied().map(str::to_owned).collect(),
            pid,
        })?;
    } else {
        let lanes = match (lanes.is_empty(), &context.loaded.file) {
            (false, _) => format!("lanes {}", list(&lanes)),
            (true, Some(_)) => "no lanes yet".to_owned(),
            (true, None) => "no lanes, because there is no volley.toml in this folder".to_owned(),
        };
        out::data(format_args!("Volley listens on {address} (database {database}; {lanes})"))?;
    }
    let Recovered { messages, copied_at } = server.recovered();
    if messages > 0 {
        let found = plural(messages, "message was", "messages were");
        let when = match copied_at {
            Some(at) => format!("the backup of {} was made", format_time(at, None)),
            None => "the last server was killed".to_owned(),
        };
        out::talk(format_args!("{found} in flight when {when}; their results are unknown."));
    }
    Ok(())
}
