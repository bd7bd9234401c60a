//! Tests what operators do with campaigns: find, cancel and change them.

use super::*;
use crate::clock::Clock;
use crate::domain::BatchId;
use crate::store::{Batch, Store};

/// A store with a launcher, without a server.
struct Office {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    chance: Chance,
    config: Config,
}

impl Office {
    async fn open() -> Self {
        let clock = Arc::new(ManualClock::at(now()));
        let store = crate::store::open("sqlite::memory:", Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        Self { store, clock, chance: Chance::seeded(1), config: config_with("") }
    }

    fn launcher(&self) -> Launcher<'_> {
        let by = Origin::operator("Ann", None);
        Launcher {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            chance: &self.chance,
            config: &self.config,
            by,
        }
    }

    /// Launches an SMS to two recipients, with these further keys.
    async fn launch(&self, name: &str, keys: &str, is_draft: bool) -> Batch {
        let text = format!(
            "name = \"{name}\"\nnumbers = [\"+6591234567\", \"+6591234568\"]\n{keys}\n[[step]]\nchannel = \"SMS\"\n\
             text = \"Hi\"\n"
        );
        let launched = self.launcher().launch_as(&file(&text).unwrap(), is_draft, |_| None).await.unwrap().0;
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
    let office = Office::open().await;
    assert!(matches!(office.find("latest").await, Err(FindError::NoneLaunched)));
    let first = office.launch("November promo", "", false).await;
    let second = office.launch("Advent", "", true).await;
    let id = crate::domain::CampaignId { batch: first.id, tag: first.tag };
    assert_eq!(office.find("November promo").await.unwrap(), first.id);
    assert_eq!(office.find(&id.to_string()).await.unwrap(), first.id);
    assert_eq!(office.find("latest").await.unwrap(), second.id);
    let plan = Plan::of_steps(vec![Step::of_text(Channel::Sms, "sms", "Hello")]);
    let recipient = Recipient {
        msisdn: Msisdn::try_from(6_591_000_000_u64).unwrap(),
        country: "SG".parse().unwrap(),
        client_message_id: None,
        fields: Fields::pack(Vec::<&str>::new()),
    };
    office.launcher().join(plan, vec![recipient]).await.unwrap();
    assert_eq!(office.find("latest").await.unwrap(), second.id, "messages of API calls are no campaign");
    let trial = Trial { to: vec!["+6598765432".to_owned()], ..Trial::default() };
    let tried = office.launcher().try_campaign(&first, &trial).await.unwrap();
    assert_eq!(office.find("latest").await.unwrap(), second.id, "a test send is not the latest campaign");
    let rows = campaigns(office.store.as_ref()).await.unwrap();
    let tests: Vec<BatchId> = rows.iter().filter(|row| row.is_test).map(|row| row.batch.id).collect();
    assert_eq!(tests, [tried.batch]);
    let third = office.launch("latest", "", false).await;
    office.launch("Last", "", false).await;
    assert_eq!(office.find("latest").await.unwrap(), third.id, "a name comes first");
}

#[tokio::test]
async fn an_unknown_campaign_gets_the_nearest_name() {
    let office = Office::open().await;
    let batch = office.launch("November promo", "", false).await;
    let said = async |text: &str| office.find(text).await.unwrap_err().to_string();
    assert_eq!(said("november promo").await, "unknown campaign \"november promo\"; did you mean \"November promo\"?");
    assert_eq!(said("lastest").await, "unknown campaign \"lastest\"; did you mean \"latest\"?");
    assert_eq!(said("Easter").await, "unknown campaign \"Easter\"; see `volley campaign list`");
    let other = crate::domain::CampaignId { batch: BatchId(7), tag: batch.tag }.to_string();
    assert!(said(&other).await.contains("it is not in this database"));
    assert!(matches!(office.find("cmp_x").await, Err(FindError::InvalidId(_))));
}
