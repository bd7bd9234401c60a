-- Keys of the API. The id is the public part of a key.
--   scopes          a bit for each scope
--   secret          SHA-256 of the secret part
--   former          the same of the secret before the last rotation, valid until `former_until`
--   sub_accounts    JSON list; NULL means all. So do `lanes` and `addresses` (networks)
CREATE TABLE api_key (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    scopes INTEGER NOT NULL,
    secret BLOB NOT NULL,
    former BLOB,
    former_until INTEGER,
    sub_accounts TEXT,
    lanes TEXT,
    addresses TEXT,
    requests_per_s INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    last_used_at INTEGER,
    last_used_from TEXT
);

-- The name of a revoked key is free again.
CREATE UNIQUE INDEX api_key_name ON api_key (name) WHERE revoked_at IS NULL;

-- Operators of the pages.
--   password    argon2id, as a PHC string
CREATE TABLE operator (
    name TEXT PRIMARY KEY,
    scopes INTEGER NOT NULL,
    password TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    password_set_at INTEGER NOT NULL,
    disabled_at INTEGER
) WITHOUT ROWID;

-- The one-time token by which the first admin key is created over the API.
--   secret    SHA-256 of the token
CREATE TABLE setup_token (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    secret BLOB NOT NULL,
    expires_at INTEGER NOT NULL
);

-- Who did what.
--   actor     0 a command beside the server, 1 a caller of the API, 2 the setup token
--   caller    the id of the caller: of a key or an operator
--   name      the name of the operator or the key
--   object    what it was done to
--   peer, request, method, path, http_status    of a request to the API
CREATE TABLE audit_entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    action INTEGER NOT NULL,
    actor INTEGER NOT NULL,
    caller TEXT,
    name TEXT NOT NULL,
    object TEXT,
    peer TEXT,
    request TEXT,
    method TEXT,
    path TEXT,
    http_status INTEGER
);

CREATE INDEX audit_entry_at ON audit_entry (at);

CREATE TRIGGER audit_entry_is_never_changed BEFORE UPDATE ON audit_entry
BEGIN
    SELECT raise(ABORT, 'an entry of the audit log cannot be changed');
END;

-- 30 days, measured against the latest entry: the database has no clock of its own.
CREATE TRIGGER audit_entry_is_kept BEFORE DELETE ON audit_entry
WHEN OLD.at > (SELECT max(at) FROM audit_entry) - 2592000000
BEGIN
    SELECT raise(ABORT, 'an entry of the audit log is kept for at least 30 days');
END;
