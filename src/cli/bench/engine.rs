//! `volley bench engine`.

use clap::Args;

use super::Rounds;
use crate::base::clock::Clock;
use crate::bench::engine::{MessageLife, decide, lives};
use crate::bench::{Figures, Target};

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: decisions per second on one core, each kind for a second. Nothing \
                  is read, sent or stored. --json has every run."
)]
pub(in crate::cli) struct Engine {
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

const TARGET: u32 = 5_000_000;

impl Engine {
    pub(super) fn run(self, clock: &dyn Clock) -> anyhow::Result<()> {
        let lives = lives();
        let mut runs = vec![Vec::new(); lives.len()];
        for _ in self.rounds.iter("engine") {
            lives.iter().zip(&mut runs).for_each(|(life, runs)| runs.push(decide(life, clock)));
        }
        let figures_of = |(life, runs): (&MessageLife, _)| {
            Figures::new(life.name, runs, None).held_against(Target::PerSecond(TARGET))
        };
        let figures: Vec<Figures> = lives.iter().zip(runs).map(figures_of).collect();
        self.rounds.print("engine", &[], &figures, "decisions/s", &[])
    }
}
