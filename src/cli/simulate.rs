//! `volley simulate`: runs the practice provider alone.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Exit;
use super::interrupt::Interrupts;
use super::out;
use crate::base::clock::{Chance, Clock, RealClock};
use crate::practice::simulator::{self, Journal, Model, Profile, SimulatorOptions, WebhookTarget};

#[derive(Debug, clap::Args)]
#[command(
    after_help = after_help()
)]
pub(super) struct Args {
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8690")]
    listen: SocketAddr,
    /// URL for its webhooks. Without it, no receipts are posted.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// Authorization header of its webhooks.
    #[arg(long, value_name = "VALUE", requires = "webhook")]
    webhook_authorization: Option<String>,
    /// File with the secret that signs its webhooks.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,
    /// API key that it requires. Default: any key is accepted.
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Random seed: the same seed gives the same result for the same number.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Profile of its behaviour, in TOML: only what differs from the built-in profile.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// How many times faster than in production receipts come.
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    /// Append a line to this file for each accepted message, before the response. The file survives a crash.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Print the address and more as one JSON object on one line.
    #[arg(long)]
    json: bool,
}

fn after_help() -> String {
    format!(
        "\
Examples:
  volley simulate --webhook http://127.0.0.1:8688/webhooks/8x8
  volley simulate --listen 127.0.0.1:9100 --speed 20 --seed 7
  curl -X POST 127.0.0.1:8690/simulator/faults -d '{{\"throttle\": 0.2}}'
  curl -X DELETE 127.0.0.1:8690/simulator/faults

Faults, by POST to /simulator/faults (unnamed ones stay unchanged):
{}

To use it, write in volley.toml: [provider] base_url = \"http://127.0.0.1:8690\", and any api_key.",
        simulator::explain_faults()
    )
}

#[derive(Serialize)]
struct Listening {
    listen: String,
    seed: u64,
    pid: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut profile = match &args.profile {
        Some(file) => {
            let read =
                std::fs::read_to_string(file).with_context(|| format!("the profile {} cannot be read", file.display()));
            Profile::from_toml(&read?).with_context(|| file.display().to_string())?
        }
        None => Profile::default(),
    };
    if let Some(speed) = args.speed {
        profile.speed = speed;
    }
    profile.check()?;
    let webhook = match &args.webhook {
        Some(url) => Some(target(url, &args)?),
        None => None,
    };
    let journal = args
        .journal
        .as_deref()
        .map(|file| Journal::open(file).with_context(|| format!("the journal {} cannot be written", file.display())));
    let journal = journal.transpose()?;
    let seed = args.seed.unwrap_or_else(|| Chance::from_entropy().bits());
    let listener = TcpListener::bind(args.listen).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {}; choose another address with --listen", args.listen))?;
    let address = format!("http://{}", listener.local_addr()?);
    let mut interrupts = Interrupts::listen();
    let stop = CancellationToken::new();
    let clock = Arc::new(RealClock::new());
    let model = Model::new(profile, seed, clock.now()).with_key(args.api_key);
    let serving = simulator::serve(listener, model, SimulatorOptions { webhook, journal }, clock, stop.clone());
    if args.json {
        out::json(&Listening { listen: address, seed, pid: std::process::id() })?;
    } else {
        out::data(format_args!("The practice provider listens on {address} (seed {seed}); it sends nothing."))?;
    }
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => served?,
        () = interrupts.next() => {
            stop.cancel();
            tokio::select! {
                served = serving => served?,
                () = interrupts.next() => {}
            }
        }
    }
    Ok(Exit::Done)
}

fn target(url: &str, args: &Args) -> anyhow::Result<WebhookTarget> {
    url::Url::parse(url).with_context(|| format!("invalid URL in --webhook: {url}"))?;
    let secret = match &args.webhook_secret_file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let text = read.with_context(|| format!("the secret {} cannot be read", file.display()))?;
            // While it is rotated, the file holds two; the provider signs with one.
            text.trim().lines().next().map(|line| line.trim_end().into())
        }
        None => None,
    };
    let authorization = args.webhook_authorization.as_deref().map(Into::into);
    Ok(WebhookTarget { authorization, secret, ..WebhookTarget::new(url) })
}
