//! Previews of messages: what `campaign plan` and `template preview` share.

mod draw;
mod page;
pub(super) mod values;

use std::path::PathBuf;

use super::exit::Usage;
use super::{CommandContext, out};
use crate::base::domain::Msisdn;
use crate::campaigns::campaign::{PreviewRequest, Previews};
use crate::rules::template::PARTS_MAX;

pub(super) use draw::{message_lines, step_lines};
pub(super) use page::{Page, write};

/// The options of a preview of a campaign.
#[derive(Debug, clap::Args)]
pub(super) struct PreviewArgs {
    /// Show messages as the recipients would see them, and count the messages that break a limit.
    ///
    /// Shows the first, the shortest, the longest and a random message of each step. Reads every recipient once.
    #[arg(long)]
    pub(super) preview: bool,
    /// Show the messages of this recipient instead; repeatable. Implies --preview.
    #[arg(long, value_name = "NUMBER")]
    pub(super) to: Vec<Msisdn>,
    /// Choose the random recipient with this number, as an earlier preview printed it. Implies --preview.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) shared: SharedArgs,
}

/// The options of every preview.
#[derive(Debug, clap::Args)]
pub(super) struct SharedArgs {
    /// Count an SMS of more parts than this as too long.
    #[arg(long, value_name = "N", default_value_t = PARTS_MAX)]
    pub(super) max_parts: usize,
    /// Write the preview as a web page to this file, too. The page loads nothing and runs no script.
    #[arg(long, value_name = "FILE", value_parser = page_file)]
    pub(super) html: Option<PathBuf>,
}

/// Parses the name of the file of a page.
fn page_file(text: &str) -> Result<PathBuf, String> {
    match PathBuf::from(text) {
        file if out::is_stdout(&file) => Err("a page cannot be written to standard output; name a file".to_owned()),
        file => Ok(file),
    }
}

impl PreviewArgs {
    /// Whether a preview is wanted.
    pub(super) fn is_wanted(&self) -> bool {
        let Self { preview, to, seed, shared } = self;
        *preview || !to.is_empty() || seed.is_some() || shared.html.is_some()
    }

    pub(super) fn request(&self, context: &CommandContext) -> PreviewRequest {
        let Self { to, seed, shared, .. } = self;
        // A short seed is easily typed again.
        let seed = seed.unwrap_or_else(|| context.chance.bits() % 1_000_000);
        PreviewRequest { to: to.clone(), seed, sms_parts_max: shared.max_parts }
    }
}

/// Refuses numbers that no recipient has.
pub(super) fn ensure_known(previews: &Previews) -> anyhow::Result<()> {
    let [first, ..] = previews.unknown[..] else { return Ok(()) };
    let sentence = format!(
        "--to: no recipient that gets a message has the number {first}; write it with + and country code, and see `volley \
         audience check`"
    );
    Err(Usage(sentence).into())
}
