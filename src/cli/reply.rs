//! `volley reply`: messages from recipients.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::campaign::find;
use super::operator::Operator;
use super::out::{self, To};
use super::words::plural;
use super::{CommandContext, Exit};
use crate::base::clock::format_time_exactly;
use crate::base::domain::text::one_line;
use crate::base::domain::{Address, Channel, Keyword};
use crate::recipients::optout::{self, Decision};
use crate::sending::receipts::{ReplyExport, ReplyView, ReplyViews};
use crate::store::{Cursor, Inbound, InboundOf, Store};

/// Messages that one store call reads.
const PAGE: u32 = 2_000;
/// Maximum length of a text in a line of output.
const TEXT_SHOWN: usize = 80;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List messages from recipients, in order of arrival, with the campaign message that each answers.
    #[command(after_help = "\
Without --unmasked, numbers are masked and texts are left out.

Examples:
  volley reply list
  volley reply list --campaign 'November promo' --unmasked
  volley reply list --json | jq -r 'select(.keyword == \"stop\") | .written_at'")]
    List(Args),
    /// Decide about a reply that may be an opt-out.
    #[command(after_help = "\
Without --dismiss, its writer opts out, of every campaign on every channel.

Examples:
  volley reply list --may-want-to-opt-out --unmasked
  volley reply decide 7d3a1c55-2e8f-4b6a-9c0d-1f2e3d4c5b6a
  volley reply decide 7d3a1c55-2e8f-4b6a-9c0d-1f2e3d4c5b6a --dismiss")]
    Decide(DecideArgs),
    /// Write messages from recipients to a file, one row for each, with a column for each kind of value.
    #[command(after_help = "\
A completed form has a column for each field: answer.name, answer.seats. Without --unmasked, numbers are masked, and texts \
and values are left out. In CSV, a cell that a spreadsheet program would take for a formula gets an apostrophe in front.

Examples:
  volley reply export replies.xlsx --campaign 'November promo' --unmasked
  volley reply export - --unmasked")]
    Export(ExportArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct ReplyFilter {
    /// Only replies to messages of this campaign (name, id or `latest`).
    #[arg(long, value_name = "CAMPAIGN", conflicts_with_all = ["from", "may_want_to_opt_out"])]
    campaign: Option<String>,
    /// Only messages that may be opt-outs and await a decision.
    #[arg(long, conflicts_with = "from")]
    may_want_to_opt_out: bool,
    /// Only messages from this number or id of a channel.
    #[arg(long, value_name = "NUMBER", value_parser = Address::asked)]
    from: Option<Address>,
    /// Show full numbers, texts and values.
    #[arg(long)]
    unmasked: bool,
}

impl ReplyFilter {
    async fn messages(&self, store: &dyn Store) -> anyhow::Result<InboundOf> {
        Ok(match (&self.campaign, &self.from) {
            (Some(name), _) => InboundOf::Batch(find(store, name).await?.id),
            (None, Some(address)) => InboundOf::Recipient(address.clone()),
            (None, None) if self.may_want_to_opt_out => InboundOf::PossibleStops,
            (None, None) => InboundOf::All,
        })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Output file: XLSX for names that end in .xlsx; CSV for .csv, .txt or no extension; `-` writes CSV to standard
    /// output.
    file: PathBuf,
    #[command(flatten)]
    of: ReplyFilter,
}

impl ExportArgs {
    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct DecideArgs {
    /// Id of the reply, as the list shows it.
    id: String,
    /// It is no opt-out.
    #[arg(long)]
    dismiss: bool,
    /// Reason, shown in the history of the recipient.
    #[arg(long, value_name = "TEXT", conflicts_with = "dismiss")]
    reason: Option<String>,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    of: ReplyFilter,
    /// Print one JSON object per line: umid, received_at, written_at, msisdn, channel, kind, keyword, campaign, message, step;
    /// with --unmasked also text, channel_user for a recipient with an id of the channel's own, and the data of the message:
    /// media, location, button, row, flow, call_permission, order, or content for any other.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list(args, context).await,
        Command::Export(args) => export(args, context).await,
        Command::Decide(args) => decide(args, context).await,
    }
}

async fn export(ExportArgs { file, of }: ExportArgs, context: &CommandContext) -> anyhow::Result<Exit> {
    out::is_table(&file)?;
    let store = context.existing_store().await?;
    let messages = of.messages(store.as_ref()).await?;
    let export = ReplyExport::read(store.as_ref(), messages).await?;
    let mut sheets = out::table_into(context, &file, export.names())?;
    let rows = export.rows(store.as_ref(), of.unmasked, |cells| sheets.row(&cells)).await??;
    sheets.finish()?;
    store.close().await;
    if !out::is_stdout(&file) {
        out::talk(format_args!("Wrote {} to {}.", plural(rows, "reply", "replies"), file.display()));
    }
    Ok(Exit::Done)
}

async fn decide(args: DecideArgs, context: &CommandContext) -> anyhow::Result<Exit> {
    let DecideArgs { id, dismiss, reason, operator } = args;
    let context = context.acting(&operator);
    let store = context.existing_store().await?;
    let decision = if dismiss { Decision::Dismiss } else { Decision::OptOut };
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let how = format!("by {}{why}", context.by);
    let is_decided = optout::decide(store.as_ref(), &id, decision, context.now(), &how).await?;
    store.close().await;
    if !is_decided {
        bail!("no reply with the id \"{id}\" awaits a decision; see volley reply list --may-want-to-opt-out");
    }
    out::talk(match decision {
        Decision::OptOut => "The recipient has opted out.",
        Decision::Dismiss => "The reply is no opt-out.",
    });
    Ok(Exit::Done)
}

async fn list(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let of = args.of.messages(store.as_ref()).await?;
    let paint = To::Stdout.paint();
    let (mut after, mut any) = (Cursor::START, false);
    let mut views = ReplyViews::new(store.as_ref(), args.of.unmasked);
    loop {
        let page = store.inbound(of.clone(), after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let mut lines = Vec::with_capacity(page.len());
        for (_, inbound) in &page {
            let shown = views.of(inbound).await?;
            lines.push(if args.json { serde_json::to_string(&shown)? } else { line(&shown, inbound) });
            if args.of.may_want_to_opt_out && !args.json {
                lines.push(format!("    {}", paint.dim(format!("id {}", inbound.umid))));
            }
        }
        if !args.json && !any {
            out::data(paint.dim(format!(
                "{:<27}  {:<16}  {:<10}  {:<14}  {:<7}  on",
                "sent", "from", "channel", "kind", "keyword"
            )))?;
        }
        any = true;
        out::lines(lines)?;
    }
    store.close().await;
    if !any && !args.json {
        out::talk("No replies.");
    }
    Ok(Exit::Done)
}

fn line(shown: &ReplyView<'_>, inbound: &Inbound) -> String {
    let on = match (&shown.campaign, &shown.message) {
        (Some(campaign), Some(message)) => format!("{campaign}  {message}"),
        _ => "–".to_owned(),
    };
    let text = shown
        .text
        .as_deref()
        .filter(|text| !text.is_empty())
        .map(|text| format!("\n    {}", one_line(text, TEXT_SHOWN)));
    format!(
        "{:<27}  {:<16}  {:<10}  {:<14}  {:<7}  {on}{}",
        format_time_exactly(inbound.written_at, None),
        shown.msisdn.as_deref().or(shown.channel_user.as_deref()).unwrap_or("–"),
        shown.channel.map_or("–", Channel::as_str),
        shown.kind,
        shown.keyword.map_or("–", Keyword::as_str),
        text.unwrap_or_default(),
    )
}
