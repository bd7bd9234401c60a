//! Explains one message: each decision of the engine with its rule, read from the recorded facts (see `replay`).
//!
//! If the engine would decide differently from what is recorded, the story ends at that point and says so.

use serde::Serialize;

use super::brief::Brief;
use super::endings::{self, Context};
use super::replay::{Life, Moment, Replay, Replayed, replay};
use super::unsent::{self, WaitReasons};
use super::words::Told;
use super::{decisions, words};
use crate::base::domain::{
    Address, AddressFields, BatchState, Country, Fault, Keyword, Loaded, MessageId, MessageKey, OptOutSource, Outcome,
    Plan, SkipReason, Span, State, Timestamp, Zone, rfc3339_option,
};
use crate::base::events::{Event, EventKind, Subject};
use crate::campaigns::report::failure;
use crate::rules::engine::{Cause, Ignored, Made, Rule};
use crate::sending::book::Entry;
use crate::store::{Addresses, Batch, Consent, KeptGap, MessageFacts, Receipt, Result, Store, Verdict, Wish};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Line {
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub text: String,
    /// The rule of the decision, in a few words.
    pub rule: String,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FactLine {
    pub step: u8,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub text: String,
}

/// Everything about one message.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Story {
    pub id: String,
    pub campaign: Option<String>,
    #[serde(flatten)]
    pub address: AddressFields,
    pub client_message_id: Option<String>,
    pub state: &'static str,
    pub step: u8,
    pub outcome: Option<Outcome>,
    /// The message's own expiry: from then on no step is submitted.
    #[serde(serialize_with = "rfc3339_option::serialize", skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Timestamp>,
    /// Each submission, as it is on disk.
    pub attempts: Vec<FactLine>,
    /// Each receipt, as it is on disk.
    pub receipts: Vec<FactLine>,
    /// The latest questions to the provider about submissions.
    pub asked: Vec<FactLine>,
    pub lines: Vec<Line>,
    /// Whether the engine, run over the facts, makes the recorded decisions and ends in the recorded state.
    pub proven: bool,
    /// The first contradiction, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<String>,
    /// The same in brief, for a page.
    #[serde(skip)]
    pub brief: Brief,
}

/// Explains a message in its state at `now`. Times in sentences are in `zone`, or in that of the campaign. Returns `None`
/// if the message does not exist.
pub async fn explain(
    store: &dyn Store,
    batch: &Batch,
    entry: &Entry,
    key: MessageKey,
    now: Timestamp,
    zone: Option<Zone>,
) -> Result<Option<Story>> {
    let Some(whole) = store.message_facts(key).await? else { return Ok(None) };
    let MessageFacts { message, country, recipient, notes, attempts, receipts, .. } = whole;
    let mut about: Vec<_> = attempts.iter().map(|attempt| (key, attempt.step)).collect();
    about.dedup();
    let asked = store.questions(about).await?.into_iter().filter_map(|question| question.asked).collect();
    let lanes = entry.plan.steps.iter().flat_map(|step| step.lanes.names().map(str::to_owned)).collect();
    let mut events = store.events_of(batch.id, lanes, EVENTS).await?;
    events.retain(|event| is_relevant(event, &entry.plan));
    let gaps = store.gaps().await?.iter().map(KeptGap::span).collect();
    let context = Context { gaps, asked, events };
    let (plan, told) = (&entry.plan, &Told::new(&entry.plan, zone));
    let editions = &store.editions(batch.id).await?;
    let (attempts, receipts) = (&attempts, &receipts);
    let replay = replay(Life { batch, plan, editions, row: &message.present, notes: &notes, attempts, receipts });
    let waiting = match message.present.state {
        State::Done { .. } => None,
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
            Some(unsent::of(store, batch, entry, &message, now).await?)
        }
    };
    let address = Addresses::read(store, [message.address]).await?.of(message.address);
    Ok(Some(Story {
        id: MessageId { key, tag: batch.tag }.to_string(),
        campaign: batch.name.clone(),
        address: address.clone().into(),
        client_message_id: recipient.and_then(|recipient| recipient.client_message_id).map(Into::into),
        state: message.present.state_name(),
        step: message.present.step.get() + 1,
        outcome: message.present.outcome(),
        expiry: message.present.expires,
        proven: replay.refuted.is_none(),
        contradiction: replay.refuted.clone(),
        brief: Brief::of(batch, plan, &message, (attempts.as_slice(), receipts.as_slice())),
        attempts: attempts.iter().map(|attempt| words::attempt(attempt, entry, told)).collect(),
        receipts: receipts.iter().map(|receipt| words::receipt_line(receipt, plan)).collect(),
        asked: context.asked.iter().map(words::asked).collect(),
        lines: {
            let opt_out =
                opt_out(store, address, &message, &replay).await?.map(|wish| in_words(&wish, told)).unwrap_or_default();
            lines(
                batch,
                told,
                &message,
                country,
                &replay,
                waiting.as_ref(),
                &Background { context: &context, opt_out: &opt_out },
            )
        },
    }))
}

/// Events that a story reads at most, latest first.
const EVENTS: u32 = 5_000;

/// Keeps the pauses of the campaign, and what happened to its steps, lanes and templates.
fn is_relevant(event: &Event, plan: &Plan) -> bool {
    match &event.subject {
        Subject::Campaign { step: None, .. } => matches!(event.kind, EventKind::Paused | EventKind::Resumed),
        Subject::Campaign { step: Some(_), .. } | Subject::Lane { .. } => true,
        Subject::Template { template, .. } => {
            plan.steps.iter().any(|step| step.content.template().is_some_and(|sent| sent.name == *template))
        }
        _ => false,
    }
}

/// The opt-out that stopped a message, if one did.
async fn opt_out(
    store: &dyn Consent,
    address: Option<Address>,
    message: &Loaded,
    replay: &Replay<'_>,
) -> Result<Option<Wish>> {
    let skipped_at = match message.present.state {
        State::Done { skipped: Some(SkipReason::OptedOut), at, .. } => Some(at),
        _ if message.present.marks.opted_out() => None,
        _ => return Ok(None),
    };
    let stops = |decided: &&Replayed<'_>| decided.after.marks.opted_out() && !decided.before.marks.opted_out();
    let stopped_at = replay.decided.iter().find(stops).map(|decided| decided.at).or(skipped_at);
    let Some(address) = address else { return Ok(None) };
    let wishes = store.wishes(address).await?;
    // By the provider's clock, a STOP may be later than the decision that it caused.
    let first_after = |at| wishes.iter().find(move |wish| wish.wants == Keyword::Stop && wish.at > at);
    Ok(stopped_at.and_then(|at| in_effect(&wishes, at).or_else(|| first_after(at))).cloned())
}

/// The opt-out that applies at a moment: the first one that no opt-in has ended by then.
///
/// Only an operator ends an operator's opt-out.
fn in_effect(wishes: &[Wish], at: Timestamp) -> Option<&Wish> {
    let mut applying: Vec<&Wish> = Vec::new();
    for wish in wishes.iter().filter(|wish| wish.at <= at) {
        match (wish.wants, wish.from) {
            // The opt-out of some senders stops steps, and no whole message.
            (Keyword::Stop, _) => applying.extend(wish.of.senders.is_none().then_some(wish)),
            (Keyword::Start, OptOutSource::Operator) => applying.retain(|stop| !wish.of.covers(&stop.of)),
            (Keyword::Start, OptOutSource::Recipient | OptOutSource::Provider) => {
                applying.retain(|stop| stop.from == OptOutSource::Operator || !wish.of.covers(&stop.of));
            }
        }
    }
    applying.first().copied()
}

/// `stop by message on WhatsApp, 14:15:02`.
fn in_words(wish: &Wish, plan: &Told<'_>) -> String {
    format!("{}, {}", wish.source, words::clock(wish.at, plan))
}

/// What the story needs in addition to the message's own facts.
struct Background<'a> {
    context: &'a Context,
    /// How the recipient opted out, if the opt-out stopped the message; otherwise empty.
    opt_out: &'a str,
}

impl Background<'_> {
    /// Whether a receipt is the provider's answer to a question from Volley.
    fn answers(&self, receipt: &Receipt) -> bool {
        const AT_ONCE: Span = Span::from_millis(250);
        let asked = self.context.asked_about(receipt.step).filter(|asked| asked.is_answered);
        asked.is_some_and(|asked| receipt.received >= asked.at && receipt.received <= asked.at + AT_ONCE)
    }
}

/// When a campaign began, as an operator would see it.
fn began(batch: &Batch) -> Timestamp {
    // A campaign that was cancelled before its start time never began.
    let starts = batch.starts_at.filter(|at| batch.cancelled_at.is_none_or(|cancelled| *at <= cancelled));
    batch.started_at.or(starts).unwrap_or(batch.created_at)
}

fn lines(
    batch: &Batch,
    plan: &Told<'_>,
    message: &Loaded,
    country: Option<Country>,
    replay: &Replay<'_>,
    waiting: Option<&WaitReasons>,
    background: &Background<'_>,
) -> Vec<Line> {
    let row = &message.present;
    let mut lines: Vec<Line> = Vec::new();
    let mut say = |at: Timestamp, text: String, rule: &str| {
        // Facts of one moment may be written in an order that differs from their times.
        let at = lines.last().map_or(at, |line| line.at.max(at));
        lines.push(Line { at, text, rule: rule.to_owned() });
    };
    // A message that ended before its campaign began starts at the launch.
    let start = match row.state {
        State::Done { at, .. } if at < began(batch) => batch.created_at,
        _ if batch.started_at.is_none() => batch.created_at,
        // One that was a draft again starts twice, and its messages may have fallen back before.
        _ => replay.decided.first().map_or(began(batch), |first| first.at.min(began(batch))),
    };
    let begun = if batch.state == BatchState::Draft { "created" } else { "launched" };
    say(start, words::launched(batch, plan), begun);
    for text in words::passed_over(plan, row, (country, plan.only_on(message.address))) {
        say(start, text, "the step does not apply to the recipient");
    }
    if let State::Done { outcome: Outcome::Skipped, skipped, at } = row.state
        && replay.decided.is_empty()
    {
        say(at, words::skipped(skipped, background.opt_out), "skipped");
        return lines;
    }
    let mut is_cancelled = false;
    for decided in &replay.decided {
        // The cancel also affects every decision after it.
        if decided.is_cancelled && !is_cancelled && matches!(decided.made, Made::Moved(_)) {
            is_cancelled = true;
            if !matches!(decided.made, Made::Moved(Rule::CalledOffUnsent | Rule::CalledOffPresentLast)) {
                let (text, rule) = decisions::cancelled(&decided.before, plan);
                say(batch.cancelled_at.unwrap_or(decided.at).min(decided.at), text, rule);
            }
        }
        if let Some((text, rule)) = line(decided, plan, background) {
            say(decided.at, text, rule);
        }
    }
    if replay.end.outcome().is_none() {
        let last = replay.decided.last().map_or(start, |decided| decided.at);
        let at = waiting.map_or(last, |waiting| waiting.now);
        say(at, unsent::sentence(&replay.end, plan, batch.state, waiting, background.context), "now");
    }
    lines
}

/// The sentence and the rule of a decision; `None` if the story does not mention it.
fn line(decided: &Replayed<'_>, plan: &Told<'_>, background: &Background<'_>) -> Option<(String, &'static str)> {
    let fact = match decided.moment {
        Moment::Claimed | Moment::HandedBack => return None,
        Moment::Answered(attempt) => match attempt.verdict {
            Verdict::Accepted => words::accepted(attempt),
            Verdict::Unknown => words::unknown(attempt),
            Verdict::Rejected => words::rejected(attempt),
            Verdict::Refused => words::refused(attempt),
            Verdict::MissingVariable => words::missing(attempt),
            // For a step that was submitted before, only the second copy failed, whatever the reason.
            Verdict::TierSpent if !decided.before.marks.handed_over(attempt.step) => words::TIER_SPENT.to_owned(),
            Verdict::OutsideWindow | Verdict::CouldNotLeave | Verdict::TierSpent | Verdict::OptedOut => String::new(),
        },
        Moment::Receipt(receipt) => {
            let channel = plan.step(receipt.step).map(|step| step.channel);
            if background.answers(receipt) {
                words::answer_when_asked(receipt, channel)
            } else {
                words::receipt(receipt, channel)
            }
        }
        Moment::Noted(note) => match note.cause {
            Cause::OptOut => background.opt_out.to_owned(),
            // The sentence about a cancel needs no fact.
            Cause::Due(_)
            | Cause::Doubted(_)
            | Cause::RefusalRecalled
            | Cause::RefusedAlone
            | Cause::Released
            | Cause::Cancel
            | Cause::HandedBack => String::new(),
        },
    };
    Some(match (decided.moment, decided.made) {
        (_, Made::Moved(rule)) => {
            let Replayed { at, before, after, .. } = decided;
            let limited = matches!(decided.moment, Moment::Receipt(receipt)
                if failure(receipt).is_some_and(|code| code.fault == Fault::RecipientLimit));
            let decision = endings::TimedDecision { at: *at, before, after, context: background.context, limited };
            decisions::decision(&decision, rule, plan, &fact)
        }
        // The decision before it already includes the provider's answer.
        (Moment::Receipt(receipt), Made::Ignored(Ignored::NothingNew)) if background.answers(receipt) => return None,
        (_, Made::Superseded) => {
            (format!("{}; this is about an earlier try, which a later one replaced.", words::capital(&fact)), NOTHING)
        }
        (Moment::Answered(_), Made::Ignored(Ignored::Stale) | Made::Nothing) => {
            (format!("{}; a receipt had already reported it.", words::capital(&fact)), NOTHING)
        }
        (_, Made::Ignored(why)) => (format!("{}; {}.", words::capital(&fact), words::ignored(why)), NOTHING),
        (_, Made::Nothing) => (format!("{}; it decides nothing.", words::capital(&fact)), NOTHING),
    })
}

const NOTHING: &str = "nothing to decide";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::WishSubject;

    #[test]
    fn the_opt_out_in_effect_is_the_one_that_stopped_a_message() {
        let wish = |second: i64, wants, from| Wish {
            at: Timestamp::from_millis(second * 1_000),
            wants,
            of: WishSubject::EVERYTHING,
            from,
            source: String::new(),
        };
        let wishes = [
            wish(10, Keyword::Stop, OptOutSource::Recipient),
            wish(20, Keyword::Stop, OptOutSource::Operator),
            wish(30, Keyword::Start, OptOutSource::Recipient),
            wish(40, Keyword::Start, OptOutSource::Operator),
            wish(50, Keyword::Stop, OptOutSource::Recipient),
        ];
        let since = |second: i64| {
            in_effect(&wishes, Timestamp::from_millis(second * 1_000)).map(|wish| wish.at.millis() / 1_000)
        };
        assert_eq!([5, 10, 25, 35, 45, 60].map(since), [None, Some(10), Some(10), Some(20), None, Some(50)]);
    }
}
