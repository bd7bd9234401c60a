//! After a restore, nothing that was sent after the backup is sent again before an operator confirms it.
//!
//! The provider remembers every message, also those of the database that was lost.

mod storm;

use std::collections::BTreeMap;
use std::ops::Range;

use super::small::{World, numbers};
use crate::base::clock::Clock;
use crate::base::domain::{BatchId, BatchState, Span, Timestamp};
use crate::campaigns::campaign::{CampaignDecision, DecisionError, Draft, HowToLaunch, LaunchError, Launched, Repeat};

const RECIPIENTS: u32 = 3;
/// The code of a temporary failure.
const TEMPORARY: u32 = 40;
/// Less than the time in which a late receipt counts.
const HOURS: u32 = 5;
const DAY: u32 = 24;

/// A campaign at the time of the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The database does not know it: it is a file, or in the memory of a client.
    Unknown,
    /// An operator writes it on the pages.
    Written,
    Draft,
    Scheduled,
    /// Nothing is sent yet.
    Running,
    /// Its first step is sent, and may fall back.
    Awaiting,
    Paused,
    /// Only receipts of its last step are missing.
    Finished,
}

/// What became of it after the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Launched,
    Started,
    /// It went on by itself.
    SentOn,
    Resumed,
    Cancelled,
}

const TABLE: &[(Before, After)] = &[
    (Before::Unknown, After::Launched),
    (Before::Written, After::Launched),
    (Before::Draft, After::Started),
    (Before::Draft, After::Cancelled),
    (Before::Scheduled, After::SentOn),
    (Before::Scheduled, After::Cancelled),
    (Before::Running, After::SentOn),
    (Before::Running, After::Cancelled),
    (Before::Awaiting, After::SentOn),
    (Before::Awaiting, After::Cancelled),
    (Before::Paused, After::Resumed),
    (Before::Paused, After::Cancelled),
    (Before::Finished, After::SentOn),
    (Before::Finished, After::Cancelled),
];

fn text_for(name: &str, keys: &str, recipients: Range<u32>) -> String {
    format!(
        "name = \"{name}\"\n{keys}\n{}\n[[step]]\nchannel = \"Viber\"\nfallback_after = \"2m\"\ntext = \"Hello\"\n\
         [[step]]\nchannel = \"SMS\"\ntext = \"Hello\"\n",
        numbers(recipients)
    )
}

impl World {
    /// How often each recipient got each step.
    fn sends(&self) -> BTreeMap<(&'static str, u32), u32> {
        let mut sends = BTreeMap::new();
        let viber = self.provider.taken.lock().iter().map(|(_, key)| ("viber", key.n)).collect::<Vec<_>>();
        let sms = self.provider.sms.lock().iter().map(|key| ("sms", key.n)).collect::<Vec<_>>();
        viber.into_iter().chain(sms).for_each(|send| *sends.entry(send).or_default() += 1);
        sends
    }

    async fn launch_promo(&self, how: HowToLaunch, keys: &str) -> Result<Launched, LaunchError> {
        let draft = Draft::parse("promo.toml", &text_for("promo", keys, 0..RECIPIENTS)).unwrap();
        self.launcher().launch_as(&draft, how, |_| None, async |_| Ok(())).await.map(|(launched, _)| launched)
    }

    /// Brings the campaign into its state at the backup.
    async fn prepare(&mut self, before: Before) -> Option<Launched> {
        let keys = if before == Before::Scheduled { "at = \"2027-01-15T09:00Z\"" } else { "" };
        let how = if before == Before::Draft { HowToLaunch::DRAFT } else { HowToLaunch::default() };
        if matches!(before, Before::Unknown | Before::Written) {
            return None;
        }
        let launched = self.launch_promo(how, keys).await.unwrap();
        match before {
            Before::Paused => self.moves(&launched, BatchState::Running, BatchState::Paused).await,
            Before::Awaiting | Before::Finished => self.send().await,
            _ => {}
        }
        if before == Before::Finished {
            for n in 0..RECIPIENTS {
                self.receipt(&launched, n, "undelivered").await;
            }
            self.send().await;
            self.node.keep_house().await.unwrap();
        }
        Some(launched)
    }

    /// Lets happen after the backup what the table says.
    async fn go_on(&mut self, before: Before, after: After, launched: Option<&Launched>) {
        match (after, launched) {
            (After::Launched, _) => drop(self.launch_promo(HowToLaunch::default(), "").await.unwrap()),
            (After::Started, Some(of)) => drop(self.decide(of.batch, CampaignDecision::Start, false).await.unwrap()),
            (After::Resumed, Some(of)) => drop(self.decide(of.batch, CampaignDecision::Resume, false).await.unwrap()),
            (After::Cancelled, Some(of)) => drop(self.decide(of.batch, CampaignDecision::Cancel, false).await.unwrap()),
            (After::SentOn, Some(of)) if before == Before::Finished => self.fail_temporarily(of).await,
            (After::SentOn, _) => {}
            (after, None) => panic!("{after:?} needs a campaign"),
        }
        self.hours_pass(HOURS).await;
    }

    /// The provider reports that the last step failed temporarily, so it is sent again.
    async fn fail_temporarily(&mut self, launched: &Launched) {
        for n in 0..RECIPIENTS {
            self.receipt_for(launched, n, "undelivered", TEMPORARY).await;
        }
    }

    /// Whatever a server does by itself in these hours: it starts, sends, falls back, and ends campaigns.
    async fn hours_pass(&mut self, hours: u32) {
        for _ in 0..2 * hours {
            self.node.keep_house().await.unwrap();
            self.node.watch().await;
            self.node.fire().await.unwrap();
            self.send().await;
            self.clock.advance(Span::from_secs(1_800));
            self.node.watch().await;
        }
    }

    async fn state_now(&self, batch: BatchId) -> BatchState {
        self.store.batch(batch).await.unwrap().unwrap().state
    }
}

/// A campaign that was stored before the restore is asked about at any time.
fn how(before: Before, written_at: Timestamp, confirms_restored: bool) -> HowToLaunch {
    let written_at = (before == Before::Written).then_some(written_at);
    HowToLaunch { is_draft: false, confirms_restored, written_at }
}

#[tokio::test]
async fn nothing_is_sent_again_after_a_restore_without_a_confirmation() {
    for (before, after) in TABLE.iter().copied() {
        let case = format!("{before:?}, then {after:?}");
        let folder = tempfile::tempdir().unwrap();
        let backup = folder.path().join("copy.db");
        let mut world = World::on_file(&folder, None).await;
        let written_at = world.clock.now();
        let launched = world.prepare(before).await;
        world.store.back_up(&backup).await.unwrap();
        let at_backup = world.sends();
        world.go_on(before, after, launched.as_ref()).await;
        let sent = world.sends();
        assert_eq!(sent != at_backup, after != After::Cancelled, "{case}: {at_backup:?}, {sent:?}");

        world.restore(&backup).await;
        if let Some(launched) = &launched {
            if before == Before::Finished {
                // The receipt comes again, as an answer of the provider or its repeat.
                world.fail_temporarily(launched).await;
            }
            for decision in [CampaignDecision::Start, CampaignDecision::Resume] {
                let refused = world.decide(launched.batch, decision, false).await.map(|done| done.state);
                let fits = matches!(
                    (&refused, before, decision),
                    (Err(DecisionError::Refused { .. }), _, _)
                        | (Err(DecisionError::Restored { .. }), Before::Draft, CampaignDecision::Start)
                        | (Err(DecisionError::Restored { .. }), _, CampaignDecision::Resume)
                );
                assert!(fits, "{case}: {decision:?}: {refused:?}");
            }
            let again = world.repeat(launched, &Repeat::default()).await;
            assert!(matches!(again, Err(LaunchError::Restored { .. })), "{case}: {again:?}");
        }
        let again = world.launch_promo(how(before, written_at, false), "").await;
        assert!(matches!(again, Err(LaunchError::Restored { .. })), "{case}: {again:?}");
        world.hours_pass(HOURS).await;
        if before == Before::Written {
            let again = world.launch_promo(how(before, written_at, false), "").await;
            assert!(matches!(again, Err(LaunchError::Restored { .. })), "{case}: {again:?}");
        }
        assert_eq!(world.sends(), sent, "{case}");

        // With a confirmation it is sent, to those who got it too.
        match (&launched, before) {
            (None, _) => drop(world.launch_promo(how(before, written_at, true), "").await.unwrap()),
            (Some(launched), Before::Draft) => {
                drop(world.decide(launched.batch, CampaignDecision::Start, true).await.unwrap());
            }
            (Some(launched), _) => drop(world.decide(launched.batch, CampaignDecision::Resume, true).await.unwrap()),
        }
        world.hours_pass(HOURS).await;
        // A deadline that passed while no server took receipts waits for the answer of the provider.
        let sends_more = before != Before::Awaiting;
        assert_eq!(world.sends().values().sum::<u32>() > sent.values().sum::<u32>(), sends_more, "{case}");
        if let Some(launched) = &launched {
            // The confirmation counts for all that follows.
            assert_eq!(world.store.batch(launched.batch).await.unwrap().unwrap().restored_from, None, "{case}");
        }
    }
}

#[tokio::test]
async fn a_restored_campaign_that_is_cancelled_is_repeated_only_with_a_confirmation() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("copy.db");
    let mut world = World::on_file(&folder, None).await;
    let launched = world.prepare(Before::Running).await.unwrap();
    world.store.back_up(&backup).await.unwrap();
    world.send().await;
    world.restore(&backup).await;
    world.decide(launched.batch, CampaignDecision::Cancel, false).await.unwrap();
    world.hours_pass(2 * DAY).await;
    assert_eq!(world.state_now(launched.batch).await, BatchState::Cancelled);
    // Its messages were never sent, as far as this database knows.
    let again = Repeat { outcomes: Some([crate::base::domain::Outcome::Cancelled].into()), ..Repeat::default() };
    assert!(matches!(world.repeat(&launched, &again).await, Err(LaunchError::Restored { .. })));
    let confirmed = Repeat { confirms_restored: true, ..again };
    assert_eq!(world.repeat(&launched, &confirmed).await.unwrap().messages, RECIPIENTS);
}

#[tokio::test]
async fn two_days_after_a_restore_a_new_campaign_needs_no_confirmation() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("copy.db");
    let mut world = World::on_file(&folder, None).await;
    world.store.back_up(&backup).await.unwrap();
    world.restore(&backup).await;
    assert!(world.launch_promo(HowToLaunch::default(), "").await.is_err());
    world.clock.advance(Span::from_secs(i64::from(2 * DAY * 3_600)));
    world.launch_promo(HowToLaunch::default(), "").await.unwrap();
}
