-- Calls of the API that sent many messages at once.

-- The batches of a call: one for each plan. The first names the call.
--   client_batch_id  the caller's own id for it
CREATE TABLE api_batch (
    first INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    client_batch_id TEXT,
    PRIMARY KEY (first, batch)
) WITHOUT ROWID;
CREATE UNIQUE INDEX api_batch_call ON api_batch (batch);

-- Messages under their callers' own ids, where such an id is accepted once within a day.
CREATE TABLE api_client_id (
    sub_account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    PRIMARY KEY (sub_account, client_id)
) WITHOUT ROWID;
CREATE INDEX api_client_id_age ON api_client_id (accepted_at);
