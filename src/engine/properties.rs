//! What holds in every life of a message: random plans, and anything that can happen to a message in any order, twice,
//! late and at once.

use proptest::prelude::*;

use super::story::{START, Story, at, plan, step};
use super::{Answer, CallOff, Decision, Event, Obstacle, Report, Rule, Silence, Standing};
use crate::domain::{
    AfterGap, Channel, Count, Ending, Fault, Marks, OnUnknown, Outcome, Plan, Present, SenderPart, SkipReason, Span,
    State, Status, Step, StepIndex, Timestamp,
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
            step
        },
    )
}

fn plans() -> impl Strategy<Value = Plan> {
    let on_unknown = proptest::sample::select(OnUnknown::ALL);
    let after_gap = proptest::sample::select(AfterGap::ALL);
    (prop::collection::vec(steps(), 1..=7), spans(), prop_oneof![2 => Just(None), 1 => spans()], on_unknown, after_gap)
        .prop_map(|(steps, ttl, end, on_unknown, after_gap)| Plan {
            steps,
            ttl,
            end: end.map(|span| START + span),
            on_unknown,
            after_gap,
            ..plan()
        })
}

/// For whom the steps are: mostly for everybody, now and then for nobody at all.
fn conditions() -> impl Strategy<Value = Marks> {
    let of_some = prop::collection::vec(any::<bool>(), 7).prop_map(|not_for_it| {
        let passed_over = StepIndex::all().zip(not_for_it).filter(|(_, is)| *is);
        passed_over.fold(Marks::default(), |marks, (step, _)| marks.with_passed_over(step))
    });
    prop_oneof![2 => Just(Marks::default()), 1 => of_some]
}

/// What happens next. Most of it concerns the present step, because that is where the arrows are.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Event {
        of: Option<StepIndex>,
        kind: Kind,
    },
    /// The batch is cancelled; the sweep comes to the message later, as an event.
    Cancel,
    /// Time passes until the row is due, and the timer comes.
    Due(Silence),
    /// The message goes on as messages do: it is claimed, answered, reported on.
    GoesOn {
        answer: Answer,
        report: Report,
    },
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Claimed,
    Answered(Answer),
    Receipt(Report),
    Due(Silence),
    TierSpent,
    PutOff(Timestamp),
    Doubted(Silence),
    RefusalRecalled,
    CalledOff(CallOff),
}

fn faults() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::Recipient),
        1 => Just(Fault::Sender(SenderPart::Lane)),
        1 => Just(Fault::Sender(SenderPart::Template)),
        1 => Just(Fault::Sender(SenderPart::Step)),
        1 => Just(Fault::Person),
        4 => Just(Fault::Passing),
    ]
}

/// Times in events are seconds from now on: see [`shifted`].
fn moments() -> impl Strategy<Value = Timestamp> {
    (0_i64..120).prop_map(|secs| Timestamp::from_millis(secs * 1_000))
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        8 => Just(Answer::Accepted),
        3 => (faults(), moments()).prop_map(|(fault, again)| Answer::Refused { fault, again }),
        1 => moments().prop_map(|again| Answer::Unavailable { again }),
        2 => Just(Answer::Unknown),
        1 => Just(Answer::NotBegun),
        1 => moments().prop_map(|at| Answer::Later { at }),
        1 => proptest::sample::select(&[Obstacle::CouldNotLeave, Obstacle::OutsideWindow, Obstacle::MissingVariable][..])
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

fn reports() -> impl Strategy<Value = Report> {
    let status = prop_oneof![
        2 => Just(Status::Accepted),
        4 => Just(Status::Sent),
        2 => Just(Status::Delivered),
        1 => Just(Status::Read),
    ];
    prop_oneof![
        status.prop_map(Report::Reached),
        (faults(), moments()).prop_map(|(fault, again)| Report::Failed { fault, again }),
    ]
}

fn happenings() -> impl Strategy<Value = Happening> {
    let kind = prop_oneof![
        4 => Just(Kind::Claimed),
        4 => answers().prop_map(Kind::Answered),
        8 => reports().prop_map(Kind::Receipt),
        3 => silences().prop_map(Kind::Due),
        1 => Just(Kind::TierSpent),
        1 => moments().prop_map(Kind::PutOff),
        2 => silences().prop_map(Kind::Doubted),
        2 => Just(Kind::RefusalRecalled),
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

/// A happening, and how many milliseconds after the last one. Several at once are usual.
fn lives() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    let pause = prop_oneof![6 => Just(0_i64), 6 => 0_i64..20_000, 1 => 0_i64..400_000];
    prop::collection::vec((pause, happenings()), 0..60)
}

/// Moves an event's own times behind `now`.
fn shifted(event: Event, now: Timestamp) -> Event {
    let later = |time: Timestamp| now + Span::from_millis(time.millis());
    match event {
        Event::Answered { step, answer: Answer::Refused { fault, again } } => {
            Event::Answered { step, answer: Answer::Refused { fault, again: later(again) } }
        }
        Event::Answered { step, answer: Answer::Unavailable { again } } => {
            Event::Answered { step, answer: Answer::Unavailable { again: later(again) } }
        }
        Event::Receipt { step, report: Report::Failed { fault, again } } => {
            Event::Receipt { step, report: Report::Failed { fault, again: later(again) } }
        }
        Event::Due { silence: Silence::Held { until } } => {
            Event::Due { silence: Silence::Held { until: later(until) } }
        }
        Event::Answered { step, answer: Answer::Later { at } } => {
            Event::Answered { step, answer: Answer::Later { at: later(at) } }
        }
        Event::PutOff { until } => Event::PutOff { until: later(until) },
        Event::Doubted { silence: Silence::Held { until }, tries } => {
            Event::Doubted { silence: Silence::Held { until: later(until) }, tries }
        }
        other => other,
    }
}

/// A life with somebody who watches it, and keeps own books.
struct Watched {
    story: Story,
    /// Whether each step may be handed over: once, and once more for each time that it came back.
    may_leave: [bool; 7],
    /// Nobody wants it to go on.
    called_off: bool,
    /// The steps that are not for it.
    at_first: Marks,
}

impl Watched {
    fn of(plan: Plan, marks: Marks) -> Self {
        let story = Story::passing_over(plan, marks);
        Self { may_leave: [true; 7], called_off: false, at_first: story.message.marks.at_first(), story }
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
                        Kind::PutOff(until) => Event::PutOff { until },
                        Kind::Doubted(silence) => Event::Doubted { silence, tries: 0 },
                        Kind::RefusalRecalled => Event::RefusalRecalled {
                            step: self.story.message.marks.preceding(step).unwrap_or(step),
                            tries: 0,
                        },
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
            self.books(&before, event, rule);
            self.order(&before, event, &next, rule);
            self.times(&before, event, rule);
            self.ends(&before, &next);
        }
        self.coherence();
        let twice = self.story.decide(event);
        assert!(matches!(twice, Decision::Ignored(_)), "{event:?} twice: {twice:?} from {:?}", self.story.message);
        decision
    }

    /// At most one hand-over of each step is under way, and nothing leaves that nobody wants any more.
    fn books(&mut self, before: &Present, event: Event, rule: Rule) {
        let step = before.step.index();
        match event {
            Event::Claimed => {
                assert!(!before.marks.passed_over(before.step), "step {} is not for it: {before:?}", before.step);
                assert!(self.may_leave[step], "step {} left twice: {before:?}", before.step);
                assert!(!self.called_off && self.story.standing == Standing::Live, "left after it was called off");
                assert!(!self.is_expired(before), "left after its time: {before:?}");
                let again = before.accepted.filter(|_| before.marks.failed(before.step));
                let ends = again.zip(self.story.plan.step(before.step).and_then(|step| step.ttl));
                assert!(
                    ends.is_none_or(|(first, ttl)| self.story.now < first + ttl),
                    "again after its TTL: {before:?}"
                );
                self.may_leave[step] = false;
            }
            Event::Answered { answer, .. } => {
                let came_back = match answer {
                    Answer::NotBegun | Answer::Later { .. } | Answer::Unavailable { .. } => true,
                    Answer::Refused { fault, .. } => matches!(fault, Fault::Passing | Fault::Sender(_)),
                    Answer::Unknown => rule == Rule::Resent && !before.marks.unknown(before.step),
                    Answer::Accepted | Answer::CannotLeave(_) => false,
                };
                self.may_leave[step] |= came_back;
            }
            Event::Receipt { step: of, report: Report::Failed { fault, .. } } => {
                let came_back = matches!(fault, Fault::Passing | Fault::Sender(_)) && of == before.step;
                self.may_leave[step] |= came_back;
                self.called_off |= fault == Fault::Person;
            }
            Event::RefusalRecalled { step, .. } => self.may_leave[step.index()] = true,
            Event::CalledOff(_) => self.called_off = true,
            Event::Receipt { report: Report::Reached(_), .. }
            | Event::Due { .. }
            | Event::TierSpent { .. }
            | Event::PutOff { .. }
            | Event::Doubted { .. } => {}
        }
    }

    fn is_expired(&self, message: &Present) -> bool {
        let plan = &self.story.plan;
        let ends = match message.first_left {
            Some(first) => plan.ttl.map(|ttl| first + ttl),
            None => plan.end,
        };
        ends.is_some_and(|at| at <= self.story.now)
    }

    /// Steps follow one another, and only for a reason.
    fn order(&self, before: &Present, event: Event, next: &Present, rule: Rule) {
        if next.step < before.step {
            let is_taken_back = matches!(rule, Rule::TakenBack | Rule::RefusalRecalled) && next.outcome().is_none();
            assert!(is_taken_back || (rule, next.outcome()) == (Rule::Recalled, Some(Outcome::Reached)));
            assert!(!before.marks.handed_over(before.step), "it has left: {before:?}");
        }
        if next.step > before.step {
            let following = before.marks.following(before.step, self.story.plan.steps.len());
            assert_eq!(following, Some(next.step), "a step was left out, or was not");
            assert!(matches!(rule, Rule::GaveWay(_)), "went on by {rule:?}");
        }
        let no_fault_of_the_persons = match event {
            Event::Answered { answer, .. } => match answer {
                Answer::NotBegun
                | Answer::Later { .. }
                | Answer::Unavailable { .. }
                | Answer::Unknown
                | Answer::Accepted => true,
                Answer::Refused { fault, .. } => matches!(fault, Fault::Passing | Fault::Sender(_)),
                Answer::CannotLeave(_) => false,
            },
            Event::Receipt { report: Report::Failed { fault, .. }, .. } => matches!(fault, Fault::Sender(_)),
            Event::Receipt { report: Report::Reached(_), .. }
            | Event::Claimed
            | Event::PutOff { .. }
            | Event::Doubted { .. }
            | Event::RefusalRecalled { .. }
            | Event::CalledOff(_) => true,
            Event::Due { .. } | Event::TierSpent { .. } => false,
        };
        assert!(next.step <= before.step || !no_fault_of_the_persons, "{event:?} brought the next step");
        if let (State::Sending { .. }, Event::Due { .. } | Event::CalledOff(_)) = (before.state, event) {
            assert_eq!(before.state, next.state, "only an answer or a receipt ends a hand-over");
        }
    }

    /// Deadlines are never early, and silence decides only while it is news.
    fn times(&self, before: &Present, event: Event, rule: Rule) {
        let Rule::GaveWay(Ending::Deadline) = rule else { return };
        let step = self.story.plan.step(before.step).unwrap();
        assert!(before.accepted.unwrap() + step.fallback_after.unwrap() <= self.story.now, "too early: {before:?}");
        let Event::Due { silence } = event else { panic!("a deadline by {event:?}") };
        assert!(match silence {
            Silence::Trusted | Silence::Filled => true,
            Silence::Held { until } => until <= self.story.now,
            Silence::Lost => self.story.plan.after_gap == AfterGap::FallBack,
        });
    }

    /// What has ended stays ended; only a late success changes how, and only for the better.
    fn ends(&self, before: &Present, next: &Present) {
        let Some(outcome) = before.outcome() else { return };
        let after = next.outcome().expect("what has ended goes on");
        if outcome != after {
            assert!(matches!(outcome, Outcome::Undelivered | Outcome::Silent | Outcome::Unknown | Outcome::Expired));
            assert!(after == Outcome::Reached && next.marks.late());
        }
    }

    /// What is true of every present.
    fn coherence(&self) {
        let Story { plan, message, .. } = &self.story;
        let Present { state, marks, .. } = message;
        assert_eq!(message.first_left.is_none(), marks.last_handed_over().is_none(), "{message:?}");
        assert!(message.step.index() < plan.steps.len());
        assert_eq!(marks.at_first(), self.at_first, "for whom a step is never changes: {message:?}");
        let is_for_nobody = self.at_first.passed_over(message.step);
        let skipped = State::Done { outcome: Outcome::Skipped, skipped: Some(SkipReason::NoStep), at: START };
        assert_eq!(is_for_nobody, *state == skipped, "{message:?}");
        assert!(!matches!(state, State::Queued { .. }) || !marks.cut(), "queued although cut: {message:?}");
        let met = |index| marks.status(index) >= plan.step(index).map(|step| step.success);
        let all_met = plan.places().filter(|(index, _)| met(*index)).count();
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
        let open: i64 = [Count::Queued, Count::Sending, Count::AwaitingOpen, Count::AwaitingLast]
            .into_iter()
            .map(|count| tallies.total(count))
            .sum();
        assert_eq!(open + tallies.done(), 1, "a message is in exactly one place");
        assert_eq!(tallies.is_settled(), message.outcome().is_some());
    }

    /// Time goes on, timers come, nodes claim and providers answer, one way or another.
    fn goes_on_until_done(&mut self, answers: &[Answer]) {
        for turn in 0..100 {
            match self.story.message.state {
                State::Done { .. } => return,
                State::Sending { .. } => {
                    let answer = answers.get(turn).copied().unwrap_or(Answer::Accepted);
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

/// Lives to try. `PROPTEST_CASES`, which `./check --long` sets, would otherwise not count beside a number given here.
fn config() -> ProptestConfig {
    let defaults = ProptestConfig::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { defaults.cases } else { 1_000 };
    ProptestConfig { cases, failure_persistence: None, ..defaults }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_the_invariants_hold(plan in plans(), marks in conditions(), life in lives()) {
        Watched::of(plan, marks).live(life);
    }

    #[test]
    fn whatever_happened_every_message_comes_to_an_end(
        plan in plans(),
        marks in conditions(),
        life in lives(),
        answers in prop::collection::vec(answers(), 0..40),
    ) {
        let mut watched = Watched::of(plan, marks);
        watched.live(life);
        watched.goes_on_until_done(&answers);
    }

    #[test]
    fn the_same_input_gives_the_same_decision(plan in plans(), marks in conditions(), life in lives()) {
        let (mut one, mut other) = (Watched::of(plan.clone(), marks), Watched::of(plan, marks));
        one.live(life.clone());
        other.live(life);
        prop_assert_eq!(one.story.message, other.story.message);
    }

    /// Waiting consumes nothing, for as long as the plan allows.
    #[test]
    fn a_message_that_nobody_claims_stays_where_it_is_until_its_time_is_up(plan in plans(), secs in 0_i64..10_000) {
        let mut story = Story::of(plan);
        story.now = at(secs);
        let due = story.decide(Event::Due { silence: Silence::Trusted });
        // The campaign's end stands in no row.
        let ends = story.due_at().into_iter().chain(story.plan.end).min();
        let time_is_up = ends.is_some_and(|at| at <= story.now);
        prop_assert_eq!(matches!(due, Decision::Moved { .. }), time_is_up);
    }

    /// A message lives as it would in a route of nothing but the steps that are for it.
    #[test]
    fn a_step_that_is_passed_over_might_as_well_not_be_there(
        plan in plans(),
        marks in conditions(),
        life in lives(),
    ) {
        let shorter = Plan {
            steps: plan.places().filter(|(index, _)| !marks.passed_over(*index)).map(|(_, step)| step.clone()).collect(),
            ..plan.clone()
        };
        prop_assume!(!shorter.steps.is_empty());
        let of_shorter: Vec<_> = plan.places().map(|(index, _)| index).filter(|index| !marks.passed_over(*index)).collect();
        // What speaks of a place in the whole route is another place in the shorter one, so only what speaks of the
        // present one is told to both.
        let tellable = |(_, happening): &(i64, Happening)| !matches!(happening, Happening::Event { of: Some(_), .. });
        let life: Vec<_> = life.into_iter().filter(tellable).collect();
        let (mut whole, mut short) = (Watched::of(plan, marks), Watched::of(shorter, Marks::default()));
        whole.live(life.clone());
        short.live(life);
        let (whole, short) = (whole.story.message, short.story.message);
        prop_assert_eq!(whole.state, short.state);
        prop_assert_eq!(whole.step, of_shorter[short.step.index()]);
        prop_assert_eq!((whole.first_left, whole.accepted, whole.tries), (short.first_left, short.accepted, short.tries));
    }
}
