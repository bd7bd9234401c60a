//! The floor of durability: the least that a database has to write to submit each message once and lose none. It uses a
//! schema of its own through the same driver. Before each request it reads the message and marks it as being sent.
//! After the request the message awaits, and one row holds its umid. The product's own statements do more; this floor
//! shows by how much.

use sqlx::{Connection, Row, SqliteConnection};

use super::Load;
use super::database::umid;
use crate::base::clock::{Chance, Clock};
use crate::bench::stock::run;
use crate::bench::{Begun, Error, Run};
use crate::store::Sqlite;

/// Messages in one commit, as many as in the product's.
const SET: u32 = 1_000;

const SCHEMA: &str = "
    CREATE TABLE message (n INTEGER PRIMARY KEY, state INTEGER NOT NULL, payload TEXT NOT NULL);
    CREATE TABLE attempt (n INTEGER PRIMARY KEY, umid BLOB NOT NULL);";

const FILL: &str = "
    WITH RECURSIVE number (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n + 1 < ?1)
    INSERT INTO message SELECT n, 0, (6590000000 + n) || ' [\"Name ' || n || '\",\"CODE' || n || '\"]' FROM number";

const READ: &str = "SELECT group_concat(line, char(10)) AS lines FROM
     (SELECT n || ' ' || payload AS line FROM message WHERE n BETWEEN ?1 AND ?2 AND state = 0)";

const MOVE: &str = "UPDATE message SET state = ?3 WHERE n BETWEEN ?1 AND ?2";

const NOTE: &str =
    "INSERT INTO attempt SELECT n, substr(?3, (n - ?1) * 16 + 1, 16) FROM message WHERE n BETWEEN ?1 AND ?2";

/// Takes `load` through both commits without sending anything.
pub async fn floor(load: &Load, clock: &dyn Clock, chance: &Chance) -> Result<Run, Error> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("floor.db");
    std::fs::File::create_new(&path)?;
    let mut connection = Sqlite::bare(&path).await?;
    run(&mut connection, SCHEMA).await?;
    sqlx::query(FILL).bind(load.messages).execute(&mut connection).await?;
    run(&mut connection, "PRAGMA wal_checkpoint(TRUNCATE)").await?;
    let begun = Begun::now(clock);
    let mut done = 0_u64;
    for first in (0..load.messages).step_by(SET as usize) {
        let last = first.saturating_add(SET).min(load.messages) - 1;
        done += set_off(&mut connection, first, last).await?;
        let umids = (first..=last).flat_map(|n| umid(chance, n).to_bytes()).collect();
        record(&mut connection, first, last, umids).await?;
    }
    let measured = Run::since(begun, done, clock);
    connection.close().await?;
    Ok(measured)
}

/// Reads the payloads of a set and marks its rows as being sent.
async fn set_off(connection: &mut SqliteConnection, first: u32, last: u32) -> Result<u64, Error> {
    run(connection, "BEGIN IMMEDIATE").await?;
    let read = sqlx::query(READ).bind(first).bind(last).fetch_one(&mut *connection).await?;
    let sent = read.try_get::<&str, _>("lines")?.lines().count();
    sqlx::query(MOVE).bind(first).bind(last).bind(1).execute(&mut *connection).await?;
    run(connection, "COMMIT").await?;
    Ok(sent.try_into()?)
}

async fn record(connection: &mut SqliteConnection, first: u32, last: u32, umids: Vec<u8>) -> Result<(), Error> {
    run(connection, "BEGIN IMMEDIATE").await?;
    sqlx::query(MOVE).bind(first).bind(last).bind(2).execute(&mut *connection).await?;
    sqlx::query(NOTE).bind(first).bind(last).bind(umids).execute(&mut *connection).await?;
    run(connection, "COMMIT").await
}
