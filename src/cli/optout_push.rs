//! `volley opt-out push`: adds opted-out numbers to a group of the provider's contacts, which other senders respect.

use anyhow::{Context, anyhow, bail};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Serialize;

use super::{CommandContext, Exit, out, progress};
use crate::cli::words::plural;
use crate::domain::Msisdn;
use crate::provider::install_tls;
use crate::wire::{ContactAddresses, ContactGroup, GroupId, NewContact, contact_groups};

/// Numbers that one store call reads.
const PAGE: u32 = 5_000;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the group; by default `group` of the configuration.
    #[arg(long)]
    group: Option<String>,
    /// Continue after this number, where an earlier push stopped.
    #[arg(long, value_name = "NUMBER")]
    after: Option<Msisdn>,
    /// Print one JSON object: group, numbers.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Pushed<'a> {
    group: &'a str,
    numbers: u64,
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let Args { group, after, json } = args;
    let group = group.or_else(|| context.config.opt_out.group.clone());
    let group = group.context("no group is named; give --group NAME, or set `group` in [opt_out]")?;
    let contacts = Contacts::new(context)?;
    let id = contacts.group(&group).await?;
    let store = context.store_for_reading().await?;
    let bar = progress::bar("push", json);
    let (mut last, mut numbers) = (after, 0);
    loop {
        let page = store.opt_outs(last, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for msisdn in page {
            if let Err(error) = contacts.add(id, msisdn).await {
                bar.finish_and_clear();
                let rest = last.map(|last| format!("; continue with --after {last}")).unwrap_or_default();
                bail!("{error:#}; {} added before{rest}", plural(numbers, "number was", "numbers were"));
            }
            (last, numbers) = (Some(msisdn), numbers + 1);
            bar.set_position(numbers);
        }
    }
    bar.finish_and_clear();
    store.close().await;
    if json {
        out::json(&Pushed { group: &group, numbers })?;
    } else {
        let numbers = plural(numbers, "number", "numbers");
        out::data(format_args!("Added {numbers} to the group \"{group}\". The provider applies it within an hour."))?;
    }
    Ok(Exit::Done)
}

/// The provider's contacts of one account.
struct Contacts {
    client: Client,
    url: String,
    account: String,
    key: String,
}

impl Contacts {
    fn new(context: &CommandContext) -> anyhow::Result<Self> {
        let config = &context.config;
        let account = config.provider.account_id.clone();
        let account = account.context("the contacts belong to an account; set `account_id` in [provider]")?;
        let key = config.provider.api_key.as_ref().context("set `api_key` or `api_key_file` in [provider]")?;
        let key = key.valid().iter().next().map(|secret| secret.expose().to_owned());
        let key = key.context("the file of the API key is empty")?;
        install_tls();
        let client = Client::builder().timeout(config.provider.timeout.std()).build()?;
        Ok(Self { client, url: config.opt_out.contacts_url.clone(), account, key })
    }

    /// Finds the group with this name.
    async fn group(&self, name: &str) -> anyhow::Result<i64> {
        let mut url = Url::parse(&self.url)?;
        let path = url.path_segments_mut();
        path.map_err(|()| anyhow!("`contacts_url` cannot have a path"))?.pop_if_empty().extend([
            "api",
            "v1",
            "accounts",
            self.account.as_str(),
            "groups",
        ]);
        url.query_pairs_mut().append_pair("name", name);
        let body = self.ask(self.client.get(url)).await?;
        let groups = contact_groups(&body).context("the provider's answer has no list of groups")?;
        let named = |group: &&ContactGroup| group.name.as_deref() == Some(name);
        match groups.iter().find(named).and_then(|group| group.id) {
            Some(id) => Ok(id),
            None => {
                let names: Vec<&str> = groups.iter().filter_map(|group| group.name.as_deref()).collect();
                let others = if names.is_empty() { String::new() } else { format!("; found: {}", names.join(", ")) };
                bail!("the account has no group \"{name}\"{others}; create it in the provider's portal as blacklisted")
            }
        }
    }

    async fn add(&self, group: i64, msisdn: Msisdn) -> anyhow::Result<()> {
        let contact = NewContact {
            groups: vec![GroupId { id: group }],
            addresses: ContactAddresses { msisdn: msisdn.to_string().into() },
        };
        let url = format!("{}/api/v1/accounts/contacts", self.url);
        let request = self.client.post(url).header("Content-Type", "application/json");
        self.ask(request.body(serde_json::to_vec(&contact)?)).await.map(drop)
    }

    /// Sends a request, and returns the body of its answer.
    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Vec<u8>> {
        let request = request.header("Authorization", format!("Bearer {}", self.key));
        let unreachable = || format!("cannot reach the provider's contacts at {}", self.url);
        let answer = request.send().await.with_context(unreachable)?;
        match answer.status() {
            status if status.is_success() => Ok(answer.bytes().await.with_context(unreachable)?.to_vec()),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                bail!("the provider refused the key for its contacts ({status}); check `api_key` and `account_id`")
            }
            status => bail!("the provider's contacts answered {status}"),
        }
    }
}
