-- Requests of the API that name an `Idempotency-Key`, so that a repeated one gets the first answer.
--   caller    the key that sent the request
--   digest    SHA-256 of the request: method, path and body
--   run       the start of the server that began it: another start cannot finish it
--   status    of the answer, with its headers as JSON; NULL until the request is finished
CREATE TABLE idempotent (
    id INTEGER PRIMARY KEY,
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    digest BLOB NOT NULL,
    run INTEGER NOT NULL,
    begun_at INTEGER NOT NULL,
    status INTEGER,
    headers TEXT,
    body BLOB
);
CREATE UNIQUE INDEX idempotent_key ON idempotent (caller, key);
CREATE INDEX idempotent_age ON idempotent (begun_at);

-- Random secrets that the server makes for itself, such as the one that seals the cursors of lists.
CREATE TABLE own_secret (
    purpose TEXT PRIMARY KEY,
    secret BLOB NOT NULL
) WITHOUT ROWID;
