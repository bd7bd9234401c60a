//! Messages from recipients that may be opt-outs: kept until an operator decides, or their writers have opted out.

use sqlx::{Row, SqliteConnection};

use super::Work;
use super::inbound::message;
use super::rows::json_of;
use crate::store::Inbound;

/// Whether the writer of a message has opted out of everything. An id has the negative number of its row as an opt-out.
macro_rules! has_opted_out {
    () => {
        "(EXISTS (SELECT 1 FROM opt_out o WHERE o.address = i.msisdn AND o.purpose = 0 AND o.channel = -1)
          OR EXISTS (SELECT 1 FROM channel_user u CROSS JOIN opt_out o
                     ON o.address = -u.id AND o.purpose = 0 AND o.channel = -1
                     WHERE u.channel = i.channel AND u.called = i.called))"
    };
}

pub(super) const NOTE: &str = concat!(
    "INSERT INTO possible_stop (inbound)
     SELECT i.id FROM inbound i WHERE i.umid IN (SELECT value FROM json_each(?1)) AND NOT ",
    has_opted_out!()
);

pub(super) const ANY: &str = "SELECT EXISTS (SELECT 1 FROM possible_stop) AS are_there";

/// Notes stored messages that may be opt-outs. Returns whether they are the first ones.
pub(super) async fn note(connection: &mut SqliteConnection, umids: &[&str]) -> Work<bool> {
    if umids.is_empty() {
        return Ok(false);
    }
    let were_there: bool = sqlx::query(ANY).fetch_one(&mut *connection).await?.try_get("are_there")?;
    let noted = sqlx::query(NOTE).bind(json_of(&umids, "ids")?).execute(connection).await?;
    Ok(!were_there && noted.rows_affected() > 0)
}

pub(super) const ONE: &str =
    "SELECT i.* FROM inbound i CROSS JOIN possible_stop p ON p.inbound = i.id WHERE i.umid = ?1";

/// Reads one of them.
pub(super) async fn one(connection: &mut SqliteConnection, umid: &str) -> Work<Option<Inbound>> {
    sqlx::query(ONE).bind(umid).fetch_optional(connection).await?.map(|row| message(&row)).transpose()
}

pub(super) const DECIDE: &str = "DELETE FROM possible_stop WHERE inbound IN (SELECT id FROM inbound WHERE umid = ?1)";

/// Notes that an operator has decided about one. Returns whether it was undecided.
pub(super) async fn decide(connection: &mut SqliteConnection, umid: &str) -> Work<bool> {
    Ok(sqlx::query(DECIDE).bind(umid).execute(connection).await?.rows_affected() > 0)
}

pub(super) const SETTLE: &str = concat!(
    "DELETE FROM possible_stop WHERE inbound IN (
         SELECT p.inbound FROM possible_stop p CROSS JOIN inbound i ON i.id = p.inbound WHERE ",
    has_opted_out!(),
    ")"
);

/// Forgets those whose writers have opted out: nothing is left to decide, also if they opt in again.
pub(super) async fn settle(connection: &mut SqliteConnection) -> Work<()> {
    sqlx::query(SETTLE).execute(connection).await?;
    Ok(())
}
