//! `volley bench cancel`.

use std::sync::Arc;

use clap::Args;

use super::part::run_part;
use super::table::{ANSWERED, PEAK, STOPPED};
use super::{Rounds, Stock, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::{Figures, Laid, Target};

/// Few enough that the memory shown is that of a server with almost nothing pending.
const FEW: u32 = 10_000;

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs. A campaign that sends at 100 per second is cancelled: time until \
                  its last submission, time until the command returned with its certificate, and peak memory of the \
                  server, also while it updated the rows. --json has every run."
)]
pub(in crate::cli) struct Cancel {
    /// Messages pending; ten million take a minute to prepare, and 3 GB
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) pending: u32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

impl Cancel {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        let stock = async |messages| Stock::new(messages, Laid::Waiting, Arc::clone(&clock)).await;
        let (few, many) = (stock(FEW).await?, stock(self.pending.max(FEW)).await?);
        let (mut of_few, mut of_many) = (Vec::new(), Vec::new());
        for _ in self.rounds.iter("cancel") {
            for (stock, runs) in [(&few, &mut of_few), (&many, &mut of_many)] {
                let arguments = ["cancel".to_owned(), "--database".to_owned(), text(&stock.copy().await?)];
                runs.push(run_part("cancel", &arguments).await?);
            }
        }
        let name = format!("cancel: {} pending", grouped(self.pending.max(FEW)));
        let figures = vec![
            Figures::new(&format!("cancel: {} pending", grouped(FEW)), of_few, None),
            Figures::new(&name, of_many, None).held_against(Target::AnsweredMs(1_000)),
        ];
        let sizes = [("pending", self.pending)];
        self.rounds.print("cancel", &sizes, &figures, "messages/s", &[STOPPED, ANSWERED, PEAK])
    }
}
