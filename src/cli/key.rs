//! `volley key`: keys of the API.

use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;

use super::operator::Operator;
use super::out::{self, Paint, To};
use super::table::Table;
use super::words::{list as listed, plural, shell};
use super::{CommandContext, Exit};
use crate::base::clock::format_time;
use crate::base::domain::{IpNetwork, Purpose, Scope, Span, Timestamp};
use crate::campaigns::campaign::instant;
use crate::http::access::{Access, By, IN_EFFECT, Issued, IssuedView, KeyState, KeyView, NewKey, all_keys};
use crate::store::{ApiKey, KeyLimits, Store};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a key for a client of the API. Its secret is printed once and stored only as a digest.
    ///
    /// Scopes: read everything; send single messages and batches; manage campaigns, audiences, templates, lanes and
    /// opt-outs; admin, which includes all and also changes keys, operators and webhooks.
    #[command(after_help = "\
The key alone goes to standard output, so that a file can take it.

Examples:
  volley key create --name shop --scope send > shop.key
  volley key create --name codes --scope send --purpose service > codes.key
  volley key create --name shop --scope read,send --sub-account acme --address 10.0.0.0/8
  volley key create --name audit --scope read --expires 90d --json")]
    Create(CreateArgs),
    /// List keys: scopes, limits and last use.
    List {
        /// List revoked keys too.
        #[arg(long)]
        all: bool,
        /// Print a JSON list of objects: id, name, state, scopes, sub_accounts, lanes, addresses, requests_per_s,
        /// purpose, created_at, created_by, expires_at, former_until, revoked_at, last_used_at, last_used_from.
        #[arg(long)]
        json: bool,
    },
    /// Give a key a new secret, which is printed once. Its id, scopes and limits stay.
    #[command(after_help = "\
Without --overlap, the former secret ends at once.

Examples:
  volley key rotate shop > shop.key
  volley key rotate shop --overlap 1h > shop.key")]
    Rotate {
        /// The key's name or id.
        key: String,
        /// How long the former secret stays valid, such as 10m or 1d.
        #[arg(long, value_name = "DURATION", default_value = "0s")]
        overlap: Span,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, key, and more, as `key list`.
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key for good. A running server refuses it once this command has ended.
    #[command(after_help = "Example:\n  volley key revoke shop")]
    Revoke {
        /// The key's name or id.
        key: String,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object, as `key list`.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// The key's name, which no other key has that is not revoked.
    #[arg(long)]
    name: String,
    /// What the key permits: read, send, manage or admin. Several are separated by commas.
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// Subaccount that the key may use. Repeat it for several; by default it may use all.
    #[arg(long = "sub-account", value_name = "SUBACCOUNT", value_delimiter = ',')]
    sub_accounts: Vec<String>,
    /// Lane that the key may use. Repeat it for several; by default it may use all.
    #[arg(long = "lane", value_name = "LANE", value_delimiter = ',')]
    lanes: Vec<String>,
    /// Address or network from which the key may be used, such as 203.0.113.7, 10.0.0.0/8 or fd00::/8. Repeat it for
    /// several; by default it may be used from everywhere.
    #[arg(long = "address", value_name = "NETWORK", value_delimiter = ',')]
    addresses: Vec<IpNetwork>,
    /// End of the key: a duration from now, such as 90d, or a time, such as 2027-01-31T00:00+08:00.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// The most requests a second, over /v1 and the 8x8 API. Default: 100 over /v1, no limit over the 8x8 API.
    #[arg(long, value_name = "NUMBER")]
    requests_per_s: Option<NonZeroU32>,
    /// What the messages are for that it sends: marketing, which opt-outs of marketing stop, or service. Campaigns say it
    /// themselves. Default: what the category of the template says, else marketing.
    #[arg(long)]
    purpose: Option<Purpose>,
    #[command(flatten)]
    operator: Operator,
    /// Print one JSON object: id, key, and more, as `key list`.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::Create(args) => create(args, context).await?,
        Command::List { all, json } => list(context, all, json).await?,
        Command::Rotate { key, overlap, operator, json } => {
            rotate(&context.acting(&operator), &key, overlap, json).await?;
        }
        Command::Revoke { key, operator, json } => revoke(&context.acting(&operator), &key, json).await?,
    }
    Ok(Exit::Done)
}

async fn create(args: CreateArgs, context: &CommandContext) -> anyhow::Result<()> {
    let context = &context.acting(&args.operator);
    for lane in &args.lanes {
        context.config.named_lane(lane)?;
    }
    let now = context.now();
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let limits = KeyLimits {
        sub_accounts: some(args.sub_accounts),
        lanes: some(args.lanes),
        addresses: (!args.addresses.is_empty()).then_some(args.addresses),
        requests_per_s: args.requests_per_s,
        expires_at: args.expires.as_deref().map(|text| expires(text, now)).transpose()?,
        purpose: args.purpose,
    };
    let new = NewKey { name: args.name, scopes: args.scopes.into_iter().collect(), limits };
    let was_there = context.database().exists();
    let store = context.store().await?;
    let issued = Access::new(Arc::clone(&store)).create_key(new, &By::command(&context.by), now).await;
    store.close().await;
    print_issued(&issued?, now, args.json)?;
    if !args.json {
        context.print_database(was_there);
    }
    Ok(())
}

/// Reads a duration from now, or a time.
fn expires(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(span) = text.parse::<Span>() {
        return Ok(now + span);
    }
    let at = instant(text, None).context("--expires: not a duration such as 90d, and not a time")?;
    Ok(at.at)
}

fn print_issued(issued: &Issued, now: Timestamp, json: bool) -> anyhow::Result<()> {
    if json {
        return out::json(&IssuedView::new(issued, now));
    }
    out::data(issued.text.expose())?;
    let Issued { key, .. } = issued;
    out::talk(format_args!(
        "The key \"{}\" ({}) is shown only this once. A client sends it as `Authorization: Bearer KEY`.",
        key.name, key.id
    ));
    if let Some((_, until)) = key.former {
        out::talk(format_args!("Its former secret is valid until {}.", format_time(until, None)));
    }
    Ok(())
}

async fn list(context: &CommandContext, all: bool, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let keys = all_keys(store.as_ref()).await?;
    store.close().await;
    let now = context.now();
    let (shown, revoked): (Vec<&ApiKey>, Vec<&ApiKey>) = keys.iter().partition(|key| all || key.revoked_at.is_none());
    if json {
        return out::json(&shown.iter().map(|key| KeyView::new(key, now)).collect::<Vec<_>>());
    }
    if shown.is_empty() {
        out::talk("No keys; to create one: volley key create --name admin --scope admin");
    } else {
        let paint = To::Stdout.paint();
        out::lines(table(&shown, now, paint).lines(paint))?;
    }
    if !revoked.is_empty() {
        let revoked = plural(revoked.len() as u64, "revoked key is", "revoked keys are");
        out::talk(format_args!("{revoked} not listed; to list all: volley key list --all"));
    }
    Ok(())
}

fn table(keys: &[&ApiKey], now: Timestamp, paint: Paint) -> Table {
    let mut table = Table::new(&["name", "scopes", "state", "?limits", "?last used", "?created", "?=id"]);
    for key in keys {
        let last_use = key.last_use.map(|used| format!("{} from {}", format_time(used.at, None), used.from));
        table.row([
            key.name.clone(),
            key.scopes.given().map(Scope::as_str).collect::<Vec<_>>().join(", "),
            state(key, now, paint),
            limits(&key.limits),
            last_use.unwrap_or_else(|| "never".to_owned()),
            format!("{} by {}", format_time(key.created_at, None), key.created_by),
            key.id.to_string(),
        ]);
    }
    table
}

fn state(key: &ApiKey, now: Timestamp, paint: Paint) -> String {
    let state = KeyState::of(key, now);
    match (state, key.limits.expires_at) {
        (KeyState::Active, None) => paint.good(state.as_str()),
        (KeyState::Active, Some(at)) => paint.good(format_args!("active until {}", format_time(at, None))),
        _ => paint.bad(state.as_str()),
    }
}

fn limits(limits: &KeyLimits) -> String {
    let named = |what: &str, names: &Option<Vec<String>>| Some(format!("{what} {}", listed(names.as_ref()?)));
    let parts = [
        named("subaccounts", &limits.sub_accounts),
        named("lanes", &limits.lanes),
        limits.addresses.as_ref().map(|networks| format!("from {}", listed(networks))),
        limits.requests_per_s.map(|requests| format!("{requests} requests/s")),
        limits.purpose.map(|purpose| format!("for {purpose}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

async fn rotate(context: &CommandContext, name: &str, overlap: Span, json: bool) -> anyhow::Result<()> {
    let store = context.existing_store().await?;
    let now = context.now();
    let issued = Access::new(Arc::clone(&store)).rotate_key(name, overlap, &By::command(&context.by), now).await;
    let issued = in_effect(context, store.as_ref(), issued).await?;
    print_issued(&issued, now, json)
}

async fn revoke(context: &CommandContext, name: &str, json: bool) -> anyhow::Result<()> {
    let store = context.existing_store().await?;
    let now = context.now();
    let revoked = Access::new(Arc::clone(&store)).revoke_key(name, &By::command(&context.by), now).await;
    let key = in_effect(context, store.as_ref(), revoked).await?;
    if json {
        return out::json(&KeyView::new(&key, now));
    }
    let name = shell(&key.name);
    out::data(format_args!("The key {name} ({}) is revoked; servers refuse it from now on.", key.id))
}

/// Waits until every server obeys a change, and closes the store.
async fn in_effect<T, E>(context: &CommandContext, store: &dyn Store, changed: Result<T, E>) -> Result<T, E> {
    if changed.is_ok() {
        context.clock.sleep(IN_EFFECT).await;
    }
    store.close().await;
    changed
}
