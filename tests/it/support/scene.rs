//! One message on a clock that is moved by hand, taken through its life step by step, and its story.

use volley::base::clock::Clock;
use volley::base::domain::{AttemptId, Channel, MessageKey, OptOutSource, Present, Span, State, StepIndex};
use volley::base::events::Origin;
use volley::campaigns::campaign::Launched;
use volley::store::{Hold, OptOut};

use super::by_hand::{ByHand, is_awaiting};

pub(crate) const VIBER: &str =
    "[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\nreceipt_window = \"12h\"\ntext = \"Hello\"\n";
pub(crate) const SMS: &str = "[[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n";

pub(crate) const fn is_queued(present: &Present) -> bool {
    matches!(present.state, State::Queued { .. })
}

pub(crate) const fn is_sending(present: &Present) -> bool {
    matches!(present.state, State::Sending { .. })
}

pub(crate) fn is_done(present: &Present) -> bool {
    present.outcome().is_some()
}

pub(crate) struct Scene {
    pub(crate) world: ByHand,
    pub(crate) launched: Launched,
    pub(crate) key: MessageKey,
}

impl Scene {
    pub(crate) async fn of(world: ByHand, head: &str) -> Self {
        Self::on(world, &format!("{head}\n{VIBER}{SMS}")).await
    }

    pub(crate) async fn on(world: ByHand, campaign: &str) -> Self {
        let text = format!("numbers = [\"+6591000001\"]\n{campaign}");
        let launched = world.launch(&text).await;
        let key = MessageKey { batch: launched.batch, n: 0 };
        Self { world, launched, key }
    }

    pub(crate) async fn new() -> Self {
        Self::of(ByHand::start("").await, "").await
    }

    /// Submitted on its first step.
    pub(crate) async fn accepted() -> Self {
        let scene = Self::new().await;
        scene.until("handed over", is_awaiting).await;
        scene
    }

    /// Its second step is queued and held.
    pub(crate) async fn fallen_back() -> Self {
        let scene = Self::new().await;
        scene.falls_back().await;
        scene
    }

    pub(crate) async fn falls_back(&self) {
        self.until("handed over", is_awaiting).await;
        self.hold("sms").await;
        self.pass(Span::from_secs(15 * 60)).await;
        self.until("fallen back", |present| is_queued(present) && present.step > StepIndex::FIRST).await;
    }

    pub(crate) async fn until(&self, what: &str, is: impl Fn(&Present) -> bool) -> Present {
        self.world.until(self.key, what, is).await
    }

    pub(crate) async fn pass(&self, span: Span) {
        self.world.advance_to(self.world.clock.now() + span).await;
    }

    pub(crate) async fn cancel(&self) {
        self.world.cancel(&self.launched).await;
    }

    pub(crate) async fn hold(&self, lane: &str) {
        self.hold_template(lane, "").await;
    }

    pub(crate) async fn hold_template(&self, lane: &str, template: &str) {
        let (lane, template, since) = (lane.to_owned(), template.to_owned(), self.world.clock.now());
        let hold = Hold::by_operator(&lane, &template, Origin::operator("ann", None), since);
        self.world.store.hold(hold, since).await.unwrap();
        self.pass(Span::from_secs(3)).await;
    }

    pub(crate) async fn release(&self, lane: &str) {
        self.release_template(lane, "").await;
    }

    pub(crate) async fn release_template(&self, lane: &str, template: &str) {
        let (now, by) = (self.world.clock.now(), Origin::operator("ann", None));
        self.world.store.release(lane.to_owned(), template.to_owned(), now, by).await.unwrap();
    }

    pub(crate) async fn opts_out(&self) {
        let (address, since) = (self.world.message(self.key).await.address, self.world.clock.now());
        let wish = OptOut {
            address: address.number().unwrap().into(),
            of: volley::base::domain::WishSubject::EVERYTHING,
            since,
            from: OptOutSource::Operator,
            source: "STOP".to_owned(),
        };
        self.world.store.opt_out(vec![wish]).await.unwrap();
    }

    pub(crate) async fn post_receipt(&self, state: &str, code: Option<i64>) {
        let place = (self.key, 0);
        self.world.post_receipt(&self.launched, place, Channel::Viber, state, code).await.unwrap();
    }

    /// A receipt of any step.
    pub(crate) async fn post_receipt_of(&self, step: u8, channel: Channel, state: &str, code: Option<i64>) {
        self.world.post_receipt(&self.launched, (self.key, step), channel, state, code).await.unwrap();
    }

    /// The provider's id of the first attempt, which this provider makes from ours.
    pub(crate) fn umid(&self) -> String {
        AttemptId { key: self.key, step: StepIndex::FIRST, tag: self.launched.id.tag }.to_string()
    }

    /// The provider has been asked about the first attempt.
    pub(crate) async fn asked(&self) {
        self.world
            .when("asked", async || {
                let questions = self.world.store.questions(vec![(self.key, StepIndex::FIRST)]).await.unwrap();
                if questions.iter().any(|question| question.asked.is_some()) {
                    Ok(())
                } else {
                    Err("not yet".to_owned())
                }
            })
            .await;
    }

    pub(crate) async fn closes(&self) {
        self.pass(Span::from_secs(12 * 3_600)).await;
        self.until("closed", is_done).await;
    }

    /// The audit holds, the story has all of these in this order, and nothing that did not happen.
    pub(crate) async fn assert_story(&self, parts: &[&str]) {
        let story = self.world.story(&self.launched, self.key).await;
        assert!(story.proven, "{story:#?}");
        let mut lines = story.lines.iter();
        for part in parts {
            assert!(lines.any(|line| line.text.contains(part)), "{part:?} is missing in {story:#?}");
        }
        assert!(
            story
                .lines
                .iter()
                .all(|line| !line.text.contains("Fell back to step 2") || parts.contains(&"Fell back to step 2"))
        );
        assert!(story.lines.is_sorted_by_key(|line| line.at), "{story:#?}");
    }

    pub(crate) async fn stop(self) {
        self.world.stop().await;
    }
}
