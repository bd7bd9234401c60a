//! Events as English sentences, for output and logs.

use std::fmt;

use super::{
    AccountReport, Actor, Certificate, ChangedKey, Event, EventKind, LimitEffect, NumberState, Origin, TemplateEffect,
};
use crate::base::clock::{format_time, format_time_of_day};
use crate::base::domain::text::span;
use crate::base::domain::{DoubtCause, Portion, ServerLimit, Timestamp, Zone, grouped, plural};

impl Event {
    /// `campaign promo: paused by Ann: wrong text`.
    pub fn sentence(&self) -> String {
        self.sentence_in(None)
    }

    /// The same with times in this zone; without one, in that of the computer.
    pub fn sentence_in(&self, zone: Option<Zone>) -> String {
        format!("{}: {}", self.subject, self.text_in(zone))
    }

    /// The sentence without its subject: `paused by Ann: wrong text`.
    pub fn text(&self) -> String {
        self.text_in(None)
    }

    /// The same with times in this zone.
    pub fn text_in(&self, zone: Option<Zone>) -> String {
        let text = self.origin.after(&self.what(zone));
        match &self.kind {
            EventKind::Changed { changes } => {
                let changes: Vec<String> = changes.iter().map(ChangedKey::to_string).collect();
                format!("{text}: {}", changes.join("; "))
            }
            EventKind::Held { code: Some(code) } => format!("{text} (code {code})"),
            EventKind::OutageBegan { in_flight } => format!(
                "{text}; {} in flight when it began; queued messages wait, and the server retries automatically",
                plural(u64::from(*in_flight), "request", "requests")
            ),
            _ => text,
        }
    }

    fn what(&self, zone: Option<Zone>) -> String {
        let by_operator = self.origin.is_operator();
        match &self.kind {
            EventKind::Drafted => "saved as a draft".to_owned(),
            EventKind::Launched => "launched".to_owned(),
            EventKind::Scheduled { starts_at: Some(at) } => format!("scheduled to start at {}", format_time(*at, zone)),
            EventKind::Scheduled { starts_at: None } => "scheduled".to_owned(),
            EventKind::Started => "started".to_owned(),
            EventKind::Refused => "refused".to_owned(),
            EventKind::Paused => "paused".to_owned(),
            EventKind::Resumed => "resumed".to_owned(),
            EventKind::Reopened => "running again: messages returned to a queue".to_owned(),
            EventKind::Finished => "finished: nothing is left to submit".to_owned(),
            EventKind::Cancelled => "cancelled".to_owned(),
            EventKind::CancelSwept => "cancel completed: the messages that were not sent are cancelled".to_owned(),
            EventKind::Settled => "settled: every message has its outcome".to_owned(),
            EventKind::Changed { .. } => "changed".to_owned(),
            EventKind::Renamed { before } => format!("renamed from \"{before}\""),
            EventKind::Deleted => "deleted as a draft".to_owned(),
            EventKind::Expired { messages } => {
                format!("its end has come: {} not sent by then, now expired", grouped(*messages))
            }
            EventKind::MessageSetAside { message } => {
                format!("{message} is set aside, because it is refused while others are accepted")
            }
            EventKind::MessageReleased { message } => format!("{message} released"),
            EventKind::MessageCancelled { message } => format!("{message} cancelled"),
            EventKind::CancelCertified { certificate } => format!("when it was cancelled: {certificate}"),
            EventKind::Purged { messages } => {
                format!("purged: its {} are removed, its report stays", plural(u64::from(*messages), "message", "messages"))
            }
            EventKind::Held { .. } if by_operator && !self.subject.is_template() => "paused".to_owned(),
            EventKind::Held { .. } => "held".to_owned(),
            EventKind::Released if by_operator => "resumed".to_owned(),
            EventKind::Released => "released".to_owned(),
            EventKind::Throttled { sixteenths, rate } => {
                let portion = Portion::of_sixteenths(*sixteenths).unwrap_or(Portion::WHOLE);
                format!("throttled by the provider: sends at {portion} of its rate of {rate}")
            }
            EventKind::FullRate { rate } => format!("sends at its full rate of {rate} again"),
            EventKind::OutageBegan { .. } => "outage at the provider".to_owned(),
            EventKind::OutageEnded { lasted } => {
                format!("the provider accepts messages again, after {}", lasted.rounded())
            }
            EventKind::TierSpent { recipients, free_at } => {
                let next = free_at.map(|at| format!("; the next slot frees up at {}", format_time(at, zone)));
                format!(
                    "its tier is spent: {} in the last day{}; no new recipients for now",
                    plural(u64::from(*recipients), "recipient", "recipients"),
                    next.unwrap_or_default()
                )
            }
            EventKind::TierFreed { recipients, of } => {
                let (recipients, of) = (u64::from(*recipients), u64::from(*of));
                format!("its tier has free slots again: {} of {} used in the last 24 h", grouped(recipients), grouped(of))
            }
            EventKind::TierUsed { recipients, is_told: true } => format!(
                "{} of the last day, whom the database does not know, count against its tier",
                plural(u64::from(*recipients), "recipient", "recipients")
            ),
            EventKind::TierUsed { .. } => {
                "its tier counts as full for a day, because a restored backup does not know what was sent; `volley lane set \
                 LANE --tier-used N` says it"
                    .to_owned()
            }
            EventKind::SettingOverridden { setting, value, in_file } => {
                format!("{} set to {value} (in the file: {in_file})", setting.what())
            }
            EventKind::OverrideIgnored { setting, value } => {
                format!("{} not set to {value}, because another override is in effect", setting.what())
            }
            EventKind::OverrideEnded { setting, value } => {
                format!("{} reset to the file's value (was {value})", setting.what())
            }
            EventKind::FoundInFlight { messages } => format!(
                "{} found in flight at the start; it is unknown which of them the provider accepted",
                if *messages == 1 { "1 message was".to_owned() } else { format!("{} messages were", grouped(*messages)) }
            ),
            EventKind::BackupRestored { copied_at, paused_count } => format!(
                "the database is a backup of {}: {} paused, because it does not know what was sent since",
                format_time(*copied_at, zone),
                if *paused_count == 1 { "1 campaign was".to_owned() } else { format!("{} campaigns were", grouped(*paused_count)) }
            ),
            EventKind::CredentialReplaced { key, file, secrets: 1 } => {
                format!("{key} ({file}) has changed: the new secret is in effect")
            }
            EventKind::CredentialReplaced { key, file, secrets } => {
                format!("{key} ({file}) has changed: {secrets} secrets are valid now")
            }
            EventKind::CertificateReplaced { file } => {
                format!("the certificate {file} has changed: new connections use it")
            }
            EventKind::CertificateRejected { file, problem } => {
                format!("the certificate {file} has changed and cannot be used, so the former one stays in effect: {problem}")
            }
            EventKind::FilesRead { files, not_used, needs_restart } => files_read(files, not_used, needs_restart),
            EventKind::GapEnded { from, lasted, doubt, address, repeats_until } => {
                // The gap ended at the time of the event. The repeats of receipts come after its end.
                let time = |at| format_time_of_day(at, zone);
                let lasted = lasted.map_or_else(
                    || "for an unknown time, because the clock was set back meanwhile".to_owned(),
                    |lasted| format!("from {} until {} ({})", time(*from), time(self.at), span(lasted)),
                );
                let (cause, after) = (gap(*doubt, address.as_deref()), after_gap(*repeats_until, zone));
                format!("receipts may be missing {lasted}, because {cause}; {after}")
            }
            EventKind::ReceiptsDoubted { since, doubt, address } => format!(
                "since {}, {}; no message on its lanes falls back because receipts are missing",
                format_time(*since, zone),
                describe_doubt(address, *doubt)
            ),
            EventKind::AskingBegan { deadlines, takes } => format!(
                "receipts for {} may be missing; the server asks the provider, one a second, which takes {takes}",
                plural(*deadlines, "deadline", "deadlines")
            ),
            EventKind::AskingDone => "the server has asked the provider about every deadline in doubt".to_owned(),
            EventKind::ServerFull { limit, holder, held, of } => full(*limit, holder.as_deref(), *held, *of),
            EventKind::ServerFreed { limit, turned_away } => format!(
                "no limit of its {} is reached any more; {} closed or refused meanwhile",
                limit.what(),
                if *turned_away == 1 { "1 was".to_owned() } else { format!("{} were", grouped(*turned_away)) }
            ),
            EventKind::DiskFilling { free_mib } => {
                format!("the disk of the database has only {} MiB left; free some space", grouped(*free_mib))
            }
            EventKind::DiskFreed { free_mib } => {
                format!("the disk of the database has space again: {} MiB", grouped(*free_mib))
            }
            EventKind::ImportGivenUp { upload, file, audience, crashes } => format!(
                "gave up the import of {file} into the audience {audience} (upload {upload}): the server was killed, or \
                 crashed, {crashes} times during it"
            ),
            EventKind::OptOutUnidentified { channel: Some(channel) } => format!(
                "a recipient on {channel} whose number is unknown opted out; the id is opted out at once, and a number as \
                 soon as it is known with the id"
            ),
            EventKind::OptOutUnidentified { channel: None } => {
                "a recipient whose number is unknown, and who answers no message that is known, opted out; it takes effect \
                 once the number is known"
                    .to_owned()
            }
            EventKind::OptOutPossible => {
                "a reply may be an opt-out; see `volley reply list --may-want-to-opt-out`, and decide".to_owned()
            }
            EventKind::AddressTaken { channel } => format!(
                "the provider named a recipient on {channel} by an id or a number that belongs to another recipient; it \
                 stays with that one"
            ),
            EventKind::AccountReported { report, unknown_account } => {
                let foreign = unknown_account.as_ref().map(|account| {
                    format!(
                        "; the event names account \"{account}\", which is the `account_id` of no lane, so only \
                         restrictions are obeyed"
                    )
                });
                format!("{}{}", reported(report, zone), foreign.unwrap_or_default())
            }
            EventKind::TemplatesNotFetched => {
                "the provider's templates could not be fetched, so the last known ones apply".to_owned()
            }
            EventKind::SubscriptionCreated => "created".to_owned(),
            EventKind::SubscriptionEnabled => "enabled".to_owned(),
            EventKind::SubscriptionDisabled => "disabled".to_owned(),
            EventKind::SubscriptionRemoved => "removed".to_owned(),
            EventKind::SecretRotated { former_until } => {
                format!("signing secret rotated (the former one is valid until {})", format_time(*former_until, zone))
            }
            EventKind::Other { unknown_kind } => format!("event of a later version ({unknown_kind})"),
        }
    }
}

impl Origin {
    /// Appends who did it and why: `paused by Ann: wrong text`.
    pub fn after(&self, what: &str) -> String {
        let by = match &self.by {
            Actor::Operator(name) => format!(" by {name}"),
            Actor::Provider | Actor::Server => String::new(),
        };
        match &self.reason {
            Some(reason) => format!("{what}{by}: {reason}"),
            None => format!("{what}{by}"),
        }
    }
}

impl fmt::Display for ChangedKey {
    /// `step 2: ttl: 1h instead of 2h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, key, before, after } = self;
        step.map_or(Ok(()), |step| write!(f, "step {step}: "))?;
        write!(f, "{key}: {after} instead of {before}")
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { never_sent, in_flight, accepted, reached, over_before, stopped_after_ms } = self;
        write!(f, "{} not sent", grouped(*never_sent))?;
        if *in_flight > 0 {
            write!(f, " · {} being sent, may still be submitted", grouped(*in_flight))?;
        }
        write!(f, " · {} sent, result pending · {} reached", grouped(*accepted), grouped(*reached))?;
        if *over_before > 0 {
            write!(f, " · {} had ended before without being reached", grouped(*over_before))?;
        }
        stopped_after_ms.map_or(Ok(()), |millis| write!(f, "; stopped after {millis} ms"))
    }
}

/// Describes a doubt: what is not proven about a provider address.
pub fn describe_doubt(address: &str, doubt: DoubtCause) -> String {
    match doubt {
        DoubtCause::SecretMismatch => {
            format!("receipts of the provider at {address} are rejected, because the webhook secret does not match")
        }
        DoubtCause::NoWebhooks => format!(
            "the provider at {address} reports statuses when asked, but its webhooks do not arrive at /webhooks/8x8"
        ),
        DoubtCause::Unreachable => format!("the provider at {address} does not answer"),
    }
}

/// Which limit of the server is reached, and what it does about it.
fn full(limit: ServerLimit, holder: Option<&str>, held: u32, of: u32) -> String {
    let what = limit.what();
    let who = match holder {
        Some(holder) => format!("{holder} has {held} of its {of} {what}"),
        None => format!("all of its {of} {what} are in use"),
    };
    match limit {
        ServerLimit::Connections => {
            format!("{who}; a new one closes the oldest that waits for its client, or is refused")
        }
        ServerLimit::EventStreams | ServerLimit::LongOperations => format!("{who}; more are refused"),
    }
}

/// Why receipts may be missing.
/// What a server did when an operator told it to read its files again.
fn files_read(files: &[String], not_used: &[String], needs_restart: &[String]) -> String {
    let mut text = match files {
        [] => "no file was read again".to_owned(),
        files => format!("files read again: {}", files.join(", ")),
    };
    for problem in not_used {
        text += &format!("; what was read before stays in effect, because {problem}");
    }
    if !needs_restart.is_empty() {
        text += &format!("; changed, but in effect only after a restart: {}", needs_restart.join(", "));
    }
    text
}

fn gap(doubt: Option<DoubtCause>, address: Option<&str>) -> String {
    let provider = address.map_or_else(|| "the provider".to_owned(), |address| format!("the provider at {address}"));
    match doubt {
        None => "no server could store them".to_owned(),
        Some(DoubtCause::Unreachable) => format!("it was in doubt whether {provider} could be reached"),
        Some(DoubtCause::SecretMismatch | DoubtCause::NoWebhooks) => {
            format!("it was in doubt whether {provider} reached this server")
        }
    }
}

fn after_gap(repeats_until: Option<Timestamp>, zone: Option<Zone>) -> String {
    match repeats_until {
        Some(until) => {
            format!("the provider repeats them, and deadlines wait for them until {}", format_time(until, zone))
        }
        None => {
            "the provider does not repeat them, so `after_gap` decides the deadlines of that time (by default, the \
                 provider is asked)"
                .to_owned()
        }
    }
}

fn reported(report: &AccountReport, zone: Option<Zone>) -> String {
    match report {
        AccountReport::NumberWithoutLane { word, number } => format!(
            "the provider reports {word} for {number}, which is the `number` of no lane; nothing changes until a lane has \
             this `number`"
        ),
        AccountReport::UnknownWord { word, number } => {
            format!("the provider reports \"{word}\" for {number}, which Volley does not know; nothing changes")
        }
        AccountReport::NumberState { state, number, reason } => {
            let (word, meaning) = match state {
                NumberState::Flagged => {
                    ("FLAGGED", "recipients block or report its messages; its limit goes down unless that improves")
                }
                NumberState::Unflagged => {
                    ("UNFLAGGED", "its limit may go up again if recipients continue to like its messages")
                }
                NumberState::Onboarding => ("ONBOARDING", "it is still being registered"),
            };
            let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("the provider reports {word}{reason} for {number}: {meaning}")
        }
        AccountReport::Limit { word, limit, number, effect } => {
            let effect = match effect {
                LimitEffect::NothingChanges => "; nothing changes",
                LimitEffect::UnknownLimit => ", which names no tier that counts recipients; nothing changes",
            };
            format!("the provider reports {word} to {limit} for {number}{effect}")
        }
        AccountReport::Throughput { number, is_as_fast } => {
            let because = is_as_fast.as_ref().map(|rate| format!("its rate is already {rate}, so "));
            format!(
                "the provider reports THROUGHPUT_UPGRADE for {number}; {}nothing changes",
                because.unwrap_or_default()
            )
        }
        AccountReport::TemplateStatus { status, details, effect } => template_status(status, details, *effect, zone),
        AccountReport::TemplateQuality { quality, before } => {
            let next = if quality == "RED" { "; the provider pauses it next" } else { "" };
            format!("the provider reports quality {quality}, after {before}{next}")
        }
        AccountReport::TemplateCategory { category, before, campaigns } => {
            let used = match campaigns.as_slice() {
                [] => "no campaign in progress uses it".to_owned(),
                names => format!(
                    "campaigns in progress that use it get its price for what they have not sent: {}",
                    names.join(", ")
                ),
            };
            format!(
                "the provider changed its category to {category}, from {before}; it now costs as much as that category; {used}"
            )
        }
        AccountReport::TemplateAdvice { advised, category } => {
            format!("the provider considers it {advised} instead of {category}; nothing has changed yet")
        }
        AccountReport::Account { word, number, details } => {
            let details = if details.is_empty() { String::new() } else { format!(": {details}") };
            let number = number.as_ref().map(|number| format!(" for {number}")).unwrap_or_default();
            format!("the provider reports {word}{number}{details}; nothing changes for messages")
        }
    }
}

fn template_status(status: &str, details: &str, effect: TemplateEffect, zone: Option<Zone>) -> String {
    let details = if details.is_empty() { String::new() } else { format!(" ({details})") };
    let effect = match effect {
        TemplateEffect::Released => ": it may be sent".to_owned(),
        TemplateEffect::Held => ": its messages wait".to_owned(),
        TemplateEffect::AtRisk { disabled_at } => {
            let at = disabled_at.map(|at| format!(" at {}", format_time(at, zone))).unwrap_or_default();
            format!(": it will be disabled{at} unless its quality improves")
        }
        TemplateEffect::Unnamed => " for a template that it does not name; nothing changes".to_owned(),
        TemplateEffect::NothingChanges => String::new(),
    };
    format!("the provider reports {status}{details}{effect}")
}
