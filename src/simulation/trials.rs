//! Campaigns before they start: trials to a few numbers, and drafts.

use std::num::NonZeroU8;

use super::operators::by;
use super::small::World;
use crate::base::clock::Clock;
use crate::base::domain::{BatchState, Count, Msisdn, Span, WishSubject};
use crate::campaigns::campaign::{Decided, Draft, HowToLaunch, LaunchError, Launched, Trial, cancel, start};
use crate::store::OptOut;

const NUMBERS: &str = "numbers = [\"+6591000001\", \"+6591000002\"]\n";
const STEPS: &str = "[[step]]\nchannel = \"Viber\"\nfallback_after = \"15m\"\ntext = \"Hi {{Mobile}}\"\n\
    [[step]]\nchannel = \"SMS\"\ntext = \"Hi {{Mobile}}\"\n";

fn draft(head: &str) -> Draft {
    Draft::parse("promo.toml", &format!("name = \"promo\"\n{head}{NUMBERS}{STEPS}")).unwrap()
}

fn to(numbers: &[&str]) -> Trial {
    Trial { to: numbers.iter().map(|number| (*number).to_owned()).collect(), ..Trial::default() }
}

impl World {
    async fn numbers_of(&self, launched: &Launched) -> Vec<String> {
        let part = self.store.parts_of(launched.batch).await.unwrap().remove(0);
        let recipients = self.store.recipients(part.id, 0, 100).await.unwrap();
        recipients.iter().filter_map(|recipient| recipient.address.as_ref()).map(ToString::to_string).collect()
    }

    async fn state_of_batch(&self, launched: &Launched) -> BatchState {
        self.store.batch(launched.batch).await.unwrap().unwrap().state
    }

    async fn launch_draft(&self, head: &str) -> Result<Launched, LaunchError> {
        self.launcher()
            .launch_as(&draft(head), HowToLaunch::DRAFT, |_| None, async |_| Ok(()))
            .await
            .map(|(launched, _)| launched)
    }
}

#[tokio::test]
async fn a_trial_sends_the_campaign_to_the_given_numbers_only() {
    let mut world = World::begin().await;
    let head =
        "at = \"2027-02-01T09:00Z\"\nquiet_hours = \"00:00-23:59\"\nmax_messages = 1\nallow_countries = [\"SG\"]\n";
    let trial = to(&["+6598765432", "+60121234567"]);
    let launched = world.launcher().try_file(&draft(head), &trial).await.unwrap();
    assert_eq!((launched.name.as_str(), launched.state, launched.messages), ("promo (test)", BatchState::Running, 2));
    assert_eq!(world.numbers_of(&launched).await, trial.to);
    world.send().await;
    assert_eq!(world.provider.taken.lock().len(), 2, "at once, in any country, regardless of limits");
    // One step alone, in a second trial.
    let sms = Trial { only: NonZeroU8::new(2), ..trial.clone() };
    let again = world.launcher().try_file(&draft(head), &sms).await.unwrap();
    assert_eq!(again.name, "promo (test) 2");
    world.send().await;
    assert_eq!(world.provider.sms.lock().len(), 2);
    let batches = world.store.batches(None).await.unwrap();
    assert_eq!(batches.len(), 2, "the campaign itself is not launched");
}

#[tokio::test]
async fn a_trial_uses_fields_of_the_first_rows_and_its_own_number() {
    let world = World::begin().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "phone,Name\n+6591000001,Ann\n+6591000002,Bob\n").unwrap();
    let text = "audience = \"a.csv\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi {{Name}}, {{phone}}\"\n";
    let draft = Draft { folder: Some(folder.path().to_owned()), ..Draft::parse("a.toml", text).unwrap() };
    let trial = to(&["+6598765431", "+6598765432", "+6598765433"]);
    let launched = world.launcher().try_file(&draft, &trial).await.unwrap();
    let part = world.store.parts_of(launched.batch).await.unwrap().remove(0);
    let recipients = world.store.recipients(part.id, 0, 9).await.unwrap();
    let fields: Vec<String> = recipients.iter().map(|recipient| recipient.fields.unpack().unwrap().join(" ")).collect();
    assert_eq!(fields, ["+6598765431 Ann", "+6598765432 Bob", "+6598765433 Ann"]);
    // A launched campaign can be tried too, with the fields of its first rows.
    let (whole, _) = world.launcher().launch(&draft, |_| None).await.unwrap();
    let batch = world.store.batch(whole.batch).await.unwrap().unwrap();
    let tried = world.launcher().try_campaign(&batch, &to(&["+6598765431"])).await.unwrap();
    assert_eq!((tried.messages, world.numbers_of(&tried).await), (1, vec!["+6598765431".to_owned()]));
}

#[tokio::test]
async fn an_invalid_trial_is_refused() {
    let world = World::begin().await;
    let recipient: Msisdn = "+6598765432".parse().unwrap();
    let wish = OptOut {
        address: recipient.into(),
        of: WishSubject::EVERYTHING,
        since: world.clock.now(),
        from: crate::base::domain::OptOutSource::Recipient,
        source: "STOP".to_owned(),
    };
    world.store.opt_out(vec![wish]).await.unwrap();
    let many: Vec<String> = (0..11).map(|n| format!("+65910000{n:02}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (trial, sentence) in [
        (to(&[]), "goes to 1 to 10 numbers; give some with --to"),
        (to(&many), "goes to 1 to 10 numbers"),
        (
            to(&["+6598765432", "+6598765431"]),
            "1 of 2 numbers cannot be used. \"+6598765432\": The recipient has opted out",
        ),
        (to(&["hello"]), "1 of 1 numbers cannot be used. \"hello\": "),
        (Trial { only: NonZeroU8::new(9), ..to(&["+6598765431"]) }, "test: the campaign has no step 9; it has 2 steps"),
    ] {
        let error = world.launcher().try_file(&draft(""), &trial).await.unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}\n  want: {sentence}");
    }
    assert!(world.store.batches(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_draft_sends_nothing_before_it_is_started() {
    let mut world = World::begin().await;
    let launched = world.launch_draft("").await.unwrap();
    assert_eq!((launched.state, launched.messages), (BatchState::Draft, 2));
    world.send().await;
    world.down_for(Span::from_secs(7_200)).await;
    world.send().await;
    assert!(world.provider.taken.lock().is_empty());
    let batch = world.store.batch(launched.batch).await.unwrap().unwrap();
    let started = world.complete(start(world.store.as_ref(), world.clock.as_ref(), &batch, &by())).await;
    assert!(matches!(started.unwrap(), Decided::Saved(_)));
    world.send().await;
    assert_eq!(world.provider.taken.lock().len(), 2);
    let again = start(world.store.as_ref(), world.clock.as_ref(), &batch, &by()).await.unwrap();
    assert_eq!(again, Decided::Refused(BatchState::Running));
}

#[tokio::test]
async fn a_started_draft_waits_for_its_time_and_a_cancelled_one_ends() {
    let mut world = World::begin().await;
    let timed = world.launch_draft("at = \"2027-01-16T09:00Z\"\n").await.unwrap();
    assert_eq!(timed.state, BatchState::Draft);
    let batch = world.store.batch(timed.batch).await.unwrap().unwrap();
    world.complete(start(world.store.as_ref(), world.clock.as_ref(), &batch, &by())).await.unwrap();
    assert_eq!(world.state_of_batch(&timed).await, BatchState::Scheduled);
    world.send().await;
    assert!(world.provider.taken.lock().is_empty());
    world.clock.advance(Span::from_secs(30 * 3_600));
    world.node.keep_house().await.unwrap();
    assert_eq!(world.state_of_batch(&timed).await, BatchState::Paused, "a day late, it waits for an operator");
    let other = world
        .launcher()
        .launch_as(
            &Draft { name: Some("other".to_owned()), ..draft("") },
            HowToLaunch::DRAFT,
            |_| None,
            async |_| Ok(()),
        )
        .await;
    let other = other.unwrap().0;
    let batch = world.store.batch(other.batch).await.unwrap().unwrap();
    world.complete(cancel(world.store.as_ref(), world.clock.as_ref(), &batch, &by())).await.unwrap();
    world.node.watch().await;
    world.node.keep_house().await.unwrap();
    let tallies = world.store.tallies(other.batch).await.unwrap();
    assert_eq!(tallies.total(Count::OutcomeCancelled), 2);
}

#[tokio::test]
async fn a_draft_refuses_settings_that_count_from_the_launch() {
    let world = World::begin().await;
    for (head, sentence) in [(
        "over = \"3h\"
",
        "over: counts from the start, but the start of a draft is unknown",
    )] {
        let error = world.launch_draft(head).await.unwrap_err().to_string();
        assert!(error.contains(sentence), "{error}");
    }
    assert!(world.store.batches(None).await.unwrap().is_empty());
    // With a start time, `over` counts from it.
    for zone in ["UTC", "recipient"] {
        let head = format!("over = \"3h\"\nat = \"2099-12-01T09:00\"\ntime_zone = \"{zone}\"\n");
        let draft = Draft { name: Some(zone.to_owned()), ..draft(&head) };
        let launched = world.launcher().launch_as(&draft, HowToLaunch::DRAFT, |_| None, async |_| Ok(())).await;
        assert_eq!(launched.unwrap().0.state, BatchState::Draft, "{zone}");
    }
}
