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
