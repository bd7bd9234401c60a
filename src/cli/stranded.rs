//! Campaigns on lanes that are gone, as people read of them.

use super::words::{of, shell};
use crate::campaign::Stranded;

/// `12 messages wait for lane viber, which is not in the configuration`.
pub(super) fn what(stranded: &Stranded) -> String {
    let lane = &stranded.lane;
    match stranded.queued {
        0 => format!(
            "what falls back to {} would wait for lane {lane}, which is not in the configuration",
            stranded.channel
        ),
        1 => format!("1 message waits for lane {lane}, which is not in the configuration"),
        queued => {
            format!("{} wait for lane {lane}, which is not in the configuration", of(queued, "message", "messages"))
        }
    }
}

pub(super) fn what_to_do(stranded: &Stranded, campaign: &str) -> String {
    format!(
        "add lane {} to it again, under this name, and start `volley serve` anew; or: volley campaign cancel {}",
        stranded.lane,
        shell(campaign)
    )
}
