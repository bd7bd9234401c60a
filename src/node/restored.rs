//! A restored backup: its first server pauses every campaign, because it does not know what was sent since the copy.

use crate::base::config::Config;
use crate::base::domain::{BatchState, Tier, Timestamp};
use crate::base::events::{Event, EventKind, Origin, Subject};
use crate::campaigns::campaign::restored_from;
use crate::sending::throttle::with_overrides;
use crate::store::{Restore, Result, Store, UnknownSlots};

/// Confirmations that are forgotten at once.
const PAGE: u32 = 1_000;

/// Pauses the campaigns of a copy, once, and marks everything that is not over. Returns when the copy was made, and how many
/// were paused; `None` if the database is no copy.
///
/// A crash on the way repeats it: the copy counts as accepted only at the end.
pub(super) async fn pause_all(store: &dyn Store, config: &Config, now: Timestamp) -> Result<Option<(Timestamp, u64)>> {
    let Some(copied_at) = store.copied_at().await? else { return Ok(None) };
    // First, so that none of them is resumed without a confirmation meanwhile.
    store.mark_restored(Restore { copied_at, accepted_at: now }).await?;
    let why = restored_from(copied_at);
    let from = vec![BatchState::Scheduled, BatchState::Running];
    let mut paused = 0;
    for batch in store.batches(Some(from.clone())).await? {
        let origin = Origin::rule(why.as_str());
        let moved = store.move_batch(batch.id, from.clone(), BatchState::Paused, Some(origin), now).await?;
        paused += u64::from(moved.is_some());
    }
    // They may have been sent as well.
    loop {
        let due: Vec<_> = store.due_confirmations(PAGE).await?.into_iter().map(|(position, _)| position).collect();
        if due.is_empty() {
            break;
        }
        store.forget_confirmations(due).await?;
    }
    fill_tiers(store, config, copied_at, now).await?;
    let kind = EventKind::BackupRestored { copied_at, paused_count: paused };
    store.record_event(Event::by_server(now, Subject::Server, kind)).await?;
    store.accept_copy().await?;
    Ok(Some((copied_at, paused)))
}

/// Counts the tier of each limited portfolio as full, for a day. The lost server may have written to as many recipients as
/// it allows: also to those that the backup knows, whose slots end earlier. What an operator has said since the restore stays.
async fn fill_tiers(store: &dyn Store, config: &Config, copied_at: Timestamp, now: Timestamp) -> Result<()> {
    let config = with_overrides(config, &store.overrides().await?);
    let known = store.unknown_slots(now - Tier::HELD).await?;
    for (portfolio, tier) in config.portfolios() {
        let Tier::Recipients(most) = tier else { continue };
        if known.get(portfolio).is_some_and(|slots| slots.is_told && slots.at >= copied_at) {
            continue;
        }
        let slots = UnknownSlots { recipients: most, at: now, is_told: false };
        store.note_unknown_slots(portfolio, slots, Origin::SERVER, now).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::clock::{Clock, ManualClock};
    use crate::base::domain::{Channel, Plan, Step, Tag};
    use crate::campaigns::campaign::{LaneDecision, carry_out_on_lane};
    use crate::store::{self, Cursor, KnownAs, NewAudience, NewBatch};

    fn config() -> Config {
        let text = "[provider]\nsub_account = \"acme\"\n[[lane]]\nname = \"wa\"\nchannel = \"WhatsApp\"\nportfolio = \"acme\"\n";
        let none = std::iter::empty::<(&str, String)>();
        Config::read(Some((std::path::Path::new("volley.toml"), text)), std::iter::empty(), none).unwrap().config
    }

    async fn open(path: &std::path::Path, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
        let clock = Arc::clone(clock) as Arc<dyn Clock>;
        store::open(&format!("sqlite://{}", path.display()), clock).await.unwrap()
    }

    async fn launch(store: &dyn Store, tag: u64, state: BatchState, now: Timestamp) -> crate::base::domain::BatchId {
        let (known_as, source) = (KnownAs::Nothing, "recipients.csv".to_owned());
        let audience = NewAudience { known_as, source, columns: Vec::new(), now };
        let audience = store.begin_audience(audience).await.unwrap();
        store.publish_audience(audience, 0, "{}".to_owned()).await.unwrap();
        let new = NewBatch {
            tag: Tag::from_random(tag),
            plan: Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]),
            name: None,
            audience: "recipients".to_owned(),
            audience_ids: vec![audience],
            starts_at: None,
            open_until: None,
            now,
        };
        let batch = store.begin_batch(new).await.unwrap();
        store.publish_batch(batch, state, Origin::SERVER, now).await.unwrap();
        batch
    }

    #[tokio::test]
    async fn a_copy_pauses_what_it_would_send_once_and_the_original_nothing() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let folder = tempfile::tempdir().unwrap();
        let original = open(&folder.path().join("volley.db"), &clock).await;
        let now = clock.now();
        let running = launch(original.as_ref(), 1, BatchState::Running, now).await;
        let scheduled = launch(original.as_ref(), 2, BatchState::Scheduled, now).await;
        let finished = launch(original.as_ref(), 3, BatchState::Running, now).await;
        let (draft, settled) = (
            launch(original.as_ref(), 4, BatchState::Draft, now).await,
            launch(original.as_ref(), 5, BatchState::Running, now).await,
        );
        original.move_batch(settled, vec![BatchState::Running], BatchState::Settled, None, now).await.unwrap();
        let held = crate::base::domain::AddressKey::try_from(6_591_000_001).unwrap();
        original.take_slots("acme", vec![(held, now)]).await.unwrap();
        original.move_batch(finished, vec![BatchState::Running], BatchState::Finished, None, now).await.unwrap();
        let copy = folder.path().join("copy.db");
        original.back_up(&copy).await.unwrap();
        assert_eq!(pause_all(original.as_ref(), &config(), now).await.unwrap(), None);

        let copy = open(&copy, &clock).await;
        let state = async |store: &Arc<dyn Store>, batch| store.batch(batch).await.unwrap().unwrap().state;
        assert_eq!(pause_all(copy.as_ref(), &config(), now).await.unwrap().map(|(_, paused)| paused), Some(2));
        assert_eq!(state(&copy, running).await, BatchState::Paused);
        assert_eq!(state(&copy, scheduled).await, BatchState::Paused);
        assert_eq!(state(&copy, finished).await, BatchState::Finished);
        assert_eq!(state(&original, running).await, BatchState::Running);
        for (batch, is_marked) in
            [(running, true), (scheduled, true), (finished, true), (draft, true), (settled, false)]
        {
            let restored_from = copy.batch(batch).await.unwrap().unwrap().restored_from;
            assert_eq!(restored_from.is_some(), is_marked, "{batch:?}");
        }
        let unknown = copy.unknown_slots(now - Tier::HELD).await.unwrap()["acme"];
        assert_eq!((unknown.recipients, unknown.at), (250, now), "the slot of the one known recipient ends earlier");
        let events = copy.events(Cursor::START, 10).await.unwrap();
        let texts: Vec<String> = events.into_iter().map(|(_, event)| event.text()).collect();
        assert!(texts.iter().any(|text| text.contains("2 campaigns were paused")), "{texts:?}");

        // What an operator says before the first start of another copy stays.
        original.back_up(&folder.path().join("told.db")).await.unwrap();
        let told = open(&folder.path().join("told.db"), &clock).await;
        let (by, config) = (Origin::rule("told"), config());
        let decision = LaneDecision::TierUsed(120);
        carry_out_on_lane(told.as_ref(), clock.as_ref(), &config, &config.lanes[0], &decision, &by).await.unwrap();
        pause_all(told.as_ref(), &config, now).await.unwrap().unwrap();
        assert_eq!(told.unknown_slots(now - Tier::HELD).await.unwrap()["acme"].recipients, 120);

        // An operator who resumes a campaign has decided; the next start pauses it no more.
        copy.move_batch(running, vec![BatchState::Paused], BatchState::Running, None, now).await.unwrap();
        assert_eq!(pause_all(copy.as_ref(), &config, now).await.unwrap(), None);
        assert_eq!(state(&copy, running).await, BatchState::Running);
    }
}
