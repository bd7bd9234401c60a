//! `volley template`: WhatsApp templates that are in use or on hold.

use std::collections::BTreeMap;

use anyhow::bail;
use serde::Serialize;

use super::holds::{self, HoldShown};
use super::lane;
use super::operator::Operator;
use super::out::{self, To};
use super::table::Table;
use super::words::{list as listed, plural};
use super::{CommandContext, Exit};
use crate::campaign::{check_template, noted};
use crate::clock::format_time;
use crate::domain::{BatchState, Channel, Content, Timestamp};
use crate::report::Waiting;
use crate::store::{Batches, Hold};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the templates that active campaigns use, and those on hold.
    List {
        /// Print a JSON list of objects.
        #[arg(long)]
        json: bool,
    },
    /// Put a template on hold. Its queued messages wait, at most until their leave_within.
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

#[derive(Debug, Default, Serialize)]
struct TemplateShown {
    name: String,
    languages: Vec<String>,
    lanes: Vec<String>,
    /// Active campaigns that use it.
    campaigns: Vec<String>,
    holds: Vec<HoldShown>,
    /// What the provider reports about it, by language.
    reports: Vec<ReportedShown>,
    /// Active campaigns that would still send it when the provider disables it.
    runs_past: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ReportedShown {
    language: String,
    what: String,
    value: String,
    at: String,
}

impl TemplateShown {
    /// The status that the provider reported last, in any language.
    fn status(&self) -> Option<&str> {
        let statuses = self.reports.iter().filter(|report| report.what == "status");
        statuses.max_by_key(|report| &report.at).map(|report| report.value.as_str())
    }
}

/// Collects the templates in use and on hold, by name.
async fn templates(store: &dyn Batches, all: &[Hold], waiting: &Waiting) -> anyhow::Result<Vec<TemplateShown>> {
    let mut found: BTreeMap<String, TemplateShown> = BTreeMap::new();
    let active = vec![BatchState::Scheduled, BatchState::Running, BatchState::Paused];
    for batch in store.batches(Some(active)).await? {
        let Some(plan) = store.plan(batch.id).await? else { continue };
        for step in &plan.steps {
            let Content::Template(template) = &step.content else { continue };
            let shown = found.entry(template.name.clone()).or_default();
            add(&mut shown.languages, &template.language);
            step.lanes.names().for_each(|lane| add(&mut shown.lanes, lane));
            add(&mut shown.campaigns, &batch.display_name());
        }
    }
    for hold in all.iter().filter(|hold| !hold.template.is_empty()) {
        let shown = found.entry(hold.template.clone()).or_default();
        add(&mut shown.lanes, &hold.lane);
        shown.holds.push(HoldShown::new(hold, waiting));
    }
    Ok(found.into_iter().map(|(name, shown)| TemplateShown { name, ..shown }).collect())
}

fn add(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

async fn list(context: &CommandContext, json: bool) -> anyhow::Result<()> {
    let store = context.store_for_reading().await?;
    let all = store.holds().await?;
    let waiting = Waiting::everywhere(store.as_ref()).await?;
    let mut templates = templates(store.as_ref(), &all, &waiting).await?;
    for report in store.provider_reports().await?.into_iter().filter(|report| !report.value.is_empty()) {
        let Some((name, language)) = report.template() else { continue };
        // The provider also reports on templates that no campaign here uses: skip them.
        let Some(shown) = templates.iter_mut().find(|shown| shown.name == name) else { continue };
        let language = language.to_owned();
        shown.reports.push(ReportedShown { language, what: report.what, value: report.value, at: report.at.rfc3339() });
    }
    let flagged = context.launcher(store.as_ref()).flagged_everywhere().await?;
    for template in &mut templates {
        let runs_past = flagged.iter().filter(|(_, flagged, _)| flagged.template == template.name);
        template.runs_past = runs_past.map(|(batch, ..)| batch.display_name()).collect();
    }
    if json {
        return out::json(&templates);
    }
    if templates.is_empty() {
        out::talk("No template is on hold, and no active campaign uses one.");
        return Ok(());
    }
    let paint = To::Stdout.paint();
    let mut table = Table::new(&["template", "languages", "lanes", "active campaigns", "state"]);
    for template in &templates {
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
    for hold in all.iter().filter(|hold| !hold.template.is_empty()) {
        out::data(format_args!(
            "\n{}",
            holds::sentence_since(hold, waiting.on(&hold.lane, &hold.template), context.now())
        ))?;
        out::data(paint.dim(format!("  {}", holds::what_to_do(hold))))?;
    }
    for (template, report) in
        templates.iter().flat_map(|template| template.reports.iter().map(move |report| (template, report)))
    {
        let ReportedShown { language, what, value, at } = report;
        let language = if language.is_empty() { String::new() } else { format!(" ({language})") };
        let at = Timestamp::parse_rfc3339(at).map_or_else(|| at.clone(), |at| format_time(at, None));
        out::data(format_args!(
            "\ntemplate {}{language}: its {what} is {value}, reported by the provider at {at}",
            template.name
        ))?;
    }
    for (batch, _, sentence) in flagged {
        let name = batch.display_name();
        out::data(format_args!("\n{}", paint.so_so(format!("\"{name}\": {sentence}"))))?;
    }
    Ok(())
}

/// A template after a decision about it, for JSON.
#[derive(Serialize)]
struct DecidedShown<'a> {
    template: &'a str,
    lanes: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<u32>,
    noted: Option<bool>,
}

async fn hold(
    context: &CommandContext,
    template: &str,
    on: Option<&str>,
    reason: Option<String>,
    json: bool,
) -> anyhow::Result<()> {
    let lanes: Vec<String> = match on {
        Some(name) => vec![lane::named(context, name)?.name.clone()],
        None => context.config.lanes_on(Channel::WhatsApp).map(|lane| lane.name.clone()).collect(),
    };
    if lanes.is_empty() {
        bail!(
            "no lane is on WhatsApp, the only channel with templates; add one to volley.toml, or name one with --lane"
        );
    }
    let store = context.store().await?;
    check_template(store.as_ref(), &context.config, template).await?;
    let origin = context.origin(reason.as_deref());
    let mut seq = 0;
    for lane in &lanes {
        let since = context.now();
        let hold = Hold::by_operator(lane, template, origin.clone(), since);
        seq = store.hold(hold, since).await?;
    }
    let noted = noted(store.as_ref(), context.clock.as_ref(), seq).await?;
    store.close().await;
    if json {
        return out::json(&DecidedShown { template, lanes: &lanes, released: None, noted: noted.by_all() });
    }
    let (on, effect) = (listed(&lanes), noted.sentence());
    out::data(format_args!("Template {template} is on hold on {on}; its messages wait ({effect})."))
}

async fn resume(context: &CommandContext, template: &str, on: Option<&str>, json: bool) -> anyhow::Result<()> {
    let store = context.store().await?;
    let holds = store.holds().await?;
    let mut lanes: Vec<String> = Vec::new();
    for hold in holds.iter().filter(|hold| hold.template == template && on.is_none_or(|lane| hold.lane == lane)) {
        add(&mut lanes, &hold.lane);
    }
    let mut released = 0;
    for lane in &lanes {
        released += store.release(lane.clone(), template.to_owned(), context.now(), context.origin(None)).await?;
    }
    let noted = noted(store.as_ref(), context.clock.as_ref(), store.seq().await?).await?;
    store.close().await;
    if json {
        return out::json(&DecidedShown { template, lanes: &lanes, released: Some(released), noted: noted.by_all() });
    }
    match released {
        0 => out::data(format_args!(
            "Template {template} was not on hold{}.",
            on.map(|lane| format!(" on {lane}")).unwrap_or_default()
        )),
        released => {
            let (on, holds, effect) = (listed(&lanes), plural(released, "hold", "holds"), noted.sentence());
            out::data(format_args!("Template {template} is resumed on {on}; {holds} released ({effect})."))
        }
    }
}
