//! `volley template`: WhatsApp templates that are in use or on hold.

use super::operator::Operator;
use super::out::{self, To};
use super::table::Table;
use super::words::{list as listed, plural, shell};
use super::{CommandContext, Exit};
use crate::campaign::{
    TemplateCarriedOut, TemplateDecision, TemplateDecisionView, carry_out_on_template, lanes_to_hold,
};
use crate::events::Origin;
use crate::status::{Templates, holds};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the templates that active campaigns use, and those on hold.
    List {
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
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
        Command::List { json } => list(context, json).await?,
        Command::Hold { template, lane, reason, operator, json } => {
            hold(&context.acting(&operator), &template, lane.as_deref(), reason, json).await?;
        }
        Command::Resume { template, lane, operator, json } => {
            resume(&context.acting(&operator), &template, lane.as_deref(), json).await?;
        }
    }
    Ok(Exit::Done)
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let Templates { views, holds: all, waiting, flagged } = Templates::read(&context.launcher(store.as_ref())).await?;
    if json {
        return out::json(&views);
    }
    if views.is_empty() {
        out::talk("No template is on hold, and no active campaign uses one.");
        return Ok(());
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&["template", "languages", "lanes", "active campaigns", "state"]);
    for template in &views {
        let state = match template.status() {
            _ if !template.holds.is_empty() => paint.bad("on hold"),
            Some("FLAGGED") => paint.so_so("ready, FLAGGED"),
            Some(_) | None => paint.good("ready"),
        };
        table.row([
            template.name.clone(),
            template.languages.join(", "),
            template.lanes.join(", "),
            template.campaigns.join(", "),
            state,
        ]);
    }
    out::lines(table.lines(paint))?;
    for hold in &all {
        out::data(format_args!("\n{}", holds::sentence_since(hold, waiting.held_by(hold), context.now())))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for (template, report) in
        views.iter().flat_map(|template| template.reports.iter().map(move |report| (template, report)))
    {
        out::data(format_args!("\n{}", report.sentence(&template.name)))?;
    }
    for (batch, _, sentence) in flagged {
        let name = batch.display_name();
        out::data(format_args!("\n{}", paint.so_so(format!("\"{name}\": {sentence}"))))?;
    }
    Ok(())
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
