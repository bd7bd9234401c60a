//! `volley message cancel` and `release`: decisions about one message.

use super::find::Which;
use crate::base::domain::State;
use crate::campaigns::campaign::{MessageDecision, carry_out_on_message};
use crate::campaigns::report::MessageViews;
use crate::cli::operator::Operator;
use crate::cli::{CommandContext, out};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    which: Which,
    /// Reason, shown in events.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    operator: Operator,
    /// Print one JSON object: as `message list`.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: &CommandContext, decision: MessageDecision) -> anyhow::Result<()> {
    let context = &context.acting(&args.operator);
    let store = context.existing_store().await?;
    let (batch, key) = args.which.find(context, store.as_ref()).await?;
    let by = context.origin(args.reason.as_deref());
    let clock = context.clock.as_ref();
    let message = carry_out_on_message(&store, clock, (&batch, key), decision, &by).await?;
    let shown = MessageViews::of(store.as_ref(), &batch).await?.read(&[message]).await?;
    store.close().await;
    let Some(view) = shown.first() else { return Ok(()) };
    if args.json {
        return out::json(view);
    }
    let now = match (decision, message.present.state) {
        (MessageDecision::Release, _) => "returned to its queue",
        (MessageDecision::Cancel, State::Done { .. }) => "is cancelled; nothing of it was sent",
        (MessageDecision::Cancel, _) => "gets no further step; what was submitted may still arrive",
    };
    out::data(format_args!("{} to {} {now}.", view.id, view.address))
}
