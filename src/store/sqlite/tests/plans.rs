//! Tests that the statements of the hot path use their index and scan no table.

use sqlx::{AssertSqlSafe, Row};

use super::TempDatabase;
use crate::store::sqlite::{
    addresses, aliases, api_keys, asking, audiences, audit, batches, claim, client_ids, deliveries, facts, figures,
    inbound, joining, messages, nodes, operators, opt_outs, outbox, places, possible_stops, reads, receipts, rejected,
    retention, sessions, shapes, shared_reports, sketches, tiers, walk, windows,
};

/// Scans that are allowed: of sets that are bound to a statement, and of the results of its inner part.
const BOUND_SETS: [&str; 8] = [
    " VIRTUAL TABLE ",
    " CONSTANT ROW",
    "(subquery-",
    "SCAN lesson",
    "SCAN waiting",
    "SCAN first",
    "SCAN candidate",
    "SCAN lengths",
];

/// Pages of lists, which are walks of one index.
const WALKS: [&str; 21] = [
    receipts::STRAYS,
    inbound::AFTER.all,
    inbound::AFTER.possible_stops,
    inbound::BEFORE.possible_stops,
    inbound::AFTER.of_number,
    inbound::AFTER.of_user,
    inbound::AFTER.of_batch,
    inbound::BEFORE.all,
    inbound::BEFORE.of_number,
    inbound::BEFORE.of_user,
    inbound::BEFORE.of_batch,
    nodes::EVENTS_BEFORE,
    nodes::EVENTS_OF_BATCH_BEFORE,
    opt_outs::NUMBERS,
    opt_outs::IDS,
    batches::PAGE,
    batches::LOOKED_AT_LAST,
    batches::OF_AUDIENCE,
    places::SIEVES_FROM,
    rejected::ALL,
    rejected::OF_REASON,
];

#[tokio::test]
async fn every_statement_of_the_hot_path_uses_its_index() {
    let db = TempDatabase::new();
    let store = db.open().await.unwrap();
    let [before, after] = receipts::LEARN;
    let learn = format!("{before} VALUES (1, 2, 3, 0, 0, NULL), (1, 3, 3, 0, 9, NULL) {after}");
    for (text, wanted) in [
        (claim::PAGE, &["m USING INDEX message_queue", "r USING PRIMARY KEY", "o USING PRIMARY KEY (address=?"][..]),
        (
            reads::QUEUED_SINCE,
            &["SEARCH message USING INDEX message_queue (lane=? AND batch=? AND step=? AND (not_before,n)>(?,?))"],
        ),
        (claim::BATCHES_AT_CLAIM, &["SEARCH batch USING INTEGER PRIMARY KEY"]),
        (claim::MARK_SENDING.list, &["SEARCH message USING PRIMARY KEY (batch=? AND n=?)"]),
        (claim::MARK_SENDING.run, &["SEARCH message USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (shapes::WRITE.list, &["SEARCH message USING PRIMARY KEY (batch=? AND n=?)"]),
        (shapes::WRITE.run, &["SEARCH message USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (shapes::WRITE_ATTEMPTS.run, &["SEARCH message USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (shapes::WRITE_ATTEMPTS.list, &["SEARCH message USING PRIMARY KEY (batch=? AND n=?)"]),
        (
            client_ids::KNOWN,
            &["SEARCH known USING PRIMARY KEY (sub_account=? AND client_id=?)", "SEARCH batch USING INTEGER"],
        ),
        (joining::OWN_TIMES, &["SEARCH message USING PRIMARY KEY (batch=? AND n=?)"]),
        (reads::IN_FLIGHT, &["SEARCH message USING PRIMARY KEY (batch=? AND n>?)"]),
        (claim::NEXT, &["SEARCH message USING", "message_queue (lane=? AND batch=? AND step=? AND not_before>?)"]),
        (tiers::HOLDERS, &["SEARCH tier_slot USING PRIMARY KEY (portfolio=? AND address=?)"]),
        (tiers::RESTORE, &["SEARCH tier_slot USING PRIMARY KEY (portfolio=? AND address=?)"]),
        (tiers::PIECE_END, &["SEARCH tier_slot USING PRIMARY KEY"]),
        (tiers::FORGET, &["SEARCH tier_slot USING PRIMARY KEY"]),
        (tiers::FORGET_REST, &["SEARCH tier_slot USING PRIMARY KEY"]),
        (tiers::FREE, &["SEARCH tier_slot USING PRIMARY KEY (portfolio=? AND address=?)"]),
        (reads::DUE, &["SEARCH message USING INDEX message_due"]),
        (asking::SILENT, &["SEARCH message USING INDEX message_due (batch=? AND due>? AND due<?)"]),
        (
            asking::QUESTIONS,
            &[
                "SEARCH attempt USING PRIMARY KEY (batch=? AND n=? AND step=?)",
                "SEARCH question USING PRIMARY KEY (batch=? AND n=? AND step=?)",
            ],
        ),
        (reads::NEXT_DUE, &["SEARCH message USING", "message_due"]),
        (reads::QUEUE_TIMES, &["message_queue (lane=? AND batch=? AND step=?)"]),
        (reads::LOAD, &["SEARCH message USING PRIMARY KEY (batch=? AND n=?)"]),
        (
            places::IN_PIECE_BY_ADDRESS,
            &["SEARCH recipient USING PRIMARY KEY (audience=? AND n>? AND n<?)", "SEARCH sieve USING"],
        ),
        (audiences::KEYS, &["SEARCH recipient USING PRIMARY KEY (audience=? AND n>?)"]),
        (
            receipts::BY_ID_AND_UMID,
            &[
                "attempt_umid (umid=?)",
                "SEARCH message USING PRIMARY KEY (batch=? AND n=?)",
                "SEARCH batch USING INTEGER",
                "SEARCH attempt USING PRIMARY KEY (batch=? AND n=? AND step=?)",
            ],
        ),
        (receipts::BY_NUMBER, &["attempt_adoptable (adoptable=?)"]),
        (receipts::UNKNOWN, &["attempt_adoptable"]),
        (receipts::STRAYS, &["SEARCH stray USING INDEX stray_kind (kind=? AND received>?)"]),
        (receipts::OLD, &["SEARCH stray USING INDEX stray_kind (kind=? AND received<?)"]),
        (receipts::FORGET, &["SEARCH stray USING INTEGER PRIMARY KEY"]),
        (
            walk::MESSAGES,
            &["message USING PRIMARY KEY (batch=? AND n>?)", "r USING PRIMARY KEY", "o USING PRIMARY KEY (address=?"],
        ),
        (walk::WITH_RECIPIENTS, &["message USING PRIMARY KEY (batch=? AND n>?)", "r USING PRIMARY KEY"]),
        (
            walk::TWINS_OF,
            &["SEARCH mine USING PRIMARY KEY (batch=? AND n>? AND n<?)", "SEARCH other USING", "attempt_umid (umid=?)"],
        ),
        (figures::OF, &["SEARCH batch_figures USING PRIMARY KEY (batch=?)"]),
        (figures::FORGET, &["SEARCH batch_figures USING PRIMARY KEY (batch=? AND at=?)"]),
        (figures::FORGET_ALL, &["SEARCH batch_figures USING PRIMARY KEY (batch=?)"]),
        (facts::ATTEMPTS_OF, &["SEARCH attempt USING PRIMARY KEY (batch=? AND n=?)"]),
        (facts::ATTEMPTS, &["SEARCH attempt USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (facts::RECEIPTS_OF, &["SEARCH receipt USING PRIMARY KEY (batch=? AND n=?)"]),
        (facts::RECEIPTS, &["SEARCH receipt USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (facts::ATTEMPTS_CODED, &["SEARCH attempt USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (facts::RECEIPTS_CODED, &["SEARCH receipt USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (
            opt_outs::OPEN_TO_OPTED_OUT,
            &["SEARCH message USING PRIMARY KEY (batch=? AND n>? AND n<?)", "o EXISTS USING PRIMARY KEY (address=?"],
        ),
        (
            opt_outs::NOTE_STOPS,
            &["o USING PRIMARY KEY (address=?", "later USING INDEX wish_address (address=? AND at>?)"],
        ),
        (opt_outs::OPT_IN, &["o USING PRIMARY KEY (address=?", "later USING INDEX wish_address (address=? AND at>?)"]),
        (opt_outs::LAST_STOP, &["wish_stop (id>?)"]),
        (opt_outs::STOPS, &["wish_stop (id>?)"]),
        (messages::UNNAME, &["attempt USING INDEX attempt_umid (umid=? AND batch=? AND n=? AND step=? AND tries<?)"]),
        (inbound::KNOWN, &["SEARCH inbound USING INDEX"]),
        (inbound::ATTACH, &["SEARCH inbound USING INDEX"]),
        (aliases::NUMBERS_OF, &["alias USING PRIMARY KEY (channel=? AND called=?)"]),
        (aliases::FILL_NUMBERS, &["inbound_called (called=?)", "alias USING PRIMARY KEY (channel=? AND called=?)"]),
        (aliases::LAST_KEYWORDS, &["inbound_called (called=?)", "alias USING PRIMARY KEY (channel=? AND called=?)"]),
        (inbound::AFTER.unattached, &["inbound_not_reply (id>?)"]),
        (inbound::BEFORE.unattached, &["inbound_not_reply (id<?)"]),
        (inbound::ON, &["SEARCH inbound USING INDEX"]),
        (inbound::AFTER.possible_stops, &["possible_stop USING INTEGER PRIMARY KEY (rowid>?)"]),
        (inbound::BEFORE.possible_stops, &["possible_stop USING INTEGER PRIMARY KEY (rowid<?)"]),
        (possible_stops::NOTE, &["SEARCH i USING INDEX"]),
        (possible_stops::ONE, &["i USING INDEX", "p USING INTEGER PRIMARY KEY"]),
        (possible_stops::DECIDE, &["possible_stop USING INTEGER PRIMARY KEY"]),
        (inbound::AFTER.all, &["inbound USING INTEGER PRIMARY KEY (rowid>?)"]),
        (inbound::AFTER.of_number, &["inbound_from (msisdn=? AND rowid>?)"]),
        (inbound::AFTER.of_user, &["inbound_called (called=? AND rowid>?)"]),
        (inbound::AFTER.of_batch, &["inbound_batch (batch=? AND rowid>?)"]),
        (inbound::BEFORE.all, &["inbound USING INTEGER PRIMARY KEY (rowid<?)"]),
        (inbound::BEFORE.of_number, &["inbound_from (msisdn=? AND rowid<?)"]),
        (inbound::BEFORE.of_user, &["inbound_called (called=? AND rowid<?)"]),
        (inbound::BEFORE.of_batch, &["inbound_batch (batch=? AND rowid<?)"]),
        (aliases::NUMBERS, &["a USING PRIMARY KEY (channel=? AND called>? AND called<?)"]),
        (aliases::LINKED_TO, &["a USING PRIMARY KEY (channel=? AND called=?)"]),
        (aliases::IDS_OF, &["alias_recipient (msisdn=?)"]),
        (addresses::KEYS, &["sqlite_autoindex_channel_user_1 (channel=? AND called=?)"]),
        (nodes::EVENTS_BEFORE, &["event USING INTEGER PRIMARY KEY (rowid<?)"]),
        (nodes::EVENTS_OF_BATCH_BEFORE, &["event_batch (batch=? AND id<?)"]),
        (opt_outs::NUMBERS, &["o USING PRIMARY KEY (address>?)"]),
        (opt_outs::OPTED_OUT_NUMBERS, &["opt_out USING PRIMARY KEY (address>?)"]),
        (opt_outs::OPTED_OUT_USERS, &["o USING PRIMARY KEY (address<?)", "u USING INTEGER PRIMARY KEY (rowid=?)"]),
        (opt_outs::OPTED_OUT, &["opt_out USING PRIMARY KEY (address=? AND purpose<?)"]),
        (opt_outs::IDS, &["o USING PRIMARY KEY (address<?)", "u USING INTEGER PRIMARY KEY"]),
        (opt_outs::OF, &["o USING PRIMARY KEY (address=?)", "u USING INTEGER PRIMARY KEY"]),
        (batches::PAGE, &["batch USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"]),
        (batches::PAGE_IN_PLAY, &["batch USING INDEX batch_open (state=? AND rowid<?)"]),
        (batches::LOOKED_AT_LAST, &["batch USING INTEGER PRIMARY KEY (rowid<?)"]),
        (batches::SENT_BETWEEN, &["SEARCH batch USING INDEX batch_sent (<expr>=? AND started_at>? AND started_at<?)"]),
        (batches::TO_START_BETWEEN, &["SEARCH batch USING INDEX batch_open (state=?)"]),
        (batches::OF_AUDIENCE, &["used USING PRIMARY KEY (audience=? AND batch<?)", "batch USING INTEGER PRIMARY KEY"]),
        (
            audiences::PAGE,
            &["audience_name (name>?)", "part USING INTEGER PRIMARY KEY (rowid=?)", "audience_part (part_of=?)"],
        ),
        (
            audiences::LATEST,
            &[
                "audience USING COVERING INDEX audience_latest (id<?)",
                "first USING INTEGER PRIMARY KEY (rowid=?)",
                "audience_part (part_of=?)",
            ],
        ),
        (rejected::ALL, &["rejected_row USING PRIMARY KEY (audience=? AND n>?)"]),
        (rejected::OF_REASON, &["rejected_row USING INDEX rejected_row_reason (audience=? AND reason=? AND n>?)"]),
        (rejected::COUNT, &["rejected_row_recipient (msisdn=?)", "rejected_row_other (other_msisdn=?)"]),
        (rejected::ERASE, &["rejected_row_recipient (msisdn=?)", "rejected_row_other (other_msisdn=?)"]),
        (audiences::NAMED, &["audience_name (name=?)", "audience_part (part_of=?)"]),
        (places::SIEVES_FROM, &["sieve USING PRIMARY KEY ((audience,first)<(?,?))"]),
        (places::IN_PIECE_BY_ID, &["SEARCH recipient USING PRIMARY KEY (audience=? AND n>? AND n<?)"]),
        (inbound::BEFORE.of_message, &["inbound_message (batch=? AND n=?)"]),
        (inbound::AFTER.of_message, &["inbound_message (batch=? AND n=?)"]),
        (
            aliases::OPT_OUTS_OF,
            &["sqlite_autoindex_channel_user_1 (channel=? AND called=?)", "o USING PRIMARY KEY (address=?)"],
        ),
        (api_keys::FIND, &["api_key USING INTEGER PRIMARY KEY (rowid=?)"]),
        (api_keys::NAMED, &["api_key USING INDEX api_key_name (name=?)"]),
        (api_keys::LIST, &["api_key USING INTEGER PRIMARY KEY (rowid>?)"]),
        (operators::FIND, &["operator USING PRIMARY KEY (name=?)"]),
        (operators::LIST, &["operator USING PRIMARY KEY (name>?)"]),
        (sessions::FIND, &["session USING PRIMARY KEY (secret=?)", "operator USING PRIMARY KEY (name=?)"]),
        (sessions::END_ALL, &["session_operator (operator=?)"]),
        (sessions::FORGET, &["session_used_at (used_at<?)"]),
        (sketches::LIST, &["sketch USING INDEX sketch_changed_at (changed_at<?)"]),
        (sketches::FORGET, &["sketch_changed_at (changed_at<?)"]),
        (shared_reports::FIND, &["shared_report USING PRIMARY KEY (secret=?)"]),
        (shared_reports::LIST, &["shared_report_batch (batch=?)"]),
        (shared_reports::END_ALL, &["shared_report_operator (made_by=?)"]),
        (shared_reports::FORGET, &["shared_report_expires_at (expires_at<?)"]),
        (batches::REPETITIONS, &["batch USING INDEX batch_repeats (repeats=?)"]),
        (audit::LIST, &["audit_entry USING INTEGER PRIMARY KEY (rowid>?)"]),
        (audit::LIST_BEFORE, &["audit_entry USING INTEGER PRIMARY KEY (rowid<?)"]),
        (audit::BY_ACTION, &["audit_entry USING INDEX audit_entry_action (action=? AND id<?)"]),
        (audit::BY_NAME, &["audit_entry USING INDEX audit_entry_name (name=? AND id<?)"]),
        (audit::BY_NAME_AND_ACTION, &["audit_entry_name_action (name=? AND action=? AND id<?)"]),
        (audit::BY_CALLER, &["audit_entry USING INDEX audit_entry_caller (caller=? AND id<?)"]),
        (audit::BY_CALLER_AND_ACTION, &["audit_entry_caller_action (caller=? AND action=? AND id<?)"]),
        (audit::FORGET, &["audit_entry USING COVERING INDEX audit_entry_at"]),
        (inbound::CONFIRM, &["SEARCH inbound USING COVERING INDEX"]),
        (inbound::DUE_CONFIRMATIONS, &["c USING INTEGER PRIMARY KEY (rowid>?)", "i USING INTEGER PRIMARY KEY"]),
        (inbound::REPLY_COUNTS, &["COVERING INDEX inbound_choice (batch=?)"]),
        (inbound::REPLIED, &["inbound_message (batch=?)"]),
        (addresses::USERS, &["u USING INTEGER PRIMARY KEY"]),
        (
            addresses::RECALL,
            &["s USING INTEGER PRIMARY KEY", "sqlite_autoindex_channel_user_1 (channel=? AND called=?)"],
        ),
        (
            retention::FORGET_USERS,
            &["r USING COVERING INDEX recipient_user (address=?)", "w USING COVERING INDEX wish_address (address=?)"],
        ),
        (windows::WINDOWS, &["inbound_recipient (msisdn=? AND written_at>?)"]),
        (windows::WROTE, &["inbound_recipient (msisdn=? AND written_at>?)"]),
        (windows::OTHERS_WROTE, &["inbound_sender (sub_account=? AND channel=? AND received"]),
        (deliveries::BEGIN_AGAIN, &["delivery_due (receiver=? AND next_at>?)"]),
        (deliveries::GIVE_UP, &["delivery_due (receiver=?)"]),
        (deliveries::HEALTH, &["h USING PRIMARY KEY (receiver=?)"]),
        (deliveries::RECEIVERS, &["delivery_due (receiver>? AND receiver<?)", "delivery_due (receiver=?)"]),
        (
            deliveries::DUE,
            &["delivery_due (receiver=? AND next_at<?)", "delivery_order (receiver=? AND order_key=? AND id<?)"],
        ),
        (deliveries::POSTPONE, &["delivery_order (receiver=? AND order_key=?)"]),
        (deliveries::LOG, &["delivery_receiver (receiver=? AND id<?)"]),
        (deliveries::FAILED, &["delivery_failed (receiver=? AND id<?)"]),
        (deliveries::IN_TIME, &["delivery_receiver (receiver=? AND id>?)"]),
        (deliveries::REPLAY, &["delivery USING INTEGER PRIMARY KEY"]),
        (deliveries::FORGET, &["delivery_created (created_at<?)"]),
        (outbox::EVENTS, &["event USING INTEGER PRIMARY KEY (rowid>?)"]),
        (outbox::REPLIES, &["inbound USING INTEGER PRIMARY KEY (rowid>?)"]),
        (
            outbox::MESSAGES,
            &[
                "outbox USING INTEGER PRIMARY KEY (rowid>?)",
                "m USING PRIMARY KEY",
                "r USING PRIMARY KEY",
                "a USING PRIMARY KEY",
            ],
        ),
        (outbox::WRITE_SKIPPED, &["message USING PRIMARY KEY (batch=? AND n>? AND n<?)"]),
        (outbox::FEEDS, &["c USING INTEGER PRIMARY KEY"]),
        (&learn, &["SEARCH attempt USING PRIMARY KEY (batch=? AND n=? AND step=? AND tries>? AND tries<?)"]),
    ] {
        let explained = format!("EXPLAIN QUERY PLAN {text}");
        let rows = store
            .read("explain", move |c| {
                Box::pin(async move { Ok(sqlx::query(AssertSqlSafe(explained)).fetch_all(c).await?) })
            })
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get("detail")).collect();
        for part in wanted {
            assert!(plan.iter().any(|line| line.contains(part)), "no {part:?} in {plan:#?} of\n{text}");
        }
        // No table or index is scanned, whatever its alias.
        let scans = |line: &&String| line.starts_with("SCAN ") && !BOUND_SETS.iter().any(|set| line.contains(set));
        assert_eq!(plan.iter().find(scans), None, "{text}\n{plan:#?}");
        // Sorting a page means that the whole set was read first, however short the page is.
        if WALKS.contains(&text) {
            assert!(!plan.iter().any(|line| line.contains("TEMP B-TREE")), "{plan:#?}");
        }
    }
}
