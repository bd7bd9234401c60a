//! `volley demo`
use super::Exit;
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// People in the sample file.
    #[arg(long, value_name = "N", default_value_t = 3_000)]
    recipients: u64,
}
pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let _ = args;
    Ok(Exit::Done)
}
