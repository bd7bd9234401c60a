//! Tells what an open message waits for.

use super::endings::{Context, awaits, between, falls_back};
use super::words::{Told, channel, clock};
use crate::base::domain::{BatchState, Count, Loaded, Present, Span, State, StepIndex, Timestamp, grouped};
use crate::sending::book::Entry;
use crate::store::{Batch, HeldBy, Hold, Result, StepHeldBy, StepHold, Store};

/// A server whose last sign of life is older than this does not count as running.
const SILENT: Span = Span::from_secs(5);

/// What an open message waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaitReasons {
    /// When its step was queued, or the earliest time at which it may be sent.
    pub(super) since: Timestamp,
    pub(super) now: Timestamp,
    pub(super) gives_up: Option<Timestamp>,
    /// The holds on the lane of its step, or of the step that it may fall back to, and on the template of that step.
    pub(super) holds: Vec<Hold>,
    /// The hold on that step itself.
    pub(super) step_hold: Option<StepHold>,
    /// `paused by Ann`, if the campaign is paused.
    pub(super) paused: Option<String>,
    pub(super) server: bool,
    /// When a server began to doubt that the provider's webhooks arrive.
    pub(super) deaf: Option<Timestamp>,
    /// The lane whose tier is spent, and when the next slot frees up.
    pub(super) tier_spent: Option<(String, Option<Timestamp>)>,
    /// Messages of the campaign in the queue of the same step.
    pub(super) queue: i64,
}

pub(super) async fn of(
    store: &dyn Store,
    batch: &Batch,
    entry: &Entry,
    message: &Loaded,
    now: Timestamp,
) -> Result<WaitReasons> {
    let (plan, present) = (&entry.plan, &message.present);
    let (since, gives_up) = match present.state {
        State::Queued { not_before, gives_up } => {
            let end = plan.end.filter(|_| present.first_submitted_at.is_none());
            (not_before, gives_up.into_iter().chain(end).min())
        }
        State::Sending { .. } | State::Awaiting { .. } | State::Done { .. } => (now, None),
    };
    // A submitted message waits for its next step, if it falls back.
    let next = match present.state {
        State::Awaiting { .. } => plan.after(present.step, present.marks).filter(|_| falls_back(present, plan)),
        State::Queued { .. } | State::Sending { .. } | State::Done { .. } => Some(present.step),
    };
    let of_step = |hold: &StepHold| hold.batch == batch.id && next == Some(hold.step);
    let step_hold = store.step_holds().await?.into_iter().find(of_step);
    let mut holds = store.holds().await?;
    let own = next.and_then(|next| plan.step(next).zip(entry.lane_of(message, next)));
    let is_kept = own
        .is_some_and(|(step, lane)| step.lanes.member(lane).is_some_and(|m| Hold::keeping(&holds, step, m).is_some()));
    holds.retain(|hold| is_kept && own.is_some_and(|(step, lane)| hold.is_on(lane, step)));
    let nodes = store.nodes(now - SILENT).await?;
    let mut lanes = store.lane_states(now - SILENT).await?;
    lanes.retain(|state| state.tier_spent && own.is_some_and(|(_, lane)| state.lane == lane));
    Ok(WaitReasons {
        since,
        now,
        gives_up,
        holds,
        step_hold,
        paused: batch.stopped().filter(|_| batch.state == BatchState::Paused),
        server: !nodes.is_empty(),
        deaf: store.links().await?.iter().filter_map(|link| link.doubt).map(|(since, _)| since).min(),
        tier_spent: lanes.pop().map(|state| (state.lane, state.free_at)),
        queue: store.tallies(batch.id).await?.get(present.step, Count::Queued),
    })
}

/// The state of an open message, and what it waits for.
pub(super) fn sentence(
    now: &Present,
    plan: &Told<'_>,
    batch: BatchState,
    waiting: Option<&WaitReasons>,
    context: &Context,
) -> String {
    let pause = if batch == BatchState::Paused { " The campaign is paused." } else { "" };
    match now.state {
        State::Queued { .. } if batch.is_cancelled() => {
            "The campaign is cancelled: the message is not sent, and will have its outcome in a moment.".to_owned()
        }
        State::Queued { .. } if now.is_set_aside() => format!(
            "Set aside: the provider refuses {} of this message while it accepts others. An operator can release or cancel it.",
            channel(plan, now.step)
        ),
        State::Queued { .. } => {
            let on = channel(plan, now.step);
            let Some(waiting) = waiting else { return format!("Waiting to send {on}.{pause}") };
            let gives_up = waiting.gives_up.map(|at| format!(" It stops waiting at {}.", clock(at, plan)));
            let since = match waiting.since {
                since if since > waiting.now => format!("which may be sent from {} on", clock(since, plan)),
                since => format!("since {}", clock(since, plan)),
            };
            format!(
                "Waiting to send {on}, {since}. {}{}",
                obstacle(waiting, batch, plan, now.tries),
                gives_up.unwrap_or_default()
            )
        }
        State::Sending { .. } if waiting.is_some_and(|waiting| !waiting.server) => format!(
            "{} was being submitted, and the provider had not answered when the server stopped: the next server counts \
             it as unknown.",
            channel(plan, now.step)
        ),
        State::Sending { .. } => {
            format!("{} is being submitted, and the provider has not answered yet.{pause}", channel(plan, now.step))
        }
        State::Awaiting { due } => {
            let last = now.marks.last_handed_over().unwrap_or(now.step);
            let (on, asked) = (channel(plan, last), asked(now, last, plan, context));
            match waiting {
                Some(waiting) if due <= waiting.now && batch != BatchState::Paused => {
                    format!("{on} was due at {}. {}{asked}", clock(due, plan), undecided(waiting, due, plan, context))
                }
                _ if batch == BatchState::Paused => {
                    format!(
                        "Waiting for {on}'s receipts.{asked} Its deadline, {}, waits until the campaign is resumed.",
                        clock(due, plan)
                    )
                }
                _ => {
                    let held: Vec<String> = waiting.into_iter().flat_map(|waiting| holds(waiting, plan)).collect();
                    let held = match held.is_empty() {
                        true => String::new(),
                        false => format!(" If it falls back, it waits for its next step. {}", held.join(" ")),
                    };
                    match falls_back(now, plan) && !now.marks.waived() {
                        true => format!("Waiting for {on}'s receipts. {}{asked}{held}", awaits(now, plan)),
                        false => format!("Waiting for {on}'s receipts, until {}.{asked}{held}", clock(due, plan)),
                    }
                }
            }
        }
        State::Done { .. } => String::new(),
    }
}

/// Why no decision has been made although it is due; the most certain reason comes first.
fn undecided(waiting: &WaitReasons, due: Timestamp, plan: &Told<'_>, context: &Context) -> String {
    if !waiting.server {
        return "No server is running, so nothing is decided; the next server decides it.".to_owned();
    }
    if let Some(since) = waiting.deaf {
        return format!(
            "The connection to the provider has been unconfirmed since {}, so silence decides nothing; `volley doctor` \
             says what to do.",
            clock(since, plan)
        );
    }
    match context.gap(due, waiting.now) {
        Some(gap) => {
            format!("But {}; the provider may still repeat them, and the server waits for that.", between(gap, plan))
        }
        None => "It will be decided in a moment.".to_owned(),
    }
}

/// The result of asking the provider about a waived deadline.
fn asked(now: &Present, step: StepIndex, plan: &Told<'_>, context: &Context) -> String {
    let Some(asked) = context.asked_about(step).filter(|asked| now.marks.waived() && !asked.is_answered) else {
        return String::new();
    };
    format!(
        " The provider was asked at {} and did not know; it is asked again from {} on.",
        clock(asked.at, plan),
        clock(asked.again, plan)
    )
}

/// Why the message is not sent: every pause and hold, each with how to end it, else the most certain other reason.
fn obstacle(waiting: &WaitReasons, batch: BatchState, plan: &Told<'_>, tries: u16) -> String {
    let paused = waiting.paused.as_deref().map(|is| paused(is, plan));
    let stops: Vec<String> = paused.into_iter().chain(holds(waiting, plan)).collect();
    match batch {
        BatchState::Draft => return "The campaign is a draft; to start it: `volley campaign start`.".to_owned(),
        BatchState::Scheduled if plan.when.is_some() => {
            return "The campaign has not started; it waits for the approval of its templates (when = \"approved\")."
                .to_owned();
        }
        BatchState::Scheduled => return "The campaign has not started.".to_owned(),
        _ if !stops.is_empty() => return format!("{} No fallback while it waits.", stops.join(" ")),
        _ if !waiting.server => return "No server is running, so nothing is sent.".to_owned(),
        _ if waiting.since > waiting.now && tries > 0 => {
            return "Until then it backs off after a failed try.".to_owned();
        }
        _ if waiting.since > waiting.now => {
            return "It is not due yet: the campaign's `at`, `over`, send windows and quiet hours decide when."
                .to_owned();
        }
        _ => {}
    }
    let others = match waiting.queue {
        ..=1 => "It is the only message of the campaign that waits for this step".to_owned(),
        queue => format!("{} messages of the campaign wait for this step", grouped(queue.unsigned_abs())),
    };
    let Some((lane, free_at)) = &waiting.tier_spent else {
        return format!(
            "{others}; the rate and the tier of the lane limit how fast they are sent. No fallback while it waits."
        );
    };
    let next = free_at.filter(|at| *at > waiting.now);
    let next = next.map(|at| format!("; the next slot frees up at {}", clock(at, plan))).unwrap_or_default();
    format!("The tier of lane {lane} is spent{next}. {others}. No fallback while it waits.")
}

/// What holds a step, its template and its lane; each with how to release it.
fn holds(waiting: &WaitReasons, plan: &Told<'_>) -> impl Iterator<Item = String> {
    let of_step = waiting.step_hold.iter().map(|hold| {
        let (step, since) = (hold.step, clock(hold.since, plan));
        let first = if hold.by == StepHeldBy::Limit { "raise its limit, then: " } else { "" };
        format!(
            "Step {step} has been held since {since}: {}. To resume: {first}`volley campaign resume --step {step}`.",
            hold.origin.hold_reason()
        )
    });
    of_step.chain(waiting.holds.iter().map(|hold| {
        let what = match hold.template.as_str() {
            "" if hold.by == HeldBy::Quality => format!("MARKETING on lane {}", hold.lane),
            "" => format!("Lane {}", hold.lane),
            template => format!("Template {template}"),
        };
        let (reason, resume) = (hold.reason(), hold.resume_command());
        let why = match (hold.by, hold.code) {
            (HeldBy::Operator, _) => format!("{reason}. To resume"),
            (HeldBy::Event, _) => format!("the provider reported it ({reason}). It resumes automatically; to try now"),
            (HeldBy::Quality, _) => {
                format!("{reason}. It resumes automatically once the quality is good again; to resume now")
            }
            (HeldBy::Answer | HeldBy::Receipt, None) => format!("the provider refused it ({reason}). Fix that, then"),
            (HeldBy::Answer | HeldBy::Receipt, Some(code)) => {
                format!("the provider refused it (code {code}: {reason}). Fix that, then")
            }
        };
        format!("{what} has been held since {}: {why}: `{resume}`.", clock(hold.since, plan))
    }))
}

/// Why a paused campaign sends nothing, and what to do about a limit that may have paused it.
fn paused(is: &str, plan: &Told<'_>) -> String {
    let raise = match (plan.limits.budget, plan.limits.messages) {
        (None, None) => "",
        (Some(_), _) => " If its budget is used up, first raise it with `volley campaign set --budget`.",
        (None, Some(_)) => " If its limit is used up, first raise it with `volley campaign set --max-messages`.",
    };
    format!("The campaign is {is}. Nothing is sent until it is resumed with `volley campaign resume`.{raise}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::domain::{Channel, Plan, Step};
    use crate::base::events::Origin;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000) + Span::from_secs(second)
    }

    /// The sentence about a message one minute after its deadline.
    fn says(state: State, deaf: Option<i64>, server: bool, gaps: &[(i64, i64)]) -> String {
        let plan = Plan::of_steps(vec![Step::of_text(Channel::Viber, "viber", "Hi")]);
        let mut present = Present::queued(at(0), None);
        present.state = state;
        present.marks = present.marks.with_handed_over(StepIndex::FIRST);
        let (since, now) = (at(0), at(960));
        let waiting = WaitReasons {
            since,
            now,
            gives_up: None,
            holds: Vec::new(),
            step_hold: None,
            paused: None,
            server,
            deaf: deaf.map(at),
            tier_spent: None,
            queue: 0,
        };
        let gaps = gaps.iter().map(|(from, until)| (at(*from), at(*until))).collect();
        let context = Context { gaps, ..Context::default() };
        sentence(&present, &Told::new(&plan, None), BatchState::Running, Some(&waiting), &context)
    }

    #[test]
    fn an_overdue_message_says_why_it_is_undecided() {
        let due = State::Awaiting { due: at(900) };
        for (sentence, part) in [
            (says(State::Awaiting { due: at(961) }, Some(1), false, &[]), "Waiting for Viber's receipts, until"),
            (says(due, None, false, &[]), "No server is running, so nothing is decided"),
            (says(due, Some(800), true, &[(890, 910)]), "unconfirmed since"),
            (says(due, None, true, &[(890, 910)]), "the provider may still repeat them"),
            (says(due, None, true, &[(10, 20)]), "It will be decided in a moment"),
            (
                says(State::Sending { intent: at(1), not_before: at(0), gives_up: None }, None, true, &[]),
                "is being submitted",
            ),
            (says(State::Sending { intent: at(1), not_before: at(0), gives_up: None }, None, false, &[]), "as unknown"),
        ] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }

    fn nothing_in_the_way() -> WaitReasons {
        WaitReasons {
            since: at(0),
            now: at(0),
            gives_up: None,
            holds: Vec::new(),
            step_hold: None,
            paused: None,
            server: true,
            deaf: None,
            tier_spent: None,
            queue: 1,
        }
    }

    #[test]
    fn a_message_before_its_time_is_not_reported_as_tried() {
        let plan = Plan::of_steps(vec![Step::of_text(Channel::Viber, "viber", "Hi")]);
        let waiting = WaitReasons { since: at(960), ..nothing_in_the_way() };
        let says = |tries| {
            let present = Present { tries, ..Present::queued(at(960), None) };
            sentence(&present, &Told::new(&plan, None), BatchState::Running, Some(&waiting), &Context::default())
        };
        assert!(says(0).contains("It is not due yet"), "{}", says(0));
        assert!(says(1).contains("backs off after a failed try"), "{}", says(1));
    }

    #[test]
    fn a_message_at_a_spent_tier_says_when_a_slot_frees_up() {
        let plan = Plan::of_steps(vec![Step::of_text(Channel::WhatsApp, "wa", "Hi")]);
        let tier_spent = Some(("wa".to_owned(), Some(at(960))));
        let waiting = WaitReasons { now: at(60), tier_spent, queue: 2_683, ..nothing_in_the_way() };
        let says = obstacle(&waiting, BatchState::Running, &Told::new(&plan, None), 0);
        for part in ["The tier of lane wa is spent; the next slot frees up at ", "2,683 messages", "No fallback"] {
            assert!(says.contains(part), "{says}");
        }
    }

    #[test]
    fn a_message_names_every_pause_and_hold_with_its_end() {
        let plan = Plan::of_steps(vec![Step::of_text(Channel::Viber, "viber", "Hi")]);
        let origin = || Origin::operator("ann", None);
        let lane = Hold::by_operator("viber", "", origin(), at(0));
        let template = Hold::by_operator("viber", "promo", origin(), at(0));
        let waiting = WaitReasons {
            holds: vec![lane, template],
            paused: Some("paused by bob".to_owned()),
            ..nothing_in_the_way()
        };
        let says = obstacle(&waiting, BatchState::Paused, &Told::new(&plan, None), 0);
        for part in
            ["paused by bob", "`volley campaign resume`", "`volley lane resume viber`", "resume promo --lane viber`"]
        {
            assert!(says.contains(part), "{part}: {says}");
        }
    }

    #[test]
    fn a_message_of_a_campaign_at_its_budget_says_what_to_raise() {
        let mut plan = Plan::of_steps(vec![Step::of_text(Channel::Viber, "viber", "Hi")]);
        let why = "paused: the campaign has spent 0.98 of its budget of 1.00 EUR";
        assert!(!paused(why, &Told::new(&plan, None)).contains("campaign set"));
        plan.limits.budget = "1".parse().ok();
        let says = paused(why, &Told::new(&plan, None));
        for part in [why, "campaign set --budget", "campaign resume"] {
            assert!(says.contains(part), "{says}");
        }
    }
}
