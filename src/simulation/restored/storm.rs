//! Operators, programs and time do anything in any order before a backup, after it, and after its restore. A seed picks the
//! order. Nobody confirms anything.

use std::collections::BTreeMap;

use super::super::number_of;
use super::super::partition::Parted;
use super::super::small::{World, recipient};
use super::text_for;
use crate::base::domain::{BatchId, Channel, Country, Fields, MessageKey, Plan, Recipient, Span, State, Step};
use crate::campaigns::campaign::{CampaignDecision, Draft, HowToLaunch, Repeat};

/// `VOLLEY_RESTORES` sets another number.
const STORMS: u64 = 6;
/// Acts before the backup, after it, and after the restore.
const ACTS: [u32; 3] = [12, 12, 30];

struct Storm {
    parted: Parted,
    dice: fastrand::Rng,
    campaigns: Vec<BatchId>,
    /// Messages that programs have sent after the restore.
    joined: Vec<MessageKey>,
    _folder: tempfile::TempDir,
    /// The number of the next recipient: each gets one message of one campaign or program.
    next: u32,
}

impl Storm {
    async fn of(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let world = World::on_file(&folder, Some(Parted::practice(seed))).await;
        let dice = fastrand::Rng::with_seed(seed);
        Self { parted: Parted::new(world), dice, campaigns: Vec::new(), joined: Vec::new(), _folder: folder, next: 0 }
    }

    fn recipients(&mut self, how_many: u32) -> std::ops::Range<u32> {
        self.next += how_many;
        self.next - how_many..self.next
    }

    async fn launch(&mut self) {
        let recipients = self.recipients(3);
        let keys = match self.dice.u32(..3) {
            0 => "at = \"2027-01-15T08:05Z\"".to_owned(),
            _ => String::new(),
        };
        let how = if self.dice.bool() { HowToLaunch::DRAFT } else { HowToLaunch::default() };
        let draft = Draft::parse("promo.toml", &text_for(&format!("c{}", self.next), &keys, recipients)).unwrap();
        let launched = self.parted.world.launcher().launch_as(&draft, how, |_| None, async |_| Ok(())).await;
        // For a day after the restore it is refused.
        self.campaigns.extend(launched.ok().map(|(launched, _)| launched.batch));
    }

    async fn join(&mut self, is_restored: bool) {
        let recipients = self.recipients(2).map(|n| Recipient {
            address: Some(recipient(n).into()),
            country: "SG".parse::<Country>().unwrap(),
            client_message_id: None,
            fields: Fields::pack([""; 0]),
        });
        let plan = Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")]);
        let joined = self.parted.world.launcher().join(plan, recipients.collect()).await.unwrap();
        let keys = (joined.first..joined.first + joined.added).map(|n| MessageKey { batch: joined.batch, n });
        self.joined.extend(keys.filter(|_| is_restored));
    }

    async fn decide(&mut self) {
        let Some(batch) = (!self.campaigns.is_empty()).then(|| self.campaigns[self.dice.usize(..self.campaigns.len())])
        else {
            return;
        };
        let decisions = [CampaignDecision::Start, CampaignDecision::Resume, CampaignDecision::Resume];
        let more = [CampaignDecision::Pause, CampaignDecision::Cancel];
        let decision = if self.dice.u32(..4) > 0 {
            decisions[self.dice.usize(..decisions.len())]
        } else {
            more[self.dice.usize(..more.len())]
        };
        // A decision that the state does not allow is refused.
        let _ = self.parted.world.decide(batch, decision, false).await;
    }

    async fn act(&mut self, is_restored: bool) {
        match self.dice.u32(..10) {
            0 | 1 => self.launch().await,
            2 | 3 => self.join(is_restored).await,
            4..7 => self.decide().await,
            _ => {
                let seconds = [1, 10, 60, 150][self.dice.usize(..4)];
                self.parted.pass(Span::from_secs(seconds)).await;
            }
        }
        self.parted.world.node.keep_house().await.unwrap();
    }

    /// How often each recipient got a message on each channel, as the provider remembers it.
    fn sends(&self) -> BTreeMap<(Channel, Option<String>), u32> {
        let mut sends = BTreeMap::new();
        for message in self.parted.taken() {
            *sends.entry((message.steps[0].channel, message.msisdn)).or_default() += 1;
        }
        sends
    }
}

#[tokio::test]
async fn whatever_happens_around_a_restore_nothing_unconfirmed_is_sent_twice() {
    let (mut with_sends_after_the_backup, mut joined) = (0, 0);
    let storms = number_of("VOLLEY_RESTORES").unwrap_or(STORMS);
    for seed in 0..storms {
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("copy.db");
        let mut storm = Storm::of(seed).await;
        for _ in 0..ACTS[0] {
            storm.act(false).await;
        }
        storm.parted.world.store.back_up(&backup).await.unwrap();
        let (at_backup, known) = (storm.sends().len(), storm.campaigns.len());
        for _ in 0..ACTS[1] {
            storm.act(false).await;
        }
        with_sends_after_the_backup += u64::from(storm.sends().len() > at_backup);
        storm.campaigns.truncate(known);
        storm.parted.world.restore(&backup).await;
        for _ in 0..ACTS[2] {
            storm.act(true).await;
            for (to, times) in storm.sends() {
                assert_eq!(times, 1, "seed {seed}: {to:?}");
            }
            for key in &storm.joined {
                // No receipt of the lost server is about it.
                let world = &storm.parted.world;
                let is_unsent =
                    matches!(world.store.load(vec![*key]).await.unwrap()[0].present.state, State::Queued { .. });
                let receipts = world.store.receipts(*key).await.unwrap();
                assert!(!is_unsent || receipts.is_empty(), "seed {seed}: {key:?}: {receipts:?}");
            }
        }
        for batch in storm.campaigns.clone() {
            if let Some(batch) = storm.parted.world.store.batch(batch).await.unwrap()
                && batch.restored_from.is_some()
            {
                let again = storm.parted.world.launcher().repeat(&batch, &Repeat::default()).await;
                assert!(again.is_err(), "seed {seed}: {batch:?}");
            }
        }
        joined += storm.joined.len() as u64;
    }
    assert!(with_sends_after_the_backup > storms / 2, "{with_sends_after_the_backup}");
    assert!(joined > storms, "{joined}");
}
