//! `volley message list`: lists messages with their states.

use clap::ValueEnum;

use crate::cli::campaign::{ensure_not_purged, find};
use crate::cli::out::{self, Paint, To};
use crate::cli::{CommandContext, Exit};
use crate::domain::{Channel, Loaded, Outcome, State, StepIndex};
use crate::report::{MessageView, MessageViews, Pages, as_counted, lookup, lookup_everywhere};
use crate::store::Batch;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Name or id of the campaign, or `latest`. Optional with --to, which then searches all campaigns.
    #[arg(required_unless_present = "to")]
    campaign: Option<String>,
    /// List only messages to this phone number (+65…), or with this ClientMessageId of the recipient file.
    #[arg(long, value_name = "RECIPIENT")]
    to: Option<String>,
    /// List only messages in this state.
    #[arg(long, value_enum)]
    state: Option<StateFilter>,
    /// List only messages with this outcome: reached, undelivered, silent, unknown, expired, cancelled, skipped.
    #[arg(long)]
    outcome: Option<Outcome>,
    /// List only messages with a submission whose result is unknown.
    #[arg(long)]
    unknown: bool,
    /// Print one JSON object per line: id, msisdn, step, channel, state, outcome, campaign,
    /// client_message_id, skipped, unknown_steps.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateFilter {
    /// Waits to be submitted.
    Queued,
    /// Is being submitted.
    Sending,
    /// Has been submitted; waits for receipts.
    Awaiting,
    /// Has its outcome.
    Done,
}

impl StateFilter {
    const fn of(state: State) -> Self {
        match state {
            State::Queued { .. } => Self::Queued,
            State::Sending { .. } => Self::Sending,
            State::Awaiting { .. } => Self::Awaiting,
            State::Done { .. } => Self::Done,
        }
    }
}

fn line(message: &MessageView, paint: Paint) -> String {
    let outcome = match (message.outcome, message.skipped) {
        (Some(outcome), Some(reason)) => format!("{outcome}: {reason}"),
        (Some(outcome), None) => outcome.to_string(),
        (None, _) => String::new(),
    };
    let unknown: Vec<String> = message.unknown_steps.iter().map(ToString::to_string).collect();
    let outcome = match (unknown.is_empty(), outcome.is_empty()) {
        (true, _) => format!("{outcome:<OUTCOME$}"),
        (false, true) => format!("{:<OUTCOME$}", format!("unknown: step {}", unknown.join(", "))),
        (false, false) => format!("{:<OUTCOME$}", format!("{outcome}  unknown: step {}", unknown.join(", "))),
    };
    let outcome = match message.outcome {
        Some(Outcome::Reached) => paint.good(outcome),
        Some(_) => paint.bad(outcome),
        None => paint.so_so(outcome),
    };
    let step = format!("{} {}", message.step, message.channel.map_or("", Channel::as_str));
    let client = message.client_message_id.as_deref().unwrap_or_default();
    format!(
        "{}  {:<16}  {step:<14}  {:<8}  {outcome}  {client:<CLIENT_ID$}",
        message.id,
        message.msisdn.to_string(),
        message.state
    )
}

/// Widths of columns. Rows are printed page by page, so their widths are fixed.
const OUTCOME: usize = 20;
const CLIENT_ID: usize = 16;

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let store = store.as_ref();
    let mut list = List { args: &args, paint: To::Stdout.paint(), is_headed: args.json, found: false };
    match (&args.campaign, &args.to) {
        (Some(campaign), Some(recipient)) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            let found = lookup(store, &batch, recipient).await?;
            list.show(&MessageViews::of(store, &batch).await?, &batch, &found).await?;
        }
        (None, Some(recipient)) => {
            for (batch, messages) in lookup_everywhere(store, recipient).await? {
                list.show(&MessageViews::of(store, &batch).await?, &batch, &messages).await?;
            }
        }
        (Some(campaign), None) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            let (mut pages, views) = (Pages::of(store, &batch), MessageViews::of(store, &batch).await?);
            while let Some(page) = pages.next().await? {
                list.show(&views, &batch, &page).await?;
            }
        }
        (None, None) => {}
    }
    if !list.is_headed {
        out::talk(match &args.to {
            Some(recipient) if !list.found => format!(
                "No message to \"{recipient}\"; give a number with its country code (+65…) or a ClientMessageId."
            ),
            _ => "No matching messages.".to_owned(),
        });
    }
    Ok(Exit::Done)
}

/// A list that is being printed.
struct List<'a> {
    args: &'a Args,
    paint: Paint,
    is_headed: bool,
    /// Whether there was any message before the filters.
    found: bool,
}

impl List<'_> {
    fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let present = as_counted(batch, &message.present);
        self.args.state.is_none_or(|state| state == StateFilter::of(present.state))
            && self.args.outcome.is_none_or(|outcome| present.outcome() == Some(outcome))
            && (!self.args.unknown || StepIndex::all().any(|step| present.marks.unknown(step)))
    }

    async fn show(&mut self, views: &MessageViews<'_>, batch: &Batch, page: &[Loaded]) -> anyhow::Result<()> {
        self.found |= !page.is_empty();
        let wanted: Vec<Loaded> = page.iter().filter(|message| self.wants(batch, message)).copied().collect();
        let shown = views.read(&wanted).await?;
        if self.args.json {
            let lines: Result<Vec<String>, _> = shown.iter().map(serde_json::to_string).collect();
            return out::lines(lines?);
        }
        if !self.is_headed && !shown.is_empty() {
            self.is_headed = true;
            let heading = format!(
                "{:<36}  {:<16}  {:<14}  {:<8}  {:<OUTCOME$}  {:<CLIENT_ID$}",
                "id", "to", "step", "state", "outcome", "ClientMessageId"
            );
            let campaign = if self.args.campaign.is_none() { "  campaign" } else { "" };
            out::data(self.paint.dim(format_args!("{heading}{campaign}")))?;
        }
        let of = if self.args.campaign.is_none() { format!("  {}", batch.display_name()) } else { String::new() };
        out::lines(shown.iter().map(|message| format!("{}{of}", line(message, self.paint))))
    }
}
