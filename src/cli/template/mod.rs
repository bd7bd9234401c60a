//! `volley template`: the provider's WhatsApp templates, those that are in use or on hold, and previews of messages.

mod change;
mod list;
mod pull;
mod show;

use crate::campaigns::campaign::{
    TemplateCarriedOut, TemplateDecision, TemplateDecisionView, carry_out_on_template, lanes_to_hold,
};
use std::path::PathBuf;

use crate::base::events::Origin;
use crate::cli::operator::Operator;
use crate::cli::out;
use crate::cli::words::{list as listed, plural, shell};
use crate::cli::{CommandContext, Exit, preview};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Fetch the provider's templates now, and print what has changed.
    ///
    /// Plans and launches are checked against the fetched templates. A server fetches them when it starts.
    Pull {
        /// Print one JSON object: channels, skipped.
        #[arg(long)]
        json: bool,
    },
    /// List the fetched templates, those that active campaigns use, and those on hold.
    List(list::Args),
    /// Show a template: its whole text, its buttons, its history, and the campaigns that use it.
    Show {
        /// The template's name at the provider.
        template: String,
        /// Print one JSON object: name, languages, lanes, campaigns, holds, reports, runs_past, at_provider, history.
        #[arg(long)]
        json: bool,
    },
    /// Show the messages of a campaign file or a route with the given values, as a recipient would see them.
    #[command(after_help = "\
Examples:
  volley template preview promo.toml --with FirstName=Ann --with Code=A1
  volley template preview --route welcome --step 2 --html preview.html")]
    Preview(preview::values::Args),
    /// Check a request that creates a template against the provider's documented rules.
    Check {
        /// The request, TOML or JSON, as the provider documents it.
        file: PathBuf,
        /// Print one JSON object: template, language, lanes.
        #[arg(long)]
        json: bool,
    },
    /// Check a request, and create the template at the provider, which then reviews it.
    ///
    /// The provider creates 100 templates an hour at most, and locks the name of a removed template for 30 days.
    Push(change::PushArgs),
    /// Remove a template from the provider, in every language. Cannot be undone.
    Remove(change::RemoveArgs),
    /// Put a template on hold. Its queued messages wait; a step with leave_within falls back after that time.
    ///
    /// A name that no campaign or route uses, and about which the provider has reported nothing, is refused.
    #[command(
        after_help = "Examples:\n  volley template hold promo\n  volley template hold promo --lane promo-sg --reason 'wrong picture'"
    )]
    Hold {
        /// The template's name at the provider.
        template: String,
        /// Only on this lane. Default: every WhatsApp lane.
        #[arg(long)]
        lane: Option<String>,
        /// Reason, shown in events and with the hold.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: template, lanes, noted.
        #[arg(long)]
        json: bool,
    },
    /// Release the holds of a template.
    Resume {
        /// The template's name at the provider.
        template: String,
        /// Only on this lane. Default: every lane where it is on hold.
        #[arg(long)]
        lane: Option<String>,
        #[command(flatten)]
        operator: Operator,
        /// Print one JSON object: template, lanes, released, noted.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command, context: &CommandContext) -> anyhow::Result<Exit> {
    match command {
        Command::Pull { json } => return pull::run(context, json).await,
        Command::List(args) => list::run(context, &args).await?,
        Command::Preview(args) => return preview::values::run(&args, context).await,
        Command::Check { file, json } => change::check(context, &file, json)?,
        Command::Push(args) => change::push(context, &args).await?,
        Command::Remove(args) => change::remove(context, &args).await?,
        Command::Show { template, json } => show::run(context, &template, json).await?,
        Command::Hold { template, lane, reason, operator, json } => {
            hold(&context.acting(&operator), &template, lane.as_deref(), reason, json).await?;
        }
        Command::Resume { template, lane, operator, json } => {
            resume(&context.acting(&operator), &template, lane.as_deref(), json).await?;
        }
    }
    Ok(Exit::Done)
}

async fn hold(
    context: &CommandContext,
    template: &str,
    on: Option<&str>,
    reason: Option<String>,
    json: bool,
) -> anyhow::Result<()> {
    let lanes = &lanes_to_hold(&context.config, on)?;
    let by = &context.origin(reason.as_deref());
    let done = carry_out(context, template, TemplateDecision::Hold { lanes }, by).await?;
    if json {
        return out::json(&TemplateDecisionView::new(template, &done));
    }
    for hold in &done.already {
        let by = hold.origin.operator_name().unwrap_or_default();
        out::data(format_args!(
            "Template {template} was already on hold on {} (by {by}); the reason is unchanged.",
            hold.lane
        ))?;
    }
    let is_new = |lane: &&String| done.already.iter().all(|hold| hold.lane != **lane);
    let added: Vec<String> = done.lanes.iter().filter(is_new).cloned().collect();
    if added.is_empty() {
        return Ok(());
    }
    let (on, effect) = (listed(&added), done.noted.sentence());
    let to_resume = format!("To resume: volley template resume {}", shell(template));
    out::data(format_args!("Template {template} is on hold on {on}; its messages wait ({effect}). {to_resume}"))
}

async fn resume(context: &CommandContext, template: &str, on: Option<&str>, json: bool) -> anyhow::Result<()> {
    let done = carry_out(context, template, TemplateDecision::Resume { on }, &context.origin(None)).await?;
    if json {
        return out::json(&TemplateDecisionView::new(template, &done));
    }
    match done.released {
        None | Some(0) => out::data(format_args!(
            "Template {template} was not on hold{}.",
            on.map(|lane| format!(" on {lane}")).unwrap_or_default()
        )),
        Some(released) => {
            let (on, holds, effect) = (listed(&done.lanes), plural(released, "hold", "holds"), done.noted.sentence());
            out::data(format_args!("Template {template} is resumed on {on}; {holds} released ({effect})."))
        }
    }
}

async fn carry_out(
    context: &CommandContext,
    template: &str,
    decision: TemplateDecision<'_>,
    by: &Origin,
) -> anyhow::Result<TemplateCarriedOut> {
    let (store, clock) = (context.store().await?, context.clock.as_ref());
    let done = carry_out_on_template(store.as_ref(), clock, &context.config, template, decision, by).await?;
    store.close().await;
    Ok(done)
}
