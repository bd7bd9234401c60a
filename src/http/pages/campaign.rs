//! The page of one campaign, its live part, and the question before a cancel.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::{Deserialize, Serialize};

use super::campaigns::{campaign_path, progress};
use super::chart::{self, Chart};
use super::events::said;
use super::figures::{Bar, Portion};
use super::frame::Frame;
use super::messages::Standing;
use super::show::Plain;
use super::texts::{ENGLISH, Texts};
use crate::base::clock::{format_time, format_time_short};
use crate::base::domain::text::{about, grouped, list, rate};
use crate::base::domain::{BatchState, Outcome, Timestamp, Zone};
use crate::base::events::Event;
use crate::campaigns::report::{CoursePoint, FellBack, Report, StepFact, StepReport};
use crate::campaigns::status::{Look, Obstacle, TierGauge};
use crate::rules::forecast::Days;

/// What the operator has just done to a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Done {
    Launched,
    Scheduled,
    /// It was kept as a draft.
    Kept,
    /// It waits for the approval of another operator.
    Asked,
    Started,
    /// It is not started as it is.
    Refused,
    Paused,
    Resumed,
    Cancelled,
    Changed,
    /// It was changed to what it was.
    Unchanged,
}

impl Done {
    /// Its word in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Launched => "launched",
            Self::Scheduled => "scheduled",
            Self::Kept => "kept",
            Self::Asked => "asked",
            Self::Started => "started",
            Self::Refused => "refused",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Cancelled => "cancelled",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// The page of a campaign.
#[derive(Debug, Template)]
#[template(path = "campaign.html")]
pub struct CampaignPage<'a> {
    pub frame: Frame,
    /// Why what was asked for was not done.
    pub problem: Option<String>,
    /// The edition that is shown, or an earlier one.
    pub edition: u32,
    /// The address of the review from which this test was sent.
    pub back: Option<String>,
    pub live: LivePart<'a>,
    /// The campaign that it sends again, and those that send it again: name and address of each.
    pub origin: Option<(String, String)>,
    pub repetitions: Vec<(String, String)>,
}

impl CampaignPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn look(&self) -> &Look {
        self.live.look
    }

    fn state(&self) -> BatchState {
        self.look().batch.state
    }

    fn path(&self) -> String {
        campaign_path(&self.look().show.id)
    }

    /// Whether another operator must start it than those who have written it.
    fn needs_approval(&self) -> bool {
        self.look().obstacles.iter().any(|obstacle| matches!(obstacle, Obstacle::NeedsApproval(_)))
    }

    /// Those who have written it, if the reader is one of them and another one must start it.
    fn own_authors(&self) -> Option<String> {
        self.look().obstacles.iter().find_map(|obstacle| match obstacle {
            Obstacle::NeedsApproval(needs) if needs.is_author(&self.frame.operator) => Some(needs.authors()),
            _ => None,
        })
    }

    /// Whether it may still be cancelled.
    fn may_cancel(&self) -> bool {
        use BatchState::{Draft, Finished, Paused, Running, Scheduled};
        matches!(self.look().batch.state, Draft | Scheduled | Running | Paused | Finished)
    }

    /// Whether it can be sent again to some of its recipients.
    fn may_repeat(&self) -> bool {
        self.state() != BatchState::Draft && self.look().batch.purged_at.is_none()
    }

    /// Whether its figures may still change.
    fn changes(&self) -> bool {
        !self.look().is_over()
    }
}

/// The part of a campaign's page that changes while it runs. It has no controls, so that replacing it takes nothing from
/// the hands of its reader.
#[derive(Debug, Template)]
#[template(path = "campaign_live.html")]
pub struct LivePart<'a> {
    pub look: &'a Look,
    /// The latest events, latest first.
    pub events: &'a [Event],
    pub zone: Option<Zone>,
    /// Its charts; `None` if the page has them already.
    pub course: Option<CoursePart<'a>>,
}

/// The charts of a campaign, which are sent again only when they change.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "campaign_course.html")]
pub struct CoursePart<'a> {
    /// The address of the campaign.
    pub path: &'a str,
    pub points: &'a [CoursePoint],
    pub zone: Option<Zone>,
    /// Whether anything is left to submit.
    pub is_sending: bool,
}

impl HtmlSafe for CoursePart<'_> {}

impl CoursePart<'_> {
    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn charts(&self) -> Vec<Chart> {
        let charts =
            [chart::recipients(self.points, self.zone), chart::submissions(self.points, self.zone, self.is_sending)];
        charts.into_iter().flatten().collect()
    }

    fn rows(&self) -> Vec<chart::Row> {
        chart::rows(self.points)
    }

    fn time(&self, at: impl Plain<Timestamp>) -> String {
        format_time_short(at.plain(), self.zone)
    }
}

// The part is a template itself: its values are escaped where it writes them.
impl HtmlSafe for LivePart<'_> {}

/// An outcome with the recipients who have it.
#[derive(Debug)]
pub(super) struct OutcomeRow {
    pub(super) outcome: Outcome,
    pub(super) portion: Portion,
    /// The reasons, for those who were skipped.
    pub(super) why: Option<String>,
}

impl LivePart<'_> {
    fn texts(&self) -> &'static Texts {
        &ENGLISH
    }

    fn path(&self) -> String {
        campaign_path(&self.look.show.id)
    }

    fn recipients(&self) -> String {
        format!("{}/recipients", self.path())
    }

    fn event(&self, event: &Event, with_subject: impl Plain<bool>) -> String {
        said(event, with_subject.plain(), self.zone)
    }

    fn time(&self, at: impl Plain<Timestamp>) -> String {
        format_time_short(at.plain(), self.zone)
    }

    fn open(&self) -> Portion {
        Portion::of(self.look.report.open, self.look.report.audience)
    }

    fn bar(&self) -> Bar {
        progress(self.look, Some(&self.recipients()))
    }

    fn reached(&self) -> Portion {
        Portion::of(self.look.report.outcome(Outcome::Reached), self.look.report.audience)
    }

    /// What keeps its messages from being sent, each with what to do, and with the list of these messages if there is one.
    fn obstacles(&self) -> Vec<(String, String, Option<String>)> {
        let Look { obstacles, show, at, .. } = self.look;
        let list = |obstacle: &Obstacle| {
            let is_listed = matches!(obstacle, Obstacle::SetAside(_));
            is_listed.then(|| format!("{}?outcome={}", self.recipients(), Standing::SetAside.as_str()))
        };
        let one = |obstacle: &Obstacle| (obstacle.what(), obstacle.what_to_do(&show.name, *at), list(obstacle));
        obstacles.iter().map(one).collect()
    }

    fn rate_now(&self) -> String {
        rate(self.look.show.rate.now)
    }

    fn rate_allowed(&self) -> String {
        rate(self.look.show.rate.allowed)
    }

    /// The present rate as a part of the allowed one.
    fn rate_portion(&self) -> Portion {
        // Thousandths, because slow lanes send less than one message a second.
        Portion::of(thousandths(self.look.show.rate.now), thousandths(self.look.show.rate.allowed))
    }

    /// What its state means, or what it waits for.
    fn hint(&self) -> &'static str {
        let counts = self.look.show.counts;
        let own = ENGLISH.on_progress;
        match self.look.batch.state {
            BatchState::Running if self.look.obstacles.iter().any(Obstacle::is_outage) => own.waits_for_provider,
            BatchState::Running if counts.queued + counts.sending == 0 => own.waits_for_receipts,
            state => ENGLISH.batch_state_hint(state),
        }
    }

    fn is_sending(&self) -> bool {
        self.look.is_sending()
    }

    /// When the remaining messages are sent, in a sentence.
    /// When the first messages are done, and what limits them.
    fn forecast(&self) -> Option<(String, String)> {
        let forecast = self.look.forecast.as_ref().filter(|_| !self.look.is_held && self.look.server)?;
        let left = about(forecast.done_at.since(self.look.at));
        Some((format!("{} (in {left})", self.time(forecast.done_at)), forecast.limited_by()))
    }

    fn latest(&self) -> Option<String> {
        Some(self.time(self.look.finished_by.filter(|_| !self.look.is_held)?))
    }

    fn known_by(&self) -> Option<String> {
        Some(self.time(self.look.settled_by.filter(|at| *at > self.look.at)?))
    }

    fn outcomes(&self) -> Vec<OutcomeRow> {
        outcomes(&self.look.report)
    }

    fn tiers(&self) -> Vec<(Portion, String)> {
        let gauge = |TierGauge { portfolio, used, most }: &TierGauge| {
            let portion = Portion::of(i64::from(*used), i64::from(*most));
            (portion, ENGLISH.on_progress.tier_used(&ENGLISH.of(portion.part, portion.whole), portfolio))
        };
        self.look.tiers.iter().map(gauge).collect()
    }

    fn days(&self) -> Vec<Days<'_>> {
        let forecast = self.look.forecast.as_ref().filter(|_| !self.look.is_held && self.look.server);
        forecast.map(|forecast| Days::of(&forecast.bookings, DAYS)).unwrap_or_default()
    }

    /// The recipients of whom something is true at a step. `None` if none are, or if they cannot be listed exactly.
    fn at_step(&self, step: &StepReport, fact: StepFact, number: i64) -> Option<String> {
        let is_kept = self.look.batch.purged_at.is_none();
        let path = || format!("{}?step={}&fact={}", self.recipients(), step.step, fact.as_str());
        (number > 0 && is_kept && step.course.is_some()).then(path)
    }

    fn has_submitted(&self) -> bool {
        self.look.report.steps.iter().any(|step| step.handed_over > 0)
    }

    /// What the figures cannot show yet, and why: nothing was submitted, or no receipt has come.
    fn early(&self) -> Option<(&'static str, &'static str)> {
        let own = ENGLISH.on_progress;
        let is_heard = |step: &StepReport| step.sent + step.delivered + step.read + step.undelivered > 0;
        if !matches!(self.look.batch.state, BatchState::Running | BatchState::Paused | BatchState::Finished) {
            return None;
        }
        if !self.has_submitted() {
            return (self.look.report.open > 0).then_some((own.nothing_submitted, own.nothing_submitted_hint));
        }
        let is_silent = !self.look.report.steps.iter().any(is_heard);
        is_silent.then_some((own.no_receipt_yet, own.no_receipt_yet_hint))
    }

    /// The numbers of a step, each a part of all recipients: what was submitted, sent, delivered and read.
    fn funnel(&self, step: &StepReport) -> Vec<FunnelRow> {
        let rows = [
            ("submitted", StepFact::Submitted, step.handed_over),
            ("submitted", StepFact::Sent, step.sent),
            ("delivered", StepFact::Delivered, step.delivered),
            ("read", StepFact::Read, step.read),
        ];
        let row = |(class, fact, number): (&'static str, StepFact, i64)| FunnelRow {
            class,
            label: ENGLISH.on_progress.step_fact(fact),
            portion: Portion::of(number, self.look.report.audience),
            link: self.at_step(step, fact, number),
        };
        rows.into_iter().map(row).collect()
    }

    /// What else became of messages at a step.
    fn besides(&self, step: &StepReport) -> Vec<StepNumber> {
        let to_submit = step.course.map_or(0, |course| course.to_submit);
        self.numbers(
            step,
            &[
                (StepFact::Reached, step.reached),
                (StepFact::ToSubmit, to_submit),
                (StepFact::Undelivered, step.undelivered),
                (StepFact::Rejected, step.rejected),
                (StepFact::Unknown, step.unknown_count),
            ],
        )
    }

    /// Why messages fell back from a step.
    fn fallbacks(&self, step: &StepReport) -> Vec<StepNumber> {
        let fell = &step.fell_back;
        self.numbers(
            step,
            &[
                (StepFact::FellDeadline, fell.deadline),
                (StepFact::FellUndelivered, fell.undelivered),
                (StepFact::FellRejected, fell.rejected),
                (StepFact::FellCouldNotLeave, fell.could_not_leave),
                (StepFact::FellOutsideWindow, fell.outside_window),
                (StepFact::FellMissingVariable, fell.missing_variable),
                (StepFact::FellOptedOut, fell.opted_out),
            ],
        )
    }

    fn numbers(&self, step: &StepReport, numbers: &[(StepFact, i64)]) -> Vec<StepNumber> {
        let shown = numbers.iter().filter(|(fact, number)| *number > 0 || *fact == StepFact::Reached);
        let number = |(fact, number): &(StepFact, i64)| StepNumber {
            label: ENGLISH.on_progress.fell_because(*fact),
            number: *number,
            link: self.at_step(step, *fact, *number),
        };
        shown.map(number).collect()
    }

    /// All who fell back from a step.
    fn fell_back(&self, step: &StepReport) -> StepNumber {
        let number = step.fell_back.total();
        StepNumber { label: ENGLISH.fell_back, number, link: self.at_step(step, StepFact::FellBack, number) }
    }
}

/// Days of a booking that are shown.
const DAYS: usize = 14;

/// A row of a step's funnel.
#[derive(Debug)]
struct FunnelRow {
    class: &'static str,
    label: &'static str,
    portion: Portion,
    /// The page with the recipients behind the number.
    link: Option<String>,
}

/// Another number of a step.
#[derive(Debug)]
struct StepNumber {
    label: &'static str,
    number: i64,
    link: Option<String>,
}

#[expect(clippy::cast_possible_truncation, reason = "a cast from a float saturates, and no rate comes near the limit")]
fn thousandths(each_second: f64) -> i64 {
    (each_second * 1_000.0) as i64
}

/// The outcomes that recipients have; `reached` also if none has it.
pub(super) fn outcomes(report: &Report) -> Vec<OutcomeRow> {
    let row = |outcome: &Outcome| {
        let number = report.outcome(*outcome);
        let reasons = report.skipped.iter().map(|(reason, number)| format!("{} {reason}", grouped(*number)));
        let why =
            (*outcome == Outcome::Skipped).then(|| list(&reasons.collect::<Vec<_>>())).filter(|why| !why.is_empty());
        OutcomeRow { outcome: *outcome, portion: Portion::of(number, report.audience), why }
    };
    Outcome::ALL.iter().map(row).filter(|row| row.portion.part > 0 || row.outcome == Outcome::Reached).collect()
}

/// Why messages fell back.
pub(super) fn fell_back(fell: &FellBack) -> String {
    ENGLISH.fell_back_because(fell)
}

/// The field of a form that confirms to send what may have been sent after the backup that was restored.
pub const CONFIRM_RESTORED: &str = "confirm_restored";

/// The question before a campaign from a restored backup is sent.
#[derive(Debug, Template)]
#[template(path = "restored.html")]
pub struct RestoredPage {
    pub frame: Frame,
    /// The name of the campaign.
    pub name: String,
    /// The time of the backup.
    pub copied_at: Timestamp,
    /// Where the form is sent again, with its fields.
    pub action: String,
    pub fields: Vec<(String, String)>,
    /// Where "send nothing" leads.
    pub back: String,
}

impl RestoredPage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn lead(&self) -> String {
        ENGLISH.restored_lead(&format_time(self.copied_at, self.frame.zone))
    }
}

/// The question before a draft is refused: why.
#[derive(Debug, Template)]
#[template(path = "refuse.html")]
pub struct RefusePage {
    pub frame: Frame,
    pub campaign: String,
    pub path: String,
    /// The edition that is refused.
    pub edition: u32,
    pub problem: Option<&'static str>,
}

impl RefusePage {
    const fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The question before a cancel.
#[derive(Debug, Template)]
#[template(path = "cancel.html")]
pub struct CancelPage<'a> {
    pub frame: Frame,
    pub look: &'a Look,
}

impl CancelPage<'_> {
    const fn frame(&self) -> &Frame {
        &self.frame
    }

    fn path(&self) -> String {
        campaign_path(&self.look.show.id)
    }

    /// What a cancel does to the messages, one sentence each.
    fn effects(&self) -> [String; 3] {
        let (counts, state) = (self.look.show.counts, self.look.batch.state);
        let reached = self.look.report.outcome(Outcome::Reached);
        ENGLISH.cancel_effects(counts.to_hand_over(state), counts.to_come(state), reached)
    }
}
