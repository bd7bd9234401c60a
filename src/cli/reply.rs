//! `volley reply`: messages from recipients.

use serde::Serialize;

use super::campaign::find;
use super::out::{self, To};
use super::{CommandContext, Exit};
use crate::clock::format_time_exactly;
use crate::domain::{Channel, Keyword, MessageId, Msisdn};
use crate::store::{Batch, Batches, Cursor, Inbound, InboundOf};
use crate::wire::{Event, parse_events};

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

#[derive(Serialize)]
struct ReplyShown<'a> {
    umid: &'a str,
    received_at: String,
    written_at: String,
    msisdn: Option<String>,
    channel: Option<Channel>,
    kind: &'a str,
    keyword: Option<Keyword>,
    campaign: Option<String>,
    message: Option<String>,
    step: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
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
    let (mut after, mut batches, mut any) = (Cursor::START, Vec::new(), false);
    loop {
        let page = store.inbound(of, after, PAGE).await?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let mut lines = Vec::with_capacity(page.len());
        for (_, inbound) in &page {
            let shown = shown(store.as_ref(), inbound, &mut batches, args.unmasked).await?;
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
        out::talk("No matching messages.");
    }
    Ok(Exit::Done)
}

async fn shown<'a>(
    store: &dyn Batches,
    inbound: &'a Inbound,
    batches: &mut Vec<Batch>,
    unmasked: bool,
) -> anyhow::Result<ReplyShown<'a>> {
    let batch = match inbound.on {
        None => None,
        Some((key, _)) => {
            if !batches.iter().any(|known| known.id == key.batch) {
                batches.extend(store.batch(key.batch).await?);
            }
            batches.iter().find(|known| known.id == key.batch)
        }
    };
    let whole = |msisdn: Msisdn| msisdn.to_string();
    let masked = |msisdn: Msisdn| msisdn.masked().to_string();
    Ok(ReplyShown {
        umid: &inbound.umid,
        received_at: inbound.received.rfc3339(),
        written_at: inbound.written_at.rfc3339(),
        msisdn: inbound.msisdn.map(|msisdn| if unmasked { whole(msisdn) } else { masked(msisdn) }),
        channel: inbound.channel,
        kind: &inbound.kind,
        keyword: inbound.keyword,
        campaign: batch.map(Batch::display_name),
        message: batch.zip(inbound.on).map(|(batch, (key, _))| MessageId { key, tag: batch.tag }.to_string()),
        step: inbound.on.map(|(_, step)| step.get() + 1),
        channel_user: unmasked.then(|| channel_user(&inbound.raw)).flatten(),
        text: unmasked.then(|| text(&inbound.raw)),
    })
}

/// Returns the channel's own id of the recipient, for a provider event without a number.
fn channel_user(raw: &str) -> Option<String> {
    let events = parse_events(raw.as_bytes());
    let Some(Event::Inbound { inbound, .. }) = events.first() else { return None };
    let user = inbound.user.as_ref()?;
    let id = user.channel_user_id.as_deref().or(user.line_user_id.as_deref())?;
    let one_word: String = id.chars().filter(|letter| !letter.is_control()).take(TEXT_SHOWN).collect();
    Some(one_word).filter(|id| !id.is_empty())
}

/// Returns the text or the tapped button, and the URL of a file.
fn text(raw: &str) -> String {
    let events = parse_events(raw.as_bytes());
    let Some(Event::Inbound { inbound, .. }) = events.first() else { return String::new() };
    let url = inbound.content.url.as_deref();
    inbound.words().chain(url).collect::<Vec<_>>().join(" · ")
}

fn line(shown: &ReplyShown<'_>, inbound: &Inbound) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_without_a_number_shows_the_channels_own_id() {
        let event = |user: &str| {
            format!(
                r#"{{"eventType":"inbound_message_received","payload":{{"umid":"in-1","user":{user},
                "recipient":{{"channel":"whatsapp"}},"type":"Text","content":{{"text":"STOP"}}}}}}"#
            )
        };
        let id_of = |user: &str| channel_user(&event(user));
        assert_eq!(id_of(r#"{"channelUserId":"SG.13491208655302741918"}"#).unwrap(), "SG.13491208655302741918");
        assert_eq!(id_of(r#"{"lineUserId":"Ua12b"}"#).unwrap(), "Ua12b");
        assert_eq!((id_of("{}"), id_of(r#"{"channelUserId":"\n"}"#)), (None, None));
    }
}
