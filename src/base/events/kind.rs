//! The kinds of events, each with its own facts.

use serde::{Deserialize, Serialize};

use super::AccountReport;
use crate::base::domain::{
    Channel, DoubtCause, OverridableSetting, Portion, Rate, ServerLimit, Span, Timestamp, rfc3339, rfc3339_option,
};

/// What happened. The subject says to what, the origin says by whom and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    // Campaigns.
    Drafted,
    Launched,
    /// Launched, or resumed, to start later.
    Scheduled {
        #[serde(with = "rfc3339_option", default, skip_serializing_if = "Option::is_none")]
        starts_at: Option<Timestamp>,
    },
    Started,
    /// An operator refused to start a draft that waits for another operator.
    Refused,
    Paused,
    Resumed,
    /// Messages of a finished campaign returned to a queue.
    Reopened,
    /// Every message is submitted or has its outcome.
    Finished,
    Cancelled,
    /// The messages that were not submitted have their outcome.
    CancelSwept,
    /// Every message has its outcome.
    Settled,
    /// The plan was changed.
    Changed {
        changes: Vec<ChangedKey>,
    },
    /// The campaign has another name; `before` is its former one.
    Renamed {
        before: String,
    },
    /// A draft was deleted. Nothing of it was sent.
    Deleted,
    /// The campaign's `end` came; this many messages were never submitted.
    Expired {
        messages: u64,
    },
    /// The provider refuses a message while it accepts others, so it waits for an operator.
    MessageSetAside {
        message: String,
    },
    /// A message that was set aside returned to its queue.
    MessageReleased {
        message: String,
    },
    MessageCancelled {
        message: String,
    },
    /// The state of every message when the campaign stopped.
    CancelCertified {
        certificate: Certificate,
    },
    /// The rows of the campaign's messages are removed.
    Purged {
        messages: u32,
    },

    // Steps, lanes and templates.
    Held {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<u32>,
    },
    Released,

    // Lanes and portfolios.
    /// The provider throttled the lane.
    Throttled {
        sixteenths: u8,
        rate: Rate,
    },
    FullRate {
        rate: Rate,
    },
    OutageBegan {
        in_flight: u32,
    },
    OutageEnded {
        lasted: Span,
    },
    TierSpent {
        recipients: u32,
        #[serde(with = "rfc3339_option", default, skip_serializing_if = "Option::is_none")]
        free_at: Option<Timestamp>,
    },
    TierFreed {
        recipients: u32,
        of: u32,
    },
    /// Recipients whom the database does not know count against the tier for a day; all of it unless an operator said how
    /// many there are.
    TierUsed {
        recipients: u32,
        is_told: bool,
    },
    /// A setting of the configuration file is overridden. `in_file` is its value there.
    SettingOverridden {
        setting: OverridableSetting,
        value: String,
        in_file: String,
    },
    /// A later or stronger override is in effect, so this one is not.
    OverrideIgnored {
        setting: OverridableSetting,
        value: String,
    },
    OverrideEnded {
        setting: OverridableSetting,
        value: String,
    },

    // Servers and the way to the provider.
    /// Messages were in flight when the last server died.
    FoundInFlight {
        messages: u64,
    },
    /// The database was a backup, so its first server paused what it would have sent.
    BackupRestored {
        #[serde(with = "rfc3339")]
        copied_at: Timestamp,
        paused_count: u64,
    },
    /// The file of a credential has changed, and its secrets are in effect.
    CredentialReplaced {
        /// The key of the configuration that names the file.
        key: String,
        file: String,
        /// How many are valid now.
        secrets: u32,
    },
    /// The files of the server's certificate have changed, and new connections use it.
    CertificateReplaced {
        file: String,
    },
    /// They have changed and cannot be used, so the former certificate stays in effect.
    CertificateRejected {
        file: String,
        problem: String,
    },
    /// An operator told the server to read its files again.
    FilesRead {
        /// The files, with their keys.
        files: Vec<String>,
        /// Why other files are not used.
        not_used: Vec<String>,
        /// What has changed in the configuration besides.
        needs_restart: Vec<String>,
    },
    /// Receipts could not arrive. Deadlines wait until `repeats_until` for the provider's repeats; without it, receipts
    /// of that time are lost.
    GapEnded {
        #[serde(with = "rfc3339")]
        from: Timestamp,
        /// None if the clock was set back meanwhile.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lasted: Option<Span>,
        /// What was in doubt about which provider address; none if no server could store receipts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        doubt: Option<DoubtCause>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
        #[serde(with = "rfc3339_option", default, skip_serializing_if = "Option::is_none")]
        repeats_until: Option<Timestamp>,
    },
    /// It is not proven that receipts of a provider address arrive.
    ReceiptsDoubted {
        #[serde(with = "rfc3339")]
        since: Timestamp,
        doubt: DoubtCause,
        address: String,
    },
    /// The provider is asked about deadlines whose receipts may be missing.
    AskingBegan {
        deadlines: u64,
        takes: Span,
    },
    AskingDone,

    /// A limit of the server was reached, so some connections were closed, or some requests refused.
    ServerFull {
        limit: ServerLimit,
        /// The address or the caller that has most of them, or its share; none if all together reached the limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        holder: Option<String>,
        held: u32,
        /// The most of all together.
        of: u32,
    },
    /// Nothing was refused because of the limit for a minute.
    ServerFreed {
        limit: ServerLimit,
        turned_away: u64,
    },

    /// The disk of the database has little space left.
    DiskFilling {
        free_mib: u64,
    },
    DiskFreed {
        free_mib: u64,
    },
    /// A server crashed each time while it imported an upload, so the import has failed.
    ImportGivenUp {
        upload: String,
        file: String,
        /// The audience that it would have become, or joined.
        audience: String,
        crashes: u32,
    },

    // Opt-outs and the provider's account.
    /// A recipient whose number is not known asked for no more messages.
    OptOutUnidentified {
        /// The channel whose id of the recipient is opted out; none if the message named no id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        channel: Option<Channel>,
    },
    /// A reply may be an opt-out, and no other one waited for a decision.
    OptOutPossible,
    /// The provider named a recipient by an id or a number that belongs to another recipient.
    AddressTaken {
        channel: Channel,
    },
    AccountReported {
        report: AccountReport,
        /// The account that the provider named, if no lane belongs to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unknown_account: Option<String>,
    },

    /// The provider's templates could not be fetched; the last known ones apply.
    TemplatesNotFetched,

    // Receivers of webhooks.
    SubscriptionCreated,
    SubscriptionEnabled,
    SubscriptionDisabled,
    SubscriptionRemoved,
    /// It has a new signing secret; the former one signs as well until then.
    SecretRotated {
        #[serde(with = "rfc3339")]
        former_until: Timestamp,
    },

    /// A kind that this version does not know.
    Other {
        unknown_kind: String,
    },
}

/// One changed key of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ChangedKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u8>,
    pub key: String,
    pub before: String,
    pub after: String,
}

/// The messages of a campaign by state; the parts sum to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Certificate {
    pub never_sent: i64,
    /// Being submitted at that moment; they could not be recalled.
    pub in_flight: i64,
    /// Accepted by the provider, which may still deliver them.
    pub accepted: i64,
    pub reached: i64,
    /// Ended before without being reached.
    pub over_before: i64,
    /// The time until every server obeyed; `None` if none was running, or one did not confirm.
    pub stopped_after_ms: Option<i64>,
}

impl EventKind {
    /// Reads a kind back from its JSON.
    pub fn read(text: &str) -> Self {
        #[derive(Deserialize)]
        struct Named {
            kind: String,
        }
        serde_json::from_str(text).unwrap_or_else(|_| {
            let named = serde_json::from_str(text).map(|Named { kind }| kind);
            Self::Other { unknown_kind: named.unwrap_or_else(|_| "unreadable".to_owned()) }
        })
    }

    pub fn throttled(portion: Portion, rate: Rate) -> Self {
        Self::Throttled { sixteenths: portion.sixteenths(), rate }
    }

    /// Whether sending stops or slows because of it, so that logs warn.
    pub const fn is_bad(&self) -> bool {
        matches!(
            self,
            Self::Held { .. }
                | Self::Throttled { .. }
                | Self::OutageBegan { .. }
                | Self::TierSpent { .. }
                | Self::CertificateRejected { .. }
                | Self::BackupRestored { .. }
                | Self::ServerFull { .. }
                | Self::DiskFilling { .. }
        )
    }
}
