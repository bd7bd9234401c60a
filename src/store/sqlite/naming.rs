//! Stores which lanes' receipts carry our ids.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{Bound, for_values, timestamp};
use crate::store::NamingLane;

pub(super) async fn keep(connection: &mut SqliteConnection, lanes: Vec<NamingLane>) -> Work<()> {
    for_values(
        connection,
        "INSERT INTO naming_lane (lane, sub_account, base_url, since)",
        "ON CONFLICT DO UPDATE SET sub_account = excluded.sub_account, base_url = excluded.base_url,
         since = excluded.since
         WHERE (sub_account, base_url) IS NOT (excluded.sub_account, excluded.base_url)",
        4,
        &lanes,
        |query: Bound<'_>, lane| {
            query
                .bind(lane.lane.clone())
                .bind(lane.sub_account.clone())
                .bind(lane.base_url.clone())
                .bind(lane.since.millis())
        },
    )
    .await?;
    Ok(())
}

pub(super) async fn all(connection: &mut SqliteConnection) -> Work<Vec<NamingLane>> {
    let rows = sqlx::query("SELECT * FROM naming_lane ORDER BY lane").fetch_all(connection).await?;
    rows.iter()
        .map(|row| {
            Ok(NamingLane {
                lane: row.try_get("lane")?,
                sub_account: row.try_get("sub_account")?,
                base_url: row.try_get("base_url")?,
                since: timestamp(row, "since")?,
            })
        })
        .collect()
}
