//! Lists, page by page from the first to the last.

use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use sqlx::Connection as _;

use super::{MOST, config, prepare};
use crate::base::clock::{Chance, Clock};
use crate::base::domain::BatchState;
use crate::bench::figures::percentile;
use crate::bench::http::Connection;
use crate::bench::served::{Sending, Server, from_another_process};
use crate::bench::{Begun, Error, Run};
use crate::store::{self, Sqlite};

/// Campaigns and events beside the one campaign of the stock.
const CAMPAIGNS: u32 = 2_000;
const EVENTS: u32 = 100_000;

/// A list of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// The messages of the campaign.
    Messages,
    Campaigns,
    Events,
}

impl List {
    pub const ALL: [Self; 3] = [Self::Messages, Self::Campaigns, Self::Events];

    pub fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Campaigns => "campaigns",
            Self::Events => "events",
        }
    }

    fn path(self) -> String {
        let of = if self == Self::Messages { "campaign=bench&" } else { "" };
        format!("/v1/{}?{of}limit={MOST}", self.name())
    }
}

impl FromStr for List {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|list| list.name() == name).ok_or_else(|| format!("unknown list \"{name}\""))
    }
}

/// A list to read, and who reads it.
#[derive(Debug)]
pub struct Walk {
    pub address: SocketAddr,
    pub authorization: String,
    pub list: List,
}

/// Adds campaigns that have ended, and events, to a stock.
pub async fn add_rows(database: &Path) -> Result<(), Error> {
    let mut connection = Sqlite::bare(database).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query(
        "WITH RECURSIVE added (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM added WHERE n < ?1)
         INSERT INTO batch (tag, plan, state, state_origin, name, audience, audience_ids, created_at, touched_at,
                            started_at, finished_at, settled_at)
         SELECT tag + n, plan, ?2, state_origin, name || n, audience, audience_ids, created_at, touched_at,
                created_at, created_at, created_at
         FROM batch, added WHERE id = 1",
    )
    .bind(CAMPAIGNS)
    .bind(BatchState::Settled.code())
    .execute(&mut *transaction)
    .await?;
    sqlx::query(
        "WITH RECURSIVE added (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM added WHERE n < ?1)
         INSERT INTO event (at, subject, origin, kind, batch, lane)
         SELECT at + n, subject, origin, kind, batch, lane
         FROM (SELECT * FROM event ORDER BY id LIMIT 1), added",
    )
    .bind(EVENTS)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(connection.close().await?)
}

/// Serves a stock to a process that reads one list to its end.
pub async fn pages(database: &Path, list: List, clock: Arc<dyn Clock>, chance: Arc<Chance>) -> Result<Run, Error> {
    let store = store::open(&format!("sqlite://{}", database.display()), Arc::clone(&clock)).await?;
    let authorization = prepare(&store, clock.as_ref()).await?;
    let server = Server::start(config()?, Arc::clone(&store), Arc::clone(&clock), chance).await?;
    let arguments = ["--authorization", &authorization, "--list", list.name()].map(str::to_owned).to_vec();
    let sending = Sending { command: "walk", arguments, count: 1 };
    let seen = from_another_process(&sending, &server.address, clock.as_ref()).await?;
    server.stop().await?;
    store.close().await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for display")]
    let rows = seen.messages.max(1) as f64;
    Ok(Run { cpu_us: seen.cpu_us / rows, ..seen })
}

#[derive(Deserialize)]
struct Page {
    items: Vec<IgnoredAny>,
    next: Option<String>,
}

/// Reads a list to its end, one page after the other.
pub async fn walk(Walk { address, authorization, list }: Walk, clock: &dyn Clock) -> Result<Run, Error> {
    let mut connection = Connection::open(address).await?;
    let first = list.path();
    let (mut took, mut rows, mut next) = (Vec::new(), 0, None::<String>);
    // The first request of a new server opens its connections to the database and prepares its statements.
    let credentials = format!("authorization: {authorization}");
    connection.get(&first, &credentials).await?;
    let begun = Begun::now(clock);
    loop {
        let asked = clock.now();
        let path = next.as_ref().map_or_else(|| first.clone(), |next| format!("{first}&cursor={next}"));
        let page = connection.get(&path, &credentials).await?;
        took.push(clock.now().since(asked).millis());
        let page: Page = serde_json::from_slice(page)?;
        rows += page.items.len() as u64;
        match page.next {
            Some(_) => next = page.next,
            None => break,
        }
    }
    let mut measured = Run::since(begun, rows, clock);
    measured.p99_ms = worst_part(&took);
    took.sort_unstable();
    measured.p50_ms = percentile(&took, 50);
    Ok(measured)
}

/// Returns the 99th percentile of the slowest third: a list may be slow at its begin, in its middle or at its end.
fn worst_part(took: &[i64]) -> Option<i64> {
    let part = |part: &[i64]| {
        let mut part = part.to_vec();
        part.sort_unstable();
        percentile(&part, 99)
    };
    took.chunks(took.len().div_ceil(3).max(1)).filter_map(part).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::ManualClock;
    use crate::base::domain::Timestamp;
    use crate::bench::{Laid, fill};
    use crate::store::BatchFilter;

    #[test]
    fn the_slowest_third_of_a_list_counts() {
        let even: Vec<i64> = vec![2; 299];
        let slow_at_its_end = [even.clone(), vec![30]].concat();
        assert_eq!((worst_part(&[]), worst_part(&[5]), worst_part(&even)), (None, Some(5), Some(2)));
        assert_eq!(worst_part(&slow_at_its_end), Some(30));
        assert_eq!(percentile(&slow_at_its_end, 99), Some(2));
    }

    #[tokio::test]
    async fn the_added_rows_are_read_like_any_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stock.db");
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_800_000_000_000))) as Arc<dyn Clock>;
        fill(&path, 3, Laid::HandedOver, Arc::clone(&clock)).await.unwrap();
        add_rows(&path).await.unwrap();
        let store = store::open(&format!("sqlite://{}", path.display()), clock).await.unwrap();
        let filter = BatchFilter { states: None, name: None, is_campaign: Some(true), tests: false };
        let page = store.batch_page(filter, None, 500).await.unwrap();
        assert!(page.batches.len() == 500 && page.next.is_some());
        assert_eq!(page.batches[0].0.state, BatchState::Settled);
        assert_eq!(store.events_before(None, None, 500).await.unwrap().len(), 500);
    }
}
