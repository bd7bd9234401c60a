//! temporary
mod bench;
use clap::Parser;
use std::sync::Arc;
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    c: C,
}
#[derive(Debug, clap::Subcommand)]
enum C {
    #[command(subcommand)]
    Bench(bench::Bench),
}
/// x
pub async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let C::Bench(b) = cli.c;
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    b.run(Arc::new(crate::clock::RealClock::new()), Arc::new(crate::clock::Chance::from_entropy())).await
}
