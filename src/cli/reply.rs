//! `volley reply`: messages from recipients.

use std::path::{Path, PathBuf};

use super::campaign::find;
use super::out::{self, To};
use super::words::plural;
use super::{CommandContext, Exit};
use crate::clock::format_time_exactly;
use crate::domain::text::one_line;
use crate::domain::{Address, Channel, Keyword};
use crate::receipts::{ReplyExport, ReplyView, ReplyViews};
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
    #[arg(long, value_name = "CAMPAIGN", conflicts_with = "from")]
    campaign: Option<String>,
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
