//! `volley bench receipts`.

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;

use super::part::run_part;
use super::table::{CPU, P50, P99, PEAK};
use super::{Rounds, Stock, text};
use crate::base::clock::Clock;
use crate::base::domain::grouped;
use crate::bench::receipts::Load;
use crate::bench::{Figures, Laid, Run, Target};

/// Receipts in one request, and connections for such requests.
const ARRAY: u32 = 1_000;
const ARRAY_CONNECTIONS: u32 = 8;

#[derive(Debug, Args)]
#[command(
    after_help = "The table shows the medians of all runs: receipts acknowledged per second; their ratio to the limit of the \
                  same run, in a row above: a handler that parses and stores nothing. `kept, not applied` only stores every \
                  body on disk. Further columns: processor time of the server per receipt; p50 and p99 of the requests; peak \
                  memory of the server. Every receipt is about a submitted message; every other one carries our id. At half \
                  load, requests are sent at a fixed rate. --json has every run."
)]
pub(in crate::cli) struct Receipts {
    /// Receipts in each run; runs with arrays have twice as many
    #[arg(long, default_value_t = 300_000)]
    pub(super) receipts: u32,
    /// Connections; a second pair of rows uses a quarter of them
    #[arg(long, default_value = "256")]
    pub(super) connections: NonZeroU32,
    /// Messages that were submitted before
    #[arg(long, default_value_t = 1_000_000)]
    pub(super) messages: u32,
    /// Number of messages that the receipts of one moment are spread over
    #[arg(long, default_value = "1000")]
    pub(super) spread: NonZeroU32,
    #[command(flatten)]
    pub(super) rounds: Rounds,
}

/// Runs to compare: a handler that stores nothing, and Volley.
#[derive(Default)]
struct Pair {
    bare: Vec<Run>,
    volley: Vec<Run>,
}

impl Pair {
    async fn run(&mut self, stock: &Stock, load: &Load) -> anyhow::Result<&Run> {
        self.bare.push(run_part("the bare handler", &arguments("bare", load)).await?);
        self.volley.push(volley(stock, load).await?);
        self.volley.last().ok_or_else(|| anyhow::anyhow!("no run was measured"))
    }

    fn figures(self, name: &str, least: Option<f64>) -> [Figures; 2] {
        let bare = Figures::new(&format!("{name}: parsed, nothing stored"), self.bare.clone(), None);
        let volley = Figures::new(&format!("{name}: volley"), self.volley, Some(&self.bare));
        [bare, least.into_iter().fold(volley, |volley, least| volley.held_against(Target::Ratio(least)))]
    }
}

fn arguments(part: &str, load: &Load) -> Vec<String> {
    std::iter::once(part.to_owned()).chain(load.arguments()).collect()
}

async fn volley(stock: &Stock, load: &Load) -> anyhow::Result<Run> {
    let database = text(&stock.copy().await?);
    let arguments = arguments("receipts", load).into_iter().chain(["--database".to_owned(), database]);
    run_part("the server", &arguments.collect::<Vec<_>>()).await
}

impl Receipts {
    pub(super) async fn run(self, clock: Arc<dyn Clock>) -> anyhow::Result<()> {
        // At most three receipts for each message; runs with arrays have twice as many.
        let messages = self.messages.max(self.receipts);
        let stock = Stock::new(messages, Laid::HandedOver, clock).await?;
        let load = Load {
            receipts: self.receipts,
            connections: self.connections,
            array: NonZeroU32::MIN,
            rate: None,
            spread: self.spread,
        };
        let quarter = NonZeroU32::new(self.connections.get() / 4).unwrap_or(NonZeroU32::MIN);
        let few = Load { connections: quarter, ..load.clone() };
        let arrays = Load {
            receipts: self.receipts.saturating_mul(2),
            connections: NonZeroU32::new(ARRAY_CONNECTIONS).unwrap_or(NonZeroU32::MIN),
            array: NonZeroU32::new(ARRAY).unwrap_or(NonZeroU32::MIN),
            ..load.clone()
        };
        let (mut many, mut fewer) = (Pair::default(), Pair::default());
        let (mut journals, mut half, mut array) = (Vec::new(), Vec::new(), Vec::new());
        for _ in self.rounds.iter("receipts") {
            let reached = many.run(&stock, &load).await?.rate_per_s;
            journals.push(run_part("the journal", &arguments("journal", &load)).await?);
            half.push(volley(&stock, &at_half(&load, reached)).await?);
            fewer.run(&stock, &few).await?;
            array.push(volley(&stock, &arrays).await?);
        }
        let mut receipts: Vec<Figures> = Vec::new();
        let name = format!("{} connections", load.connections);
        let journal = Figures::new(&format!("{name}: kept, not applied"), journals, Some(&many.bare));
        let [bare, volley] = many.figures(&name, Some(0.6));
        receipts.extend([bare, journal, volley]);
        receipts.push(Figures::new("half of that load: volley", half, None).held_against(Target::P99Ms(50)));
        receipts.extend(fewer.figures(&format!("{quarter} connections"), None));
        let name = format!("arrays of {}: volley", grouped(ARRAY));
        receipts.push(Figures::new(&name, array, None).held_against(Target::PerSecond(100_000)));
        self.rounds.print("receipts", &[("messages", messages)], &receipts, "receipts/s", &[CPU, P50, P99, PEAK])
    }
}

/// The load at half the rate that was reached, for the same time.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast from a float saturates")]
fn at_half(load: &Load, reached: f64) -> Load {
    let rate = NonZeroU32::new((reached / 2.0) as u32).unwrap_or(NonZeroU32::MIN);
    Load { receipts: load.receipts / 2, rate: Some(rate), ..load.clone() }
}
