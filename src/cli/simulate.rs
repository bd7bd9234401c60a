//! `volley simulate`: the practice provider alone.

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
use crate::clock::{Chance, RealClock};
use crate::simulator::{self, Journal, Model, Options, Profile, WebhookTarget};

#[derive(Debug, clap::Args)]
#[command(
    long_about = "The practice provider alone: speaks the provider's API, decides by chance who is reached on which \
                  channel, and posts webhooks with both proofs. It sends nothing to anybody. What a seed decides about \
                  a number it decides every time.\n\nGET /simulator/seen tells what it has seen; POST /simulator/faults \
                  makes things go wrong.",
    after_help = after_help()
)]
pub(super) struct Args {
    /// Where it listens.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8690")]
    listen: SocketAddr,
    /// Where its webhooks go; without it, nobody hears what became of a message.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
    /// The Authorization that its webhooks carry.
    #[arg(long, value_name = "VALUE", requires = "webhook")]
    webhook_authorization: Option<String>,
    /// A file with the key that its webhooks are signed with.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    webhook_secret_file: Option<PathBuf>,
    /// The API key that it asks for; without it any will do.
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Chance: the same seed treats the same person the same way.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// How it behaves, in TOML: only what differs from the built-in profile.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// How much faster than in life receipts come.
    #[arg(long, value_name = "FACTOR")]
    speed: Option<f64>,
    /// Adds a line to this file for each message that it accepts, before it answers: an account that outlives it.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Where it listens as one object, on one line.
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

Faults, by POST to /simulator/faults, those that are not named stay as they are:
{}

With it a configuration says: [provider] base_url = \"http://127.0.0.1:8690\", and any api_key.",
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
        listener.with_context(|| format!("cannot listen on {}; name another place with --listen", args.listen))?;
    let address = format!("http://{}", listener.local_addr()?);
    let mut interrupts = Interrupts::listen();
    let stop = CancellationToken::new();
    let model = Model::new(profile, seed).with_key(args.api_key);
    let serving =
        simulator::serve(listener, model, Options { webhook, journal }, Arc::new(RealClock::new()), stop.clone());
    if args.json {
        out::json(&Listening { listen: address, seed, pid: std::process::id() })?;
    } else {
        out::data(format_args!(
            "The practice provider listens on {address} (seed {seed}); it sends nothing to anybody."
        ))?;
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
    url::Url::parse(url).with_context(|| format!("--webhook {url} is not a web address"))?;
    let secret = match &args.webhook_secret_file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            Some(read.with_context(|| format!("the secret {} cannot be read", file.display()))?.trim().into())
        }
        None => None,
    };
    let authorization = args.webhook_authorization.as_deref().map(Into::into);
    Ok(WebhookTarget { authorization, secret, ..WebhookTarget::new(url) })
}
