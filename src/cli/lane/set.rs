//! `volley lane set`.

use crate::base::config::{Config, Lane};
use crate::base::domain::OverridableSetting;
use crate::campaigns::campaign::{LaneDecision, SettingChange, SettingError, carry_out_on_lane};
use crate::campaigns::status::{LaneDecisionView, Lanes};
use crate::cli::exit::Usage;
use crate::cli::operator::Operator;
use crate::cli::words::{count, plural, shell};
use crate::cli::{CommandContext, out};

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
    /// Recipients in 24 hours for the whole portfolio: 50, 250, 2K, 10K, 100K, unlimited; `file` restores the value of
    /// the file.
    #[arg(long)]
    tier: Option<String>,
    /// Recipients of the last 24 hours whom the database does not know, for the whole portfolio: after a restore, those to
    /// whom messages were sent since the backup. They count against the tier for a day.
    #[arg(long, value_name = "RECIPIENTS", conflicts_with_all = ["rate", "burst", "account_rate", "tier"])]
    tier_used: Option<u32>,
    /// Reason, shown in events and with the lane.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) operator: Operator,
    /// Print one JSON object: as `lane list`, plus noted.
    #[arg(long)]
    json: bool,
}

/// The requested overrides.
fn wanted(args: &Args, lane: &Lane, config: &Config) -> anyhow::Result<Vec<SettingChange>> {
    let mut all = Vec::new();
    for (setting, value) in [
        (OverridableSetting::Rate, &args.rate),
        (OverridableSetting::Burst, &args.burst),
        (OverridableSetting::AccountRate, &args.account_rate),
        (OverridableSetting::Tier, &args.tier),
    ] {
        let Some(text) = value.as_deref() else { continue };
        let value = Some(text).filter(|text| !text.eq_ignore_ascii_case(FILE));
        all.push(SettingChange::new(config, lane, setting, value).map_err(|error| match error {
            SettingError::Value { .. } => anyhow::Error::from(Usage(format!("--{error}"))),
            error => error.into(),
        })?);
    }
    if all.is_empty() {
        return Err(
            Usage("specify what to change: --rate, --burst, --account-rate, --tier or --tier-used".to_owned()).into()
        );
    }
    Ok(all)
}

pub(super) async fn run(context: &CommandContext, args: Args) -> anyhow::Result<()> {
    let lane = context.config.named_lane(&args.lane)?;
    let changes = if args.tier_used.is_some() { Vec::new() } else { wanted(&args, lane, &context.config)? };
    let decision = args.tier_used.map_or_else(|| LaneDecision::Set(changes.clone()), LaneDecision::TierUsed);
    let (store, clock, by) = (context.store().await?, context.clock.as_ref(), &context.origin(args.reason.as_deref()));
    let done = carry_out_on_lane(store.as_ref(), clock, &context.config, lane, &decision, by).await?;
    let known = Lanes::read(store.as_ref(), &context.config, context.now()).await?;
    let current = context.with_overrides(store.as_ref()).await?.config;
    let lane = current.named_lane(&args.lane)?;
    let shown = known.view(&current, lane);
    store.close().await;
    if args.json {
        return out::json(&LaneDecisionView::new(shown, &done));
    }
    if let Some(recipients) = args.tier_used {
        let portfolio = lane.tiered().unwrap_or_default();
        let unknown = plural(recipients, "unknown recipient counts", "unknown recipients count");
        out::data(format_args!("Portfolio {portfolio}: {unknown} against the tier; {}.", done.noted.sentence()))?;
        return Ok(());
    }
    out::data(format_args!("Lane {}: {}; {}.", args.lane, now_set(&changes, &current, lane), done.noted.sentence()))?;
    if let Some(note) = slower_account(&current, lane) {
        out::talk(note);
    }
    Ok(())
}

/// That the lane cannot send at its rate, because its account has a lower one.
fn slower_account(config: &Config, lane: &Lane) -> Option<String> {
    let rate = config.account(&lane.account)?.rate?;
    lane.rate.is_above(rate).then(|| {
        format!(
            "Its account {} has {rate} for all of its lanes, so the lane sends no faster than that. To raise it: volley lane \
             set {} --account-rate {}",
            lane.account,
            shell(&lane.name),
            lane.rate
        )
    })
}

/// The settings after the changes: `rate 40/s, burst 2; tier of portfolio acme 10K, as in the file`.
fn now_set(changes: &[SettingChange], current: &Config, lane: &Lane) -> String {
    let names_burst = changes.iter().any(|change| change.setting == OverridableSetting::Burst);
    let from_file = changes.iter().all(|change| change.value.is_none());
    let sentences: Vec<String> = changes
        .iter()
        .map(|SettingChange { setting, value, .. }| {
            let is = match setting {
                OverridableSetting::Rate if names_burst => format!("rate {}", lane.rate),
                OverridableSetting::Rate => format!("rate {}, burst {}", lane.rate, count(lane.burst.get())),
                OverridableSetting::Burst => format!("burst {}", count(lane.burst.get())),
                OverridableSetting::AccountRate => {
                    let rate = current.account(&lane.account).and_then(|account| account.rate);
                    let rate = rate.map_or_else(String::new, |rate| rate.to_string());
                    format!("rate of account {} {rate}", lane.account)
                }
                OverridableSetting::Tier => {
                    format!("tier of portfolio {} {}", lane.tiered().unwrap_or_default(), lane.tier)
                }
            };
            if value.is_none() && !from_file { format!("{is}, as in the file") } else { is }
        })
        .collect();
    format!("{}{}", sentences.join("; "), if from_file { ", as in the file" } else { "" })
}
