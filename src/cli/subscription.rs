//! `volley subscription`: receivers of the webhooks that Volley sends.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;

use super::exit::Usage;
use super::operator::Operator;
use super::out::{self, To};
use super::table::Table;
use super::words::{count, plural};
use super::{CommandContext, Exit};
use crate::base::domain::{Span, Timestamp};
use crate::campaigns::campaign;
use crate::http::outgoing::{Created, DeliveryView, Desk, NewSecretView, ReplayView, SubscriptionView, Wanted};
use crate::store::{Replay, WebhookFormat};

/// How long `test` waits for the server to send.
const TEST_WAIT: Span = Span::from_secs(15);
/// How often it looks.
const LOOK: Span = Span::from_millis(250);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Create a subscription to webhooks, and print its signing secret, once.
    #[command(after_help = "\
Types are message.sent, message.delivered, message.read, message.undelivered, message.done, reply.received, campaign.started,
lane.held and others; see the guide's page about webhooks. A type may end in * for a whole group. Without --type, the
subscription gets all types.

A subscription with --format 8x8 gets the receipts of messages that were sent over the 8x8 API, and replies, in the
provider's own form and unsigned.

Examples:
  volley subscription create crm --url https://crm.example/hooks --type 'message.*' --type reply.received
  volley subscription create old-client --url https://client.example/dlr --format 8x8 --sub-account acme")]
    Create(CreateArgs),
    /// List the subscriptions.
    List {
        /// Print one JSON object per line: id, name, url, format, types, enabled, delivered, given_up and others.
        #[arg(long)]
        json: bool,
    },
    /// Show one subscription.
    Show {
        /// Name of the subscription.
        name: String,
        /// Print one JSON object: id, name, url, format, types, enabled, delivered, given_up and others.
        #[arg(long)]
        json: bool,
    },
    /// Give a subscription a new signing secret, and print it, once. For a while, the former secret signs too.
    Rotate {
        /// Name of the subscription.
        name: String,
        /// How long the former secret signs as well, such as 1h; at most 7d.
        #[arg(long, value_name = "TIME", default_value = "1d")]
        overlap: Span,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: id, name, secret.
        #[arg(long)]
        json: bool,
    },
    /// Disable a subscription. Waiting webhooks are kept; later events are not.
    Disable(ChangeArgs),
    /// Enable a subscription. Waiting webhooks are sent first.
    Enable(ChangeArgs),
    /// Remove a subscription. Waiting webhooks are given up; their log stays for seven days.
    Remove(ChangeArgs),
    /// Show the latest webhooks of a subscription, with what the receiver answered.
    Deliveries {
        /// Name of the subscription.
        name: String,
        /// Only webhooks before this number.
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// Number of webhooks to show.
        #[arg(long, value_name = "NUMBER", default_value_t = 20)]
        limit: u32,
        /// Print one JSON object per line: delivery, event, type, state, tries, http_status, error, answer, body and times.
        #[arg(long)]
        json: bool,
    },
    /// Resend webhooks of the last seven days: one, or all of a period.
    #[command(after_help = "\
Examples:
  volley subscription replay crm --delivery 4711
  volley subscription replay crm --since 2026-12-01T09:00+08:00 --until 2026-12-01T10:00+08:00")]
    Replay(ReplayArgs),
    /// Send a test webhook, and show what the receiver answers. A server has to run.
    Test {
        /// Name of the subscription.
        name: String,
        /// Print one JSON object: delivery, event, type, state, http_status, error, answer and others.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct CreateArgs {
    /// Name of the subscription: letters, digits, -, _ and dots.
    name: String,
    /// Where webhooks are posted to: https, and not in a private network, unless outgoing.allow names that.
    #[arg(long, value_name = "URL")]
    url: String,
    /// Type of webhooks to send; repeatable.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Form of the webhooks: volley or 8x8.
    #[arg(long, value_name = "FORMAT", default_value = "volley", value_parser = format)]
    format: WebhookFormat,
    /// With the format 8x8: only messages of this subaccount. Default: all.
    #[arg(long, value_name = "NAME")]
    sub_account: Option<String>,
    /// File with the value of the header Authorization, such as a bearer token.
    #[arg(long, value_name = "FILE")]
    authorization_file: Option<PathBuf>,
    #[command(flatten)]
    operator: Operator,
    /// Print one JSON object: id, name, secret; with the format 8x8 the subscription as `show` prints it.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct ChangeArgs {
    /// Name of the subscription.
    name: String,
    /// Reason, shown in events.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// Print one JSON object: id, name, url, format, types, enabled, delivered, given_up and others.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[group(id = "which", required = true, multiple = true)]
pub(super) struct Which {
    /// Number of one webhook, as `deliveries` shows it.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["since", "until"])]
    delivery: Option<i64>,
    /// Webhooks that were created from this time on.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplayArgs {
    /// Name of the subscription.
    name: String,
    #[command(flatten)]
    which: Which,
    /// Webhooks that were created before this time. Default: now.
    #[arg(long, value_name = "TIME", requires = "since")]
    until: Option<String>,
    /// Print one JSON object: replayed.
    #[arg(long)]
    json: bool,
}

fn format(text: &str) -> Result<WebhookFormat, String> {
    match text {
        "volley" => Ok(WebhookFormat::Volley),
        "8x8" => Ok(WebhookFormat::Provider),
        other => Err(format!("unknown format \"{other}\"; use volley or 8x8")),
    }
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = match &command {
        Command::Create(_) => context.store().await?,
        _ => context.existing_store().await?,
    };
    let desk = Desk::new(store, Arc::clone(&context.clock), context.config.outgoing.allow.clone());
    match command {
        Command::Create(args) => create(&desk, context, args).await?,
        Command::List { json } => list(&desk, json).await?,
        Command::Show { name, json } => show(&desk.show(&name).await?, json)?,
        Command::Rotate { name, overlap, operator, json } => {
            let origin = context.acting(&operator).origin(None);
            let NewSecretView { secret, .. } = &desk.rotate(&name, overlap, origin).await?;
            print_secret(&desk, &name, secret, json).await?;
            if !json {
                out::talk(format_args!("The former secret signs as well for {overlap}."));
            }
        }
        Command::Disable(args) => {
            let origin = context.acting(&args.operator).origin(args.reason.as_deref());
            desk.disable(&args.name, origin).await?;
            changed(&desk, &args, "disabled").await?;
        }
        Command::Enable(args) => {
            let origin = context.acting(&args.operator).origin(args.reason.as_deref());
            desk.enable(&args.name, origin).await?;
            changed(&desk, &args, "enabled").await?;
        }
        Command::Remove(args) => {
            let view = desk.show(&args.name).await?;
            let origin = context.acting(&args.operator).origin(args.reason.as_deref());
            desk.remove(&args.name, origin).await?;
            if args.json {
                out::json(&view)?;
            } else {
                out::talk(format_args!("Subscription {} is removed.", args.name));
            }
        }
        Command::Deliveries { name, before, limit, json } => {
            deliveries(&desk.deliveries(&name, before, limit).await?, json)?;
        }
        Command::Replay(args) => replay(&desk, context, args).await?,
        Command::Test { name, json } => return test(&desk, context, &name, json).await,
    }
    Ok(Exit::Done)
}

async fn create(desk: &Desk, context: &CommandContext, args: CreateArgs) -> anyhow::Result<()> {
    let CreateArgs { name, url, types, format, sub_account, authorization_file, operator, json } = args;
    let authorization = authorization_file
        .map(|path| {
            let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok::<_, anyhow::Error>(text.trim().to_owned())
        })
        .transpose()?;
    let wanted = Wanted { name: name.clone(), url, format, types, sub_account, authorization };
    let origin = context.acting(&operator).origin(None);
    let Created { view, secret } = desk.create(wanted, origin).await?;
    match secret {
        Some(secret) => print_secret(desk, &name, &secret, json).await?,
        None if json => out::json(&view)?,
        None => show(&view, false)?,
    }
    Ok(())
}

/// Prints a new secret: the only time that it is shown.
async fn print_secret(desk: &Desk, name: &str, secret: &str, json: bool) -> anyhow::Result<()> {
    let view = desk.show(name).await?;
    if json {
        return out::json(&NewSecretView { id: view.id, name: view.name, secret: secret.to_owned() });
    }
    out::data(secret)?;
    out::talk("This is the signing secret. It is not shown again: give it to the receiver now.");
    Ok(())
}

async fn list(desk: &Desk, json: bool) -> anyhow::Result<()> {
    let all = desk.list().await?;
    if json {
        let shown = all.iter().map(serde_json::to_string);
        return out::lines(shown.collect::<Result<Vec<_>, _>>()?);
    }
    if all.is_empty() {
        out::talk("No subscriptions yet; see `volley subscription create --help`.");
        return Ok(());
    }
    let mut table = Table::new(&["name", "state", "types", "url", ">delivered", ">given up"]);
    for view in &all {
        let cells = [view.name.clone(), state(view), view.types.join(" "), view.url.clone()];
        table.row(cells.into_iter().chain([count(view.delivered), count(view.given_up)]));
    }
    out::lines(table.lines(To::Stdout.paint()))
}

fn state(view: &SubscriptionView) -> String {
    match (view.enabled, &view.failing_since) {
        (false, _) => "disabled".to_owned(),
        (true, Some(since)) => format!("failing since {since}"),
        (true, None) => "enabled".to_owned(),
    }
}

fn show(view: &SubscriptionView, json: bool) -> anyhow::Result<()> {
    if json {
        return out::json(view);
    }
    let mut lines = vec![
        format!("{}: {}", view.name, state(view)),
        format!("url: {}", view.url),
        format!("format: {}", view.format),
        format!("types: {}", view.types.join(" ")),
    ];
    lines.extend(view.sub_account.as_ref().map(|name| format!("subaccount: {name}")));
    lines.extend(view.disabled_because.as_ref().map(|why| format!("disabled: {why}")));
    lines.push(format!("delivered: {} · given up: {}", count(view.delivered), count(view.given_up)));
    out::lines(lines)
}

async fn changed(desk: &Desk, args: &ChangeArgs, done: &str) -> anyhow::Result<()> {
    if args.json {
        return out::json(&desk.show(&args.name).await?);
    }
    out::talk(format_args!("Subscription {} is {done}.", args.name));
    Ok(())
}

fn deliveries(all: &[DeliveryView], json: bool) -> anyhow::Result<()> {
    if json {
        let shown = all.iter().map(serde_json::to_string);
        return out::lines(shown.collect::<Result<Vec<_>, _>>()?);
    }
    if all.is_empty() {
        out::talk("No webhooks yet, or none in the last seven days.");
        return Ok(());
    }
    let mut table = Table::new(&["=number", "created", "type", "state", ">tries", "answer"]);
    for view in all {
        let answer = match (&view.error, view.http_status) {
            (Some(error), _) => error.clone(),
            (None, Some(status)) => status.to_string(),
            (None, None) => String::new(),
        };
        let state = view.state.to_owned();
        table.row([
            view.delivery.to_string(),
            view.created_at.clone(),
            view.kind.clone(),
            state,
            view.tries.to_string(),
            answer,
        ]);
    }
    out::lines(table.lines(To::Stdout.paint()))
}

async fn replay(desk: &Desk, context: &CommandContext, args: ReplayArgs) -> anyhow::Result<()> {
    let time = |option: &str, text: &str| -> anyhow::Result<Timestamp> {
        let read = campaign::instant(text, None);
        Ok(read.map_err(|error| Usage(format!("--{option}: {error}")))?.at)
    };
    let ReplayArgs { name, which: Which { delivery, since }, until, json } = args;
    let what = match (delivery, since) {
        (Some(id), _) => Replay::One(id),
        (None, Some(since)) => {
            let until = until.as_deref().map(|text| time("until", text)).transpose()?;
            Replay::Between { from: time("since", &since)?, until: until.unwrap_or_else(|| context.now()) }
        }
        (None, None) => return Err(Usage("specify --delivery NUMBER, or --since TIME".to_owned()).into()),
    };
    let replayed = desk.replay(&name, what).await?;
    if json {
        return out::json(&ReplayView { replayed });
    }
    out::talk(format_args!("{} resent.", are(replayed)));
    Ok(())
}

fn are(number: u64) -> String {
    format!("{} {}", plural(number, "webhook", "webhooks"), if number == 1 { "is" } else { "are" })
}

async fn test(desk: &Desk, context: &CommandContext, name: &str, json: bool) -> anyhow::Result<Exit> {
    let id = desk.test(name).await?;
    let until = context.now() + TEST_WAIT;
    let view = loop {
        let view = desk.delivery(name, id).await?;
        if view.tries > 0 || context.now() >= until {
            break view;
        }
        context.clock.sleep(LOOK).await;
    };
    let is_delivered = view.error.is_none() && view.tries > 0;
    if json {
        out::json(&view)?;
    } else if view.tries == 0 {
        out::talk("Not sent yet: is a server running? The test is sent as soon as one does.");
    } else {
        match (&view.error, view.http_status) {
            (Some(error), _) => out::talk(format_args!("Not delivered: {error}. The server repeats it.")),
            (None, status) => {
                let status = status.map(|status| status.to_string()).unwrap_or_default();
                out::talk(format_args!("Delivered in {} ms: {status}", view.took_ms.unwrap_or_default()));
            }
        }
        out::lines(view.answer.filter(|answer| !answer.is_empty()))?;
    }
    Ok(if is_delivered { Exit::Done } else { Exit::Failed })
}
