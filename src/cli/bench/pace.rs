//! `volley bench pace`.

use std::num::NonZeroU32;

use clap::Args;

use super::Rounds;
use super::part::apart;
use super::table::{CPU, EARLY, IDLE, P50, P99, PEAK, WORST};
use crate::bench::{Figures, Run, Target};
use crate::domain::grouped;

#[derive(Debug, Args)]
#[command(
    after_help = "The table holds the medians of all runs, and of `early` and `worst sec` the worst of all. pace: messages a second that the provider read, behind the first \
                  second; their ratio to the rate; by how much the worst window of all, however long or short, passed more \
                  than rate and burst allow, as time at that rate, where the way to the provider counts too; what the worst \
                  second passed of what they allow. starts: how late half of the scheduled campaigns and nearly all began, in their order, \
                  until the provider had read the first message. idle: processor time a second of a server on which nothing \
                  happens, and the most memory that it had. --json has every run."
)]
pub(in crate::cli) struct Pace {
    /// Rates to keep to, in messages a second
    #[arg(long, value_delimiter = ',', default_value = "1,20,80,1000,5000,20000")]
    pub(super) rates: Vec<NonZeroU32>,
    /// How long each of them is kept
    #[arg(long, default_value = "10")]
    pub(super) seconds: NonZeroU32,
    /// Lanes that send side by side, each a campaign of its own at 80 a second
    #[arg(long, default_value = "100")]
    pub(super) busy: NonZeroU32,
    /// Scheduled campaigns
    #[arg(long, default_value_t = 50)]
    pub(super) starts: u32,
    /// Lanes of the server that waits, and campaigns that wait on it
    #[arg(long, default_value_t = 1_000)]
    pub(super) lanes: u32,
    #[arg(long, default_value_t = 100)]
    pub(super) campaigns: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// Above this a real sender uses batches.
const SINGLE_MAX: u32 = 1_000;
/// Batches that make up a second.
const BATCHES_A_SECOND: u32 = 100;
/// What a number of WhatsApp may send to begin with.
const SLOW: NonZeroU32 = NonZeroU32::MIN.saturating_add(79);
/// What a server with one lane stands for.
const ALONE: [u32; 2] = [1, 1];

impl Pace {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut paces: Vec<(NonZeroU32, Vec<Run>)> = self.rates.iter().map(|rate| (*rate, Vec::new())).collect();
        let (mut busy, mut starts, mut alone, mut many) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in self.rounds.turns("pace") {
            for (rate, runs) in &mut paces {
                runs.push(self.pace(NonZeroU32::MIN, *rate).await?);
            }
            busy.push(self.pace(self.busy, SLOW).await?);
            starts.push(part("starts", &[("count", self.starts)]).await?);
            alone.push(idle(ALONE).await?);
            many.push(idle([self.lanes.max(self.campaigns), self.campaigns]).await?);
        }
        let held_against = |name: &str, allowed: u32, runs: Vec<Run>| {
            let allowed = Run { per_second: f64::from(allowed), ..Run::default() };
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
        let sizes = [("seconds", self.seconds.get())];
        self.rounds.print("pace", &sizes, &figures, "messages/s", &[EARLY, WORST, CPU, P50, P99, IDLE, PEAK])
    }

    async fn pace(&self, lanes: NonZeroU32, rate: NonZeroU32) -> anyhow::Result<Run> {
        let single = rate.get() <= SINGLE_MAX;
        let batch = if single { 1 } else { rate.get() / BATCHES_A_SECOND };
        // What leaves in 50 ms, as it is where nobody says otherwise.
        let burst = (rate.get() / 20).max(1).max(batch);
        let connections = if single { 64 } else { 4 };
        let said = [
            ("lanes", lanes.get()),
            ("rate", rate.get()),
            ("burst", burst),
            ("batch", batch),
            ("connections", connections),
            ("seconds", self.seconds.get()),
        ];
        part("pace", &said).await
    }
}

async fn idle([lanes, campaigns]: [u32; 2]) -> anyhow::Result<Run> {
    part("idle", &[("lanes", lanes), ("campaigns", campaigns)]).await
}

async fn part(name: &str, said: &[(&str, u32)]) -> anyhow::Result<Run> {
    let said = said.iter().flat_map(|(flag, value)| [format!("--{flag}"), value.to_string()]);
    apart(name, &std::iter::once(name.to_owned()).chain(said).collect::<Vec<_>>()).await
}
