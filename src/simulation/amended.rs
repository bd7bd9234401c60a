//! Changes after the launch of a campaign: its end, its hours, its limits.

use serde_json::{Value, json};

use super::small::World;
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Outcome, Span, State, StepIndex};
use crate::campaigns::campaign::{Amend, Amended, LaunchError, Launched};
use crate::campaigns::story::audit;

/// It is 16:00 in Singapore, where all recipients live. Nothing is sent before 20:00.
const QUIET: &str = "time_zone = \"Asia/Singapore\"\nquiet_hours = \"15:00-20:00\"\n";

const fn hours(hours: i64) -> Span {
    Span::from_secs(hours * 3_600)
}

impl World {
    pub(super) async fn amend(
        &self,
        launched: &Launched,
        step: Option<u8>,
        keys: Value,
    ) -> Result<Amended, LaunchError> {
        let Value::Object(keys) = keys else { panic!("keys and values") };
        let batch = self.store.batch(launched.batch).await.unwrap().unwrap();
        let amend = Amend { step: step.and_then(StepIndex::new), keys, edition: None };
        self.complete(self.launcher().amend(&batch, &amend)).await
    }

    async fn change(&self, launched: &Launched, keys: Value) -> u64 {
        match self.amend(launched, None, keys).await.unwrap() {
            Amended::Holds { brought_forward, .. } => brought_forward,
            other => panic!("{other:?}"),
        }
    }

    async fn refusal(&self, launched: &Launched, step: Option<u8>, keys: Value) -> String {
        self.amend(launched, step, keys).await.unwrap_err().to_string()
    }

    async fn outcomes(&self, launched: &Launched, recipients: u32) -> Vec<Option<Outcome>> {
        let mut outcomes = Vec::new();
        for n in 0..recipients {
            outcomes.push(self.message(launched, n).await.outcome());
        }
        outcomes
    }

    /// Starts a campaign whose time has come.
    async fn start_due(&mut self) {
        self.node.keep_house().await.unwrap();
        self.node.watch().await;
    }

    async fn check_audit(&self, launched: &Launched) {
        let audit = audit(self.store.as_ref(), launched.batch, |_, _| {}).await.unwrap().unwrap();
        assert!(audit.proven, "{:?}", audit.claims);
    }
}

#[tokio::test]
async fn an_earlier_end_applies_at_once_and_unsent_messages_expire() {
    let mut world = World::begin().await;
    let launched = world.launch(3, &format!("{QUIET}end = \"2027-01-15T23:00\"\n")).await;
    world.change(&launched, json!({ "end": "2027-01-15T20:00:01" })).await;
    world.clock.advance(hours(4));
    world.clock.advance(Span::from_secs(1));
    world.start_due().await;
    world.send().await;
    assert_eq!(world.sent_count(), 0, "sending opened at 20:00, and the end was a second later");
    world.node.keep_house().await.unwrap();
    assert_eq!(world.outcomes(&launched, 3).await, [Some(Outcome::Expired); 3]);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn a_later_end_sends_messages_that_would_have_expired() {
    let mut world = World::begin().await;
    let quiet = "time_zone = \"Asia/Singapore\"\nquiet_hours = \"16:10-20:00\"\n";
    let launched = world.launch(3, &format!("{quiet}end = \"2027-01-15T20:00\"\nmax_messages = 1\n")).await;
    world.send().await;
    assert_eq!(world.sent_count(), 1);
    world.change(&launched, json!({ "end": "2027-01-15T23:00", "max_messages": 2 })).await;
    // With the former end one message would have expired. The message that was sent before counts against the new
    // limit.
    world.clock.advance(hours(4));
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.node.keep_house().await.unwrap();
    world.send().await;
    assert_eq!(world.sent_count(), 2);
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.clock.advance(hours(3));
    world.node.keep_house().await.unwrap();
    let outcomes = world.outcomes(&launched, 3).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Some(Outcome::Expired)).count(), 1);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn a_running_campaign_may_get_an_end_before_its_hours_reopen() {
    let mut world = World::begin().await;
    let quiet = "time_zone = \"Asia/Singapore\"\nquiet_hours = \"16:10-20:00\"\nmax_messages = 1\n";
    let launched = world.launch(3, quiet).await;
    world.send().await;
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.clock.advance(hours(1));
    world.change(&launched, json!({ "end": "2027-01-15T18:00" })).await;
    world.change(&launched, json!({ "max_messages": 5 })).await;
    world.clock.advance(hours(2));
    world.start_due().await;
    world.start_due().await;
    let outcomes = world.outcomes(&launched, 3).await;
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == Some(Outcome::Expired)).count(), 2);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn changed_hours_send_messages_that_waited_for_the_next_opening() {
    let mut world = World::begin().await;
    let text = "numbers = [\"+6591000001\", \"+6591000002\", \"+6591000003\"]\nsend_window = \"09:00-15:00\"\n\
        [[step]]\nchannel = \"Viber\"\ntext = \"Hello\"\nleave_within = \"1h\"\n";
    let launched = world.launch_of(text).await;
    assert_eq!(launched.state, BatchState::Scheduled, "it starts tomorrow");
    assert_eq!(world.change(&launched, json!({ "send_window": "09:00-18:00", "holidays": ["2027-01-18"] })).await, 3);
    // A message that was to begin tomorrow has an hour from now to be sent.
    let State::Queued { gives_up, .. } = world.message(&launched, 0).await.state else { panic!("it waits") };
    assert!(gives_up.unwrap().since(world.clock.now()) <= hours(1));
    world.start_due().await;
    world.send().await;
    assert_eq!(world.sent_count(), 3);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn removed_quiet_hours_send_messages_that_a_claim_put_off() {
    let mut world = World::begin().await;
    let launched = world.launch(3, "quiet_hours = \"16:10-20:00\"\n").await;
    world.clock.advance(Span::from_secs(11 * 60));
    world.send().await;
    assert_eq!(world.sent_count(), 0);
    assert_eq!(world.change(&launched, json!({ "quiet_hours": "none" })).await, 3);
    world.send().await;
    assert_eq!(world.sent_count(), 3);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn narrower_hours_delay_messages_that_are_already_claimed() {
    let mut world = World::begin().await;
    let launched = world.launch(3, "").await;
    world.node.watch().await;
    world.node.claim(0, true).await.unwrap();
    // The lane has already claimed them.
    assert_eq!(world.change(&launched, json!({ "quiet_hours": ["15:00-17:00", "22:00-08:00"] })).await, 0);
    world.send().await;
    assert_eq!(world.sent_count(), 0);
    world.clock.advance(hours(1));
    world.send().await;
    assert_eq!(world.sent_count(), 3);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn messages_spread_over_a_time_keep_their_times_when_hours_change() {
    let mut world = World::begin().await;
    let launched = world.launch(4, &format!("{QUIET}over = \"4h\"\n")).await;
    assert_eq!(world.change(&launched, json!({ "quiet_hours": "none" })).await, 0);
    world.start_due().await;
    world.send().await;
    assert_eq!(world.sent_count(), 0);
    world.clock.advance(hours(4));
    world.start_due().await;
    world.send().await;
    assert_eq!(world.sent_count(), 1, "from 20:00 on, one in each hour");
}

#[tokio::test]
async fn changed_limits_count_messages_that_were_sent_before() {
    let mut world = World::begin().await;
    let launched = world.launch(5, "max_messages = 2\n").await;
    world.send().await;
    assert_eq!(world.sent_count(), 2);
    world.change(&launched, json!({ "max_messages": 3 })).await;
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.send().await;
    assert_eq!(world.sent_count(), 3);
    world.change(&launched, json!({ "max_messages": "none" })).await;
    world.moves(&launched, BatchState::Paused, BatchState::Running).await;
    world.send().await;
    assert_eq!(world.sent_count(), 5);
    world.check_audit(&launched).await;
}

#[tokio::test]
async fn an_invalid_change_is_refused_and_an_equal_value_changes_nothing() {
    let world = World::begin().await;
    let launched = world.launch(2, QUIET).await;
    for (step, keys, sentence) in [
        (None, json!({ "end": "2027-01-15T15:00" }), "end: \"2027-01-15T15:00\" is not after now"),
        (None, json!({ "end": "2027-01-15T18:00" }), "leaves no time to send anything"),
        (None, json!({ "end": "soon" }), "end: \"soon\" is not a time"),
        (None, json!({ "ende": "soon" }), "ende: cannot be changed after the launch; did you mean \"end\"?"),
        (None, json!({ "quiet_hours": "08:00-08:00" }), "starts and ends at the same time"),
        (None, json!({ "quiet_hours": ["00:00-12:00", "12:00-24:00"] }), "leaves no time to send anything"),
        (None, json!({ "budget": "5" }), "it was launched without a price list"),
        (None, json!({ "max_messages": 0 }), "invalid number of messages \"0\"; use 1 or more"),
        (None, json!({ "pause_when": "it rains" }), "is not a rule"),
        (
            Some(0),
            json!({ "end": "2027-01-15T23:00" }),
            "step 1, end: applies to the whole campaign; leave out the step, or use one of",
        ),
        (Some(5), json!({ "max_messages": 3 }), "step 6, step: it has no step 6, only 2 steps"),
    ] {
        let error = world.refusal(&launched, step, keys.clone()).await;
        assert!(error.contains(sentence), "{keys}: {error}");
    }
    let same = world.amend(&launched, None, json!({ "quiet_hours": "15:00-20:00", "end": null })).await.unwrap();
    assert!(matches!(same, Amended::AsItWas { .. }));
    assert_eq!(world.store.batch(launched.batch).await.unwrap().unwrap().edition, 0);
    // After its end, or after a cancel, there is nothing left to change.
    world.change(&launched, json!({ "end": "2027-01-15T21:00" })).await;
    world.clock.advance(hours(5));
    let later = world.amend(&launched, None, json!({ "end": "2027-01-15T23:00" })).await.unwrap();
    assert!(matches!(later, Amended::Ended(_)));
    let now = world.clock.now();
    let from = vec![BatchState::Scheduled, BatchState::Running];
    world.store.move_batch(launched.batch, from, BatchState::Cancelling, None, now).await.unwrap();
    let later = world.amend(&launched, None, json!({ "max_messages": 3 })).await.unwrap();
    assert!(matches!(later, Amended::Over(BatchState::Cancelling)));
}
