//! Which events begin and end which alerts.

use crate::base::domain::{AlertKind, DoubtCause};
use crate::base::events::{Event, EventKind, Subject};

/// What an event does to alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    Begins {
        kind: AlertKind,
        detail: String,
    },
    Ends {
        kinds: &'static [AlertKind],
        detail: String,
    },
    /// An alert without an end.
    Happened(AlertKind),
}

const fn begins(kind: AlertKind) -> Option<Effect> {
    Some(Effect::Begins { kind, detail: String::new() })
}

const fn ends(kinds: &'static [AlertKind]) -> Option<Effect> {
    Some(Effect::Ends { kinds, detail: String::new() })
}

/// Requests to an address and webhooks from it may be in doubt at once. Each doubt ends by itself.
fn detail_of_doubt(address: &str, cause: DoubtCause) -> String {
    format!("{address}: {cause}")
}

/// The effect of an event, if it has one. What an operator did on purpose begins no alert.
pub(super) fn effect(event: &Event) -> Option<Effect> {
    let by_operator = event.origin.is_operator();
    match (&event.kind, &event.subject) {
        (EventKind::Paused, Subject::Campaign { .. }) if !by_operator => begins(AlertKind::CampaignPaused),
        (EventKind::Resumed, Subject::Campaign { .. }) => ends(&[AlertKind::CampaignPaused]),
        // A cancelled or purged campaign is not paused, and none of its steps is held.
        (EventKind::Cancelled | EventKind::Settled | EventKind::Purged { .. }, Subject::Campaign { .. }) => {
            ends(&[AlertKind::CampaignPaused, AlertKind::CampaignHeld])
        }
        (EventKind::Held { .. }, Subject::Campaign { .. }) if !by_operator => begins(AlertKind::CampaignHeld),
        (EventKind::Released, Subject::Campaign { .. }) => ends(&[AlertKind::CampaignHeld]),
        (EventKind::Held { .. }, Subject::Lane { .. } | Subject::Template { .. }) if !by_operator => {
            begins(AlertKind::LaneHeld)
        }
        (EventKind::Released, Subject::Lane { .. } | Subject::Template { .. }) => ends(&[AlertKind::LaneHeld]),
        (EventKind::Throttled { .. }, _) => begins(AlertKind::LaneSlowed),
        (EventKind::FullRate { .. }, _) => ends(&[AlertKind::LaneSlowed]),
        (EventKind::OutageBegan { .. }, _) => begins(AlertKind::Outage),
        (EventKind::OutageEnded { .. }, _) => ends(&[AlertKind::Outage]),
        (EventKind::ReceiptsDoubted { address, doubt, .. }, _) => {
            Some(Effect::Begins { kind: AlertKind::DeafServer, detail: detail_of_doubt(address, *doubt) })
        }
        (EventKind::GapEnded { doubt: Some(doubt), address: Some(address), .. }, _) => {
            Some(Effect::Ends { kinds: &[AlertKind::DeafServer], detail: detail_of_doubt(address, *doubt) })
        }
        (EventKind::TierSpent { .. }, _) => begins(AlertKind::TierFull),
        (EventKind::TierFreed { .. }, _) => ends(&[AlertKind::TierFull]),
        (EventKind::DiskFilling { .. }, _) => begins(AlertKind::DiskFull),
        (EventKind::DiskFreed { .. }, _) => ends(&[AlertKind::DiskFull]),
        // Batches of API calls have no name, and finish all the time.
        (EventKind::Finished, Subject::Campaign { name: Some(_), .. }) => {
            Some(Effect::Happened(AlertKind::CampaignFinished))
        }
        (EventKind::OptOutPossible, _) => Some(Effect::Happened(AlertKind::PossibleOptOut)),
        _ => None,
    }
}

/// The alerts that a server begins again by itself after its start, if their cause still exists. It does not see that one
/// ended meanwhile.
pub(super) const SEEN_BY_SERVER: [AlertKind; 5] =
    [AlertKind::LaneSlowed, AlertKind::Outage, AlertKind::DeafServer, AlertKind::TierFull, AlertKind::DiskFull];

/// Whether an event about one subject ends an alert about another: a campaign may have another name by now, and its end is
/// also that of its steps.
pub(super) fn concerns(event: &Subject, alert: &Subject) -> bool {
    match (event, alert) {
        (Subject::Campaign { batch, step, .. }, Subject::Campaign { batch: of, step: held, .. }) => {
            batch == of && (step.is_none() || step == held)
        }
        _ => event == alert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{BatchId, StepIndex, Timestamp};
    use crate::base::events::Origin;

    fn event(kind: EventKind, subject: Subject, origin: Origin) -> Event {
        Event { at: Timestamp::default(), subject, origin, kind }
    }

    #[test]
    fn what_an_operator_did_begins_no_alert_but_may_end_one() {
        let promo = || Subject::campaign(BatchId(1), Some("promo"));
        let (rule, ann) = (|| Origin::rule("20 failures in a row"), || Origin::operator("Ann", None));
        assert_eq!(effect(&event(EventKind::Paused, promo(), rule())), begins(AlertKind::CampaignPaused));
        assert_eq!(effect(&event(EventKind::Paused, promo(), ann())), None);
        assert_eq!(effect(&event(EventKind::Resumed, promo(), ann())), ends(&[AlertKind::CampaignPaused]));
        let held = || EventKind::Held { code: None };
        assert_eq!(effect(&event(held(), Subject::lane("sms"), rule())), begins(AlertKind::LaneHeld));
        assert_eq!(effect(&event(held(), Subject::lane("sms"), ann())), None);
        assert_eq!(effect(&event(EventKind::Finished, Subject::campaign(BatchId(1), None), rule())), None);
    }

    #[test]
    fn the_end_of_a_campaign_concerns_its_steps_under_every_name() {
        let step = |index| StepIndex::new(index).unwrap();
        let held = Subject::step(BatchId(1), Some("promo"), step(1));
        assert!(concerns(&Subject::campaign(BatchId(1), Some("spring")), &held));
        assert!(concerns(&Subject::step(BatchId(1), Some("spring"), step(1)), &held));
        assert!(!concerns(&Subject::step(BatchId(1), Some("promo"), step(0)), &held));
        assert!(!concerns(&Subject::campaign(BatchId(2), Some("promo")), &held));
        assert!(!concerns(&Subject::lane("a"), &Subject::lane("b")));
    }
}
