//! Tests what operators do with campaigns: find and change them.

use super::setup::Setup;
use super::*;
use crate::base::domain::{BatchId, BatchState};
use crate::store::{Alias, Batch, KnownAs, NewAudience};

impl Setup {
    async fn of_samples() -> Self {
        Self::with(config_with("")).await
    }

    /// Launches an SMS to two recipients, with these further keys.
    async fn launch(&self, name: &str, keys: &str, is_draft: bool) -> Batch {
        self.launch_step(name, keys, "", is_draft).await
    }

    /// Launches an SMS to two recipients, with further keys of the campaign and of its step.
    async fn launch_step(&self, name: &str, keys: &str, of_step: &str, is_draft: bool) -> Batch {
        let text = format!(
            "name = \"{name}\"\nnumbers = [\"+6591234567\", \"+6591234568\"]\n{keys}\n[[step]]\nchannel = \"SMS\"\n\
             text = \"Hi\"\n{of_step}\n"
        );
        let how = HowToLaunch { is_draft, ..HowToLaunch::default() };
        let launched =
            self.launcher().launch_as(&file(&text).unwrap(), how, |_| None, async |_| Ok(())).await.unwrap().0;
        self.batch(launched.batch).await
    }

    async fn batch(&self, id: BatchId) -> Batch {
        self.store.batch(id).await.unwrap().unwrap()
    }

    async fn find(&self, text: &str) -> Result<BatchId, FindError> {
        find(self.store.as_ref(), text).await.map(|batch| batch.id)
    }
}

#[tokio::test]
async fn a_campaign_is_found_by_name_id_and_as_the_latest() {
    let setup = Setup::of_samples().await;
    assert!(matches!(setup.find("latest").await, Err(FindError::NoneLaunched)));
    let first = setup.launch("November promo", "", false).await;
    let second = setup.launch("Advent", "", true).await;
    let id = crate::base::domain::CampaignId { batch: first.id, tag: first.tag };
    assert_eq!(setup.find("November promo").await.unwrap(), first.id);
    assert_eq!(setup.find(&id.to_string()).await.unwrap(), first.id);
    assert_eq!(setup.find(&id.uuid().to_string()).await.unwrap(), first.id, "as `batchId` of the 8x8 API");
    assert_eq!(setup.find("latest").await.unwrap(), second.id);
    let plan = Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")]);
    let recipient = Recipient {
        address: Some(Msisdn::try_from(6_591_000_000_u64).unwrap().into()),
        country: "SG".parse().unwrap(),
        client_message_id: None,
        fields: Fields::pack(Vec::<&str>::new()),
    };
    setup.launcher().join(plan, vec![recipient]).await.unwrap();
    assert_eq!(setup.find("latest").await.unwrap(), second.id, "messages of API calls are no campaign");
    let trial = Trial { to: vec!["+6598765432".to_owned()], ..Trial::default() };
    let tried = setup.launcher().try_campaign(&first, &trial).await.unwrap();
    assert_eq!(setup.find("latest").await.unwrap(), second.id, "a test send is not the latest campaign");
    let rows = campaigns(setup.store.as_ref()).await.unwrap();
    let tests: Vec<BatchId> = rows.iter().filter(|row| row.is_test).map(|row| row.batch.id).collect();
    assert_eq!(tests, [tried.batch]);
    let third = setup.launch("latest", "", false).await;
    setup.launch("Last", "", false).await;
    assert_eq!(setup.find("latest").await.unwrap(), third.id, "a name comes first");
}

#[tokio::test]
async fn a_number_by_which_whatsapp_calls_another_one_is_of_the_same_recipient() {
    let setup = Setup::of_samples().await;
    let number = |digits: u64| Msisdn::try_from(digits).unwrap();
    let (own, called, other) = (number(6_591_234_567), number(6_591_234_568), number(6_591_234_569));
    let alias = Alias::of_number(Channel::WhatsApp, called, own).unwrap();
    setup.store.learn_users(vec![alias]).await.unwrap();
    let prepared = async |audience: &str, exclude: &str| {
        let keys = format!("audience = {audience}\nexclude = {exclude}");
        let text = format!("{keys}\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"");
        let draft = Draft { folder: Some(std::path::PathBuf::new()), ..file(&text).unwrap() };
        setup.launcher().plan(&draft).await.unwrap().recipients
    };
    let folder = tempfile::tempdir().unwrap();
    let list = |name: &str, numbers: &[Msisdn]| {
        let path = folder.path().join(name);
        let rows: Vec<String> = numbers.iter().map(|number| format!("{number}\n")).collect();
        std::fs::write(&path, format!("number\n{}", rows.concat())).unwrap();
        format!("{:?}", path.display().to_string())
    };
    let (first, second) = (list("first.csv", &[called, other]), list("second.csv", &[own]));
    let both = list("both.csv", &[own, called, other]);
    let one = prepared(&both, "[]").await;
    assert_eq!((one.recipients, one.duplicates, one.across), (2, 1, 0), "two rows of one file");
    let across = prepared(&format!("[{first}, {second}]"), "[]").await;
    assert_eq!((across.recipients, across.duplicates, across.across), (2, 0, 1), "two files");
    let beside = prepared(&first, &format!("[{second}]")).await.excluded.recipients;
    let contains = |number: Msisdn| beside.contains(&number.into());
    assert!(contains(own) && contains(called) && !contains(other), "{beside:?}");
}

#[tokio::test]
async fn an_unknown_campaign_gets_the_nearest_name() {
    let setup = Setup::of_samples().await;
    let batch = setup.launch("November promo", "", false).await;
    let error = async |text: &str| setup.find(text).await.unwrap_err().to_string();
    assert_eq!(error("november promo").await, "unknown campaign \"november promo\"; did you mean \"November promo\"?");
    assert_eq!(error("lastest").await, "unknown campaign \"lastest\"; did you mean \"latest\"?");
    assert_eq!(error("Easter").await, "unknown campaign \"Easter\"; see `volley campaign list`");
    let other = crate::base::domain::CampaignId { batch: BatchId(7), tag: batch.tag }.to_string();
    assert!(error(&other).await.contains("it is not in this database"));
    assert!(matches!(setup.find("cmp_x").await, Err(FindError::InvalidId(_))));
}

impl Setup {
    async fn set(&self, batch: &Batch, keys: &[(&str, &str)]) -> Result<Amended, String> {
        let keys = keys.iter().map(|(key, value)| ((*key).to_owned(), serde_json::Value::from(*value))).collect();
        let amended = self.launcher().amend(batch, &Amend { keys, ..Amend::default() }).await;
        amended.map_err(|error| error.to_string())
    }

    async fn first_messages_at(&self, batch: &Batch) -> Vec<Option<Timestamp>> {
        let keys = (0..2).map(|n| crate::base::domain::MessageKey { batch: batch.id, n }).collect();
        self.store.load(keys).await.unwrap().iter().map(|message| message.present.not_before()).collect()
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

const AT: &str = "at = \"2026-12-01T09:00Z\"";

#[tokio::test]
async fn the_start_of_a_scheduled_campaign_can_be_moved() {
    let setup = Setup::of_samples().await;
    let batch = setup.launch("promo", AT, false).await;
    let earlier = "2026-11-20T09:00:00Z";
    assert!(matches!(setup.set(&batch, &[("at", earlier)]).await, Ok(Amended::Holds { brought_forward: 2, .. })));
    assert_eq!(setup.batch(batch.id).await.starts_at, Some(time(earlier)));
    assert_eq!(setup.first_messages_at(&batch).await, [Some(time(earlier)); 2]);
    let later = "2026-12-24T09:00:00Z";
    assert!(matches!(setup.set(&batch, &[("at", later)]).await, Ok(Amended::Holds { brought_forward: 0, .. })));
    let moved = setup.batch(batch.id).await;
    assert_eq!((moved.state, moved.starts_at), (BatchState::Scheduled, Some(time(later))));
    // It starts at the new time only.
    let book = Arc::new(crate::sending::book::Book::new(Arc::clone(&setup.store)));
    book.refresh().await.unwrap();
    let mut housekeeper = Housekeeper::new(Arc::clone(&setup.store), book, Arc::new(setup.config.clone()));
    housekeeper.run_once(time("2026-12-01T09:00:00Z")).await.unwrap();
    assert_eq!(setup.batch(batch.id).await.state, BatchState::Scheduled);
    housekeeper.run_once(time(later)).await.unwrap();
    let started = setup.batch(batch.id).await;
    assert_eq!(started.state, BatchState::Running);
    let refused = setup.set(&started, &[("at", "2026-12-25T09:00:00Z")]).await.unwrap_err();
    assert!(refused.contains("has started"), "{refused}");
}

#[tokio::test]
async fn a_start_that_cannot_be_moved_is_refused_with_the_reason() {
    let setup = Setup::of_samples().await;
    let end = "end = \"2026-12-02T09:00Z\"";
    let later = "2026-12-03T09:00:00Z";
    for (name, keys, at, sentence) in [
        ("over", "over = \"3h\"", later, "has fixed a time for each message"),
        ("end", end, later, "is not before its end"),
        ("past", "", "2026-10-01T09:00:00Z", "has passed"),
        ("odd", "", "soon", "soon"),
    ] {
        let batch = setup.launch(name, &format!("{AT}\n{keys}"), false).await;
        let refused = setup.set(&batch, &[("at", at)]).await.unwrap_err();
        assert!(refused.contains(sentence), "{name}: {refused}");
        assert_eq!(setup.batch(batch.id).await.edition, 0);
    }
    let within = setup.launch_step("within", AT, "leave_within = \"1h\"", false).await;
    let refused = setup.set(&within, &[("at", later)]).await.unwrap_err();
    assert!(refused.contains("`leave_within` counts from the former start"), "{refused}");
    let earlier = setup.set(&within, &[("at", "2026-11-20T09:00:00Z")]).await;
    assert!(matches!(earlier, Ok(Amended::Holds { brought_forward: 2, .. })), "{earlier:?}");
    let both = setup.launch("both", &format!("{AT}\n{end}"), false).await;
    let set = setup.set(&both, &[("at", later), ("end", "2026-12-04T09:00:00Z")]).await;
    assert!(matches!(set, Ok(Amended::Holds { .. })), "{set:?}");
}

#[tokio::test]
async fn without_its_start_time_a_scheduled_campaign_starts_at_once() {
    let setup = Setup::of_samples().await;
    let batch = setup.launch("promo", AT, false).await;
    let set = setup.set(&batch, &[("at", "none")]).await;
    assert!(matches!(set, Ok(Amended::Holds { brought_forward: 2, .. })), "{set:?}");
    let book = Arc::new(crate::sending::book::Book::new(Arc::clone(&setup.store)));
    book.refresh().await.unwrap();
    Housekeeper::new(Arc::clone(&setup.store), book, Arc::new(setup.config.clone())).run_once(now()).await.unwrap();
    assert_eq!(setup.batch(batch.id).await.state, BatchState::Running);
    assert_eq!(setup.first_messages_at(&batch).await, [Some(now()); 2]);
}

#[tokio::test]
async fn a_running_server_learns_the_new_name_of_a_campaign() {
    let setup = Setup::of_samples().await;
    let batch = setup.launch("promo", "", false).await;
    let book = crate::sending::book::Book::new(Arc::clone(&setup.store));
    book.refresh().await.unwrap();
    rename(setup.store.as_ref(), &batch, "winter", &Origin::operator("Ann", None), now()).await.unwrap();
    let changed = book.refresh().await.unwrap();
    assert_eq!(changed.iter().map(|entry| entry.id).collect::<Vec<_>>(), [batch.id]);
    assert_eq!(book.entry(batch.id).unwrap().name.as_deref(), Some("winter"));
    assert!(book.refresh().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_draft_can_be_changed_renamed_and_deleted() {
    let setup = Setup::of_samples().await;
    let store = setup.store.as_ref();
    let by = Origin::operator("Ann", None);
    let batch = setup.launch("promo", "", true).await;
    let other = setup.launch("autumn", "", false).await;
    let set = setup.set(&batch, &[("at", "2026-12-24T09:00:00Z"), ("max_messages", "1")]).await;
    assert!(matches!(set, Ok(Amended::Holds { .. })), "{set:?}");
    let changed = setup.batch(batch.id).await;
    assert_eq!((changed.state, changed.starts_at), (BatchState::Draft, Some(time("2026-12-24T09:00:00Z"))));
    rename(store, &batch, "winter", &by, now()).await.unwrap();
    assert_eq!(setup.find("winter").await.unwrap(), batch.id);
    let taken = rename(store, &batch, "autumn", &by, now()).await.unwrap_err().to_string();
    assert_eq!(taken, "campaign \"autumn\" already exists; choose another name");
    assert_eq!(delete_draft(store, &other, &by, now()).await.unwrap(), Deleted::Refused(BatchState::Running));
    assert_eq!(delete_draft(store, &batch, &by, now()).await.unwrap(), Deleted::Gone);
    assert!(setup.find("winter").await.is_err());
    let recipients = store.recipients(batch.audience_ids[0], 0, 9).await.unwrap();
    assert!(recipients.is_empty(), "numbers that only the draft used are removed");
}

#[tokio::test]
async fn an_audience_recorded_by_a_newer_version_is_refused() {
    let setup = Setup::of_samples().await;
    let (known_as, columns) = (KnownAs::Name("members".to_owned()), vec!["Mobile".to_owned()]);
    let new = NewAudience { known_as, source: "people.csv".to_owned(), columns, now: now() };
    let audience = setup.store.begin_audience(new).await.unwrap();
    setup.store.publish_audience(audience, 1, "{\"version\":99}".to_owned()).await.unwrap();
    let text = "audience = \"members\"\n[[step]]\nchannel = \"SMS\"\ntext = \"Hi\"\n";
    let refused = setup
        .launcher()
        .launch_as(&file(text).unwrap(), HowToLaunch::default(), |_| None, async |_| Ok(()))
        .await
        .unwrap_err();
    let newer = "the import of people.csv was recorded by a newer version of Volley; use that version, or import the file again";
    assert_eq!(refused.to_string(), newer);
}
