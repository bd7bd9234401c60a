-- Volley's store. Times are milliseconds since 1970, UTC. Every key starts with the column to shard by.
-- Codes are defined in src/domain; the meaning of a code never changes.

-- Marks the file as Volley's, so that the database of another program is refused.
PRAGMA application_id = 1450142841;

-- One row. `seq` rises with every decision of an operator or of the throttle. Running servers poll it, which is cheap.
CREATE TABLE control (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
INSERT INTO control (one, seq) VALUES (1, 0);

-- Running servers. `noted_seq` is the latest decision that the node has applied. `listening_until` is the latest time at
-- which receipts could be committed.
CREATE TABLE node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    noted_seq INTEGER NOT NULL,
    listening_until INTEGER NOT NULL,
    -- Its process, from which the next server learns whether it has ended: see store::Holder.
    machine TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started INTEGER NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0
);

-- Which server may send. A claim commits only under the current epoch, and each server begins a new one. There is one
-- unit for now: everything that this database sends.
--   holder     the node; null once it has released the lease
--   renewed    the latest renewal, by the holder's own clock
CREATE TABLE lease (
    unit INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder INTEGER,
    renewed INTEGER NOT NULL
);
INSERT INTO lease (unit, epoch, holder, renewed) VALUES (0, 0, NULL, 0);

-- Rejected webhooks: how many for each reason since the last day without any.
--   why        0 a wrong signature, 1 no proof, 2 too large
CREATE TABLE rejected_webhook (
    why INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    since INTEGER NOT NULL,
    latest INTEGER NOT NULL
);

-- Gaps: times in which no receipt could be committed, or in which a provider address had no proof that it can be reached
-- or can reach us. They decide how missing receipts are treated. A gap without an address applies to every lane.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    address TEXT
);

-- One direction between this installation and a provider address: when it was last proven to work, and since when that is
-- in doubt.
--   direction  0 out (requests reach the provider), 1 in (its webhooks reach us)
--   cause      0 receipts are rejected, 1 no receipts come, 2 requests get no answer from the provider itself
CREATE TABLE link (
    address TEXT NOT NULL,
    direction INTEGER NOT NULL,
    proven_at INTEGER NOT NULL,
    doubt_since INTEGER,
    cause INTEGER,
    PRIMARY KEY (address, direction),
    CONSTRAINT cause_of_a_doubt CHECK ((doubt_since IS NULL) = (cause IS NULL))
) WITHOUT ROWID;

CREATE TABLE lane (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    channel INTEGER NOT NULL
);

-- An audience is hidden until its import has ended (`ready`). Its rows never change. An audience that is being removed,
-- piece by piece, has a negative `touched_at`: nothing is added to it any more. The same applies to a batch.
-- A later addition to an audience is an audience without a name that is `part_of` the first.
CREATE TABLE audience (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT,
    part_of INTEGER,
    source TEXT NOT NULL,
    columns TEXT NOT NULL,
    ready INTEGER NOT NULL DEFAULT 0,
    recipients INTEGER NOT NULL DEFAULT 0,
    summary TEXT,
    begun_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX audience_name ON audience (name) WHERE ready = 1 AND name IS NOT NULL;

CREATE TABLE recipient (
    audience INTEGER NOT NULL,
    n INTEGER NOT NULL,
    msisdn INTEGER NOT NULL,
    country TEXT NOT NULL,
    client_message_id TEXT,
    fields TEXT NOT NULL,
    PRIMARY KEY (audience, n)
) WITHOUT ROWID;

-- Bloom filter of the recipients in each piece of an audience: see store::sieve. A piece ends where the next one begins.
CREATE TABLE sieve (
    audience INTEGER NOT NULL,
    first INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (audience, first)
) WITHOUT ROWID;

-- Each plan is stored once, by the digest of its JSON.
CREATE TABLE plan (
    digest BLOB PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tag INTEGER NOT NULL,
    plan BLOB NOT NULL REFERENCES plan (digest),
    -- The number of changes of the plan since the launch.
    edition INTEGER NOT NULL DEFAULT 0,
    -- The plan's `end`, for claims: the latest first submission.
    ends_at INTEGER,
    state INTEGER NOT NULL,
    -- Who moved it to this state, and why: JSON of events::Origin.
    state_origin TEXT,
    name TEXT,
    audience TEXT NOT NULL,
    audience_ids TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    starts_at INTEGER,
    -- Until when messages may join it one by one; null if none may.
    open_until INTEGER,
    created_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    started_at INTEGER,
    cancelled_at INTEGER,
    finished_at INTEGER,
    settled_at INTEGER,
    -- When the purge of its messages began.
    purged_at INTEGER,
    -- Submissions per second, as last measured by the sending node.
    pace REAL NOT NULL DEFAULT 0,
    pace_at INTEGER NOT NULL DEFAULT 0
);
-- Names of campaigns are unique. An incomplete launch is hidden and takes no name.
CREATE UNIQUE INDEX batch_name ON batch (name) WHERE name IS NOT NULL AND state > 0;
CREATE INDEX batch_open ON batch (state) WHERE state < 8;
-- Finds the open batch that a message joins.
CREATE INDEX batch_joined ON batch (plan, open_until) WHERE open_until IS NOT NULL;

-- Earlier plans of a batch, each with the time until which it applied.
CREATE TABLE edition (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    plan BLOB NOT NULL REFERENCES plan (digest),
    until INTEGER NOT NULL,
    PRIMARY KEY (batch, n)
) WITHOUT ROWID;

-- The present state of a message. Its history is in attempt and receipt.
--   state      0 queued, 1 sending, 2 awaiting, 3 done
--   not_before when the present step was queued, or its earliest submission
--   at         sending: the intent; done: when it ended
--   epoch      the epoch of the latest claim; while it is sending, that of the server that sends it
--   due        queued and sending: when it gives up waiting; awaiting: its deadline, or the close of its window
--   marks      what is known of each step: see domain::Marks
--   notes      decisions that no attempt or receipt shows: see engine::Note
CREATE TABLE message (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    audience INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    msisdn INTEGER NOT NULL,
    country TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 0,
    state INTEGER NOT NULL,
    step INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    at INTEGER,
    epoch INTEGER NOT NULL DEFAULT 0,
    due INTEGER,
    outcome INTEGER,
    skipped INTEGER,
    first_submitted_at INTEGER,
    accepted INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    marks INTEGER NOT NULL DEFAULT 0,
    notes BLOB,
    PRIMARY KEY (batch, n),
    CONSTRAINT outcome_when_done CHECK ((state = 3) = (outcome IS NOT NULL)),
    CONSTRAINT at_when_sending_or_done CHECK (state NOT IN (1, 3) OR at IS NOT NULL),
    CONSTRAINT due_when_awaiting CHECK (state <> 2 OR due IS NOT NULL)
) WITHOUT ROWID;
-- The queues: the messages that may be claimed, in order.
CREATE INDEX message_queue ON message (lane, batch, step, not_before) WHERE state = 0;
-- The timers. Messages in flight have none.
CREATE INDEX message_due ON message (batch, due) WHERE due IS NOT NULL AND state IN (0, 2);
-- Messages in flight have no index: only a start after a crash needs them, and the counters show which batches have any.

-- One try of a step with a result. Throttled and unavailable tries are only counted, because nothing was submitted.
--   tries      the number of tries before it
--   verdict    0 accepted, 1 rejected, 2 unknown, 3 could not leave, 4 outside window, 5 missing variable,
--              6 tier spent
--   ruling     the decision that it led to: see engine::Ruling
CREATE TABLE attempt (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    queued INTEGER NOT NULL,
    intent INTEGER,
    answered INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    code INTEGER,
    detail TEXT,
    umid BLOB,
    -- The number, while it is unknown whether the submission happened. An unknown umid is matched with it.
    adoptable INTEGER,
    ruling INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step, tries)
) WITHOUT ROWID;
CREATE INDEX attempt_umid ON attempt (umid) WHERE umid IS NOT NULL;
CREATE INDEX attempt_adoptable ON attempt (adoptable) WHERE adoptable IS NOT NULL;

-- What the provider has reported about a step's attempt. Receipts with the same key are the same receipt.
--   tries      the try that it belongs to; null if that did not matter
--   ruling     the decision that it led to when it first came: see engine::Ruling
CREATE TABLE receipt (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL,
    code INTEGER NOT NULL,
    received INTEGER NOT NULL,
    tries INTEGER,
    ruling INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step, stamp, state, detail, code)
) WITHOUT ROWID;

-- Lanes whose receipts carry our ids, as seen since then under this subaccount and address of the lane.
CREATE TABLE naming_lane (
    lane TEXT PRIMARY KEY,
    sub_account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;

-- Attempts about which the provider was asked, because too few receipts came.
--   tries      how often it was asked
--   at         when it was asked last
--   again      the earliest time to ask again
--   is_answered  whether the provider knew the status of the attempt
CREATE TABLE question (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    at INTEGER NOT NULL,
    again INTEGER NOT NULL,
    is_answered INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step)
) WITHOUT ROWID;

-- When the provider was last asked for each subaccount, and what prevents asking.
CREATE TABLE asking (
    sub_account TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    trouble TEXT
) WITHOUT ROWID;

-- Strays: authentic webhooks that belong to no attempt, or not yet. They are stored and counted.
--   kind       0 a receipt without an attempt, 1 another subaccount's, 2 another type, 3 unreadable
CREATE TABLE stray (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    received INTEGER NOT NULL,
    umid TEXT,
    raw TEXT NOT NULL
);
CREATE INDEX stray_kind ON stray (kind, received);

-- Counters, updated in the transaction of the change: one row per batch, step, count and writer.
CREATE TABLE tally (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    count INTEGER NOT NULL,
    writer INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (batch, step, count, writer)
) WITHOUT ROWID;

-- What a batch with prices has spent on a step, in millionths. A claim adds its cost before anything is submitted. The
-- cost of messages that are not submitted is refunded.
CREATE TABLE spent (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (batch, step)
) WITHOUT ROWID;

-- Holds on steps of running campaigns: nothing of the step is submitted until the hold is released (`released_at`).
--   held_by        0 an operator, 1 a limit is reached, 2 too few of the earlier submissions succeeded, 3 the provider
--                  refuses what the step sends
--   told_by, code  the refusal whose fallbacks are recalled, if any: 0 an answer, 1 a receipt, and its code
--   refused_since  when the first of these refusals came
--   refused_until  when the refusal came that showed their cause
CREATE TABLE step_hold (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    held_by INTEGER NOT NULL,
    origin TEXT NOT NULL,
    since INTEGER NOT NULL,
    released_at INTEGER,
    told_by INTEGER,
    code INTEGER,
    refused_since INTEGER,
    refused_until INTEGER,
    PRIMARY KEY (batch, step, held_by)
) WITHOUT ROWID;

-- Holds on lanes and templates. `template` is empty for a hold on the lane, `language` for a hold on all languages of the
-- template.
--   held_by    0 an operator, 1 an answer of the provider, 2 a receipt (with codes of its own), 3 an account event
--   begun      the begin of the latest request, or the time of the latest event, that led to the hold
CREATE TABLE hold (
    lane TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    by_operator INTEGER NOT NULL,
    held_by INTEGER NOT NULL,
    code INTEGER,
    origin TEXT NOT NULL,
    since INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    PRIMARY KEY (lane, template, language, by_operator)
) WITHOUT ROWID;

-- When each hold was last released: a report about an earlier submission does not hold again.
CREATE TABLE hold_release (
    lane TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (lane, template, language)
) WITHOUT ROWID;

-- Overrides of settings, made while a server runs. An override ends when the value in the file changes.
--   setting    which one: see domain::OverridableSetting
--   name       the lane, or the portfolio
CREATE TABLE setting_override (
    setting INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    in_file TEXT NOT NULL,
    by_operator INTEGER NOT NULL,
    origin TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (setting, name)
) WITHOUT ROWID;

-- When the token bucket of a slow lane or account is full again if nothing more is taken, in nanoseconds since 1970. The
-- next server continues from there.
CREATE TABLE bucket (
    of_account INTEGER NOT NULL,
    name TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    PRIMARY KEY (of_account, name)
) WITHOUT ROWID;

-- Account events, each stored once, by the provider's id.
CREATE TABLE account_event (
    id TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    happened_at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    raw TEXT NOT NULL
) WITHOUT ROWID;

-- The latest report of the provider about a lane, template or portfolio.
--   about      JSON of events::Subject
--   what       `quality`, `status`, `category`, …
CREATE TABLE provider_report (
    about TEXT NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (about, what)
) WITHOUT ROWID;

-- The state of each lane, from the latest heartbeat of the node that sends on it. A node without a recent heartbeat tells
-- nothing about now.
--   portion    sixteenths of its rate that it sends at after throttling; the next server continues from there
--   trouble    0 throttled, 1 outage; null if none
--   in_flight  requests in flight when an outage began
--   free_at    if the tier is spent, when its next slot frees up
--   complaint  the provider's latest complaint, of any age
CREATE TABLE lane_state (
    node INTEGER NOT NULL,
    lane TEXT NOT NULL,
    pace REAL NOT NULL,
    portion INTEGER NOT NULL,
    tier_spent INTEGER NOT NULL,
    trouble INTEGER,
    since INTEGER,
    until INTEGER,
    why TEXT,
    in_flight INTEGER NOT NULL DEFAULT 0,
    free_at INTEGER,
    complaint TEXT,
    complained_at INTEGER,
    PRIMARY KEY (node, lane)
) WITHOUT ROWID;

-- Slots of tiers: the recipients of a portfolio, with the latest submission. The tier counts those of the last day.
-- If the message is not submitted after all, `at` is reset to `before`; if that is null, the slot is freed.
CREATE TABLE tier_slot (
    portfolio TEXT NOT NULL,
    msisdn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    before INTEGER,
    PRIMARY KEY (portfolio, msisdn)
) WITHOUT ROWID;

-- Portfolios whose recipients are counted, with their lanes. A lane is removed when it moves to another portfolio, or when
-- its portfolio becomes unlimited: from then on its recipients are not counted for this one.
CREATE TABLE counted (
    portfolio TEXT NOT NULL,
    lane INTEGER NOT NULL,
    PRIMARY KEY (portfolio, lane)
) WITHOUT ROWID;

-- Recipients who have opted out.
--   source     who asked for it: see domain::OptOutSource
CREATE TABLE opt_out (
    msisdn INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL
);

-- History of opt-outs and opt-ins, in the order of arrival. It proves who was opted out when, and why.
--   wants      0 opt-out, 1 opt-in
CREATE TABLE opt_out_record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    msisdn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    wants INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX opt_out_record_recipient ON opt_out_record (msisdn, at);
CREATE INDEX opt_out_record_stop ON opt_out_record (id) WHERE wants = 0;

-- Inbound messages of recipients. Messages with the same `umid` are the same message.
--   written_at when it was written, by the provider's clock, and never later than `received`
--   channel_id the sender that it was written to; empty if the provider did not report it
--   called     the channel's name for the recipient, if that is not a number
--   keyword    0 stop, 1 start
--   until      the end of the 24-hour window that it opened
--   batch, n, step: the attempt that it replies to
CREATE TABLE inbound (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    umid TEXT NOT NULL UNIQUE,
    received INTEGER NOT NULL,
    written_at INTEGER NOT NULL,
    sub_account TEXT NOT NULL,
    channel INTEGER,
    channel_id TEXT NOT NULL,
    msisdn INTEGER,
    called TEXT,
    kind TEXT NOT NULL,
    keyword INTEGER,
    until INTEGER,
    batch INTEGER,
    n INTEGER,
    step INTEGER,
    raw TEXT NOT NULL
);
CREATE INDEX inbound_recipient ON inbound (msisdn, written_at) WHERE msisdn IS NOT NULL;
CREATE INDEX inbound_message ON inbound (batch, n, step) WHERE batch IS NOT NULL;
CREATE INDEX inbound_not_reply ON inbound (id) WHERE batch IS NULL;
CREATE INDEX inbound_called ON inbound (called) WHERE called IS NOT NULL;

-- The names that channels use for recipients, learned from receipts and inbound messages. One name may have several
-- numbers.
CREATE TABLE alias (
    channel INTEGER NOT NULL,
    called TEXT NOT NULL,
    msisdn INTEGER NOT NULL,
    PRIMARY KEY (channel, called, msisdn)
) WITHOUT ROWID;
CREATE INDEX alias_recipient ON alias (msisdn);

-- Decisions of operators and of the throttle, and what happened to the node: for operators to read.
--   subject, origin, kind   JSON of the types in the room `events`
--   batch, lane             the subject's, to find its events
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    origin TEXT NOT NULL,
    kind TEXT NOT NULL,
    batch INTEGER,
    lane TEXT
);
CREATE INDEX event_batch ON event (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX event_lane ON event (lane, id) WHERE lane IS NOT NULL;
