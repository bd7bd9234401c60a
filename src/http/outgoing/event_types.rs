//! The types of webhooks, and which events have which.

use crate::base::domain::{Progress, Status};
use crate::base::events::{Event, EventKind, Subject};

/// A type of webhooks, with what it tells.
#[derive(Debug, Clone, Copy)]
pub struct EventType {
    pub name: &'static str,
    pub meaning: &'static str,
}

const fn told(name: &'static str, meaning: &'static str) -> EventType {
    EventType { name, meaning }
}

pub(super) const REPLY: &str = "reply.received";
pub(super) const TEST: &str = "webhook.test";

/// Every type, as the guide lists them.
pub const EVENT_TYPES: &[EventType] = &[
    told("message.sent", "the provider reported that a step was sent"),
    told("message.delivered", "a step was delivered"),
    told("message.read", "the recipient has read a step"),
    told("message.undelivered", "a step failed, with the provider's code"),
    told("message.done", "the message has its outcome"),
    told(REPLY, "a recipient has sent a message"),
    told("campaign.drafted", "a campaign was saved as a draft"),
    told("campaign.launched", "a campaign was launched"),
    told("campaign.scheduled", "a campaign was launched or resumed to start later"),
    told("campaign.started", "a campaign began to send"),
    told("campaign.refused", "an operator refused to start a draft that waits for an approval"),
    told("campaign.paused", "an operator or a rule paused a campaign"),
    told("campaign.resumed", "a campaign was resumed"),
    told("campaign.reopened", "messages of a finished campaign returned to a queue"),
    told("campaign.finished", "nothing is left to submit"),
    told("campaign.settled", "every message has its outcome"),
    told("campaign.cancelled", "a campaign was cancelled"),
    told("campaign.cancel_swept", "the messages that were not sent are cancelled"),
    told("campaign.cancel_certified", "the states of all messages when a campaign was cancelled"),
    told("campaign.expired", "the end of a campaign came before all was sent"),
    told("campaign.message_set_aside", "a message is refused while others are accepted; it waits for an operator"),
    told("campaign.message_released", "a message that was set aside returned to its queue"),
    told("campaign.message_cancelled", "an operator cancelled one message"),
    told("campaign.changed", "the plan of a campaign was changed"),
    told("campaign.renamed", "a campaign has another name"),
    told("campaign.deleted", "a draft was deleted"),
    told("campaign.purged", "the messages of a campaign were removed"),
    told("campaign.held", "a step of a campaign is held"),
    told("campaign.released", "a held step was released"),
    told("lane.held", "a lane is held"),
    told("lane.released", "a held lane was released"),
    told("lane.slowed", "the provider throttles a lane"),
    told("lane.full_rate", "a throttled lane has its full rate again"),
    told("lane.outage_began", "the provider does not accept the messages of a lane"),
    told("lane.outage_ended", "the provider accepts the messages of a lane again"),
    told("template.held", "a template is held"),
    told("template.released", "a held template was released"),
    told("template.not_fetched", "the provider's templates could not be fetched"),
    told("tier.full", "a portfolio's tier has no free slot"),
    told("tier.freed", "a portfolio's tier has free slots again"),
    told("tier.unknown", "recipients whom the database does not know count against a portfolio's tier"),
    told("setting.overridden", "a setting of the configuration was changed while the server runs"),
    told("setting.override_ignored", "a change of a setting has no effect"),
    told("setting.override_ended", "the value of the configuration file applies again"),
    told("account.held", "something else of the account is held"),
    told("account.released", "the hold of the account was released"),
    told("account.reported", "the provider has sent an event of the account"),
    told("opt_out.unidentified", "a recipient whose number is unknown opted out"),
    told("opt_out.possible", "a reply may be an opt-out, and no other one awaited a decision"),
    told("opt_out.address_taken", "the provider named a recipient by an address that belongs to another one"),
    told("server.found_in_flight", "the previous server ended while it was sending"),
    told("server.credential_replaced", "the file of a credential has changed"),
    told("server.receipts_doubted", "it is not proven that receipts arrive"),
    told("server.gap_ended", "receipts could not arrive for a time"),
    told("server.asking_began", "the server asks the provider about missing receipts"),
    told("server.asking_done", "the server has asked about all missing receipts"),
    told("server.backup_restored", "the database is a restored backup, and its campaigns are paused"),
    told("server.certificate_replaced", "new connections use a new certificate"),
    told("server.certificate_rejected", "the file of the certificate cannot be used; the former one stays in use"),
    told("server.files_read", "an operator told the server to read its files again"),
    told("server.full", "a limit of connections, event streams or long operations is reached"),
    told("server.freed", "no such limit was reached for a minute"),
    told("disk.filling", "the disk of the database has little space left"),
    told("disk.freed", "the disk of the database has space again"),
    told("import.given_up", "an import failed because the server crashed twice during it"),
    told("subscription.created", "a subscription was created"),
    told("subscription.enabled", "a subscription was enabled"),
    told(
        "subscription.disabled",
        "a subscription was disabled: by an operator, after a day of failures, or by an answer of 410",
    ),
    told("subscription.removed", "a subscription was removed"),
    told("subscription.secret_rotated", "a subscription has a new signing secret"),
    told(TEST, "a test that an operator asked for"),
];

/// The type of an event; `None` for a kind of a later version.
pub(super) fn of_event(event: &Event) -> Option<&'static str> {
    Some(match &event.kind {
        EventKind::Drafted => "campaign.drafted",
        EventKind::Launched => "campaign.launched",
        EventKind::Scheduled { .. } => "campaign.scheduled",
        EventKind::Started => "campaign.started",
        EventKind::Refused => "campaign.refused",
        EventKind::Paused => "campaign.paused",
        EventKind::Resumed => "campaign.resumed",
        EventKind::Reopened => "campaign.reopened",
        EventKind::Finished => "campaign.finished",
        EventKind::Cancelled => "campaign.cancelled",
        EventKind::CancelSwept => "campaign.cancel_swept",
        EventKind::Settled => "campaign.settled",
        EventKind::Changed { .. } => "campaign.changed",
        EventKind::Renamed { .. } => "campaign.renamed",
        EventKind::Deleted => "campaign.deleted",
        EventKind::Expired { .. } => "campaign.expired",
        EventKind::MessageSetAside { .. } => "campaign.message_set_aside",
        EventKind::MessageReleased { .. } => "campaign.message_released",
        EventKind::MessageCancelled { .. } => "campaign.message_cancelled",
        EventKind::CancelCertified { .. } => "campaign.cancel_certified",
        EventKind::Purged { .. } => "campaign.purged",
        EventKind::Held { .. } => match event.subject {
            Subject::Campaign { .. } => "campaign.held",
            Subject::Lane { .. } => "lane.held",
            Subject::Template { .. } => "template.held",
            _ => "account.held",
        },
        EventKind::Released => match event.subject {
            Subject::Campaign { .. } => "campaign.released",
            Subject::Lane { .. } => "lane.released",
            Subject::Template { .. } => "template.released",
            _ => "account.released",
        },
        EventKind::Throttled { .. } => "lane.slowed",
        EventKind::FullRate { .. } => "lane.full_rate",
        EventKind::OutageBegan { .. } => "lane.outage_began",
        EventKind::OutageEnded { .. } => "lane.outage_ended",
        EventKind::TierSpent { .. } => "tier.full",
        EventKind::TierFreed { .. } => "tier.freed",
        EventKind::TierUsed { .. } => "tier.unknown",
        EventKind::SettingOverridden { .. } => "setting.overridden",
        EventKind::OverrideIgnored { .. } => "setting.override_ignored",
        EventKind::OverrideEnded { .. } => "setting.override_ended",
        EventKind::FoundInFlight { .. } => "server.found_in_flight",
        EventKind::CredentialReplaced { .. } => "server.credential_replaced",
        EventKind::GapEnded { .. } => "server.gap_ended",
        EventKind::ReceiptsDoubted { .. } => "server.receipts_doubted",
        EventKind::AskingBegan { .. } => "server.asking_began",
        EventKind::AskingDone => "server.asking_done",
        EventKind::BackupRestored { .. } => "server.backup_restored",
        EventKind::CertificateReplaced { .. } => "server.certificate_replaced",
        EventKind::CertificateRejected { .. } => "server.certificate_rejected",
        EventKind::FilesRead { .. } => "server.files_read",
        EventKind::ServerFull { .. } => "server.full",
        EventKind::ServerFreed { .. } => "server.freed",
        EventKind::DiskFilling { .. } => "disk.filling",
        EventKind::DiskFreed { .. } => "disk.freed",
        EventKind::ImportGivenUp { .. } => "import.given_up",
        EventKind::OptOutUnidentified { .. } => "opt_out.unidentified",
        EventKind::OptOutPossible => "opt_out.possible",
        EventKind::AddressTaken { .. } => "opt_out.address_taken",
        EventKind::AccountReported { .. } => "account.reported",
        EventKind::TemplatesNotFetched => "template.not_fetched",
        EventKind::SubscriptionCreated => "subscription.created",
        EventKind::SubscriptionEnabled => "subscription.enabled",
        EventKind::SubscriptionDisabled => "subscription.disabled",
        EventKind::SubscriptionRemoved => "subscription.removed",
        EventKind::SecretRotated { .. } => "subscription.secret_rotated",
        EventKind::Other { .. } => return None,
    })
}

/// The type of a change of a message.
pub(super) const fn of_progress(progress: Progress) -> &'static str {
    match progress {
        Progress::Reached { status: Status::Read, .. } => "message.read",
        Progress::Reached { status: Status::Delivered, .. } => "message.delivered",
        // No earlier status is told.
        Progress::Reached { .. } => "message.sent",
        Progress::Failed { .. } => "message.undelivered",
        Progress::Ended { .. } => "message.done",
    }
}

/// Whether a pattern of a subscription wants a type: `message.read`, `campaign.*`, or `*`.
pub(super) fn is_wanted(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => pattern == name,
    }
}

/// Whether a pattern wants any type that exists.
pub(super) fn is_pattern(pattern: &str) -> bool {
    let has_form = pattern == "*" || pattern.strip_suffix(".*").is_some() || !pattern.contains('*');
    has_form && EVENT_TYPES.iter().any(|known| is_wanted(pattern, known.name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::domain::{BatchId, StepIndex, Timestamp};
    use crate::base::events::tests::kinds;

    #[test]
    fn every_kind_of_event_has_a_listed_type_and_every_type_is_sent() {
        let subjects = [
            Subject::campaign(BatchId(1), Some("promo")),
            Subject::lane("sms"),
            Subject::template("sale", "en"),
            Subject::ProviderAccount,
        ];
        let mut sent: BTreeSet<&str> = [REPLY, TEST].into();
        for kind in kinds() {
            for subject in &subjects {
                let event = Event::by_server(Timestamp::default(), subject.clone(), kind.clone());
                sent.insert(of_event(&event).unwrap());
            }
        }
        let step = StepIndex::FIRST;
        let reached = [Status::Sent, Status::Delivered, Status::Read].map(|status| Progress::Reached { step, status });
        let ended = Progress::Ended { outcome: crate::base::domain::Outcome::Reached, skipped: None };
        sent.extend(reached.into_iter().chain([Progress::Failed { step }, ended]).map(of_progress));
        assert_eq!(sent, EVENT_TYPES.iter().map(|known| known.name).collect());
        assert_eq!(sent.len(), EVENT_TYPES.len(), "a type is listed twice");
    }

    #[test]
    fn a_pattern_wants_one_type_or_all_of_a_group_or_all() {
        assert!(is_wanted("message.read", "message.read") && !is_wanted("message.read", "message.sent"));
        assert!(is_wanted("message.*", "message.sent") && !is_wanted("message.*", "campaign.started"));
        assert!(is_wanted("*", "webhook.test"));
        for pattern in ["*", "message.*", "lane.held"] {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for pattern in ["", "message", "message.seen", "mess*", "*.held", "message.*.*", "MESSAGE.*"] {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }
}
