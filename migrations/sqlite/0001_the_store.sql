-- Volley's store. Instants are milliseconds since 1970, UTC. Every key starts with what it would be sharded by.
-- Numbers that stand for words are the codes in src/domain; they never change their meaning.

-- The file says whose it is, so that no other program's database is taken for ours.
PRAGMA application_id = 1450142841;

-- One row. `seq` rises with every decision of a person or of the throttle, so that a running server can see
-- cheaply that it should look.
CREATE TABLE control (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL
);
INSERT INTO control (one, seq) VALUES (1, 0);

-- Running servers. `noted_seq` is the latest decision that the node obeys; `listening_until` the watermark of when
-- receipts could last be committed.
CREATE TABLE node (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    noted_seq INTEGER NOT NULL,
    listening_until INTEGER NOT NULL,
    -- Its process, so that the next server can tell whether that is gone: see store::Holder.
    machine TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started INTEGER NOT NULL,
    stopped INTEGER NOT NULL DEFAULT 0
);

-- Which server may send. A claim commits only under the present epoch, and the next server begins the next one. There is
-- one unit for now: everything that this database sends.
--   holder     the node; nothing where it has given the lease back
--   renewed    when the holder renewed it last, by its own clock
CREATE TABLE lease (
    unit INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    holder INTEGER,
    renewed INTEGER NOT NULL
);
INSERT INTO lease (unit, epoch, holder, renewed) VALUES (0, 0, NULL, 0);

-- Webhooks that were turned away: of each reason how many since the last day without any.
--   why        0 a wrong signature, 1 no proof, 2 too large
CREATE TABLE turned_away (
    why INTEGER PRIMARY KEY,
    n INTEGER NOT NULL,
    since INTEGER NOT NULL,
    latest INTEGER NOT NULL
);

-- Times in which no receipt could be kept, or, of one provider address, in which proof was missing that it can be reached
-- or can reach us: what silence is worth afterwards depends on all of them. One without an address concerns every lane.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    address TEXT
);

-- One direction between this installation and a provider address: when it was last proven to work, and since when that is
-- in doubt.
--   direction  0 out (requests get there), 1 in (its webhooks get here)
--   cause      0 receipts are turned away, 1 they never come, 2 requests get no answer of the provider itself
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

-- An audience is hidden until its import has ended (`ready`). Its rows never change. What is being removed, piece by
-- piece, has a negative `touched_at`: nothing is added to it any more. The same holds for a batch.
-- What is added to an audience later is one of its own without a name, `part_of` the first.
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

-- Whom each piece of an audience may hold: see store::sieve. A piece ends where the next one begins.
CREATE TABLE sieve (
    audience INTEGER NOT NULL,
    first INTEGER NOT NULL,
    bits BLOB NOT NULL,
    PRIMARY KEY (audience, first)
) WITHOUT ROWID;

-- Plans are stored once, by the digest of their JSON.
CREATE TABLE plan (
    digest BLOB PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE batch (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tag INTEGER NOT NULL,
    plan BLOB NOT NULL REFERENCES plan (digest),
    -- How often the plan has been changed since the launch.
    edition INTEGER NOT NULL DEFAULT 0,
    -- The plan's `end`, for claims: whoever never left by then never leaves.
    ends_at INTEGER,
    state INTEGER NOT NULL,
    state_why TEXT,
    name TEXT,
    audience TEXT NOT NULL,
    audience_ids TEXT NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    starts_at INTEGER,
    -- Until when messages join it one by one; nothing where it is as it was launched.
    open_until INTEGER,
    created_at INTEGER NOT NULL,
    touched_at INTEGER NOT NULL,
    started_at INTEGER,
    cancelled_at INTEGER,
    finished_at INTEGER,
    settled_at INTEGER,
    -- Since when its messages are gone.
    purged_at INTEGER,
    -- Hand-overs a second, as the node that sends last measured it.
    pace REAL NOT NULL DEFAULT 0,
    pace_at INTEGER NOT NULL DEFAULT 0
);
-- A campaign is known by its name; what is still being laid out is known to nobody.
CREATE UNIQUE INDEX batch_name ON batch (name) WHERE name IS NOT NULL AND state > 0;
CREATE INDEX batch_open ON batch (state) WHERE state < 8;
-- Which batch a message joins.
CREATE INDEX batch_joined ON batch (plan, open_until) WHERE open_until IS NOT NULL;

-- What a batch's plan was before it was changed, until when, and who changed what.
CREATE TABLE edition (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    plan BLOB NOT NULL REFERENCES plan (digest),
    until INTEGER NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY (batch, n)
) WITHOUT ROWID;

-- The present of a message. What led to it stands in attempt and receipt.
--   state      0 queued, 1 sending, 2 awaiting, 3 done
--   not_before since when the present step has been queued, or when it may go at the earliest
--   at         sending: the intent; done: when it ended
--   epoch      that of the latest claim: of the server that has it in its hands, while it is sending
--   due        queued and sending: when it gives up waiting; awaiting: its deadline, or the close of its window
--   marks      what is known of each step: see domain::Marks
--   notes      what was decided about it and no fact tells: see engine::Note
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
    first_left INTEGER,
    accepted INTEGER,
    tries INTEGER NOT NULL DEFAULT 0,
    marks INTEGER NOT NULL DEFAULT 0,
    notes BLOB,
    PRIMARY KEY (batch, n),
    CONSTRAINT outcome_when_done CHECK ((state = 3) = (outcome IS NOT NULL)),
    CONSTRAINT at_when_sending_or_done CHECK (state NOT IN (1, 3) OR at IS NOT NULL),
    CONSTRAINT due_when_awaiting CHECK (state <> 2 OR due IS NOT NULL)
) WITHOUT ROWID;
-- The queues: what may be claimed, in order, and nothing else.
CREATE INDEX message_queue ON message (lane, batch, step, not_before) WHERE state = 0;
-- The timers. Messages in flight have none.
CREATE INDEX message_due ON message (batch, due) WHERE due IS NOT NULL AND state IN (0, 2);
-- Messages in flight have no index: the counters tell which batches have any, and only a start after a crash looks for
-- them.

-- One try of a step, of which something came. Throttled and unavailable tries are only counted: nothing was handed over.
--   tries      how many came before it
--   verdict    0 accepted, 1 rejected, 2 unknown, 3 could not leave, 4 outside window, 5 missing variable,
--              6 tier spent
--   ruling     what was decided by it: see engine::Ruling
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
    -- The number, while nobody knows whether the hand-over happened: what an unknown umid is matched with.
    adoptable INTEGER,
    ruling INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step, tries)
) WITHOUT ROWID;
CREATE INDEX attempt_umid ON attempt (umid) WHERE umid IS NOT NULL;
CREATE INDEX attempt_adoptable ON attempt (adoptable) WHERE adoptable IS NOT NULL;

-- What the provider said about a step's attempt. The key is what makes a receipt the same receipt.
--   tries      which try it speaks of; nothing where nobody had to know
--   ruling     what was decided by it when it first came: see engine::Ruling
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

-- Lanes whose receipts carry our ids: one did since then, while this was the lane's subaccount and address.
CREATE TABLE naming_lane (
    lane TEXT PRIMARY KEY,
    sub_account TEXT NOT NULL,
    base_url TEXT NOT NULL,
    since INTEGER NOT NULL
) WITHOUT ROWID;

-- What the provider was asked about: attempts of which too little was heard.
--   tries      how often
--   at         the latest time
--   again      not before then once more
--   said       whether it knew how far the attempt has come
CREATE TABLE asked (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    at INTEGER NOT NULL,
    again INTEGER NOT NULL,
    said INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step)
) WITHOUT ROWID;

-- Of each subaccount when it was asked last, and what keeps us from asking.
CREATE TABLE asking (
    sub_account TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    trouble TEXT
) WITHOUT ROWID;

-- Authentic webhooks that belong to no attempt yet, or never will: kept and counted.
--   kind       0 a receipt without attempt, 1 another subaccount's, 2 another type, 3 unreadable
CREATE TABLE stray (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind INTEGER NOT NULL,
    received INTEGER NOT NULL,
    umid TEXT,
    raw TEXT NOT NULL
);
CREATE INDEX stray_kind ON stray (kind, received);

-- Counters, kept in the transaction of the change, one row per batch, step and writer.
CREATE TABLE tally (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    count INTEGER NOT NULL,
    writer INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (batch, step, count, writer)
) WITHOUT ROWID;

-- What a batch has spent on a step, in millionths, where it has prices. Counted with the claim, before anything leaves;
-- what is not handed over after all is given back.
CREATE TABLE spent (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (batch, step)
) WITHOUT ROWID;

-- Steps of which nothing leaves although their campaign runs, and since when that is over.
--   held_by        0 an operator, 1 as much has left as may, 2 too much of what left before was in vain, 3 the provider
--                  refuses what the step sends
--   told_by, code  the refusal whose fallbacks are taken back, where there are any: 0 an answer, 1 a receipt, and its code
--   refused_since  when the first of these refusals came
--   refused_until  when the one came that showed whose fault they are
CREATE TABLE step_hold (
    batch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    held_by INTEGER NOT NULL,
    why TEXT NOT NULL,
    since INTEGER NOT NULL,
    lifted_at INTEGER,
    told_by INTEGER,
    code INTEGER,
    refused_since INTEGER,
    refused_until INTEGER,
    PRIMARY KEY (batch, step, held_by)
) WITHOUT ROWID;

-- Why a lane or a template may not send now. `template` is empty for a hold on the lane, `language` where it is on the
-- template in all of them.
--   held_by    0 a person, 1 an answer of the provider's, 2 a receipt, whose codes are others, 3 an event of the account
--   begun      when the latest of what put it began, or was said
CREATE TABLE hold (
    lane TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    by_person INTEGER NOT NULL,
    held_by INTEGER NOT NULL,
    code INTEGER,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL,
    begun INTEGER NOT NULL,
    PRIMARY KEY (lane, template, language, by_person)
) WITHOUT ROWID;

-- When each hold was lifted last: what the provider says of an earlier hand-over puts none anew.
CREATE TABLE lifted (
    lane TEXT NOT NULL,
    template TEXT NOT NULL,
    language TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (lane, template, language)
) WITHOUT ROWID;

-- What was changed of the configuration while it ran. It counts until the file says something else than it did then.
--   what       see domain::Knob
--   name       of the lane, or of the portfolio
CREATE TABLE dial (
    what INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    in_file TEXT NOT NULL,
    by_person INTEGER NOT NULL,
    why TEXT NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (what, name)
) WITHOUT ROWID;

-- When the bucket of a slow lane, or of a slow account, is full again if nobody takes anything more: nanoseconds since
-- 1970. Whoever comes next goes on from there.
CREATE TABLE bucket (
    of_account INTEGER NOT NULL,
    name TEXT NOT NULL,
    full_at INTEGER NOT NULL,
    PRIMARY KEY (of_account, name)
) WITHOUT ROWID;

-- Events of the account, each kept once by the provider's own id, and what it said last of anything.
CREATE TABLE business_event (
    id TEXT PRIMARY KEY,
    received INTEGER NOT NULL,
    said INTEGER NOT NULL,
    kind TEXT NOT NULL,
    raw TEXT NOT NULL
) WITHOUT ROWID;

--   about      `lane promo-sg`, `template promo (en)`, `portfolio acme`
--   what       `quality`, `status`, `category`, …
CREATE TABLE said (
    about TEXT NOT NULL,
    what TEXT NOT NULL,
    value TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (about, what)
) WITHOUT ROWID;

-- How each lane goes, as the node that sends by it said with its last beat. Whoever is silent says nothing about now.
--   portion    sixteenths of its rate at which it goes, because it was throttled; the next server goes on from there
--   trouble    0 throttled, 1 outage; nothing where it has none
--   in_flight  requests that were under way when an outage began
--   free_at    where the tier is spent, when its next place comes free
--   complaint  what the provider complained of last, however long ago
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

-- People whom a portfolio has begun to talk to, with the latest hand-over: the tier counts those of the last day.
-- `before` is what `at` becomes again should nothing be handed over after all; where it is null the place is free then.
CREATE TABLE tier_place (
    portfolio TEXT NOT NULL,
    msisdn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    before INTEGER,
    PRIMARY KEY (portfolio, msisdn)
) WITHOUT ROWID;

-- Portfolios whose people are counted, with the lanes on which they are. A lane that belonged to another meanwhile, or to
-- one that was unlimited, is in here no more: nobody has counted its people for this one.
CREATE TABLE counted (
    portfolio TEXT NOT NULL,
    lane INTEGER NOT NULL,
    PRIMARY KEY (portfolio, lane)
) WITHOUT ROWID;

-- Who wants nothing more.
--   source     who says so: see domain::WishFrom
CREATE TABLE opt_out (
    msisdn INTEGER PRIMARY KEY,
    since INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL
);

-- Every wish that put somebody into opt_out or took them out again, in the order in which it was kept: with these one
-- can prove who was out when, and why.
--   wants      0 nothing more, 1 messages again
CREATE TABLE wish (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    msisdn INTEGER NOT NULL,
    at INTEGER NOT NULL,
    wants INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX wish_person ON wish (msisdn, at);
CREATE INDEX wish_stop ON wish (id) WHERE wants = 0;

-- What people wrote. `umid` is what makes it the same message.
--   said       by the provider's clock, and never later than `received`
--   channel_id whom they wrote to, empty where that was not said
--   called     what the channel calls them, where that is no number
--   keyword    0 stop, 1 start
--   until      the end of the 24-hour window that it opened
--   batch, n, step: the attempt that it is on
CREATE TABLE inbound (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    umid TEXT NOT NULL UNIQUE,
    received INTEGER NOT NULL,
    said INTEGER NOT NULL,
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
CREATE INDEX inbound_person ON inbound (msisdn, said) WHERE msisdn IS NOT NULL;
CREATE INDEX inbound_message ON inbound (batch, n, step) WHERE batch IS NOT NULL;
CREATE INDEX inbound_nowhere ON inbound (id) WHERE batch IS NULL;
CREATE INDEX inbound_called ON inbound (called) WHERE called IS NOT NULL;

-- What channels call people whose numbers they may leave out, as receipts of ours and what people write have told.
-- Somebody may have several numbers.
CREATE TABLE alias (
    channel INTEGER NOT NULL,
    called TEXT NOT NULL,
    msisdn INTEGER NOT NULL,
    PRIMARY KEY (channel, called, msisdn)
) WITHOUT ROWID;
CREATE INDEX alias_person ON alias (msisdn);

-- What people and the throttle decided, and what befell the node: for people to read.
CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    subject TEXT NOT NULL,
    text TEXT NOT NULL
);
