//! Describes campaigns that use lanes which are no longer configured.

use super::words::{of, shell};
use crate::report::Stranded;

/// `12 messages wait for lane viber, which is not in the configuration`.
pub(super) fn what(stranded: &Stranded) -> String {
    let lane = &stranded.lane;
    match stranded.queued {
        0 => format!(
            "messages that fall back to {} would wait for lane {lane}, which is not in the configuration",
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
        "add lane {} to the configuration again and restart `volley serve`; or: volley campaign cancel {}",
        stranded.lane,
        shell(campaign)
    )
}
