//! `volley doctor`: checks the installation, and says what to do.

use std::collections::BTreeMap;
use std::path::Path;

use super::disk::{Space, space_beside};
use super::out::{self, Paint, To};
use super::webhooks::{self, Change};
use super::{CommandContext, Exit};
use crate::config::Config;
use crate::domain::size;
use crate::provider::{Access, Http, Unconnected};
use crate::status::{Asking, FindingView, Findings, Health, asking, asking_about_channels};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tell the provider to post its webhooks to public_url, with webhook_authorization, which must be set. Shows what was
    /// set before, and asks first.
    #[arg(long, conflicts_with = "json")]
    register_webhooks: bool,
    /// Tell the provider to post no more webhooks to public_url. Asks first.
    #[arg(long, conflicts_with_all = ["json", "register_webhooks"])]
    remove_webhooks: bool,
    /// Do not ask before webhooks are changed.
    #[arg(long)]
    yes: bool,
    /// Print one JSON object: ok, findings.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, context: anyhow::Result<CommandContext>) -> anyhow::Result<Exit> {
    let change = match (args.register_webhooks, args.remove_webhooks) {
        (true, _) => Some(Change::Register),
        (false, true) => Some(Change::Remove),
        (false, false) => None,
    };
    if let Some(change) = change {
        return webhooks::run(&context?, change, args.yes).await;
    }
    let mut findings = Findings::default();
    match context {
        Ok(context) => examine(&context, &mut findings).await,
        Err(error) => findings.add("configuration", Health::Failed, format!("{error:#}"), None),
    }
    let ok = findings.is_ok();
    if args.json {
        out::json(&findings.view())?;
    } else {
        out::lines(lines(findings.all(), To::Stdout.paint()))?;
    }
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

fn lines(findings: &[FindingView], paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    let mut previous = "";
    for finding in findings {
        let sign = match finding.health {
            Health::Ok => paint.good("✓"),
            Health::Warning => paint.so_so("!"),
            Health::Failed => paint.bad("✗"),
        };
        let what = if finding.what == previous { "" } else { finding.what };
        previous = finding.what;
        lines.push(format!("{sign} {what:<14} {}", finding.text));
        lines.extend(finding.what_to_do.as_ref().map(|advice| paint.dim(format!("{:17}{advice}", ""))));
    }
    lines
}

async fn examine(context: &CommandContext, findings: &mut Findings) {
    let path = context.database();
    let store = if path.exists() { Some(context.store().await) } else { None };
    let opened = store.as_ref().and_then(|store| store.as_ref().ok());
    findings.check_configuration(&context.loaded, opened.map(AsRef::as_ref), context.now()).await;
    ask_providers(&context.config, findings).await;
    match store {
        None => {
            findings.add_missing_database(path);
            disk(path, findings);
        }
        Some(Ok(store)) => {
            findings.add_database(path);
            disk(path, findings);
            findings.check_stored(&context.launcher(store.as_ref())).await;
            store.close().await;
        }
        Some(Err(error)) => {
            findings.add_broken_database(&format!("{error:#}"));
            disk(path, findings);
        }
    }
}

/// Asks the provider of each lane whether it accepts the key and the subaccount.
async fn ask_providers(config: &Config, findings: &mut Findings) {
    let mut unconnected: BTreeMap<&str, Option<Unconnected>> = BTreeMap::new();
    for lane in &config.lanes {
        let address = lane.provider.base_url.as_str();
        if unconnected.contains_key(address) {
            continue;
        }
        match Http::new(&lane.name, &lane.provider) {
            Ok(http) => {
                let why = http.connect().await.err();
                match &why {
                    Some(why) => findings.add_unconnected(address, why),
                    None => findings.add_reached(config, address),
                }
                unconnected.insert(address, why);
            }
            Err(error) => findings.add("provider", Health::Failed, error.to_string(), None),
        }
    }
    let is_reached = |address: &str| matches!(unconnected.get(address), Some(None));
    let mut refused = Vec::new();
    for asking in asking(config).into_iter().filter(|asking| is_reached(&asking.lane.provider.base_url)) {
        if let Ok(http) = Http::new(&asking.lane.name, &asking.lane.provider) {
            let access = http.access_to_messages().await;
            findings.add_access(&asking, &access);
            if matches!(access, Access::KeyRefused { .. }) {
                refused.push(asking);
            }
        }
    }
    // A refused key gets the same refusal for every account, which says nothing about the account.
    let may_ask = |asking: &Asking<'_>| {
        is_reached(&asking.lane.provider.base_url) && !refused.iter().any(|refused| refused.has_key_of(asking))
    };
    for asked in asking_about_channels(config).iter().filter(|asked| may_ask(&asked.0)) {
        let (asking, account, channel) = asked;
        if let Ok(http) = Http::new(&asking.lane.name, &asking.lane.provider) {
            findings.add_channel_access(asked, &http.access_to_templates(account, channel).await);
        }
    }
}

/// Checks the free space for what a server writes.
fn disk(database: &Path, findings: &mut Findings) {
    match space_beside(database) {
        Space::Enough(Some(bytes)) => {
            findings.add_ok("disk", format!("{} free in the folder of the database", size(bytes)));
        }
        Space::Enough(None) => findings.add_ok("disk", "the folder of the database is writable"),
        Space::Low(bytes) => {
            let text = format!("only {} free in the folder of the database", size(bytes));
            findings.add(
                "disk",
                Health::Warning,
                text,
                Some("free disk space: a server that cannot write sends nothing"),
            );
        }
        Space::Unwritable(error) => {
            let text = format!("the folder of the database is not writable: {error}");
            findings.add("disk", Health::Failed, text, Some("free disk space, or make the folder writable"));
        }
    }
}
