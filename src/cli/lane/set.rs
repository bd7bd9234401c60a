//! `volley lane set`.

use std::num::NonZeroU32;

use anyhow::bail;

use super::{DecidedShown, Known, named, shown};
use crate::campaign::noted;
use crate::cli::exit::Usage;
use crate::cli::noted::{by_all, sentence};
use crate::cli::words::{count, list};
use crate::cli::{Ground, out};
use crate::config::{Config, Lane};
use crate::domain::{Knob, Rate, Tier};
use crate::store::{Dial, Store};
use crate::throttle::in_file;

/// What stands for the file's own value.
const FILE: &str = "file";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The lane's name in the configuration.
    lane: String,
    /// So many messages in such a time: 80/s, 5/min. `file` for what the file says.
    #[arg(long)]
    rate: Option<String>,
    /// So many at once after a rest. `file` for what the file says, or for what goes with the rate.
    #[arg(long)]
    burst: Option<String>,
    /// What all lanes of its account may hand over together: 1000/s. `file` for what the file says.
    #[arg(long)]
    account_rate: Option<String>,
    /// People a day, of the whole portfolio: 50, 250, 1K, 2K, 10K, 100K, unlimited. `file` for what the file says.
    #[arg(long)]
    tier: Option<String>,
    /// Why, for whoever wonders.
    #[arg(long)]
    reason: Option<String>,
    /// As an object: as of `lane list`, and noted.
    #[arg(long)]
    json: bool,
}

/// What somebody wants a dial to say; nothing where the file's value is to count again.
struct Wanted {
    knob: Knob,
    name: String,
    value: Option<String>,
}

fn wanted(args: &Args, lane: &Lane, config: &Config) -> anyhow::Result<Vec<Wanted>> {
    let mut all = Vec::new();
    let mut want = |knob, name: &str, value: Option<String>| all.push(Wanted { knob, name: name.to_owned(), value });
    let is_file = |text: &str| text.eq_ignore_ascii_case(FILE);
    if let Some(text) = &args.rate {
        let value = if is_file(text) { None } else { Some(text.parse::<Rate>().map_err(usage("--rate"))?.to_string()) };
        want(Knob::Rate, &lane.name, value);
    }
    if let Some(text) = &args.burst {
        let whole =
            || text.parse::<NonZeroU32>().map_err(|_| format!("\"{text}\" is not a whole number of at least 1"));
        let value = if is_file(text) { None } else { Some(whole().map_err(usage("--burst"))?.to_string()) };
        want(Knob::Burst, &lane.name, value);
    }
    if let Some(text) = &args.account_rate {
        if config.account(&lane.account).is_none_or(|account| account.rate.is_none()) {
            bail!(
                "account {} has no rate of its own to change; write one in volley.toml, in its [[account]]",
                lane.account
            );
        }
        let value =
            if is_file(text) { None } else { Some(text.parse::<Rate>().map_err(usage("--account-rate"))?.to_string()) };
        want(Knob::AccountRate, &lane.account, value);
    }
    if let Some(text) = &args.tier {
        let Some(portfolio) = lane.tiered() else {
            bail!("lane {} is on {}, and only WhatsApp has messaging tiers", lane.name, lane.channel);
        };
        let value = if is_file(text) { None } else { Some(text.parse::<Tier>().map_err(usage("--tier"))?.to_string()) };
        want(Knob::Tier, portfolio, value);
    }
    if all.is_empty() {
        return Err(Usage("say what to change: --rate, --burst, --account-rate or --tier".to_owned()).into());
    }
    Ok(all)
}

fn usage<E: std::fmt::Display>(flag: &'static str) -> impl Fn(E) -> Usage {
    move |error| Usage(format!("{flag}: {error}"))
}

pub(super) async fn run(ground: &Ground, args: Args) -> anyhow::Result<()> {
    let lane = named(ground, &args.lane)?;
    let wanted = wanted(&args, lane, &ground.config)?;
    let store = ground.store().await?;
    for want in &wanted {
        turn(ground, store.as_ref(), want, args.reason.as_deref()).await?;
    }
    let obeyed = noted(store.as_ref(), ground.clock.as_ref(), store.seq().await?).await?;
    let known = Known::read(ground, store.as_ref()).await?;
    let turned = ground.as_turned(store.as_ref()).await?;
    let now = named(&turned, &args.lane)?;
    let shown = shown(&turned, now, &known);
    store.close().await;
    if args.json {
        return out::json(&DecidedShown { lane: shown, lifted: None, noted: by_all(obeyed) });
    }
    let names_burst = wanted.iter().any(|want| want.knob == Knob::Burst);
    let from_file = wanted.iter().all(|want| want.value.is_none());
    let said: Vec<String> = wanted
        .iter()
        .map(|Wanted { knob, value, .. }| {
            let is = match knob {
                Knob::Rate if names_burst => format!("its rate is {}", now.rate),
                Knob::Rate => format!("its rate is {} (burst {})", now.rate, count(now.burst.get())),
                Knob::Burst => format!("its burst is {}", count(now.burst.get())),
                Knob::AccountRate => {
                    let rate = turned.config.account(&now.account).and_then(|account| account.rate);
                    format!(
                        "the rate of account {} is {}",
                        now.account,
                        rate.map_or_else(String::new, |rate| rate.to_string())
                    )
                }
                Knob::Tier => format!("the tier of portfolio {} is {}", now.tiered().unwrap_or_default(), now.tier),
            };
            if value.is_none() && !from_file { format!("{is} as in the file") } else { is }
        })
        .collect();
    let said = format!("{}{}", list(&said), if from_file { ", as the file says" } else { "" });
    out::data(format_args!("Lane {}: {said} ({}).", args.lane, sentence(obeyed)))
}

async fn turn(ground: &Ground, store: &dyn Store, want: &Wanted, reason: Option<&str>) -> anyhow::Result<()> {
    let Wanted { knob, name, value } = want;
    let (knob, name, now) = (*knob, name.clone(), ground.now());
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let why = format!("set by {}{why}", ground.by);
    match value {
        None => {
            store.turn_back(knob, name, why, now).await?;
        }
        Some(value) => {
            let in_file = in_file(&ground.config, knob, &name).unwrap_or_default();
            let dial = Dial { knob, name, value: value.clone(), in_file, by_person: true, why, since: now };
            if store.turn(dial, now).await?.is_none() {
                bail!(
                    "the {knob} was changed by a word of a later time than this machine's clock shows; check the clock"
                );
            }
        }
    }
    Ok(())
}
