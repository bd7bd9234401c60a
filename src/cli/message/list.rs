//! `volley message list`.

use clap::ValueEnum;
use serde::Serialize;

use crate::campaign::{Pages, as_counted, state_of};
use crate::cli::campaign::find;
use crate::cli::out::{self, Paint, To};
use crate::cli::{Exit, Ground};
use crate::domain::{Channel, Loaded, MessageId, Msisdn, Outcome, Plan, SkipReason, State, StepIndex};
use crate::store::Batch;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The campaign's name or its id.
    campaign: String,
    /// Only those that stand there.
    #[arg(long, value_enum)]
    state: Option<Stands>,
    /// Only those that ended so: reached, undelivered, silent, unknown, expired, cancelled, skipped.
    #[arg(long)]
    outcome: Option<Outcome>,
    /// Only those of which nobody knows whether one of their hand-overs happened.
    #[arg(long)]
    unknown: bool,
    /// An object on a line of its own for each: id, msisdn, step, channel, state, outcome, skipped, unknown.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stands {
    /// Waits to leave.
    Queued,
    /// Is being handed over.
    Sending,
    /// Has been handed over; receipts are waited for.
    Awaiting,
    /// Has its outcome.
    Done,
}

impl Stands {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<SkipReason>,
    /// Steps of which nobody knows whether they were handed over.
    unknown: Vec<u8>,
}

impl Shown {
    fn new(message: &Loaded, batch: &Batch, plan: Option<&Plan>) -> Self {
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
            state: state_of(present),
            outcome: present.outcome(),
            skipped,
            unknown: unknown.map(|step| step.get() + 1).collect(),
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
        let unknown: Vec<String> = self.unknown.iter().map(ToString::to_string).collect();
        let unknown = match unknown.is_empty() {
            true => String::new(),
            false => paint.so_so(format!("  unknown: step {}", unknown.join(", "))),
        };
        format!("{}  {:<16}  {} {channel:<12}  {outcome}{unknown}", self.id, self.msisdn.to_string(), self.step)
    }
}

pub(super) async fn run(args: Args, ground: &Ground) -> anyhow::Result<Exit> {
    let store = ground.existing_store().await?;
    let batch = find(store.as_ref(), &args.campaign).await?;
    let plan = store.plan(batch.id).await?;
    let paint = To::Stdout.paint();
    let mut pages = Pages::of(store.as_ref(), &batch);
    let mut headed = args.json;
    while let Some(page) = pages.next().await? {
        let wanted = page.iter().filter(|message| {
            let present = as_counted(&batch, &message.present);
            args.state.is_none_or(|state| state == Stands::of(present.state))
                && args.outcome.is_none_or(|outcome| present.outcome() == Some(outcome))
                && (!args.unknown || StepIndex::all().any(|step| present.marks.unknown(step)))
        });
        let shown = wanted.map(|message| Shown::new(message, &batch, plan.as_ref()));
        if args.json {
            let lines: Result<Vec<String>, _> = shown.map(|shown| serde_json::to_string(&shown)).collect();
            out::lines(lines?)?;
            continue;
        }
        let lines: Vec<String> = shown.map(|shown| shown.line(paint)).collect();
        if !headed && !lines.is_empty() {
            headed = true;
            out::data(paint.dim(format!("{:<36}  {:<16}  {:<14}  stands", "id", "to", "step")))?;
        }
        out::lines(lines)?;
    }
    if !headed {
        out::talk("No message of it is like that.");
    }
    Ok(Exit::Done)
}
