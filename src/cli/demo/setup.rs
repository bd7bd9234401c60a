//! Prepares the files and the ports of a demonstration.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::Args;
use super::templates::{ACCOUNT, CHANNEL};
use crate::base::clock::Chance;
use crate::base::config::Config;
use crate::base::domain::{Channel, Span};
use crate::cli::words::shell;
use crate::cli::{CommandContext, progress};
use crate::http::api;
use crate::practice::simulator::{Latency, Profile, WebhookTarget};
use crate::recipients::audience::write_demo;

/// The folder of the files: temporary, or named by the operator.
#[derive(Debug)]
pub(super) enum Folder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Folder {
    fn make(kept: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = kept else {
            return Ok(Self::Temporary(
                tempfile::tempdir().context("cannot create a temporary folder; name a folder with --data")?,
            ));
        };
        std::fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", path.display()))?;
        Ok(Self::Kept(path.to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(path) => path,
        }
    }
}

#[derive(Debug)]
pub(super) struct Setup {
    pub(super) folder: Folder,
    pub(super) context: CommandContext,
    /// The campaign file.
    pub(super) campaign: PathBuf,
    /// The listener of the server.
    pub(super) listener: TcpListener,
    pub(super) provider_listener: Mutex<Option<TcpListener>>,
    pub(super) api_key: String,
    /// Whether some recipients reply, for pages to show.
    pub(super) recipients_reply: bool,
    /// The command line prefix for other commands on this configuration.
    pub(super) volley: String,
    authorization: String,
    secret: String,
}

impl Setup {
    pub(super) async fn prepare(args: &Args) -> anyhow::Result<Self> {
        let folder = Folder::make(args.data.as_deref())?;
        let chance = Chance::from_entropy();
        let secret = || format!("{:016x}{:016x}", chance.bits(), chance.bits());
        let (api_key, authorization, hook_key) = (secret(), format!("Bearer {}", secret()), secret());
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = api::listen(free).await?;
        let provider_listener = TcpListener::bind(free).await.context("no free port for the practice provider")?;

        let path_of = |name: &str| folder.path().join(name);
        let write = |name: &str, text: &str| {
            std::fs::write(path_of(name), text).with_context(|| format!("cannot write {}", path_of(name).display()))
        };
        write("hook.key", &hook_key)?;
        let config = configuration(&Configuration {
            api_key: &api_key,
            authorization: &authorization,
            server: listener.local_addr()?,
            provider: provider_listener.local_addr()?,
            rate: rate(args.recipients),
            tier: tier(args.recipients),
        });
        write("volley.toml", &config)?;
        let path = path_of("volley.toml");
        // Environment variables are for other servers: ignore them.
        let loaded = Config::read(Some((&path, &config)), std::iter::empty(), [])?;
        let context = CommandContext::on(loaded);

        let spinner = progress::spinner(
            &format!("generating {} recipients", crate::cli::words::count(args.recipients)),
            args.json,
        );
        let (file, recipients, chance) = (path_of("recipients.xlsx"), args.recipients, Chance::seeded(args.seed));
        tokio::task::spawn_blocking(move || write_demo(&file, recipients, &chance)).await??;
        spinner.finish_and_clear();
        let name = free_name(&context).await?;
        write("promo.toml", &campaign(&name))?;
        Ok(Self {
            volley: format!("volley --config {}", shell(&path.display().to_string())),
            campaign: path_of("promo.toml"),
            folder,
            context,
            listener,
            provider_listener: Mutex::new(Some(provider_listener)),
            api_key,
            recipients_reply: args.stay,
            authorization,
            secret: hook_key,
        })
    }

    /// The webhook target of the provider, with both authentications.
    pub(super) fn webhook(&self) -> WebhookTarget {
        let url = format!("{}/webhooks/8x8", self.context.config.server.public_url);
        WebhookTarget {
            authorization: Some(self.authorization.clone().into()),
            secret: Some(self.secret.clone().into()),
            ..WebhookTarget::new(url)
        }
    }
}

/// Finds an unused campaign name: a kept folder may contain earlier campaigns.
async fn free_name(context: &CommandContext) -> anyhow::Result<String> {
    const NAME: &str = "Spring promo";
    let store = context.store().await?;
    let mut name = NAME.to_owned();
    let mut number = 1;
    while store.batch_named(&name).await?.is_some() {
        number += 1;
        name = format!("{NAME} {number}");
    }
    store.close().await;
    Ok(name)
}

/// The rate at which all first messages are sent within about twelve seconds, at most that of one business account.
fn rate(recipients: u64) -> u64 {
    (recipients / 12).next_multiple_of(50).clamp(250, 1_000)
}

/// The smallest tier that leaves the demonstration room for a second one.
fn tier(recipients: u64) -> &'static str {
    match recipients {
        0..=5_000 => "10K",
        5_001..=50_000 => "100K",
        _ => "unlimited",
    }
}

pub(super) struct Configuration<'a> {
    pub(super) api_key: &'a str,
    pub(super) authorization: &'a str,
    pub(super) server: SocketAddr,
    pub(super) provider: SocketAddr,
    pub(super) rate: u64,
    pub(super) tier: &'a str,
}

pub(super) fn configuration(values: &Configuration<'_>) -> String {
    let Configuration { api_key, authorization, server, provider, rate, tier } = values;
    // About a fifth of the recipients fall back to the other channels.
    let fallback_rate = rate * 2 / 5;
    format!(
        r#"# Written by `volley demo`: a server that sends to the practice provider.
[database]
url = "sqlite://volley.db"

[server]
listen = "{server}"

[provider]
base_url = "http://{provider}"
sub_account = "demo"
api_key = "{api_key}"
webhook_authorization = "{authorization}"
webhook_secret_file = "hook.key"

[[lane]]
name = "whatsapp"
channel = "WhatsApp"
rate = "{rate}/s"
number = "+6531234567"
account_id = "{ACCOUNT}"
channel_id = "{CHANNEL}"
tier = "{tier}"

[[lane]]
name = "viber"
channel = "Viber"
rate = "{fallback_rate}/s"

[[lane]]
name = "sms"
channel = "SMS"
rate = "{fallback_rate}/s"
source = "VOLLEY"
"#
    )
}

fn campaign(name: &str) -> String {
    format!(
        r#"# WhatsApp first. If a message is not delivered after three seconds, it falls back to Viber, then to SMS.
# In production, wait a quarter of an hour instead of three seconds.
name = "{name}"
audience = "recipients.xlsx"

[[step]]
channel = "WhatsApp"
fallback_after = "3s"
[step.template]
name = "promo"
language = "en"
category = "MARKETING"
ttl = "12h"
header = {{ image = "https://media.example/{{{{Pic}}}}" }}
body = ["{{{{FirstName|there}}}}", "{{{{Code}}}}"]
buttons = [{{ index = 0, url = "{{{{Slug}}}}" }}]

[[step]]
channel = "Viber"
fallback_after = "3s"
text = "Hi {{{{FirstName|there}}}}, your code is {{{{Code}}}}."

[[step]]
channel = "SMS"
text = "Hi {{{{FirstName|there}}}}, your code is {{{{Code}}}}."
receipt_window = "5s"
"#
    )
}

/// A provider that takes seconds instead of minutes. As in production, a few receipts come after their deadline.
pub(super) fn profile(recipients_reply: bool) -> Profile {
    let latency = |millis, spread| Latency { median: Span::from_millis(millis), spread };
    let mut profile = Profile { answer_after: Some(latency(30, 2.0)), ..Profile::default() };
    profile.templates.approved_after = Span::ZERO;
    for channel in [Channel::WhatsApp, Channel::Viber, Channel::Sms] {
        if let Some(delivery) = profile.channels.get_mut(&channel) {
            delivery.sent_after = latency(150, 2.0);
            delivery.delivered_after = latency(600, 6.0);
            delivery.read_after = latency(2_500, 3.0);
            delivery.undelivered_after = latency(500, 3.0);
            if recipients_reply {
                delivery.answers.share = 0.02;
                delivery.answers.after = latency(1_500, 3.0);
            }
            // A reply to the sender of the lane opens its window.
            if channel == Channel::WhatsApp {
                CHANNEL.clone_into(&mut delivery.channel_id);
            }
        }
    }
    profile
}
