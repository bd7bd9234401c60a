//! `volley template check`, `push` and `remove`: creates and removes templates at the provider.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::base::config::Lane;
use crate::base::domain::Channel;
use crate::campaigns::status::Templates;
use crate::cli::exit::Usage;
use crate::cli::out;
use crate::cli::words::{list, plural, shell};
use crate::cli::{CommandContext, progress};
use crate::provider::catalogue::{self, Catalogue, pull, read_new_template, room_warning, rule_notes};
use crate::rules::wire::NewTemplate;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RemoveArgs {
    /// The template's name at the provider. It is removed in every language.
    template: String,
    /// The lane whose channel has it. Default: the only WhatsApp lane.
    #[arg(long)]
    lane: Option<String>,
    /// Remove it, for good. Without this the command only shows what it would remove.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object: template, lanes, campaigns, removed.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PushArgs {
    /// The request, TOML or JSON, as the provider documents it.
    file: PathBuf,
    /// The lane on whose channel it is created. Default: the only WhatsApp lane.
    #[arg(long)]
    lane: Option<String>,
    /// Print one JSON object: template, language, lanes.
    #[arg(long)]
    json: bool,
}

/// A new template.
#[derive(Serialize)]
struct NewTemplateView<'a> {
    template: &'a str,
    language: &'a str,
    lanes: Vec<&'a str>,
}

/// A removed template.
#[derive(Serialize)]
struct RemovedTemplateView<'a> {
    template: &'a str,
    lanes: Vec<&'a str>,
    /// Active campaigns that use it.
    campaigns: &'a [String],
    removed: bool,
}

impl<'a> NewTemplateView<'a> {
    fn new(template: &'a NewTemplate, lanes: Vec<&'a str>) -> Self {
        let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
        Self { template: text(&template.name), language: text(&template.language), lanes }
    }
}

impl PushArgs {
    pub(in crate::cli) fn file(&self) -> &Path {
        &self.file
    }
}

fn read(context: &CommandContext, file: &Path) -> anyhow::Result<NewTemplate> {
    let text = context.text(file)?;
    let template = read_new_template(&file.display().to_string(), &text)?;
    for note in rule_notes(&template) {
        out::talk(format_args!("{}, {note}", file.display()));
    }
    Ok(template)
}

pub(super) fn check(context: &CommandContext, file: &Path, json: bool) -> anyhow::Result<()> {
    let template = read(context, file)?;
    let view = NewTemplateView::new(&template, Vec::new());
    if json {
        return out::json(&view);
    }
    let NewTemplateView { template, language, .. } = view;
    let lanes: Vec<&str> = context.config.lanes_on(Channel::WhatsApp).map(|lane| lane.name.as_str()).collect();
    let command = push_command(file, &lanes);
    out::data(format_args!("{template} ({language}) breaks no documented rule. To create it: {command}"))
}

/// The command that creates a template on the channel of one of these lanes.
fn push_command(file: &Path, lanes: &[&str]) -> String {
    let command = format!("volley template push {}", shell(&file.display().to_string()));
    let lanes: Vec<String> = lanes.iter().map(|lane| format!("--lane {}", shell(lane))).collect();
    match &lanes[..] {
        [] => command,
        [lane] => format!("{command} {lane}"),
        [lane, others @ ..] => format!("{command} {lane} (or {})", others.join(", ")),
    }
}

pub(super) async fn push(context: &CommandContext, args: &PushArgs) -> anyhow::Result<()> {
    let template = read(context, &args.file)?;
    let lane = lane_of(context, args.lane.as_deref())?;
    let store = context.store().await?;
    let spinner = progress::spinner("creating the template", args.json);
    let pushed = catalogue::push(store.as_ref(), context.clock.as_ref(), lane, &template).await;
    spinner.finish_and_clear();
    pushed?;
    refresh(context, store.as_ref()).await?;
    let catalogue = Catalogue::read(store.as_ref(), &context.config.lanes, None).await?;
    if let Some(warning) = room_warning(&catalogue, lane) {
        out::talk(warning);
    }
    store.close().await;
    let view = NewTemplateView::new(&template, vec![lane.name.as_str()]);
    if args.json {
        return out::json(&view);
    }
    let NewTemplateView { template, language, .. } = view;
    out::data(format_args!(
        "Template {template} ({language}) is created and waits for the provider's review. A webhook reports the result; see \
         volley template show {template}"
    ))
}

pub(super) async fn remove(context: &CommandContext, args: &RemoveArgs) -> anyhow::Result<()> {
    let RemoveArgs { template, yes, json, .. } = args;
    let lane = lane_of(context, args.lane.as_deref())?;
    let store = context.store().await?;
    let templates = Templates::read(&context.launcher(store.as_ref())).await?;
    let view = templates.views.into_iter().find(|view| view.name == *template);
    let (campaigns, languages) = view.map(|view| (view.campaigns, view.at_provider.len())).unwrap_or_default();
    if !campaigns.is_empty() && !json {
        let (count, names) =
            (plural(campaigns.len() as u64, "active campaign uses", "active campaigns use"), list(&campaigns));
        out::talk(format_args!("{count} it: {names}. Messages that are not sent yet would be refused."));
    }
    if *yes {
        catalogue::remove(store.as_ref(), context.clock.as_ref(), lane, template).await?;
        refresh(context, store.as_ref()).await?;
    }
    store.close().await;
    if *json {
        let (lanes, removed) = (vec![lane.name.as_str()], *yes);
        return out::json(&RemovedTemplateView { template, lanes, campaigns: &campaigns, removed });
    }
    if *yes {
        return out::data(format_args!("Template {template} is removed. The provider locks its name for 30 days."));
    }
    let known = plural(languages as u64, "language", "languages");
    out::talk(format_args!(
        "Nothing was removed. Add --yes to remove {template} ({known} known) for good; the provider locks its name for 30 days."
    ));
    Ok(())
}

/// The lane on whose channel a template is created or removed.
fn lane_of<'a>(context: &'a CommandContext, named: Option<&str>) -> anyhow::Result<&'a Lane> {
    if let Some(name) = named {
        return Ok(context.config.named_lane(name)?);
    }
    let lanes: Vec<&Lane> = context.config.lanes_on(Channel::WhatsApp).collect();
    match lanes[..] {
        [lane] => Ok(lane),
        [] => anyhow::bail!("no lane is on WhatsApp, the only channel with templates; add one to volley.toml"),
        _ => {
            let names: Vec<String> = lanes.iter().map(|lane| lane.name.clone()).collect();
            Err(Usage(format!("several lanes are on WhatsApp; name one with --lane: {}", list(&names))).into())
        }
    }
}

/// Fetches the lists again, so that plans know of the change. The change itself is done, whether or not this succeeds.
async fn refresh(context: &CommandContext, store: &dyn Store) -> anyhow::Result<()> {
    for channel in pull(store, context.clock.as_ref(), &context.config).await?.channels {
        if let Err(error) = channel.result {
            tracing::debug!(%error, "cannot fetch the templates after a change");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_creates_a_template_names_its_file_and_the_lane() {
        let command = |file: &str, lanes: &[&str]| push_command(Path::new(file), lanes);
        assert_eq!(command("promo.toml", &["wa"]), "volley template push promo.toml --lane wa");
        assert_eq!(command("my promo.toml", &[]), "volley template push 'my promo.toml'");
        let several = "volley template push promo.toml --lane wa-sg (or --lane wa-my, --lane wa-id)";
        assert_eq!(command("promo.toml", &["wa-sg", "wa-my", "wa-id"]), several);
    }
}
