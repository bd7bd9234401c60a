-- Webhooks that Volley sends.

-- Changes of messages that are not yet made into deliveries, in their order. Only messages that somebody observes have rows.
--   kind      what is told: 0 a status, 1 a failed step, 2 the outcome
--   value     the status or the outcome; null for a failure
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER,
    kind INTEGER NOT NULL,
    value INTEGER,
    skipped INTEGER,
    code INTEGER,
    detail TEXT,
    message TEXT
);

-- Up to which row each feed is made into deliveries: 0 events, 1 replies, 2 changes of messages.
CREATE TABLE feed_cursor (
    feed INTEGER PRIMARY KEY,
    position INTEGER NOT NULL
);

-- Receivers of webhooks, as operators created them.
--   format        0 Volley's own events, 1 the provider's
--   types         the types of events that it wants, as a JSON array of patterns
--   sub_account   of whose messages it wants the provider's events; null means all
--   secrets       JSON of the secrets that sign, the newest first; an old one has an end
--   enabled_at    when it was created or enabled; it is disabled after a day without success since then
--   disabled      JSON of events::Origin: who disabled it, and why; null while it is enabled
CREATE TABLE subscription (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    format INTEGER NOT NULL,
    types TEXT NOT NULL,
    sub_account TEXT,
    authorization TEXT,
    secrets TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    enabled_at INTEGER NOT NULL,
    disabled TEXT,
    disabled_at INTEGER
);

-- One event for one receiver, kept for some days after it was sent.
--   receiver    JSON of store::Receiver
--   event       the id of the event: the same for every receiver, and whenever it is repeated
--   order_key   what it is about; a later delivery about the same waits for an earlier one
--   url         where it goes, if that is the address of a message
--   state       0 waiting, 1 delivered, 2 given up
--   begun_at    when it was tried first
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    event TEXT NOT NULL,
    type TEXT NOT NULL,
    order_key TEXT NOT NULL,
    url TEXT,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    begun_at INTEGER,
    tried_at INTEGER,
    took_ms INTEGER,
    status INTEGER,
    error TEXT,
    answer TEXT
);
CREATE INDEX delivery_due ON delivery (receiver, next_at, id) WHERE state = 0;
CREATE INDEX delivery_order ON delivery (receiver, order_key, id) WHERE state = 0;
CREATE INDEX delivery_receiver ON delivery (receiver, id);
CREATE INDEX delivery_created ON delivery (created_at);

-- What became of the deliveries of each receiver.
--   failing_since   the first failure after the last success; null if the last try succeeded
CREATE TABLE receiver_health (
    receiver TEXT PRIMARY KEY,
    delivered INTEGER NOT NULL DEFAULT 0,
    given_up INTEGER NOT NULL DEFAULT 0,
    succeeded_at INTEGER,
    failing_since INTEGER
) WITHOUT ROWID;

-- Alerts that are not over, each once for what it is about. An alert that has ended stays for a minute, in case it returns.
--   name       of the alert in the configuration
--   subject    JSON of events::Subject
--   detail     what else tells two alerts about one subject apart
--   event      the id of the webhook that told of it
CREATE TABLE alert (
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    event TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (name, kind, subject, detail)
) WITHOUT ROWID;
CREATE INDEX alert_ended ON alert (ended_at) WHERE ended_at IS NOT NULL;
