//! Why: the story of one message, read from what is kept of each decision (see `replay`).
//!
//! Each line of the story is one decision of the engine with its rule. Where the engine would decide otherwise than is
//! kept, the story ends and says so.

use serde::Serialize;

use super::endings::{self, Beside};
use super::moment::moment_within;
use super::replay::{Life, Moment, Replay, Told, replay};
use super::unsent::{self, Waiting};
use super::words;
use crate::domain::{
    Content, Country, Keyword, Loaded, MessageId, MessageKey, Msisdn, Outcome, Plan, SkipReason, Span, State, Step,
    Timestamp,
};
use crate::engine::{Cause, Ignored, Made, Rule};
use crate::store::{Batch, Entry, Event, KeptGap, Receipt, Result, Store, Verdict, Whole, Wish};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub text: String,
    /// The rule behind it, in a few words.
    pub rule: String,
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactLine {
    pub step: u8,
    #[serde(serialize_with = "Timestamp::as_text")]
    pub at: Timestamp,
    pub text: String,
}

/// Everything about one message.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    pub message: String,
    pub campaign: Option<String>,
    pub msisdn: Msisdn,
    pub client_message_id: Option<String>,
    pub state: &'static str,
    pub step: u8,
    pub outcome: Option<Outcome>,
    /// Each hand-over, and each receipt, as they are on disk.
    pub attempts: Vec<FactLine>,
    pub receipts: Vec<FactLine>,
    /// When the provider was last asked about a hand-over.
    pub asked: Vec<FactLine>,
    pub lines: Vec<Line>,
    /// Whether the engine, run over the facts, decides as is kept and ends where the row says.
    pub proven: bool,
    /// Where it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refuted: Option<String>,
}

/// Tells the story of a message, as it stands at `now`. Nothing where there is no such message.
pub async fn explain(
    store: &dyn Store,
    batch: &Batch,
    entry: &Entry,
    key: MessageKey,
    now: Timestamp,
) -> Result<Option<Story>> {
    let Some(whole) = store.whole(key).await? else { return Ok(None) };
    let Whole { message, recipient, notes, attempts, receipts, .. } = whole;
    let mut about: Vec<_> = attempts.iter().map(|attempt| (key, attempt.step)).collect();
    about.dedup();
    let asked = store.questions(about).await?.into_iter().filter_map(|question| question.asked).collect();
    let events = store.events(0, EVENTS).await?.into_iter().map(|(_, event)| event).collect();
    let gaps = store.gaps().await?.iter().map(KeptGap::span).collect();
    let beside = Beside { gaps, asked, events: concerning(events, batch, &entry.plan) };
    let plan = &entry.plan;
    let editions = &store.editions(batch.id).await?;
    let (attempts, receipts) = (&attempts, &receipts);
    let replay = replay(Life { batch, plan, editions, row: &message.present, notes: &notes, attempts, receipts });
    let waiting = match message.present.state {
        State::Done { .. } => None,
        State::Queued { .. } | State::Sending { .. } | State::Awaiting { .. } => {
            Some(unsent::of(store, batch, entry, &message, now).await?)
        }
    };
    let country = recipient.as_ref().map(|recipient| recipient.country);
    Ok(Some(Story {
        message: MessageId { key, tag: batch.tag }.to_string(),
        campaign: batch.name.clone(),
        msisdn: message.msisdn,
        client_message_id: recipient.and_then(|recipient| recipient.client_message_id).map(Into::into),
        state: words::state(&message.present),
        step: message.present.step.get() + 1,
        outcome: message.present.outcome(),
        proven: replay.refuted.is_none(),
        refuted: replay.refuted.clone(),
        attempts: attempts.iter().map(|attempt| words::attempt(attempt, entry)).collect(),
        receipts: receipts.iter().map(|receipt| words::receipt_line(receipt, plan)).collect(),
        asked: beside.asked.iter().map(words::asked).collect(),
        lines: {
            let how = stopped(store, batch, &message).await?.map(|wish| how_stopped(&wish, plan)).unwrap_or_default();
            lines(
                batch,
                entry,
                &message,
                country,
                &replay,
                waiting.as_ref(),
                &Aside { beside: &beside, how_stopped: &how },
            )
        },
    }))
}

/// Events that a story looks through, latest first.
const EVENTS: u32 = 5_000;

/// Those of lanes and templates that the campaign goes by, and its own pauses.
fn concerning(mut events: Vec<Event>, batch: &Batch, plan: &Plan) -> Vec<Event> {
    let of_lane = |step: &Step, lane: &str| {
        let template = match &step.content {
            Content::Template(template) => Some(Event::of_lane(lane, &template.name)),
            Content::Text { .. } => None,
        };
        template.into_iter().chain([Event::of_lane(lane, "")]).collect::<Vec<_>>()
    };
    let of_steps = plan.steps.iter().flat_map(|step| step.lanes.names().flat_map(|lane| of_lane(step, lane)));
    let (lanes, campaign): (Vec<String>, _) = (of_steps.collect(), Event::of_campaign(batch.id, batch.name.as_deref()));
    let is_of_a_pause = |event: &Event| ["paused", "resumed"].iter().any(|word| event.text.starts_with(word));
    events.retain(|event| lanes.contains(&event.subject) || event.subject == campaign && is_of_a_pause(event));
    events
}

/// The wish that has stopped a message, where one has.
async fn stopped(store: &dyn Store, batch: &Batch, message: &Loaded) -> Result<Option<Wish>> {
    let skipped = matches!(message.present.state, State::Done { skipped: Some(SkipReason::OptedOut), .. });
    if !skipped && !message.present.marks.opted_out() {
        return Ok(None);
    }
    let mut stops = store.wishes(message.msisdn).await?;
    stops.retain(|wish| wish.wants == Keyword::Stop);
    let last_before = stops.iter().rposition(|wish| wish.at < batch.created_at);
    let first_since = stops.iter().position(|wish| wish.at >= batch.created_at);
    Ok(first_since.or(last_before).map(|place| stops.swap_remove(place)))
}

/// `stop by message on WhatsApp, 14:15:02`.
fn how_stopped(wish: &Wish, plan: &Plan) -> String {
    format!("{}, {}", wish.source, moment_within(wish.at, plan.time_zone))
}

/// What the story needs beside the message's own facts.
struct Aside<'a> {
    beside: &'a Beside,
    /// How somebody opted out, where that is what stopped the message.
    how_stopped: &'a str,
}

impl Aside<'_> {
    /// Whether a receipt is what the provider answered when it was asked.
    fn answers(&self, receipt: &Receipt) -> bool {
        const AT_ONCE: Span = Span::from_millis(250);
        let asked = self.beside.asked_about(receipt.step).filter(|asked| asked.said);
        asked.is_some_and(|asked| receipt.received >= asked.at && receipt.received <= asked.at + AT_ONCE)
    }
}

/// When people would say that a campaign began.
fn began(batch: &Batch) -> Timestamp {
    // What was cancelled before its time never began.
    let starts = batch.starts_at.filter(|at| batch.cancelled_at.is_none_or(|cancelled| *at <= cancelled));
    batch.started_at.or(starts).unwrap_or(batch.created_at)
}

fn lines(
    batch: &Batch,
    entry: &Entry,
    message: &Loaded,
    country: Option<Country>,
    replay: &Replay<'_>,
    waiting: Option<&Waiting>,
    aside: &Aside<'_>,
) -> Vec<Line> {
    let (plan, row) = (&entry.plan, &message.present);
    let mut lines: Vec<Line> = Vec::new();
    let mut say = |at: Timestamp, text: String, rule: &str| {
        // Facts of one moment may be written in another order than that of their times.
        let at = lines.last().map_or(at, |line| line.at.max(at));
        lines.push(Line { at, text, rule: rule.to_owned() });
    };
    // What ended before its campaign began waits for no beginning.
    let start = match row.state {
        State::Done { at, .. } if at < began(batch) => batch.created_at,
        _ if batch.started_at.is_none() => batch.created_at,
        _ => began(batch),
    };
    say(start, words::launched(batch, plan), "launched");
    for text in words::passed_over(plan, row, country) {
        say(start, text, "the step is not for the country");
    }
    if let State::Done { outcome: Outcome::Skipped, skipped, at } = row.state
        && replay.told.is_empty()
    {
        say(at, words::skipped(skipped, aside.how_stopped), "skipped");
        return lines;
    }
    let mut is_cancelled = false;
    for told in &replay.told {
        // Whatever was decided after the cancel was decided by it too.
        if told.is_cancelled && !is_cancelled && matches!(told.made, Made::Moved(_)) {
            is_cancelled = true;
            if !matches!(told.made, Made::Moved(Rule::CalledOffUnsent | Rule::CalledOffPresentLast)) {
                let (text, rule) = words::cancelled(&told.before, plan);
                say(batch.cancelled_at.unwrap_or(told.at).min(told.at), text, rule);
            }
        }
        if let Some((text, rule)) = line(told, plan, aside) {
            say(told.at, text, rule);
        }
    }
    if replay.end.outcome().is_none() {
        let at = replay.told.last().map_or(start, |told| told.at);
        say(at, unsent::sentence(&replay.end, plan, batch.state, waiting, aside.beside), "now");
    }
    lines
}

/// What a moment came to, where it came to anything.
fn line(told: &Told<'_>, plan: &Plan, aside: &Aside<'_>) -> Option<(String, &'static str)> {
    let fact = match told.moment {
        Moment::Claimed | Moment::HandedBack => return None,
        Moment::Answered(attempt) => match attempt.verdict {
            Verdict::Accepted => words::accepted(attempt),
            Verdict::Unknown => words::broke(attempt),
            Verdict::Rejected => words::rejected(attempt),
            Verdict::MissingVariable => words::missing(attempt),
            // What had left before could not go once more, for whatever reason.
            Verdict::TierSpent if !told.before.marks.handed_over(attempt.step) => words::TIER_SPENT.to_owned(),
            Verdict::OutsideWindow | Verdict::CouldNotLeave | Verdict::TierSpent => String::new(),
        },
        Moment::Receipt(receipt) => {
            let channel = plan.step(receipt.step).map(|step| step.channel);
            if aside.answers(receipt) { words::told(receipt, channel) } else { words::receipt(receipt, channel) }
        }
        Moment::Noted(note) => match note.cause {
            Cause::OptOut => aside.how_stopped.to_owned(),
            // A cancel says itself that it is one.
            Cause::Due(_) | Cause::Doubted(_) | Cause::RefusalRecalled | Cause::Cancel | Cause::HandedBack => {
                String::new()
            }
        },
    };
    Some(match (told.moment, told.made) {
        (_, Made::Moved(rule)) => {
            let told = endings::Told { at: told.at, before: &told.before, after: &told.after, beside: aside.beside };
            words::decision(&told, rule, plan, &fact)
        }
        // The decision before it tells already what the provider was asked.
        (Moment::Receipt(receipt), Made::Ignored(Ignored::NothingNew)) if aside.answers(receipt) => return None,
        (_, Made::Superseded) => {
            (format!("{}; that was an earlier try, which another one followed.", words::capital(&fact)), NOTHING)
        }
        (Moment::Answered(_), Made::Ignored(Ignored::Stale) | Made::Nothing) => {
            (format!("{}; a receipt had told so before.", words::capital(&fact)), NOTHING)
        }
        (_, Made::Ignored(why)) => (format!("{}; {}.", words::capital(&fact), words::ignored(why)), NOTHING),
        (_, Made::Nothing) => (format!("{}; it decides nothing.", words::capital(&fact)), NOTHING),
    })
}

const NOTHING: &str = "nothing to decide";
