//! `volley reply`: messages from recipients.

use super::campaign::find;
use super::out::{self, To};
use super::{CommandContext, Exit};
use crate::clock::format_time_exactly;
use crate::domain::{Channel, Keyword, Msisdn};
use crate::receipts::{ReplyView, ReplyViews};
use crate::store::{Cursor, Inbound, InboundOf};

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
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only replies to messages of this campaign (name, id or `latest`).
    #[arg(long, value_name = "CAMPAIGN", conflicts_with = "from")]
    campaign: Option<String>,
    /// Only messages from this number.
    #[arg(long, value_name = "NUMBER")]
    from: Option<Msisdn>,
    /// Show full numbers and texts.
    #[arg(long)]
    unmasked: bool,
    /// Print one JSON object per line: umid, received_at, written_at, msisdn, channel, kind, keyword, campaign, message, step;
    /// with --unmasked also text, and channel_user for a recipient with an id of the channel's own.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    let Command::List(args) = command;
    let store = context.existing_store().await?;
    let of = match (&args.campaign, args.from) {
        (Some(name), _) => InboundOf::Batch(find(store.as_ref(), name).await?.id),
        (None, Some(msisdn)) => InboundOf::Recipient(msisdn),
        (None, None) => InboundOf::All,
    };
    let paint = To::Stdout.paint();
    let (mut after, mut any) = (Cursor::START, false);
    let mut views = ReplyViews::new(store.as_ref(), args.unmasked);
    loop {
        let page = store.inbound(of, after, PAGE).await?;
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
    let text = shown.text.as_deref().filter(|text| !text.is_empty()).map(|text| {
        let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_SHOWN).collect();
        format!("\n    {one_line}")
    });
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
