//! Tests of the housekeeper over a store in memory.

use super::*;
use crate::base::clock::{Chance, Clock, ManualClock};
use crate::base::domain::{Channel, Step};
use crate::campaigns::campaign::{Draft, Launcher};
use crate::store::Cursor;

#[test]
fn a_missed_start_within_an_hour_starts_and_later_obeys_on_missed() {
    let at = Timestamp::from_millis(1_800_000_000_000);
    let plan = |on_missed| Plan { on_missed, ..Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hi")]) };
    let becomes = |on_missed, late: i64| missed(&plan(on_missed), at, at + Span::from_secs(late)).map(|(to, _)| to);
    for (on_missed, late, expected) in [
        (None, 0, None),
        (None, 3_600, None),
        (None, 3_601, Some(BatchState::Paused)),
        (Some(OnMissed::Start), 86_400, None),
        (Some(OnMissed::Skip), 60, None),
        (Some(OnMissed::Skip), 61, Some(BatchState::Cancelling)),
    ] {
        assert_eq!(becomes(on_missed, late), expected, "{on_missed:?}, {late} s late");
    }
}

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn config() -> Config {
    let text = "[provider]\nbase_url = \"http://127.0.0.1:1\"\nsub_account = \"acme\"\napi_key = \"k\"\n\
                [[lane]]\nname = \"sms\"\nchannel = \"SMS\"\nsource = \"ACME\"\n";
    let none = std::iter::empty::<(&str, String)>();
    let path = std::path::Path::new("volley.toml");
    Config::read(Some((path, text)), std::iter::empty(), none).unwrap().config
}

/// Launches a campaign file.
async fn launched(store: &dyn Store, clock: &dyn Clock, text: &str) -> BatchId {
    let draft = Draft::parse("a.toml", text).unwrap();
    let config = config();
    let launcher = Launcher { store, clock, chance: &Chance::seeded(1), config: &config, by: Origin::SERVER };
    launcher.launch(&draft, |_| None).await.unwrap().0.batch
}

async fn housekeeper(store: &Arc<dyn Store>) -> Housekeeper {
    let book = Arc::new(Book::new(Arc::clone(store)));
    book.refresh().await.unwrap();
    Housekeeper::new(Arc::clone(store), book, Arc::new(config()))
}

/// The state of a campaign with a start in an hour, once a server looks this many seconds after the start.
async fn begun(on_missed: &str, late: i64) -> (BatchState, Option<String>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let at = NOW + Span::from_secs(3_600);
    let text = format!(
        "name = \"a\"\nnumbers = [\"+6590000001\"]\nat = \"{}\"\n{on_missed}\n[[step]]\nchannel = \"SMS\"\ntext = \
         \"Hi\"\n",
        at.rfc3339()
    );
    let batch = launched(store.as_ref(), clock.as_ref(), &text).await;
    clock.advance(Timestamp::from_millis(at.millis() + late * 1_000).since(NOW));
    housekeeper(&store).await.run_once(clock.now()).await.unwrap();
    let batch = store.batch(batch).await.unwrap().unwrap();
    (batch.state, batch.origin.and_then(|origin| origin.reason))
}

#[tokio::test]
async fn a_start_missed_by_more_than_an_hour_waits_for_the_operator() {
    let (early, short, long) = (-1, 600, 3_700);
    assert_eq!(begun("", early).await.0, BatchState::Scheduled);
    assert_eq!(begun("", short).await, (BatchState::Running, None));
    let (state, why) = begun("", long).await;
    assert!(state == BatchState::Paused && why.as_ref().is_some_and(|why| why.contains("was missed")), "{why:?}");
    assert_eq!(begun("on_missed = \"start\"", long).await.0, BatchState::Running);
    assert_eq!(begun("on_missed = \"skip\"", 30).await.0, BatchState::Running);
    assert_eq!(begun("on_missed = \"skip\"", short).await.0, BatchState::Cancelling);
}

#[tokio::test]
async fn figures_are_noted_when_they_change_and_survive_a_restart() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let text = "name = \"a\"\nnumbers = [\"+6590000001\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let batch = launched(store.as_ref(), clock.as_ref(), text).await;
    let mut first = housekeeper(&store).await;
    for _ in 0..10 {
        first.run_once(clock.now()).await.unwrap();
        clock.advance(Span::from_secs(1));
    }
    assert_eq!(store.figures(batch).await.unwrap().len(), 1, "nothing has changed since");
    let (to, by) = (BatchState::Cancelling, Some(Origin::SERVER));
    store.move_batch(batch, vec![BatchState::Running], to, by, clock.now()).await.unwrap();
    for _ in 0..3 {
        housekeeper(&store).await.run_once(clock.now()).await.unwrap();
        clock.advance(Span::from_millis(200));
    }
    let noted = store.figures(batch).await.unwrap();
    let figures: Vec<_> = noted.iter().map(|noted| (noted.at.since(NOW), noted.open, noted.ended)).collect();
    assert_eq!(figures, [(Span::ZERO, 1, 0), (Span::from_secs(10), 0, 1)]);
    assert!(noted[0].allowed > 0, "the lane has a rate");
}

const SMALL: &str = "name = \"a\"\nnumbers = [\"+6590000001\"]\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";

#[tokio::test]
async fn a_campaign_that_ends_between_two_notes_has_its_last_figures() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let batch = launched(store.as_ref(), clock.as_ref(), SMALL).await;
    housekeeper(&store).await.run_once(clock.now()).await.unwrap();
    // After ten hours, there are two minutes between two notes.
    clock.advance(Span::from_secs(36_000));
    let first = store.figures(batch).await.unwrap()[0];
    let last = crate::store::BatchFigures { fell_back: 7, ..first.moved_to(clock.now()) };
    store.note_figures(vec![last], Vec::new()).await.unwrap();
    clock.advance(Span::from_secs(1));
    let (to, by) = (BatchState::Cancelling, Some(Origin::SERVER));
    store.move_batch(batch, vec![BatchState::Running], to, by, clock.now()).await.unwrap();
    for _ in 0..5 {
        housekeeper(&store).await.run_once(clock.now()).await.unwrap();
        clock.advance(Span::from_millis(200));
    }
    assert!(store.batch(batch).await.unwrap().unwrap().settled_at.is_some());
    let noted = store.figures(batch).await.unwrap();
    let figures: Vec<_> = noted.iter().map(|noted| (noted.open, noted.ended)).collect();
    assert_eq!(figures, [(1, 0), (0, 1)], "the last note of each stretch stays, and this one has the totals");
}

#[tokio::test]
async fn figures_that_cannot_be_noted_are_noted_later_and_stop_nothing() {
    let clock = Arc::new(ManualClock::at(NOW));
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON batch_figures WHEN NEW.at < 1800000005000
         BEGIN SELECT raise(ABORT, 'broken'); END";
    let store = crate::store::open_with(broken, Arc::clone(&clock) as Arc<dyn Clock>).await;
    let batch = launched(store.as_ref(), clock.as_ref(), SMALL).await;
    let mut housekeeper = housekeeper(&store).await;
    housekeeper.run_once(clock.now()).await.unwrap();
    assert!(store.figures(batch).await.unwrap().is_empty());
    clock.advance(Span::from_secs(5));
    housekeeper.run_once(clock.now()).await.unwrap();
    assert_eq!(store.figures(batch).await.unwrap().len(), 1, "no hint has come since");
}

#[tokio::test]
async fn a_campaign_settles_once_its_last_figures_are_noted() {
    let clock = Arc::new(ManualClock::at(NOW));
    let broken = "CREATE TRIGGER broken BEFORE INSERT ON batch_figures WHEN NEW.open = 0 AND NEW.at < 1800000005000
         BEGIN SELECT raise(ABORT, 'broken'); END";
    let store = crate::store::open_with(broken, Arc::clone(&clock) as Arc<dyn Clock>).await;
    let batch = launched(store.as_ref(), clock.as_ref(), SMALL).await;
    let mut housekeeper = housekeeper(&store).await;
    let (to, by) = (BatchState::Cancelling, Some(Origin::SERVER));
    store.move_batch(batch, vec![BatchState::Running], to, by, clock.now()).await.unwrap();
    for is_settled in [false, true] {
        for _ in 0..5 {
            housekeeper.book.refresh().await.unwrap();
            housekeeper.run_once(clock.now()).await.unwrap();
        }
        assert_eq!(store.batch(batch).await.unwrap().unwrap().settled_at.is_some(), is_settled);
        clock.advance(Span::from_secs(5));
    }
    assert_eq!(store.figures(batch).await.unwrap().last().map(|last| (last.open, last.ended)), Some((0, 1)));
}

#[tokio::test]
async fn what_a_failed_round_has_left_is_looked_at_again() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let mut housekeeper = housekeeper(&store).await;
    assert_eq!(housekeeper.touched(NOW), None);
    assert_eq!(housekeeper.touched(NOW), None, "the round did not come to its end");
    housekeeper.run_once(NOW).await.unwrap();
    assert_eq!(housekeeper.touched(NOW), Some(HashSet::new()));
    let batch = BatchId(7);
    store.signals().send(&[Signal::Moved { batch }]);
    assert_eq!(housekeeper.touched(NOW), Some(HashSet::from([batch])));
    assert_eq!(housekeeper.touched(NOW), Some(HashSet::from([batch])));
}

#[tokio::test]
async fn an_end_reports_its_unsent_messages_once_across_rounds() {
    let clock = Arc::new(ManualClock::at(NOW));
    let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    // Exactly as many messages as one round visits.
    let numbers: Vec<_> = (0..PAGE as usize * PAGES as usize).map(|n| format!("\"+65{}\"", 91_000_000 + n)).collect();
    let end = (NOW + Span::from_secs(60)).rfc3339();
    let step = "[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let text = format!("name = \"a\"\nnumbers = [{}]\nend = \"{end}\"\n{step}", numbers.join(","));
    let batch = launched(store.as_ref(), clock.as_ref(), &text).await;
    let mut housekeeper = housekeeper(&store).await;
    clock.advance(Span::from_secs(60));
    while housekeeper.run_once(clock.now()).await.unwrap() == 0 {}
    assert_eq!(store.batch(batch).await.unwrap().unwrap().state, BatchState::Finished);
    let events = store.events(Cursor::START, 100).await.unwrap();
    let reported: Vec<_> =
        events.iter().map(|(_, event)| event.text()).filter(|text| text.contains("end has come")).collect();
    assert_eq!(reported, ["its end has come: 20,000 not sent by then, now expired"]);
}
