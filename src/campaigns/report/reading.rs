//! Reads what a recorded receipt reports.

use crate::base::domain::{Channel, Step};
use crate::rules::engine;
use crate::rules::wire::{self, codes};
use crate::store::Receipt;

/// The report that a recorded receipt makes to the engine.
pub(crate) fn report_of(receipt: &Receipt, step: Option<&Step>) -> Option<engine::AttemptReport> {
    match reported(receipt, step.map(|step| step.channel)) {
        wire::ReportedStatus::Negative { code } => {
            let codes::Entry { fault, subject, .. } = *codes::of_receipt(code);
            let fault = step.map_or(fault, |step| codes::fault_in(step, fault, subject));
            Some(engine::AttemptReport::Failed { fault, again: receipt.received })
        }
        positive => positive.status().map(engine::AttemptReport::Reached),
    }
}

/// The code of a recorded receipt that reports a failure; `None` for a positive receipt.
pub(crate) fn failure(receipt: &Receipt) -> Option<&'static codes::Entry> {
    match reported(receipt, None) {
        wire::ReportedStatus::Negative { code } => Some(codes::of_receipt(code)),
        _ => None,
    }
}

fn reported(receipt: &Receipt, channel: Option<Channel>) -> wire::ReportedStatus {
    let status = wire::StatusBody {
        state: receipt.state.as_str().into(),
        detail: Some(receipt.detail.as_str().into()),
        error_code: (receipt.code != 0).then_some(i64::from(receipt.code)),
        ..wire::StatusBody::default()
    };
    wire::ReportedStatus::of(channel, &status)
}
