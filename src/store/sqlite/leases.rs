//! Stores the lease: compare-and-swap acquires it, only its holder renews it, and each claim checks it.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::rows::{maybe_timestamp, small, timestamp};
use crate::base::domain::Timestamp;
use crate::store::{Epoch, Error, Holder, Latest, Lease};

/// The only unit: everything that this database sends. With many nodes there will be one per portfolio.
const UNIT: i64 = 0;

pub(super) async fn read_lease(connection: &mut SqliteConnection) -> Work<Lease> {
    let row = sqlx::query(
        "SELECT epoch, renewed, started_at, machine, pid, process_started
         FROM lease LEFT JOIN node ON node.id = lease.holder WHERE unit = ?1",
    )
    .bind(UNIT)
    .fetch_one(connection)
    .await?;
    let held = match maybe_timestamp(&row, "started_at")? {
        Some(since) => {
            let (machine, pid) = (row.try_get("machine")?, small(&row, "pid")?);
            Some((Holder { machine, pid, started: small(&row, "process_started")? }, since))
        }
        None => None,
    };
    Ok(Lease { epoch: Epoch(small(&row, "epoch")?), renewed: timestamp(&row, "renewed")?, held })
}

/// Reads the number of the latest decision, and the current epoch.
pub(super) async fn read_latest(connection: &mut SqliteConnection) -> Work<Latest> {
    let row =
        sqlx::query("SELECT seq, epoch FROM control, lease WHERE unit = ?1").bind(UNIT).fetch_one(connection).await?;
    Ok(Latest { seq: small(&row, "seq")?, epoch: Epoch(small(&row, "epoch")?) })
}

/// Begins the next epoch if the lease has not changed since it was `seen`. The caller sets the holder with [`assign`], in the
/// same transaction.
pub(super) async fn take(connection: &mut SqliteConnection, seen: &Lease, now: Timestamp) -> Work<Option<Epoch>> {
    let row = sqlx::query(
        "UPDATE lease SET epoch = epoch + 1, renewed = ?2
         WHERE unit = ?1 AND epoch = ?3 AND renewed = ?4 AND (holder IS NULL) = ?5 RETURNING epoch",
    )
    .bind(UNIT)
    .bind(now.millis())
    .bind(seen.epoch.0.cast_signed())
    .bind(seen.renewed.millis())
    .bind(seen.held.is_none())
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(Epoch(small(&row, "epoch")?))).transpose()
}

pub(super) async fn assign(connection: &mut SqliteConnection, node: i64) -> Work<()> {
    let query = sqlx::query("UPDATE lease SET holder = ?2 WHERE unit = ?1").bind(UNIT).bind(node);
    query.execute(connection).await?;
    Ok(())
}

pub(super) async fn renew(connection: &mut SqliteConnection, node: i64, now: Timestamp) -> Work<()> {
    let renewed = sqlx::query("UPDATE lease SET renewed = ?3 WHERE unit = ?1 AND holder = ?2")
        .bind(UNIT)
        .bind(node)
        .bind(now.millis())
        .execute(connection)
        .await?;
    if renewed.rows_affected() == 0 { Err(Error::Superseded.into()) } else { Ok(()) }
}

/// Releases the lease if this node still holds it.
pub(super) async fn release(connection: &mut SqliteConnection, node: i64) -> Work<()> {
    let query = sqlx::query("UPDATE lease SET holder = NULL WHERE unit = ?1 AND holder = ?2").bind(UNIT).bind(node);
    query.execute(connection).await?;
    Ok(())
}

/// Whether this is the current epoch. In a write transaction no server can begin another one before it ends.
pub(super) async fn is_current(connection: &mut SqliteConnection, epoch: Epoch) -> Work<bool> {
    let query = sqlx::query("SELECT epoch FROM lease WHERE unit = ?1").bind(UNIT);
    Ok(Epoch(small(&query.fetch_one(connection).await?, "epoch")?) == epoch)
}
