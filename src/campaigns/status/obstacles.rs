//! Describes the obstacles that keep a campaign from sending, in the same words for every view.

use serde::Serialize;

use super::holds;
use super::slow::Slow;
use crate::base::config::{self, Config};
use crate::base::domain::text::{about, plural, shell};
use crate::base::domain::{Channel, Count, DoubtCause, StepIndex, Timestamp};
use crate::base::events::describe_doubt;
use crate::campaigns::campaign::{NeedsApproval, Unapproved, UsedUp, held};
use crate::campaigns::report::Stranded;
use crate::node::doubt_remedy;
use crate::sending::ask;
use crate::store::{Batch, DiskTrouble, Hold, Result, StepHeldBy, StepHold, Store, Unwritable};

const NO_SERVER: &str = "no server is running on this database";
const START: &str = "start `volley serve`";
const SILENT: &str = "the server does not respond: it hangs, or ended without stopping";
const CHECK_PROCESS: &str = "check whether its process still runs. If it hangs, end it; then start `volley serve`, which recovers \
                             the messages in flight";

#[derive(Debug, Clone)]
pub enum Obstacle {
    /// One of its lanes or templates is held; with the messages that wait for it.
    Held(Hold, i64),
    /// One of its steps is held; with the messages that wait for it.
    StepHeld(StepHold, Channel, i64),
    /// So many of its messages are set aside, and wait for an operator.
    SetAside(i64),
    /// One of its lanes is no longer configured.
    Gone(Stranded),
    /// One of its lanes is slower than its rate; with the messages that wait for it.
    Slow(Slow, i64),
    NoServer,
    /// The server was last heard of then. Whether it still runs cannot be seen from here.
    SilentServer(Timestamp),
    /// The server cannot write to the database.
    Unwritable(Unwritable),
    /// Its start waits for the approval of a template.
    Unapproved(Unapproved),
    /// It is a draft that another operator must start.
    NeedsApproval(NeedsApproval),
    /// It is paused, and an operator has to raise a limit before it can resume.
    UsedUp(UsedUp),
    /// It waits for room in a budget, all of which is spent or reserved.
    Reserved(UsedUp),
    /// There is no proof that a provider address can be reached, or that its receipts arrive, so deadlines are held.
    /// `waiting` counts the messages with a deadline on its lanes.
    Doubt {
        address: String,
        cause: DoubtCause,
        since: Timestamp,
        waiting: i64,
    },
}

/// Why the server cannot write, and the effect.
const fn unwritable(trouble: DiskTrouble) -> &'static str {
    match trouble {
        DiskTrouble::Full => "the server cannot write, because the disk of the database is full: nothing is sent",
        DiskTrouble::ReadOnly => "the server cannot write, because the database is read-only: nothing is sent",
        DiskTrouble::Failing => "the server cannot write, because the disk of the database fails: nothing is sent",
    }
}

/// What to do so that the server can write.
const fn write_again(trouble: DiskTrouble) -> &'static str {
    match trouble {
        DiskTrouble::Full => "free some space on that disk; the server then continues automatically",
        DiskTrouble::ReadOnly => {
            "make the database's file and folder writable for the server; it then continues automatically"
        }
        DiskTrouble::Failing => {
            "check that disk, its quota and the file size limit of the server; it then continues automatically"
        }
    }
}

/// An obstacle, with what to do.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ObstacleView {
    pub kind: &'static str,
    pub what: String,
    /// Messages of the campaign that wait because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    pub what_to_do: String,
}

impl Obstacle {
    /// Lists the addresses in doubt that lanes of these batches use, with the messages that wait for a deadline there.
    pub async fn doubts(store: &dyn Store, config: &Config, batches: &[Batch]) -> Result<Vec<Self>> {
        let mut doubts = Vec::new();
        for link in store.links().await? {
            let Some((since, cause)) = link.doubt else { continue };
            let is_of = |lane: &config::Lane| lane.provider.base_url == link.address;
            if !config.lanes.iter().any(is_of) {
                continue;
            }
            let (mut waiting, mut concerns) = (0, false);
            for batch in batches {
                let Some(plan) = store.plan(batch.id).await? else { continue };
                let tallies = store.tallies(batch.id).await?;
                for (index, step) in plan.indexed_steps().filter(|(_, step)| config.lanes_of(step).any(is_of)) {
                    concerns = true;
                    waiting += if step.fallback_after.is_some() { tallies.get(index, Count::AwaitingOpen) } else { 0 };
                }
            }
            if concerns || batches.is_empty() {
                doubts.push(Self::Doubt { address: link.address, cause, since, waiting });
            }
        }
        Ok(doubts)
    }

    /// Whether the provider cannot be reached. Nobody knows when that ends.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Slow(slow, _) => slow.is_outage(),
            Self::Doubt { cause, .. } => matches!(cause, DoubtCause::Unreachable),
            _ => false,
        }
    }

    pub fn what(&self) -> String {
        match self {
            Self::Held(hold, waiting) => format!("{}{}", held(hold), holds::wait_for_it(*waiting)),
            Self::StepHeld(hold, channel, waiting) => {
                let is = if hold.by == StepHeldBy::Operator { "is" } else { "is held:" };
                let coming = if hold.step == StepIndex::FIRST { "" } else { "fallbacks to it wait, and " };
                format!(
                    "step {}, {channel}, {is} {}{}; {coming}messages submitted on it keep their deadlines",
                    hold.step,
                    hold.origin.hold_reason(),
                    holds::wait_for_it(*waiting)
                )
            }
            Self::Slow(slow, waiting) => format!("{}{}", slow.what(), holds::wait_for_it(*waiting)),
            Self::SetAside(messages) => {
                let them = if *messages == 1 { "it" } else { "them" };
                let messages = plural(messages.unsigned_abs(), "message is", "messages are");
                format!("{messages} set aside: the provider refuses {them} while it accepts others")
            }
            Self::Gone(gone) => gone.what(),
            Self::NoServer => NO_SERVER.to_owned(),
            Self::SilentServer(_) => SILENT.to_owned(),
            Self::Unwritable(Unwritable { trouble, .. }) => unwritable(*trouble).to_owned(),
            Self::Unapproved(template) => format!("its start waits for the approval of {template}"),
            Self::NeedsApproval(needs) => needs.what(),
            Self::UsedUp(limit) | Self::Reserved(limit) => limit.what(),
            Self::Doubt { address, cause, waiting, .. } => {
                let waiting = waiting.unsigned_abs();
                let wait = plural(waiting, "deadline is", "deadlines are");
                let takes = about(ask::takes(waiting));
                format!(
                    "{}; {wait} held; if receipts are missing, asking at one per second takes {takes}",
                    describe_doubt(address, *cause)
                )
            }
        }
    }

    /// The same, with its duration.
    pub fn what_since(&self, now: Timestamp) -> String {
        match self {
            Self::Held(hold, waiting) => holds::sentence_since(hold, *waiting, now),
            Self::Slow(slow, waiting) => match slow.since() {
                Some(since) => {
                    format!("{}, for {}{}", slow.what(), about(now.since(since)), holds::wait_for_it(*waiting))
                }
                None => self.what(),
            },
            Self::StepHeld(hold, _, _) => format!("{}, for {}", self.what(), about(now.since(hold.since))),
            Self::Doubt { since, .. } => format!("for {}: {}", about(now.since(*since)), self.what()),
            Self::Unwritable(Unwritable { since, .. }) => format!("{}, for {}", self.what(), about(now.since(*since))),
            Self::SilentServer(since) => format!("{}; last seen {} ago", self.what(), about(now.since(*since))),
            Self::SetAside(_)
            | Self::Gone(_)
            | Self::NoServer
            | Self::Unapproved(_)
            | Self::NeedsApproval(_)
            | Self::UsedUp(_)
            | Self::Reserved(_) => self.what(),
        }
    }

    pub fn what_to_do(&self, campaign: &str, now: Timestamp) -> String {
        match self {
            Self::Held(hold, _) => holds::what_to_do(hold),
            Self::StepHeld(hold, _, _) => {
                let (campaign, step) = (shell(campaign), hold.step);
                let resume = format!("volley campaign resume {campaign} --step {step}");
                match hold.by {
                    StepHeldBy::Operator | StepHeldBy::Rule => format!("to resume: {resume}"),
                    StepHeldBy::Refusal => format!(
                        "fix what the provider reports, then: {resume}; or cancel the campaign and launch it with content that \
                         the provider accepts"
                    ),
                    StepHeldBy::Limit => format!(
                        "to resume: volley campaign set {campaign} --step {step} with a higher --max-messages or --budget, \
                         then: {resume}"
                    ),
                }
            }
            Self::Slow(slow, _) => slow.what_to_do(now),
            Self::SetAside(_) => format!(
                "to list them: volley message list {} --state set-aside; then volley message release ID or volley message \
                 cancel ID",
                shell(campaign)
            ),
            Self::Gone(gone) => gone.what_to_do(campaign),
            Self::NoServer => START.to_owned(),
            Self::SilentServer(_) => CHECK_PROCESS.to_owned(),
            Self::Unwritable(Unwritable { trouble, .. }) => write_again(*trouble).to_owned(),
            Self::Unapproved(template) => format!(
                "the server starts it once the provider reports the approval; to look now: volley template pull, then volley \
                 template show {}",
                shell(&template.name)
            ),
            Self::NeedsApproval(needs) if needs.refused.is_some() => {
                "change it, and another operator is asked again; or delete the draft".to_owned()
            }
            Self::NeedsApproval(_) => {
                "another operator with the scope manage signs in to the pages, and approves and starts it there"
                    .to_owned()
            }
            Self::UsedUp(limit) | Self::Reserved(limit) => limit.what_to_do(campaign),
            Self::Doubt { cause, .. } => doubt_remedy(*cause).to_owned(),
        }
    }

    /// The obstacle and what to do, in one sentence.
    pub fn sentence(&self, campaign: &str, now: Timestamp) -> String {
        format!("{}; {}", self.what(), self.what_to_do(campaign, now))
    }

    pub fn view(&self, campaign: &str, now: Timestamp) -> ObstacleView {
        let (kind, since, waiting) = match self {
            Self::Held(hold, waiting) => ("held", Some(hold.since), Some(*waiting)),
            Self::StepHeld(hold, _, waiting) => ("step held", Some(hold.since), Some(*waiting)),
            Self::Slow(slow, waiting) => (slow.kind(), slow.since(), Some(*waiting)),
            Self::SetAside(messages) => ("set aside", None, Some(*messages)),
            Self::Gone(gone) => ("lane gone", None, Some(gone.queued)),
            Self::NoServer => ("no server", None, None),
            Self::SilentServer(since) => ("server silent", Some(*since), None),
            Self::Unwritable(Unwritable { since, .. }) => ("database not writable", Some(*since), None),
            Self::Unapproved(_) => ("template not approved", None, None),
            Self::NeedsApproval(needs) if needs.refused.is_some() => ("approval refused", None, None),
            Self::NeedsApproval(_) => ("approval needed", None, None),
            Self::UsedUp(_) => ("limit used up", None, None),
            Self::Reserved(_) => ("budget reserved", None, None),
            Self::Doubt { since, cause, waiting, .. } => {
                let kind = match cause {
                    DoubtCause::SecretMismatch => "receipts turned away",
                    DoubtCause::NoWebhooks => "receipts do not come",
                    DoubtCause::Unreachable => "provider not reached",
                };
                (kind, Some(*since), Some(*waiting))
            }
        };
        let (what, what_to_do) = (self.what(), self.what_to_do(campaign, now));
        ObstacleView { kind, what, waiting, since: since.map(Timestamp::rfc3339), what_to_do }
    }
}
