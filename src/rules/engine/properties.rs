//! Properties of every life of a message: random plans, and events in any order, repeated, late and at once.

use std::cmp::Ordering;

use proptest::prelude::*;

use super::story::{START, Story, at, plan, step};
use super::{Answer, AttemptReport, CallOff, Decision, Event, Rule, Silence, Standing, StepObstacle};
use crate::base::domain::{
    AfterGap, Channel, Count, Ending, Fault, Marks, OnRecipientLimit, OnUnknown, Outcome, Plan, Present, Refused,
    SenderPart, SkipReason, Span, State, Status, Step, StepIndex, Timestamp,
};

fn spans() -> impl Strategy<Value = Option<Span>> {
    prop_oneof![
        3 => Just(None),
        1 => (1_i64..60).prop_map(|secs| Some(Span::from_secs(secs))),
        3 => (60_i64..4_000).prop_map(|secs| Some(Span::from_secs(secs))),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let channel = proptest::sample::select(Channel::ALL);
    let leave_within = prop_oneof![3 => Just(None), 1 => spans()];
    let after = prop_oneof![4 => (1_i64..900).prop_map(Some), 1 => Just(None)];
    (channel, after, prop_oneof![1 => Just(0), 8 => 1_usize..4], (leave_within, spans()), 1_i64..6_000).prop_map(
        |(channel, after, success, (leave_within, ttl), window)| {
            let mut step = step(channel, after);
            step.success = Status::ALL[success].min(channel.best_status());
            step.leave_within = leave_within;
            step.ttl = ttl;
            step.receipt_window = Span::from_secs(window);
            // Where the time of the campaign is too short for a retry, it falls back.
            step.on_recipient_limit = OnRecipientLimit::Retry;
            step
        },
    )
}

fn plans() -> impl Strategy<Value = Plan> {
    let on_unknown = proptest::sample::select(OnUnknown::ALL);
    let after_gap = proptest::sample::select(AfterGap::ALL);
    let ttl = prop_oneof![4 => spans(), 1 => Just(Some(Span::from_secs(3 * 86_400)))];
    (prop::collection::vec(steps(), 1..=7), ttl, prop_oneof![2 => Just(None), 1 => spans()], on_unknown, after_gap)
        .prop_map(|(steps, ttl, end, on_unknown, after_gap)| Plan {
            steps,
            ttl,
            end: end.map(|span| START + span),
            on_unknown,
            after_gap,
            ..plan()
        })
}

/// Which steps do not apply: mostly none, sometimes some or all.
fn conditions() -> impl Strategy<Value = Marks> {
    let of_some = prop::collection::vec(any::<bool>(), 7).prop_map(|not_for_it| {
        let passed_over = StepIndex::all().zip(not_for_it).filter(|(_, is)| *is);
        passed_over.fold(Marks::default(), |marks, (step, _)| marks.with_passed_over(step))
    });
    prop_oneof![2 => Just(Marks::default()), 1 => of_some]
}

/// A message's own expiry. Most messages have none.
fn expiries() -> impl Strategy<Value = Option<Timestamp>> {
    prop_oneof![2 => Just(None), 1 => spans()].prop_map(|span| span.map(|span| START + span))
}

/// The next happening. Most happenings concern the present step, because most changes start there.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Event {
        of: Option<StepIndex>,
        kind: Kind,
    },
    /// The batch is cancelled; the sweep comes to the message later, as an event.
    Cancel,
    /// Time passes until the row is due, and the timer fires.
    Due(Silence),
    /// The message takes its normal course: it is claimed, answered, reported on.
    GoesOn {
        answer: Answer,
        report: AttemptReport,
    },
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Claimed,
    Answered(Answer),
    Receipt(AttemptReport),
    Due(Silence),
    TierSpent,
    Postponed(Timestamp),
    Doubted(Silence),
    RefusalRecalled,
    RefusedAlone,
    Released,
    CalledOff(CallOff),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::Recipient),
        2 => Just(Fault::RecipientLimit),
        1 => Just(Fault::Sender(SenderPart::Lane)),
        1 => Just(Fault::Sender(SenderPart::Template)),
        1 => Just(Fault::Sender(SenderPart::Step)),
        1 => Just(Fault::OptedOut),
        4 => Just(Fault::Temporary),
    ]
}

/// Times in events are relative to now: see [`shifted`].
fn moments() -> impl Strategy<Value = Timestamp> {
    (0_i64..120).prop_map(|secs| Timestamp::from_millis(secs * 1_000))
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        8 => Just(Answer::Accepted),
        3 => (faults(), moments()).prop_map(|(fault, again)| Answer::Refused { fault, again }),
        3 => moments().prop_map(|again| Answer::Unclear { again }),
        1 => moments().prop_map(|again| Answer::Unavailable { again }),
        2 => Just(Answer::Unknown),
        1 => Just(Answer::NotBegun),
        1 => moments().prop_map(|at| Answer::Later { at }),
        1 => proptest::sample::select(&[StepObstacle::CouldNotLeave, StepObstacle::OutsideWindow, StepObstacle::MissingVariable, StepObstacle::OptedOut][..])
            .prop_map(Answer::CannotLeave),
    ]
}

fn silences() -> impl Strategy<Value = Silence> {
    prop_oneof![
        4 => Just(Silence::Trusted),
        1 => moments().prop_map(|until| Silence::Held { until }),
        1 => Just(Silence::Lost),
        1 => Just(Silence::Filled),
    ]
}

fn reports() -> impl Strategy<Value = AttemptReport> {
    let status = prop_oneof![
        2 => Just(Status::Accepted),
        4 => Just(Status::Sent),
        2 => Just(Status::Delivered),
        1 => Just(Status::Read),
    ];
    prop_oneof![
        status.prop_map(AttemptReport::Reached),
        (faults(), moments()).prop_map(|(fault, again)| AttemptReport::Failed { fault, again }),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    let kind = prop_oneof![
        4 => Just(Kind::Claimed),
        4 => answers().prop_map(Kind::Answered),
        8 => reports().prop_map(Kind::Receipt),
        3 => silences().prop_map(Kind::Due),
        1 => Just(Kind::TierSpent),
        1 => moments().prop_map(Kind::Postponed),
        2 => silences().prop_map(Kind::Doubted),
        2 => Just(Kind::RefusalRecalled),
        4 => Just(Kind::RefusedAlone),
        1 => Just(Kind::Released),
        1 => prop_oneof![Just(CallOff::Cancel), Just(CallOff::OptOut)].prop_map(Kind::CalledOff),
    ];
    let of = prop_oneof![1 => Just(None), 1 => (0_u8..7).prop_map(StepIndex::new)];
    prop_oneof![
        20 => (of, kind).prop_map(|(of, kind)| Happening::Event { of, kind }),
        30 => (answers(), reports()).prop_map(|(answer, report)| Happening::GoesOn { answer, report }),
        20 => silences().prop_map(Happening::Due),
        1 => Just(Happening::Cancel),
    ]
}

/// Happenings, each with the milliseconds since the one before. Often several happen at once.
fn lives() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    let pause = prop_oneof![6 => Just(0_i64), 6 => 0_i64..20_000, 1 => 0_i64..400_000];
    prop::collection::vec((pause, happenings()), 0..60)
}

/// Moves an event's own times after `now`.
fn shifted(event: Event, now: Timestamp) -> Event {
    let later = |time: Timestamp| now + Span::from_millis(time.millis());
    match event {
        Event::Answered { step, answer: Answer::Refused { fault, again } } => {
            Event::Answered { step, answer: Answer::Refused { fault, again: later(again) } }
        }
        Event::Answered { step, answer: Answer::Unclear { again } } => {
            Event::Answered { step, answer: Answer::Unclear { again: later(again) } }
        }
        Event::Answered { step, answer: Answer::Unavailable { again } } => {
            Event::Answered { step, answer: Answer::Unavailable { again: later(again) } }
        }
        Event::Receipt { step, report: AttemptReport::Failed { fault, again } } => {
            Event::Receipt { step, report: AttemptReport::Failed { fault, again: later(again) } }
        }
        Event::Due { silence: Silence::Held { until } } => {
            Event::Due { silence: Silence::Held { until: later(until) } }
        }
        Event::Answered { step, answer: Answer::Later { at } } => {
            Event::Answered { step, answer: Answer::Later { at: later(at) } }
        }
        Event::Postponed { until } => Event::Postponed { until: later(until) },
        Event::Doubted { silence: Silence::Held { until }, tries } => {
            Event::Doubted { silence: Silence::Held { until: later(until) }, tries }
        }
        other => other,
    }
}

/// A life with an observer that keeps its own records.
struct Watched {
    story: Story,
    /// Whether each step may be submitted: once, and once more each time that it came back.
    may_submit: [bool; 7],
    /// Whether it was stopped.
    called_off: bool,
    /// The steps that do not apply to it.
    at_first: Marks,
    /// The steps that it entered and that were not taken back.
    entered: Vec<StepIndex>,
    expires: Option<Timestamp>,
}

impl Watched {
    fn of(plan: Plan, marks: Marks, expires: Option<Timestamp>) -> Self {
        let story = Story::with(plan, marks, expires);
        let at_first = story.message.marks.at_first();
        let first = story.message.step;
        let entered = if at_first.passed_over(first) { Vec::new() } else { vec![first] };
        Self { may_submit: [true; 7], called_off: false, at_first, entered, expires, story }
    }

    fn live(&mut self, life: Vec<(i64, Happening)>) {
        for (pause, happening) in life {
            self.story.now = self.story.now + Span::from_millis(pause);
            let event = match happening {
                Happening::Cancel => {
                    self.story.standing = Standing::Cancelled;
                    continue;
                }
                Happening::Due(silence) => {
                    self.story.now = self.story.due_at().unwrap_or(self.story.now).max(self.story.now);
                    Event::Due { silence }
                }
                Happening::GoesOn { answer, report } => {
                    let step = self.story.message.step;
                    match self.story.message.state {
                        State::Queued { .. } if self.story.message.is_set_aside() => Event::Released,
                        State::Queued { not_before, .. } => {
                            self.story.now = self.story.now.max(not_before);
                            Event::Claimed
                        }
                        State::Sending { .. } => Event::Answered { step, answer },
                        State::Awaiting { .. } | State::Done { .. } => Event::Receipt { step, report },
                    }
                }
                Happening::Event { of, kind } => {
                    let step = of.unwrap_or(self.story.message.step);
                    match kind {
                        Kind::Claimed => Event::Claimed,
                        Kind::Answered(answer) => Event::Answered { step, answer },
                        Kind::Receipt(report) => Event::Receipt { step, report },
                        Kind::Due(silence) => Event::Due { silence },
                        Kind::TierSpent => Event::TierSpent { step },
                        Kind::Postponed(until) => Event::Postponed { until },
                        Kind::Doubted(silence) => Event::Doubted { silence, tries: 0 },
                        Kind::RefusalRecalled => Event::RefusalRecalled {
                            step: self.story.message.marks.preceding(step).unwrap_or(step),
                            tries: 0,
                        },
                        Kind::RefusedAlone => Event::RefusedAlone { step },
                        Kind::Released => Event::Released,
                        Kind::CalledOff(why) => Event::CalledOff(why),
                    }
                }
            };
            self.happens(shifted(event, self.story.now));
        }
    }

    fn happens(&mut self, event: Event) -> Decision {
        let before = self.story.message;
        let decision = self.story.event(event);
        if let Decision::Moved { next, rule } = decision {
            assert_ne!(before, next, "{event:?} moved nothing, by {rule:?}");
            self.check_submissions(&before, event, rule);
            self.check_order(&before, event, &next, rule);
            self.check_times(&before, event, rule);
            self.check_end(&before, &next);
            match next.step.cmp(&before.step) {
                Ordering::Greater => self.entered.push(next.step),
                Ordering::Less => assert_eq!(self.entered.pop(), Some(before.step)),
                Ordering::Equal => {}
            }
        }
        self.check_present();
        let twice = self.story.decide(event);
        assert!(matches!(twice, Decision::Ignored(_)), "{event:?} twice: {twice:?} from {:?}", self.story.message);
        decision
    }

    /// Checks that at most one submission of each step is in flight, and that nothing is submitted after a stop.
    fn check_submissions(&mut self, before: &Present, event: Event, rule: Rule) {
        let step = before.step.index();
        match event {
            Event::Claimed => {
                assert!(!before.marks.passed_over(before.step), "step {} does not apply: {before:?}", before.step);
                assert!(self.may_submit[step], "step {} was submitted twice: {before:?}", before.step);
                assert!(!self.called_off && self.story.standing == Standing::Live, "submitted after it was stopped");
                assert!(!self.is_expired(before), "submitted after its time: {before:?}");
                assert!(!before.is_set_aside(), "submitted although it is set aside: {before:?}");
                let again = before.accepted.filter(|_| before.marks.failed(before.step));
                let ends = again.zip(self.story.plan.step(before.step).and_then(|step| step.ttl));
                assert!(
                    ends.is_none_or(|(first, ttl)| self.story.now < first + ttl),
                    "retried after its TTL: {before:?}"
                );
                self.may_submit[step] = false;
            }
            Event::Answered { answer, .. } => {
                let came_back = match answer {
                    Answer::NotBegun | Answer::Later { .. } => true,
                    Answer::Unclear { .. } | Answer::Unavailable { .. } => true,
                    Answer::Refused { fault, .. } => matches!(fault, Fault::Temporary | Fault::Sender(_)),
                    Answer::Unknown => rule == Rule::Resent && !before.marks.unknown(before.step),
                    Answer::Accepted | Answer::CannotLeave(_) => false,
                };
                self.may_submit[step] |= came_back;
            }
            Event::Receipt { step: of, report: AttemptReport::Failed { fault, .. } } => {
                let goes_again = matches!(fault, Fault::Temporary | Fault::Sender(_)) && of == before.step;
                let came_back = goes_again || rule == Rule::WaitsForRecipient;
                self.may_submit[step] |= came_back;
            }
            Event::RefusalRecalled { step, .. } => self.may_submit[step.index()] = true,
            Event::CalledOff(_) => self.called_off = true,
            Event::Receipt { report: AttemptReport::Reached(_), .. }
            | Event::Due { .. }
            | Event::TierSpent { .. }
            | Event::Postponed { .. }
            | Event::RefusedAlone { .. }
            | Event::Released
            | Event::Doubted { .. } => {}
        }
    }

    fn is_expired(&self, message: &Present) -> bool {
        let plan = &self.story.plan;
        let ends = match message.first_submitted_at {
            Some(first) => plan.ttl.map(|ttl| first + ttl),
            None => plan.end,
        };
        [ends, message.expires].into_iter().flatten().any(|at| at <= self.story.now)
    }

    /// Checks that steps follow one another, and only for a valid reason.
    fn check_order(&self, before: &Present, event: Event, next: &Present, rule: Rule) {
        if next.step < before.step {
            let is_taken_back = matches!(rule, Rule::TakenBack | Rule::RefusalRecalled) && next.outcome().is_none();
            assert!(is_taken_back || (rule, next.outcome()) == (Rule::Recalled, Some(Outcome::Reached)));
            assert!(!before.marks.handed_over(before.step), "it was submitted: {before:?}");
        }
        if next.step > before.step {
            let following = before.marks.following(before.step, self.story.plan.steps.len());
            assert_eq!(following, Some(next.step), "not the next step that applies");
            assert!(matches!(rule, Rule::FellBack(_)), "the next step by {rule:?}");
        }
        let not_caused_by_recipient = match event {
            Event::Answered { answer, .. } => match answer {
                Answer::NotBegun
                | Answer::Later { .. }
                | Answer::Unclear { .. }
                | Answer::Unavailable { .. }
                | Answer::Unknown
                | Answer::Accepted => true,
                Answer::Refused { fault, .. } => matches!(fault, Fault::Temporary | Fault::Sender(_)),
                Answer::CannotLeave(_) => false,
            },
            Event::Receipt { report: AttemptReport::Failed { fault, .. }, .. } => matches!(fault, Fault::Sender(_)),
            Event::Receipt { report: AttemptReport::Reached(_), .. }
            | Event::Claimed
            | Event::Postponed { .. }
            | Event::Doubted { .. }
            | Event::RefusalRecalled { .. }
            | Event::RefusedAlone { .. }
            | Event::Released
            | Event::CalledOff(_) => true,
            // The first copy may be on its way, and then its deadline decides.
            Event::Due { .. } | Event::TierSpent { .. } => before.is_set_aside() && !before.marks.unknown(before.step),
        };
        assert!(next.step <= before.step || !not_caused_by_recipient, "{event:?} caused a fallback");
        if let (State::Sending { .. }, Event::Due { .. } | Event::CalledOff(_)) = (before.state, event) {
            assert_eq!(before.state, next.state, "only an answer or a receipt ends a submission");
        }
    }

    /// Checks that deadlines are never early, and that silence decides only if it means something.
    fn check_times(&self, before: &Present, event: Event, rule: Rule) {
        let Rule::FellBack(Ending::Deadline) = rule else { return };
        let step = self.story.plan.step(before.step).unwrap();
        assert!(before.accepted.unwrap() + step.fallback_after.unwrap() <= self.story.now, "too early: {before:?}");
        let Event::Due { silence } = event else { panic!("a deadline by {event:?}") };
        assert!(match silence {
            Silence::Trusted | Silence::Filled => true,
            Silence::Held { until } => until <= self.story.now,
            Silence::Lost => self.story.plan.after_gap == AfterGap::FallBack,
        });
    }

    /// Checks that an ended message stays ended. Only a late success changes the outcome, and only to reached.
    fn check_end(&self, before: &Present, next: &Present) {
        let Some(outcome) = before.outcome() else { return };
        let after = next.outcome().expect("an ended message continues");
        if outcome != after {
            assert!(matches!(outcome, Outcome::Undelivered | Outcome::Silent | Outcome::Unknown | Outcome::Expired));
            assert!(after == Outcome::Reached && next.marks.late());
        }
    }

    /// Checks what is true of every present.
    fn check_present(&self) {
        let Story { plan, message, .. } = &self.story;
        let Present { state, marks, .. } = message;
        assert_eq!(message.first_submitted_at.is_none(), marks.last_handed_over().is_none(), "{message:?}");
        assert!(message.step.index() < plan.steps.len());
        assert_eq!(marks.at_first(), self.at_first, "the steps that apply have changed: {message:?}");
        let applies_nowhere = self.at_first.passed_over(message.step);
        let skipped = State::Done { outcome: Outcome::Skipped, skipped: Some(SkipReason::NoStep), at: START };
        assert_eq!(applies_nowhere, *state == skipped, "{message:?}");
        assert!(!matches!(state, State::Queued { .. }) || !marks.cut(), "queued although cut: {message:?}");
        assert_eq!(message.expires, self.expires, "its own expiry has changed");
        if let State::Queued { gives_up, .. } | State::Sending { gives_up, .. } = *state
            && let Some(expires) = message.expires
        {
            assert!(gives_up.is_some_and(|at| at <= expires), "no timer looks when it expires: {message:?}");
        }
        let met = |index| marks.status(index) >= plan.step(index).map(|step| step.success);
        let all_met = plan.indexed_steps().filter(|(index, _)| met(*index)).count();
        assert!(!marks.delivered_twice() || all_met >= 2, "not twice: {message:?}");
        assert!(marks.reached_by().is_none_or(met));
        match state {
            State::Done { outcome, .. } => {
                assert_eq!(*outcome == Outcome::Reached, marks.reached_by().is_some(), "{message:?}");
            }
            State::Queued { .. } | State::Awaiting { .. } => assert_eq!(marks.reached_by(), None, "{message:?}"),
            State::Sending { .. } => {}
        }
        let tallies = self.story.tallies();
        let is_unsent = matches!(state, State::Queued { .. } | State::Sending { .. });
        assert!(message.refused == Refused::Never || is_unsent, "a refusal outlives its step: {message:?}");
        let open: i64 = [Count::Queued, Count::SetAside, Count::Sending, Count::AwaitingOpen, Count::AwaitingLast]
            .into_iter()
            .map(|count| tallies.total(count))
            .sum();
        assert_eq!(open + tallies.done(), 1, "a message is counted exactly once");
        assert_eq!(tallies.is_settled(), message.outcome().is_some());
        self.check_course();
    }

    /// Checks that the counters of each step that it entered say what became of it there, once in each sum.
    fn check_course(&self) {
        let Story { plan, message, .. } = &self.story;
        let tallies = self.story.tallies();
        assert!(tallies.follows_messages());
        for (step, _) in plan.indexed_steps() {
            let is = |counts: &[Count]| counts.iter().map(|count| tallies.get(step, *count)).sum::<i64>();
            let entered = is(&[Count::EnteredFirst, Count::EnteredByFallback]);
            assert_eq!(entered, i64::from(self.entered.contains(&step)), "step {step} of {message:?}");
            assert_eq!(is(&[Count::EnteredFirst]) == 1, self.entered.first() == Some(&step), "{message:?}");
            let submitted = is(&[Count::HandedOver]);
            assert_eq!(submitted == 1, message.marks.handed_over(step), "step {step} of {message:?}");
            let to_submit = is(&[Count::ToSubmit]);
            let not_submitted = is(&[
                Count::NotSubmittedRejected,
                Count::NotSubmittedCouldNotLeave,
                Count::OutsideWindow,
                Count::MissingVariable,
                Count::OptedOut,
                Count::NotSubmittedExpired,
                Count::NotSubmittedCalledOff,
            ]);
            assert_eq!(entered, submitted + to_submit + not_submitted, "step {step} of {message:?}: {tallies:?}");
            let fell_back = is(&[
                Count::FellDeadline,
                Count::FellUndelivered,
                Count::FellRejected,
                Count::CouldNotLeave,
                Count::OutsideWindow,
                Count::MissingVariable,
                Count::OptedOut,
            ]);
            let ended = is(&[
                Count::EndedCouldNotLeave,
                Count::EndedOutsideWindow,
                Count::EndedMissingVariable,
                Count::EndedOptedOut,
            ]);
            let went_on = i64::from(self.entered.contains(&step) && step < message.step);
            assert_eq!(fell_back - ended, went_on, "step {step} of {message:?}: {tallies:?}");
            let is_here = i64::from(self.entered.contains(&step) && step == message.step);
            assert_eq!(entered, went_on + is_here, "step {step} of {message:?}: {:?}", self.entered);
        }
    }

    /// Lets time pass, timers fire, nodes claim and providers answer, in various ways.
    fn goes_on_until_done(&mut self, answers: &[Answer]) {
        for round in 0..100 {
            match self.story.message.state {
                State::Done { .. } => return,
                State::Sending { .. } => {
                    let answer = answers.get(round).copied().unwrap_or(Answer::Accepted);
                    let event = Event::Answered { step: self.story.message.step, answer };
                    self.happens(shifted(event, self.story.now));
                }
                State::Awaiting { due } => {
                    self.story.now = self.story.now.max(due);
                    self.happens(Event::Due { silence: Silence::Trusted });
                }
                State::Queued { .. } if self.story.standing == Standing::Cancelled => {
                    self.happens(Event::CalledOff(CallOff::Cancel));
                }
                State::Queued { .. } if self.story.message.is_set_aside() => {
                    self.happens(Event::Released);
                }
                State::Queued { not_before, gives_up } => {
                    self.story.now = self.story.now.max(gives_up.map_or(not_before, |at| at.min(not_before)));
                    if let Decision::Ignored(_) = self.happens(Event::Claimed) {
                        self.happens(Event::Due { silence: Silence::Trusted });
                    }
                }
            }
        }
        panic!("never done: {:?}", self.story.message);
    }
}

/// The number of lives to try. A number given here would otherwise override `PROPTEST_CASES`, which `./check --long`
/// sets.
fn config() -> ProptestConfig {
    let defaults = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { defaults.cases } else { 1_000 };
    ProptestConfig { cases, failure_persistence: None, ..defaults }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_invariants_hold_in_every_life(
        plan in plans(),
        marks in conditions(),
        expires in expiries(),
        life in lives(),
    ) {
        Watched::of(plan, marks, expires).live(life);
    }

    #[test]
    fn every_message_ends_after_any_life(
        plan in plans(),
        marks in conditions(),
        expires in expiries(),
        life in lives(),
        answers in prop::collection::vec(answers(), 0..40),
    ) {
        let mut watched = Watched::of(plan, marks, expires);
        watched.live(life);
        watched.goes_on_until_done(&answers);
    }

    #[test]
    fn the_same_input_gives_the_same_decision(plan in plans(), marks in conditions(), life in lives()) {
        let (mut one, mut other) = (Watched::of(plan.clone(), marks, None), Watched::of(plan, marks, None));
        one.live(life.clone());
        other.live(life);
        prop_assert_eq!(one.story.message, other.story.message);
    }

    /// Waiting consumes nothing, as long as the plan allows it.
    #[test]
    fn an_unclaimed_message_waits_until_its_time_is_over(
        plan in plans(),
        expires in expiries(),
        secs in 0_i64..10_000,
    ) {
        let mut story = Story::with(plan, Marks::default(), expires);
        story.now = at(secs);
        let due = story.decide(Event::Due { silence: Silence::Trusted });
        // No row stores the campaign's end.
        let ends = story.due_at().into_iter().chain(story.plan.end).min();
        let time_is_up = ends.is_some_and(|at| at <= story.now);
        prop_assert_eq!(matches!(due, Decision::Moved { .. }), time_is_up);
    }

    /// A message has the same life in a route that contains only the steps that apply.
    #[test]
    fn a_passed_over_step_is_as_if_it_were_not_in_the_route(
        plan in plans(),
        marks in conditions(),
        expires in expiries(),
        life in lives(),
    ) {
        let shorter = Plan {
            steps: plan.indexed_steps().filter(|(index, _)| !marks.passed_over(*index)).map(|(_, step)| step.clone()).collect(),
            ..plan.clone()
        };
        prop_assume!(!shorter.steps.is_empty());
        let of_shorter: Vec<_> = plan.indexed_steps().map(|(index, _)| index).filter(|index| !marks.passed_over(*index)).collect();
        // A position in the whole route is another position in the shorter one. Only events about the present step are
        // therefore applied to both.
        let is_about_present =
            |(_, happening): &(i64, Happening)| !matches!(happening, Happening::Event { of: Some(_), .. });
        let life: Vec<_> = life.into_iter().filter(is_about_present).collect();
        let (mut whole, mut short) = (Watched::of(plan, marks, expires), Watched::of(shorter, Marks::default(), expires));
        whole.live(life.clone());
        short.live(life);
        let (whole, short) = (whole.story.message, short.story.message);
        prop_assert_eq!(whole.state, short.state);
        prop_assert_eq!(whole.step, of_shorter[short.step.index()]);
        prop_assert_eq!((whole.first_submitted_at, whole.accepted, whole.tries), (short.first_submitted_at, short.accepted, short.tries));
    }
}
