//! Tests that a database of each earlier version opens with this one, with everything in it.
//!
//! A migration is frozen once it is released: a change of the schema is a new file. `rows_0001.sql` has rows for every table
//! as the first version wrote them. `VOLLEY_BLESS=1` writes it anew, which only a version that was never released may do.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Row, SqliteConnection};

use super::TempDatabase;
use crate::base::domain::text::hex;
use crate::base::domain::{
    Address, AudienceId, BatchId, Channel, ChannelUser, Keyword, MessageKey, Msisdn, OptOutOf, Recipient, StepIndex,
    Timestamp,
};
use crate::store::contract::Desk;
use crate::store::sqlite::MIGRATIONS;
use crate::store::{
    Addresses, Audiences, Batches, Consent, Cursor, Events, InboundOf, Lanes, Messages, Replies, Scope, Tiers, Whom,
};

/// The digest of each released migration.
const FROZEN: [(i64, &str); 33] = [
    (1, "903b1ee76dec596566ea8152864816ab9aad8d6378de13738b440040b03574a0"),
    (2, "7bbdc20e0f77c9ebe9f9759ef552fc72023e89fd8b6560acaff0be0ca3a15aaa"),
    (3, "48c8dad21a434075d633304c4290f66fbf6c0d080fa7e9f9937df9d04c187242"),
    (4, "0edb40fd31e44da72b2ea63001ec100d11408896907ec9d27cc36ea71c0b80ef"),
    (5, "1de27a56ae8be0668b65d4852d4e51632f3af1db2ff84e54ed73f34353a01bb1"),
    (6, "a45f47ef83cab1cccc9591baebc730f6dd1c2b03445953a1065b57e21f99e0f5"),
    (7, "56f54f4cc6134aacc6aec992844fc9ea6279acb9ac4e40fd1800ee5fe262a4a2"),
    (8, "34acf010be1361470094670dd1d357e4b3136c25ded3d15872ee443dff2de71f"),
    (9, "6200e1ad63f66401347df2953283571f4977531e4566067a1a0f8ab2c195425d"),
    (10, "c2656f807b279134920dfc6a0badde6be590547efa86c6d00357cc438f5ed9b6"),
    (11, "38f81eed2a32861f5b436e82e27b7dce076865abf907337633dcf481edbd9c74"),
    (12, "0d252df86fdd8a14044182ac892d1bd7b6f9978e36bec882085038eb4966ba5f"),
    (13, "3026acdc811d2b87a11f36733310c2ca4b013baec6844c02491d3cf5e9852340"),
    (14, "e86d12a54dcce37c1bc4c35a362da24275c50342340966a7b6a1e6030f7e7799"),
    (15, "d66e22d50d1d863f921000e62e7d2218455de855014c018256c2470dd5be3ae1"),
    (16, "7adaab1290358122bcf904050798cf1dee2def9279d6d11101158a4eea3acf6f"),
    (17, "bf5049e7eec65f182029bab5a4e66c64c3d0a515aa0efa1a77c0ebc8d4d2806d"),
    (18, "e2623ef97b1ad2312433135d7460b6400cb52bd2cb25718f3dfe8e81ea967d8f"),
    (19, "6cb68aae68a5b4d222e3e49c291df4632507b8762993c01932003334b5d4ada0"),
    (20, "df94b505833123131734103530c4492d25048e055ae5b57f2871b87d3051f69c"),
    (21, "3e3ba1cc86ef42954201616d2970473bfc76278bb6ab79e123e382f54c3b68f2"),
    (22, "e603a691977218de55325ab83c4f46b890b53fab20545441617f60d09fcf6ae2"),
    (23, "1a85d3878611a75b6002cfb01f9ff8e7d83eff7a9efa2266146612d058ee8b17"),
    (24, "c1ab54d571f58056447bc6ce8b102f061704246215964a9ce6ae0a5064981ad7"),
    (25, "e08a3c6fa40358eef8ec893d43935fd722ee317c63dbd6c66ddfda6dba8c6405"),
    (26, "c4b336cf8fd1234f0a78d4367f66e77200b255df92edcd8de937df50560c8ee5"),
    (27, "88a67cb71991a54d5aa6b8af544f5646142623bc41c8338635cb6b72c1a50613"),
    (28, "263b8d16807ee5e0ef1b5fd5d6b4249c3ae15fcc7ccdc3aab56d5b0c913b90e8"),
    (29, "b4e88c71c7bd6e6bf888991b5382bfedd4ae82a2975a4b0e705790f7889c646f"),
    (30, "b141022faf204e403ffb6a0daf063bf580d49f0269cf41d4b4e63881f9f74cc7"),
    (31, "6311850d593a253f6ff2f4b661276a901491552853bd9ac102b2609c60d84530"),
    (32, "91ddbcf563e00f1a521ca205171be6e0b220c1169d5eaa8c0ff248378f512c42"),
    (33, "d23562bc4c89c045fd830bec9487e57a1dce193cddecf642f03a4abd26010441"),
];

fn rows_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite/tests/rows_0001.sql")
}

/// The tables with data of Volley, in the order of their names; without the one that only a migration writes.
async fn tables(file: &mut SqliteConnection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         AND name NOT IN ('_sqlx_migrations', 'stand_in') ORDER BY name";
    sqlx::query_scalar(sql).fetch_all(file).await.unwrap()
}

/// The columns of a table, and its rows as lists of values.
async fn rows_of(file: &mut SqliteConnection, table: &str) -> (Vec<String>, Vec<String>) {
    let sql = format!("SELECT name FROM pragma_table_info('{table}')");
    let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *file).await.unwrap();
    let quoted: Vec<String> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
    let sql = format!("SELECT concat_ws(', ', {}) FROM \"{table}\"", quoted.join(", "));
    (columns, sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *file).await.unwrap())
}

/// Every row as a statement that writes it, without the rows that the migration itself wrote.
async fn dumped(file: &mut SqliteConnection) -> String {
    let mut dump = String::new();
    for table in tables(file).await {
        let (columns, rows) = rows_of(file, &table).await;
        assert!(!rows.is_empty(), "{table} has no rows: let `Desk::fill` write some");
        for row in rows {
            let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
            writeln!(dump, "INSERT OR REPLACE INTO \"{table}\" ({}) VALUES ({row});", names.join(", ")).unwrap();
        }
    }
    dump
}

#[test]
fn a_released_migration_is_never_changed() {
    let digest = |sql: &str| hex(Sha256::digest(sql));
    let frozen = FROZEN.map(|(version, digest)| (version, digest.to_owned()));
    let now: Vec<_> = MIGRATIONS.iter().map(|migration| (migration.version, digest(migration.sql.as_str()))).collect();
    assert!(now.starts_with(&frozen), "a change of the schema is a new file: {now:?}");
}

#[tokio::test]
async fn the_rows_of_the_first_version_fill_every_table() {
    let database = TempDatabase::new();
    let desk = Desk::at(&database.url(), None).await;
    desk.fill().await;
    desk.store.close().await;
    let mut file = SqliteConnection::connect(&database.url()).await.unwrap();
    let dump = dumped(&mut file).await;
    if std::env::var_os("VOLLEY_BLESS").is_some() {
        std::fs::write(rows_file(), &dump).unwrap();
    }
}

/// A database as the first version created it.
async fn first_version(database: &TempDatabase) -> SqliteConnection {
    let mut file = SqliteConnection::connect(&format!("{}?mode=rwc", database.url())).await.unwrap();
    let first = MIGRATIONS.iter().take(1).cloned().collect::<Vec<_>>();
    Migrator::with_migrations(first).run(&mut file).await.unwrap();
    file
}

/// The same, with rows in every table.
async fn filled_first_version(database: &TempDatabase) -> SqliteConnection {
    let mut file = first_version(database).await;
    // They are in the order of the tables' names.
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut file).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(std::fs::read_to_string(rows_file()).unwrap())).execute(&mut file).await.unwrap();
    file
}

#[tokio::test]
async fn a_database_of_the_first_version_opens_with_everything_in_it() {
    let database = TempDatabase::new();
    let mut file = first_version(&database).await;
    let rows = std::fs::read_to_string(rows_file()).unwrap();
    // They are in the order of the tables' names.
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut file).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(rows.clone())).execute(&mut file).await.unwrap();
    let written = rows.lines().count();
    file.close().await.unwrap();

    let store = database.open().await.unwrap();
    let batch = store.batch_named("promo").await.unwrap().unwrap();
    assert_eq!((batch.messages, batch.edition), (6, 1));
    // That version corrected texts until the start.
    assert!(batch.started_at.is_some() && batch.texts_final_at == batch.started_at, "{batch:?}");
    assert!(store.plan(batch.id).await.unwrap().is_some() && store.editions(batch.id).await.unwrap().len() == 1);
    let members = store.audience_named("members").await.unwrap().unwrap();
    assert_eq!(store.recipients(members.id(), 0, 9).await.unwrap().len(), 6);
    let (copied, _) = tokio::sync::watch::channel(crate::store::Copied::default());
    let mut walk = store.walk(batch.id, Scope::FactsAndRecipients, copied).await.unwrap().unwrap();
    let all = walk.next().await.unwrap().unwrap();
    assert!(walk.frame.plan_is_whole && all.len() == 6, "{:?}", walk.frame);
    assert_eq!(all.iter().map(|facts| facts.attempts.len()).sum::<usize>(), 3);
    assert_eq!(all.iter().map(|facts| facts.receipts.len()).sum::<usize>(), 1);
    // That version did not count which messages entered a step.
    let tallies = store.tallies(batch.id).await.unwrap();
    assert_eq!((tallies.messages(), tallies.follows_messages()), (6, false));
    assert_eq!(store.spent(batch.id).await.unwrap()[0].0, StepIndex::FIRST);
    assert_eq!((store.holds().await.unwrap().len(), store.step_holds().await.unwrap().len()), (1, 1));
    assert_eq!(store.overrides().await.unwrap().len(), 1);
    assert_eq!(
        store.opted_out_numbers(None, 9, OptOutOf::Everything).await.unwrap(),
        [Msisdn::try_from(6_591_000_008_u64).unwrap()]
    );
    assert_eq!(store.inbound(InboundOf::All, Cursor::START, 9).await.unwrap().len(), 1);
    assert!(!store.events(Cursor::START, 99).await.unwrap().is_empty());

    // Nothing was lost on the way.
    let mut file = SqliteConnection::connect(&database.url()).await.unwrap();
    let mut kept = 0;
    // A later version derives the rows of the last table from those of batches.
    for table in tables(&mut file).await.into_iter().filter(|table| table != "audience_use") {
        let count = sqlx::query(AssertSqlSafe(format!("SELECT count(*) FROM \"{table}\""))).fetch_one(&mut file).await;
        kept += usize::try_from(count.unwrap().get::<i64, _>(0)).unwrap();
    }
    assert_eq!(kept, written);
}

/// Writes an inbound message as the first version did.
async fn write_inbound(file: &mut SqliteConnection, umid: &str, called: Option<&str>, keyword: Option<u8>, raw: &str) {
    let sql =
        "INSERT INTO inbound (umid, received, written_at, sub_account, channel, channel_id, called, kind, keyword, raw)
         VALUES (?1, ?2, ?2, 'acme', ?3, '', ?4, 'text', ?5, ?6)";
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM inbound").fetch_one(&mut *file).await.unwrap();
    let at = 1_800_000_000_000 + 1_000 * count;
    let query = sqlx::query(sql).bind(umid).bind(at).bind(Channel::Line.code()).bind(called);
    query.bind(keyword).bind(raw).execute(file).await.unwrap();
}

#[tokio::test]
async fn replies_of_the_first_version_get_what_was_chosen() {
    let long = "x".repeat(300);
    let long_event = format!(r#"{{"payload":{{"content":{{"payload":"{long}"}}}}}}"#);
    let cases = [
        (r#"{"payload":{"content":{"interactive":{"button_reply":{"id":"b-1","title":"Yes"}}}}}"#, Some("Yes")),
        (r#"{"payload":{"content":{"interactive":{"buttonReply":{"id":"b-1","title":""}}}}}"#, Some("b-1")),
        (
            r#"{"payload":{"content":{"interactive":{"list_reply":{"id":"s-1","title":"Monday","description":"9:00"}}}}}"#,
            Some("Monday: 9:00"),
        ),
        (r#"{"payload":{"content":{"interactive":{"listReply":{"id":"s-1","description":""}}}}}"#, Some("s-1")),
        (r#"{"payload":{"content":{"text":"Yes","payload":"yes-1"}}}"#, Some("Yes")),
        (r#"{"payload":{"content":{"text":"","payload":"yes-1"}}}"#, Some("yes-1")),
        // LINE's form.
        (r#"{"content":{"interactive":{"button_reply":{"id":"b-1","title":"A\nB"}}}}"#, Some("A B")),
        (long_event.as_str(), Some(&long[..200])),
        (r#"{"payload":{"content":{"text":"Yes"}}}"#, None),
        (r#"{"payload":{"content":{"interactive":{"button_reply":null}}}}"#, None),
        (r#"{"payload":{"content":{"interactive":{"button_reply":"Yes"}}}}"#, None),
        (r#"{"payload":{"content":"Yes"}}"#, None),
        (r#"{"payload":{"content":"#, None),
        ("7", None),
        ("", None),
    ];
    let database = TempDatabase::new();
    let mut file = first_version(&database).await;
    for (n, (raw, _)) in cases.iter().enumerate() {
        write_inbound(&mut file, &format!("in-{n}"), None, None, raw).await;
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let all = store.inbound(InboundOf::All, Cursor::START, 99).await.unwrap();
    assert_eq!(all.len(), cases.len());
    for ((_, inbound), (raw, wanted)) in all.iter().zip(cases) {
        assert_eq!(inbound.choice.as_deref(), wanted, "{raw}");
    }
}

#[tokio::test]
async fn ids_of_the_first_version_are_opted_out_by_their_last_keyword() {
    let database = TempDatabase::new();
    let mut file = first_version(&database).await;
    let (stop, start) = (Some(Keyword::Stop.code()), Some(Keyword::Start.code()));
    // The last two had a number, of which one opted in after the "stop".
    let wrote = [
        ("out", stop),
        ("in again", stop),
        ("in again", start),
        ("out again", start),
        ("out again", stop),
        ("let in", stop),
        ("known", start),
        ("known", stop),
    ];
    for (n, (called, keyword)) in wrote.into_iter().enumerate() {
        write_inbound(&mut file, &format!("in-{n}"), Some(called), keyword, "{}").await;
    }
    for (called, msisdn) in [("let in", 6_591_000_001_i64), ("known", 6_591_000_002)] {
        let learn = sqlx::query("INSERT INTO alias (channel, called, msisdn) VALUES (?1, ?2, ?3)");
        learn.bind(Channel::Line.code()).bind(called).bind(msisdn).execute(&mut file).await.unwrap();
        // Before the "stop" of the one, and after that of the other.
        let opt_in = "INSERT INTO opt_out_record (msisdn, at, wants, source, words) VALUES (?1, ?2, 1, 2, 'by ann')";
        sqlx::query(opt_in).bind(msisdn).bind(1_800_000_006_500_i64).execute(&mut file).await.unwrap();
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let listed = store.opt_outs(Cursor::START, 99).await.unwrap();
    let out: Vec<_> = listed.iter().filter_map(|(_, entry)| Some(entry.address.user()?.id.as_str())).collect();
    assert_eq!(out, ["known", "out", "out again"]);
    let user = ChannelUser { channel: Channel::Line, id: "out again".to_owned() };
    let wishes = store.wishes(user.into()).await.unwrap();
    assert_eq!(
        wishes.iter().map(|wish| (wish.at.millis(), wish.wants)).collect::<Vec<_>>(),
        [(1_800_000_004_000, Keyword::Stop)]
    );
}

/// Numbers with one and with two spellings, in each of them.
const NUMBERS: [&str; 12] = [
    "+551187654321",
    "+5511912345678",
    "+5511961234567",
    "+551134567890",
    "+5599999999999",
    "+559960000000",
    "+5215512345678",
    "+525587654321",
    "+541123456789",
    "+5493817123456",
    "+543999999999",
    "+6591234567",
];

#[tokio::test]
async fn opt_outs_before_addresses_reach_every_spelling() {
    let database = TempDatabase::new();
    let mut file = first_version(&database).await;
    let numbers = NUMBERS.map(|number| number.parse::<Msisdn>().unwrap());
    for number in numbers {
        let opt_out = "INSERT INTO opt_out (msisdn, since, source, words) VALUES (?1, 1800000000000, 0, 'stop')";
        let slot = "INSERT INTO tier_slot (portfolio, msisdn, at) VALUES ('acme', ?1, 1800000000000)";
        for statement in [opt_out, slot] {
            let digits = i64::try_from(number.get()).unwrap();
            sqlx::query(statement).bind(digits).execute(&mut file).await.unwrap();
        }
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let mut spellings: Vec<Msisdn> =
        numbers.into_iter().flat_map(|number| [Some(number), number.other_spelling()]).flatten().collect();
    spellings.sort_unstable();
    assert_eq!(store.opted_out_numbers(None, 99, OptOutOf::Everything).await.unwrap(), spellings);
    assert_eq!(store.wishes("+5511987654321".parse().unwrap()).await.unwrap().len(), 1);
    let slots = store.tier_slots(vec!["acme".to_owned()], Timestamp::default()).await.unwrap();
    let mut held: Vec<Msisdn> = slots["acme"].iter().filter_map(|slot| slot.recipient.number()).collect();
    held.sort_unstable();
    let mut canonical = numbers.map(Msisdn::canonical);
    canonical.sort_unstable();
    assert_eq!(held, canonical);
}

#[tokio::test]
async fn a_stop_before_addresses_reaches_the_recipient_whose_message_it_answered() {
    let database = TempDatabase::new();
    let mut file = filled_first_version(&database).await;
    let recipient: i64 =
        sqlx::query_scalar("SELECT msisdn FROM message WHERE batch = 1 AND n = 0").fetch_one(&mut file).await.unwrap();
    let reply =
        "INSERT INTO inbound (umid, received, written_at, sub_account, channel, channel_id, msisdn, kind, keyword,
                                      batch, n, step, raw)
                 VALUES ('reply', 1800000020000, 1800000020000, 'acme', 0, '', 447700900001, 'text', 0, 1, 0, 0, '{}')";
    let opt_out =
        "INSERT INTO opt_out (msisdn, since, source, words) VALUES (447700900001, 1800000020000, 0, 'stop by message')";
    for statement in [reply, opt_out] {
        sqlx::raw_sql(statement).execute(&mut file).await.unwrap();
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let recipient = Msisdn::try_from(recipient).unwrap();
    assert_eq!(store.opted_out(vec![recipient], OptOutOf::Everything).await.unwrap(), [recipient]);
    let replies = store.inbound(InboundOf::Recipient(recipient.into()), Cursor::START, 9).await.unwrap();
    assert!(replies.iter().any(|(_, reply)| reply.umid == "reply"), "{replies:?}");
}

#[tokio::test]
async fn what_messages_had_reserved_is_reserved_for_their_steps() {
    let database = TempDatabase::new();
    let mut file = filled_first_version(&database).await;
    let before = MIGRATIONS.iter().take_while(|migration| migration.version < 32).cloned().collect::<Vec<_>>();
    Migrator::with_migrations(before).run(&mut file).await.unwrap();
    // One awaits its receipts, one is being sent, and one is over.
    for statement in [
        "UPDATE message SET reserved = 100 WHERE batch = 1 AND n IN (0, 3)",
        "UPDATE message SET state = 3, outcome = 0, at = 1800000002000 WHERE batch = 1 AND n = 1",
        "UPDATE spent SET reserved = 200 WHERE batch = 1 AND step = 0",
    ] {
        assert!(sqlx::query(statement).execute(&mut file).await.unwrap().rows_affected() > 0, "{statement}");
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let batch = store.batch_named("promo").await.unwrap().unwrap().id;
    let reserved = store.spent(batch).await.unwrap().into_iter().map(|(_, spent)| spent.reserved.millionths());
    assert_eq!(reserved.sum::<u64>(), 200);
    drop(store);
    let mut file = SqliteConnection::connect(&database.url()).await.unwrap();
    let (_, rows) = rows_of(&mut file, "reservation").await;
    assert_eq!(rows, ["1, 0, 0, 100, 1800000901000", "1, 3, 0, 100, 1800172800000"]);
}

/// An id whose stand-in has opted out, and of which nothing else is left.
const LOST: &str = "U00000000000000000000000000000009";

/// Two recipients of one stand-in, as an id's hash could have it; one of them has opted out under it.
const STAND_INS: &str = "
    INSERT INTO audience (id, source, columns, begun_at, touched_at, recipients, ready)
    VALUES (77, 'api', '[\"lineUserId_1\",\"text_2\"]', 1800000000000, 1800000000000, 3, 1);
    INSERT INTO recipient (audience, n, msisdn, country, fields) VALUES
        (77, 0, 999000000000007, 'ZZ', '[\"U1\",\"Hi\"]'), (77, 1, 999000000000007, 'ZZ', '[\"U2\",\"Hi\"]'),
        (77, 2, 6591000001, 'SG', '[\"U3\",\"Hi\"]');
    INSERT INTO sieve (audience, first, bits) VALUES (77, 0, zeroblob(96));
    INSERT INTO message (batch, n, audience, recipient, msisdn, country, state, step, lane, not_before)
    SELECT 1, 100 + n, audience, n, msisdn, country, 0, 0, 1, 1800000000000 FROM recipient WHERE audience = 77;
    INSERT INTO opt_out (msisdn, since, source, words) VALUES (999000000000007, 1800000001000, 0, 'stop by message on LINE');
    INSERT INTO opt_out_record (msisdn, at, wants, source, words)
    VALUES (999000000000007, 1800000001000, 0, 0, 'stop by message on LINE');
    INSERT INTO opt_out (msisdn, since, source, words) VALUES (999981801101653, 1800000002000, 1, 'receipt with code 1'),
        (999999999999999, 1800000002000, 2, 'by ann');
    INSERT INTO alias (channel, called, msisdn) VALUES (4, 'U1', 999000000000007);
    INSERT INTO inbound (umid, received, written_at, sub_account, channel, channel_id, msisdn, called, kind, keyword, raw)
    VALUES ('in-line', 1800000001000, 1800000001000, 'acme', 4, '', 999000000000007, 'U1', 'text', 0, '{}');
    INSERT INTO tier_slot (portfolio, msisdn, at) VALUES ('acme', 999000000000007, 1800000000000);
    INSERT INTO attempt (batch, n, step, lane, queued, answered, verdict, tries, adoptable, ruling)
    VALUES (1, 101, 0, 1, 1800000000000, 1800000000000, 2, 0, 999000000000007, 0);
";

#[tokio::test]
async fn numbers_that_stood_for_ids_become_the_ids() {
    let database = TempDatabase::new();
    let mut file = filled_first_version(&database).await;
    sqlx::raw_sql(STAND_INS).execute(&mut file).await.unwrap();
    // The same database has budgets, of which a part is reserved, also for a message to a stand-in.
    let before = MIGRATIONS.iter().take_while(|migration| migration.version < 32).cloned().collect::<Vec<_>>();
    Migrator::with_migrations(before).run(&mut file).await.unwrap();
    for statement in [
        "UPDATE message SET reserved = 70, state = 2, due = 1800000900000 WHERE batch = 1 AND n IN (0, 100)",
        "UPDATE spent SET spent = 300, reserved = 140 WHERE batch = 1 AND step = 0",
    ] {
        assert!(sqlx::query(statement).execute(&mut file).await.unwrap().rows_affected() > 0, "{statement}");
    }
    file.close().await.unwrap();
    let store = database.open().await.unwrap();
    let (_, spent) = store.spent(BatchId(1)).await.unwrap()[0];
    assert_eq!((spent.spent.millionths(), spent.reserved.millionths()), (300, 140));
    let line = |id: &str| Address::User(ChannelUser { channel: Channel::Line, id: id.to_owned() });
    let audience = AudienceId(77);
    let addresses = [Some(line("U1")), Some(line("U2")), Some("+6591000001".parse().unwrap())];
    let stored = store.recipients(audience, 0, 9).await.unwrap();
    assert_eq!(stored.iter().map(|one| one.address.clone()).collect::<Vec<_>>(), addresses);
    let messages = [100, 101, 102].map(|n| MessageKey { batch: BatchId(1), n });
    let messages = store.load(messages.to_vec()).await.unwrap();
    let of_messages = Addresses::read(&store, messages.iter().map(|message| message.address)).await.unwrap();
    assert_eq!(messages.iter().map(|message| of_messages.of(message.address)).collect::<Vec<_>>(), addresses);
    let unknown = store.unknown(BatchId(1), 99).await.unwrap();
    assert!(unknown.iter().any(|(key, address, _)| key.n == 101 && *address == messages[1].address), "{unknown:?}");
    for (n, id) in [(0, "U1"), (1, "U2")] {
        assert_eq!(store.find_recipient(Whom::Address(line(id)), None).await.unwrap(), [(audience, n)]);
        let opt_out = store.opt_out_of(line(id)).await.unwrap().unwrap();
        assert!(opt_out.source.starts_with("stop by message"), "{opt_out:?}");
        assert_eq!(store.wishes(line(id)).await.unwrap().len(), 1);
    }
    let replies = store.inbound(InboundOf::Recipient(line("U1")), Cursor::START, 9).await.unwrap();
    assert_eq!(
        replies.iter().map(|(_, reply)| (reply.umid.as_str(), reply.msisdn)).collect::<Vec<_>>(),
        [("in-line", None)]
    );
    let made_up = ["+999000000000007", "+999981801101653"].map(|number| number.parse::<Msisdn>().unwrap());
    assert_eq!(store.stand_ins().await.unwrap(), made_up);
    // Nothing told the id of the other one; it is opted out as soon as a message to it comes.
    assert_eq!(store.opt_out_of(line(LOST)).await.unwrap(), None);
    let known = [line(LOST), line("U00000000000000000000000000000008")]
        .map(|address| Recipient { address: Some(address), ..stored[0].clone() });
    store.add_recipients(audience, 3, known.to_vec()).await.unwrap();
    let recalled = store.opt_out_of(line(LOST)).await.unwrap().unwrap();
    assert_eq!((recalled.source.as_str(), store.wishes(line(LOST)).await.unwrap().len()), ("receipt with code 1", 1));
    assert_eq!(
        store.opt_outs(Cursor::START, 99).await.unwrap().iter().filter(|(_, it)| it.address.user().is_some()).count(),
        3
    );
    // No made-up number is left.
    let mut file = SqliteConnection::connect(&database.url()).await.unwrap();
    let (_, reserved) = rows_of(&mut file, "reservation").await;
    assert_eq!(reserved, ["1, 0, 0, 70, 1800000900000", "1, 100, 0, 70, 1800000900000"]);
    for table in tables(&mut file).await {
        let (_, rows) = rows_of(&mut file, &table).await;
        assert!(
            !rows.iter().any(|row| row.contains("99900000000000") || row.contains("99998180110165")),
            "{table}: {rows:?}"
        );
    }
}
