//! `volley bench pace`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::part::run_part;
use super::table::{CPU, EARLY, IDLE, P50, P99, PEAK, WORST};
use crate::base::domain::grouped;
use crate::bench::{Figures, Run, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs; for `early` and `worst sec`, the worst of all runs. pace: messages \
                  per second that the provider received after the first second; their ratio to the rate; `early`: the largest \
                  excess over rate and burst in a window of any length, as time at that rate, network delays included; \
                  `worst sec`: the share of the allowed messages that the worst second used. starts: p50 and p99 of the delay \
                  of scheduled campaigns, until the provider received the first message. idle: processor time per second of \
                  an idle server, and its peak memory. --json has every run."
)]
pub(in crate::cli) struct Pace {
    /// Rates to measure, in messages per second
    #[arg(long, value_delimiter = ',', default_value = "1,20,80,1000,5000,20000")]
    pub(super) rates: Vec<NonZeroU32>,
    /// Seconds to send at each rate
    #[arg(long, default_value = "10")]
    pub(super) seconds: NonZeroU32,
    /// Lanes that send at the same time, each its own campaign at 80 per second
    #[arg(long, default_value = "100")]
    pub(super) busy: NonZeroU32,
    /// Scheduled campaigns
    #[arg(long, default_value_t = 50)]
    pub(super) starts: u32,
    /// Lanes of the idle server
    #[arg(long, default_value_t = 1_000)]
    pub(super) lanes: u32,
    /// Campaigns that wait on the idle server
    #[arg(long, default_value_t = 100)]
    pub(super) campaigns: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// Above this rate, a real sender uses batches.
const SINGLE_MAX: u32 = 1_000;
/// Batches per second.
const BATCHES_A_SECOND: u32 = 100;
/// The initial rate of a WhatsApp number.
const SLOW: NonZeroU32 = NonZeroU32::MIN.saturating_add(79);
/// A server with one lane and one campaign.
const ALONE: [u32; 2] = [1, 1];

impl Pace {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut paces: Vec<(NonZeroU32, Vec<Run>)> = self.rates.iter().map(|rate| (*rate, Vec::new())).collect();
        let (mut busy, mut starts, mut alone, mut many) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in self.rounds.iter("pace") {
            for (rate, runs) in &mut paces {
                runs.push(self.pace(NonZeroU32::MIN, *rate).await?);
            }
            busy.push(self.pace(self.busy, SLOW).await?);
            starts.push(part("starts", &[("count", self.starts)]).await?);
            alone.push(idle(ALONE).await?);
            many.push(idle([self.lanes.max(self.campaigns), self.campaigns]).await?);
        }
        let held_against = |name: &str, allowed: u32, runs: Vec<Run>| {
            let allowed = Run { rate_per_s: f64::from(allowed), ..Run::default() };
            let allowed = vec![allowed; runs.len()];
            Figures::new(name, runs, Some(&allowed)).held_against(Target::Ratio(0.99))
        };
        let mut figures: Vec<_> = paces
            .into_iter()
            .map(|(rate, runs)| held_against(&format!("pace: {}/s", grouped(rate.get())), rate.get(), runs))
            .collect();
        let name = format!("pace: {} lanes of {SLOW}/s", self.busy);
        figures.push(held_against(&name, self.busy.get().saturating_mul(SLOW.get()), busy));
        let late = Figures::new(&format!("starts: {} campaigns", self.starts), starts, None);
        figures.push(late.held_against(Target::P99Ms(100)));
        figures.push(Figures::new("idle: 1 lane, 1 campaign", alone, None).held_against(Target::IdleMs(5.0)));
        let name = format!("idle: {} lanes, {} campaigns", grouped(self.lanes.max(self.campaigns)), self.campaigns);
        figures.push(Figures::new(&name, many, None).held_against(Target::IdleMs(5.0)));
        let sizes = [("measured_s", self.seconds.get())];
        self.rounds.print("pace", &sizes, &figures, "messages/s", &[EARLY, WORST, CPU, P50, P99, IDLE, PEAK])
    }

    async fn pace(&self, lanes: NonZeroU32, rate: NonZeroU32) -> anyhow::Result<Run> {
        let single = rate.get() <= SINGLE_MAX;
        let batch = if single { 1 } else { rate.get() / BATCHES_A_SECOND };
        // 50 ms of the rate, which is the default burst.
        let burst = (rate.get() / 20).max(1).max(batch);
        let connections = if single { 64 } else { 4 };
        let arguments = [
            ("lanes", lanes.get()),
            ("rate", rate.get()),
            ("burst", burst),
            ("batch", batch),
            ("connections", connections),
            ("seconds", self.seconds.get()),
        ];
        part("pace", &arguments).await
    }
}

async fn idle([lanes, campaigns]: [u32; 2]) -> anyhow::Result<Run> {
    part("idle", &[("lanes", lanes), ("campaigns", campaigns)]).await
}

async fn part(name: &str, arguments: &[(&str, u32)]) -> anyhow::Result<Run> {
    let arguments = arguments.iter().flat_map(|(flag, value)| [format!("--{flag}"), value.to_string()]);
    run_part(name, &std::iter::once(name.to_owned()).chain(arguments).collect::<Vec<_>>()).await
}
