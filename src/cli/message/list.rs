//! `volley message list`: lists messages with their states.

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::campaign::{ensure_not_purged, find};
use crate::cli::out::{self, Paint, To};
use crate::cli::{CommandContext, Exit};
use crate::domain::{Channel, Loaded, MessageId, Msisdn, Outcome, Plan, SkipReason, State, StepIndex};
use crate::report::{Pages, as_counted, client_ids, lookup, lookup_everywhere};
use crate::store::{Batch, Store};

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

#[derive(Serialize)]
struct Shown {
    id: String,
    msisdn: Msisdn,
    step: u8,
    channel: Option<Channel>,
    state: &'static str,
    outcome: Option<Outcome>,
    campaign: String,
    /// The `ClientMessageId` of the recipient file, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_message_id: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipReason>,
    /// Steps for which it is unknown whether they were submitted.
    unknown_steps: Vec<u8>,
}

impl Shown {
    fn new(message: &Loaded, batch: &Batch, plan: Option<&Plan>, client_message_id: Option<Box<str>>) -> Self {
        let present = &as_counted(batch, &message.present);
        let skipped = match present.state {
            State::Done { skipped, .. } => skipped,
            State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => None,
        };
        let unknown = StepIndex::all().filter(|step| present.marks.unknown(*step));
        Self {
            id: MessageId { key: message.key, tag: batch.tag }.to_string(),
            msisdn: message.msisdn,
            step: present.step.get() + 1,
            channel: plan.and_then(|plan| plan.step(present.step)).map(|step| step.channel),
            state: present.state.name(),
            outcome: present.outcome(),
            campaign: batch.display_name(),
            client_message_id,
            skipped,
            unknown_steps: unknown.map(|step| step.get() + 1).collect(),
        }
    }

    fn line(&self, paint: Paint) -> String {
        let outcome = match (self.outcome, self.skipped) {
            (Some(outcome), Some(reason)) => format!("{outcome}: {reason}"),
            (Some(outcome), None) => outcome.to_string(),
            (None, _) => self.state.to_owned(),
        };
        let outcome = match self.outcome {
            Some(Outcome::Reached) => paint.good(outcome),
            Some(_) => paint.bad(outcome),
            None => outcome,
        };
        let channel = self.channel.map_or("", Channel::as_str);
        let unknown: Vec<String> = self.unknown_steps.iter().map(ToString::to_string).collect();
        let unknown = match unknown.is_empty() {
            true => String::new(),
            false => paint.so_so(format!("  unknown: step {}", unknown.join(", "))),
        };
        let client = self.client_message_id.as_ref().map(|id| paint.dim(format!("  {id}"))).unwrap_or_default();
        format!("{}  {:<16}  {} {channel:<12}  {outcome}{unknown}{client}", self.id, self.msisdn.to_string(), self.step)
    }
}

pub(super) async fn run(args: Args, context: &CommandContext) -> anyhow::Result<Exit> {
    let store = context.existing_store().await?;
    let store = store.as_ref();
    let mut list = List { args: &args, paint: To::Stdout.paint(), is_headed: args.json };
    match (&args.campaign, &args.to) {
        (Some(campaign), Some(recipient)) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            list.show(store, &batch, &lookup(store, &batch, recipient).await?).await?;
        }
        (None, Some(recipient)) => {
            for (batch, messages) in lookup_everywhere(store, recipient).await? {
                list.show(store, &batch, &messages).await?;
            }
        }
        (Some(campaign), None) => {
            let batch = find(store, campaign).await?;
            ensure_not_purged(&batch)?;
            let mut pages = Pages::of(store, &batch);
            while let Some(page) = pages.next().await? {
                list.show(store, &batch, &page).await?;
            }
        }
        (None, None) => {}
    }
    if !list.is_headed {
        out::talk("No matching messages.");
    }
    Ok(Exit::Done)
}

/// A list that is being printed.
struct List<'a> {
    args: &'a Args,
    paint: Paint,
    is_headed: bool,
}

impl List<'_> {
    fn wants(&self, batch: &Batch, message: &Loaded) -> bool {
        let present = as_counted(batch, &message.present);
        self.args.state.is_none_or(|state| state == StateFilter::of(present.state))
            && self.args.outcome.is_none_or(|outcome| present.outcome() == Some(outcome))
            && (!self.args.unknown || StepIndex::all().any(|step| present.marks.unknown(step)))
    }

    async fn show(&mut self, store: &dyn Store, batch: &Batch, page: &[Loaded]) -> anyhow::Result<()> {
        let plan = store.plan(batch.id).await?;
        let wanted: Vec<Loaded> = page.iter().filter(|message| self.wants(batch, message)).copied().collect();
        let mut ids = client_ids(store, batch, &wanted).await?;
        let shown = wanted.iter().map(|message| Shown::new(message, batch, plan.as_ref(), ids.remove(&message.key)));
        let shown: Vec<Shown> = shown.collect();
        if self.args.json {
            let lines: Result<Vec<String>, _> = shown.iter().map(serde_json::to_string).collect();
            return out::lines(lines?);
        }
        if !self.is_headed && !shown.is_empty() {
            self.is_headed = true;
            out::data(self.paint.dim(format!("{:<36}  {:<16}  {:<14}  state", "id", "to", "step")))?;
        }
        let of = if self.args.campaign.is_none() { format!("  {}", batch.display_name()) } else { String::new() };
        out::lines(shown.iter().map(|shown| shown.line(self.paint) + &of))
    }
}
