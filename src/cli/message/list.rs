//! `volley message list`: lists messages with their states.

use clap::ValueEnum;

use crate::base::domain::{Channel, Loaded, Outcome, Present, State, StepIndex};
use crate::campaigns::report::{MessageView, MessageViews, Pages, as_counted, lookup, lookup_everywhere};
use crate::cli::campaign::{ensure_not_purged, find};
use crate::cli::out::{self, Paint, To};
use crate::cli::table::Table;
use crate::cli::{CommandContext, Exit};
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
    /// client_message_id, expiry, skipped, unknown_steps.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StateFilter {
    /// Waits to be submitted.
    Queued,
    /// It alone is refused, and waits for an operator.
    SetAside,
    /// Is being submitted.
    Sending,
    /// Has been submitted; waits for receipts.
    Awaiting,
    /// Has its outcome.
    Done,
}

impl StateFilter {
    const fn of(present: &Present) -> Self {
        match present.state {
            State::Queued { .. } if present.is_set_aside() => Self::SetAside,
            State::Queued { .. } => Self::Queued,
            State::Sending { .. } => Self::Sending,
            State::Awaiting { .. } => Self::Awaiting,
            State::Done { .. } => Self::Done,
        }
    }
}

/// The columns of a message, before its campaign.
fn row(message: &MessageView, paint: Paint) -> [String; 6] {
    let outcome = match (message.outcome, message.skipped) {
        (Some(outcome), Some(reason)) => Some(format!("{outcome}: {reason}")),
        (outcome, _) => outcome.map(|outcome| outcome.to_string()),
    };
    let unknown: Vec<String> = message.unknown_steps.iter().map(ToString::to_string).collect();
    let unknown = (!unknown.is_empty()).then(|| format!("unknown: step {}", unknown.join(", ")));
    let outcome = outcome.into_iter().chain(unknown).collect::<Vec<_>>().join("  ");
    let outcome = match message.outcome {
        Some(Outcome::Reached) => paint.good(outcome),
        Some(_) => paint.bad(outcome),
        None => paint.so_so(outcome),
    };
    [
        message.id.clone(),
        message.address.to_string(),
        format!("{} {}", message.step, message.channel.map_or("", Channel::as_str)),
        message.state.replace('_', " "),
        outcome,
        message.client_message_id.as_deref().unwrap_or_default().to_owned(),
    ]
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let store = store.as_ref();
    let columns = ["=id", "=to", "step", "state", "outcome", "ClientMessageId"];
    let campaign = args.campaign.is_none().then_some("campaign");
    let table = Table::new(&columns.into_iter().chain(campaign).collect::<Vec<_>>());
    let mut list = List { args: &args, paint: To::Stdout.paint(), table, has_shown: false, found: false };
    match (&args.campaign, &args.to) {
        (Some(campaign), Some(recipient)) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            let found = lookup(store, &batch, recipient).await?;
            list.add(&MessageViews::of(store, &batch).await?, &batch, &found).await?;
        }
        (None, Some(recipient)) => {
            for (batch, messages) in lookup_everywhere(store, recipient).await? {
                list.add(&MessageViews::of(store, &batch).await?, &batch, &messages).await?;
            }
        }
        (Some(campaign), None) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            let (mut pages, views) = (Pages::of(store, &batch), MessageViews::of(store, &batch).await?);
            while let Some(page) = pages.next().await? {
                list.add(&views, &batch, &page).await?;
                list.print()?;
            }
        }
        (None, None) => {}
    }
    list.print()?;
    if !list.has_shown && !args.json {
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
    table: Table,
    /// Whether there was any message that was asked for.
    has_shown: bool,
    /// Whether there was any message before the filters.
    found: bool,
}

impl List<'_> {
    fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let present = as_counted(batch, &message.present);
        self.args.state.is_none_or(|state| state == StateFilter::of(&present))
            && self.args.outcome.is_none_or(|outcome| present.outcome() == Some(outcome))
            && (!self.args.unknown || StepIndex::all().any(|step| present.marks.unknown(step)))
    }

    /// Adds the messages of a page that were asked for. As JSON, it prints them.
    async fn add(&mut self, views: &MessageViews<'_>, batch: &Batch, page: &[Loaded]) -> anyhow::Result<()> {
        self.found |= !page.is_empty();
        let wanted: Vec<Loaded> = page.iter().filter(|message| self.wants(batch, message)).copied().collect();
        let shown = views.read(&wanted).await?;
        if self.args.json {
            let lines: Result<Vec<String>, _> = shown.iter().map(serde_json::to_string).collect();
            return out::lines(lines?);
        }
        self.has_shown |= !shown.is_empty();
        let of = self.args.campaign.is_none().then(|| batch.display_name());
        shown.iter().for_each(|message| self.table.row(row(message, self.paint).into_iter().chain(of.clone())));
        Ok(())
    }

    fn print(&mut self) -> anyhow::Result<()> {
        if self.has_shown { out::lines(self.table.next_page(self.paint)) } else { Ok(()) }
    }
}
