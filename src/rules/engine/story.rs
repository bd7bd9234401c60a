//! A message's life in a test: a sequence of events and the results.

use super::{Answer, AttemptReport, CallOff, Decision, Event, Ignored, Rule, Silence, Standing, advance, begin};
use crate::base::domain::{
    Channel, Fault, Marks, Outcome, Plan, Present, Span, State, Status, Step, StepIndex, Tallies, Timestamp,
};

/// When every story begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_000_000_000_000);

pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 3_600;
pub(super) const DAY: i64 = 86_400;

/// The time so many seconds after the start.
pub(super) fn at(secs: i64) -> Timestamp {
    START + Span::from_secs(secs)
}

/// The position of the step with this number, counted from one.
pub(super) fn step_at(number: u8) -> StepIndex {
    StepIndex::new(number - 1).unwrap()
}

pub(super) fn step(channel: Channel, fallback_after: Option<i64>) -> Step {
    Step { fallback_after: fallback_after.map(Span::from_secs), ..Step::of_text(channel, &channel.to_string(), "Hi") }
}

/// WhatsApp, after 15 minutes Viber, after 10 more SMS; neither TTL nor end.
pub(super) fn plan() -> Plan {
    Plan::of_steps(vec![
        step(Channel::WhatsApp, Some(15 * MINUTE)),
        step(Channel::Viber, Some(10 * MINUTE)),
        step(Channel::Sms, None),
    ])
}

/// The usual plan, with a change.
pub(super) fn plan_with(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan();
    change(&mut plan);
    plan
}

/// A receipt with a failure; a retry starts five seconds later.
pub(super) fn failed(fault: Fault, now: Timestamp) -> AttemptReport {
    AttemptReport::Failed { fault, again: now + Span::from_secs(5) }
}

#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) plan: Plan,
    pub(super) standing: Standing,
    pub(super) message: Present,
    pub(super) now: Timestamp,
    tallies: Tallies,
}

impl Story {
    pub(super) fn of(plan: Plan) -> Self {
        Self::passing_over(plan, Marks::default())
    }

    /// A message to which some steps of the plan do not apply.
    pub(super) fn passing_over(plan: Plan, marks: Marks) -> Self {
        Self::with(plan, marks, None)
    }

    /// A message with an expiry of its own, so many seconds after the start.
    pub(super) fn expiring(plan: Plan, secs: i64) -> Self {
        Self::with(plan, Marks::default(), Some(at(secs)))
    }

    pub(super) fn with(plan: Plan, marks: Marks, expires: Option<Timestamp>) -> Self {
        let message = begin(&plan, marks, START, expires);
        let mut tallies = Tallies::default();
        tallies.weigh(plan.steps.len(), &message, 1);
        Self { plan, standing: Standing::Live, message, now: START, tallies }
    }

    /// A message at the beginning of the usual plan.
    pub(super) fn usual() -> Self {
        Self::of(plan())
    }

    /// Sets the time to so many seconds after the start.
    pub(super) fn at(&mut self, secs: i64) -> &mut Self {
        self.now = at(secs);
        self
    }

    pub(super) fn decide(&self, event: Event) -> Decision {
        advance(&self.plan, self.standing, &self.message, event, self.now)
    }

    /// Applies an event. The counters follow, and must match the message.
    pub(super) fn event(&mut self, event: Event) -> Decision {
        let decision = self.decide(event);
        if let Some(next) = decision.next() {
            self.tallies.moved(self.plan.steps.len(), &self.message, next);
            self.message = *next;
        }
        let mut counted = Tallies::default();
        counted.weigh(self.plan.steps.len(), &self.message, 1);
        assert_eq!(self.tallies, counted, "the counters do not match the message: {:?}", self.message);
        decision
    }

    /// Applies an event that must change the message, and returns the rule.
    #[track_caller]
    pub(super) fn rule(&mut self, event: Event) -> Rule {
        match self.event(event) {
            Decision::Moved { rule, .. } => rule,
            Decision::Ignored(why) => panic!("{event:?} was ignored ({why:?}) by {:?}", self.message),
        }
    }

    /// Applies an event that must change nothing, and returns the reason.
    #[track_caller]
    pub(super) fn ignores(&mut self, event: Event) -> Ignored {
        match self.event(event) {
            Decision::Ignored(why) => why,
            Decision::Moved { next, rule } => panic!("{event:?} was not ignored: {rule:?}, {next:?}"),
        }
    }

    #[track_caller]
    pub(super) fn claim(&mut self) -> &mut Self {
        assert_eq!(self.rule(Event::Claimed), Rule::Claimed);
        self
    }

    /// The provider answers the submission of the present step.
    #[track_caller]
    pub(super) fn answer(&mut self, answer: Answer) -> Rule {
        self.rule(Event::Answered { step: self.message.step, answer })
    }

    /// The provider refuses the present step; a retry starts five seconds later.
    #[track_caller]
    pub(super) fn refuse(&mut self, fault: Fault) -> Rule {
        self.answer(Answer::Refused { fault, again: self.now + Span::from_secs(5) })
    }

    /// The present step is claimed and accepted.
    #[track_caller]
    pub(super) fn submit(&mut self) -> &mut Self {
        self.claim().answer(Answer::Accepted);
        self
    }

    /// Another message is accepted after this one was refused without a known code.
    #[track_caller]
    pub(super) fn refused_alone(&mut self) -> Rule {
        self.rule(Event::RefusedAlone { step: self.message.step })
    }

    /// The present step is refused twice without a known code, ten seconds apart from so many seconds on, while other
    /// messages are accepted.
    #[track_caller]
    pub(super) fn is_set_aside(&mut self, secs: i64) -> &mut Self {
        for secs in [secs, secs + 10] {
            self.at(secs).claim().answer(Answer::Unclear { again: at(secs + 8) });
            self.at(secs + 1).refused_alone();
        }
        assert!(self.message.is_set_aside());
        self
    }

    #[track_caller]
    pub(super) fn receive(&mut self, number: u8, status: Status) -> Rule {
        self.rule(Event::Receipt { step: step_at(number), report: AttemptReport::Reached(status) })
    }

    #[track_caller]
    pub(super) fn fail(&mut self, number: u8, fault: Fault) -> Rule {
        let report = failed(fault, self.now);
        self.rule(Event::Receipt { step: step_at(number), report })
    }

    #[track_caller]
    pub(super) fn due(&mut self, silence: Silence) -> Rule {
        self.rule(Event::Due { silence })
    }

    /// The due time has come, and no receipt was missed.
    #[track_caller]
    pub(super) fn time_is_up(&mut self) -> Rule {
        self.due(Silence::Trusted)
    }

    /// The batch is cancelled, and the sweep comes to this message.
    #[track_caller]
    pub(super) fn cancel(&mut self) -> Rule {
        self.standing = Standing::Cancelled;
        self.rule(Event::CalledOff(CallOff::Cancel))
    }

    #[track_caller]
    pub(super) fn opt_out(&mut self) -> Rule {
        self.rule(Event::CalledOff(CallOff::OptOut))
    }

    /// Every step from the present one to the one before `number` is submitted and falls back at its deadline, as early
    /// as possible.
    #[track_caller]
    pub(super) fn falls_back_to(&mut self, number: u8) -> &mut Self {
        while self.message.step < step_at(number) {
            self.submit();
            self.now = self.due_at().unwrap();
            self.time_is_up();
        }
        self
    }

    /// When the message's timer is due.
    pub(super) fn due_at(&self) -> Option<Timestamp> {
        self.message.timer()
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.message.outcome()
    }

    pub(super) fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    #[track_caller]
    pub(super) fn is_queued(&self, number: u8) -> bool {
        matches!(self.message.state, State::Queued { .. }) && self.message.step == step_at(number)
    }

    /// Whether the message waits for receipts until this time.
    #[track_caller]
    pub(super) fn awaits_until(&self, secs: i64) -> bool {
        self.message.state == State::Awaiting { due: at(secs) }
    }
}
