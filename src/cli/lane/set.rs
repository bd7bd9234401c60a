//! `volley lane set`.

use std::num::NonZeroU32;

use anyhow::bail;

use super::named;
use crate::campaign::noted;
use crate::cli::exit::Usage;
use crate::cli::operator::Operator;
use crate::cli::words::{count, list};
use crate::cli::{CommandContext, out};
use crate::config::{Config, Lane};
use crate::domain::{OverridableSetting, Rate, Tier};
use crate::status::{LaneDecisionView, Lanes};
use crate::store::{self, Override};
use crate::throttle::in_file;

/// The argument that restores the value of the file.
const FILE: &str = "file";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The lane's name in the configuration.
    lane: String,
    /// Rate limit, such as 80/s or 5/min; `file` restores the value of the file.
    #[arg(long)]
    rate: Option<String>,
    /// Messages that may be sent at once after a pause; `file` restores the value of the file, or the default for the rate.
    #[arg(long)]
    burst: Option<String>,
    /// Rate limit that all lanes of its account share, such as 1000/s; `file` restores the value of the file.
    #[arg(long)]
    account_rate: Option<String>,
    /// Recipients in 24 hours for the whole portfolio: 50, 250, 1K, 2K, 10K, 100K, unlimited; `file` restores the value of
    /// the file.
    #[arg(long)]
    tier: Option<String>,
    /// Reason, shown in events and with the lane.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) operator: Operator,
    /// Print one JSON object: as `lane list`, plus noted.
    #[arg(long)]
    json: bool,
}

/// A requested override; `value` is `None` to restore the value of the file.
struct Wanted {
    setting: OverridableSetting,
    name: String,
    value: Option<String>,
}

fn wanted(args: &Args, lane: &Lane, config: &Config) -> anyhow::Result<Vec<Wanted>> {
    let mut all = Vec::new();
    let mut want =
        |setting, name: &str, value: Option<String>| all.push(Wanted { setting, name: name.to_owned(), value });
    let is_file = |text: &str| text.eq_ignore_ascii_case(FILE);
    if let Some(text) = &args.rate {
        let value = if is_file(text) { None } else { Some(text.parse::<Rate>().map_err(usage("--rate"))?.to_string()) };
        want(OverridableSetting::Rate, &lane.name, value);
    }
    if let Some(text) = &args.burst {
        let whole = || {
            text.parse::<NonZeroU32>()
                .map_err(|_| format!("invalid value \"{text}\"; write a whole number of at least 1"))
        };
        let value = if is_file(text) { None } else { Some(whole().map_err(usage("--burst"))?.to_string()) };
        want(OverridableSetting::Burst, &lane.name, value);
    }
    if let Some(text) = &args.account_rate {
        if config.account(&lane.account).is_none_or(|account| account.rate.is_none()) {
            bail!("account {} has no rate to override; add one to its [[account]] in volley.toml", lane.account);
        }
        let value =
            if is_file(text) { None } else { Some(text.parse::<Rate>().map_err(usage("--account-rate"))?.to_string()) };
        want(OverridableSetting::AccountRate, &lane.account, value);
    }
    if let Some(text) = &args.tier {
        let Some(portfolio) = lane.tiered() else {
            bail!("lane {} is on {}, but only WhatsApp has messaging tiers", lane.name, lane.channel);
        };
        let value = if is_file(text) { None } else { Some(text.parse::<Tier>().map_err(usage("--tier"))?.to_string()) };
        want(OverridableSetting::Tier, portfolio, value);
    }
    if all.is_empty() {
        return Err(Usage("specify what to change: --rate, --burst, --account-rate or --tier".to_owned()).into());
    }
    Ok(all)
}

fn usage<E: std::fmt::Display>(flag: &'static str) -> impl Fn(E) -> Usage {
    move |error| Usage(format!("{flag}: {error}"))
}

pub(super) async fn run(context: &CommandContext, args: Args) -> anyhow::Result<()> {
    let lane = named(context, &args.lane)?;
    let wanted = wanted(&args, lane, &context.config)?;
    let store = context.store().await?;
    for want in &wanted {
        apply(context, store.as_ref(), want, args.reason.as_deref()).await?;
    }
    let noted = noted(store.as_ref(), context.clock.as_ref(), store.seq().await?).await?;
    let known = Lanes::read(store.as_ref(), &context.config, context.now()).await?;
    let current = context.with_overrides(store.as_ref()).await?;
    let now = named(&current, &args.lane)?;
    let shown = known.view(&current.config, now);
    store.close().await;
    if args.json {
        return out::json(&LaneDecisionView { lane: shown, released: None, noted: noted.by_all() });
    }
    let names_burst = wanted.iter().any(|want| want.setting == OverridableSetting::Burst);
    let from_file = wanted.iter().all(|want| want.value.is_none());
    let changes: Vec<String> = wanted
        .iter()
        .map(|Wanted { setting, value, .. }| {
            let is = match setting {
                OverridableSetting::Rate if names_burst => format!("its rate is {}", now.rate),
                OverridableSetting::Rate => format!("its rate is {} (burst {})", now.rate, count(now.burst.get())),
                OverridableSetting::Burst => format!("its burst is {}", count(now.burst.get())),
                OverridableSetting::AccountRate => {
                    let rate = current.config.account(&now.account).and_then(|account| account.rate);
                    format!(
                        "the rate of account {} is {}",
                        now.account,
                        rate.map_or_else(String::new, |rate| rate.to_string())
                    )
                }
                OverridableSetting::Tier => {
                    format!("the tier of portfolio {} is {}", now.tiered().unwrap_or_default(), now.tier)
                }
            };
            if value.is_none() && !from_file { format!("{is}, as in the file") } else { is }
        })
        .collect();
    let changes = format!("{}{}", list(&changes), if from_file { ", as in the file" } else { "" });
    out::data(format_args!("Lane {}: {changes} ({}).", args.lane, noted.sentence()))
}

/// Stores an override, or removes it.
async fn apply(
    context: &CommandContext,
    store: &dyn store::Lanes,
    want: &Wanted,
    reason: Option<&str>,
) -> anyhow::Result<()> {
    let Wanted { setting, name, value } = want;
    let (setting, name, now) = (*setting, name.clone(), context.now());
    let origin = context.origin(reason);
    match value {
        None => {
            store.end_override(setting, name, origin, now).await?;
        }
        Some(value) => {
            let in_file = in_file(&context.config, setting, &name).unwrap_or_default();
            let overridden = Override { setting, name, value: value.clone(), in_file, origin, since: now };
            if store.set_override(overridden, now).await?.is_none() {
                bail!(
                    "the {setting} has a newer override, from a time that is later than this machine's clock; check the clock"
                );
            }
        }
    }
    Ok(())
}
