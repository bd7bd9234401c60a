-- Operators who are signed in to the pages.
--   secret     SHA-256 of the secret in the operator's cookie
--   zone       the time zone in which this browser shows times
--   used_at    the last use that was recorded
CREATE TABLE session (
    secret BLOB PRIMARY KEY,
    operator TEXT NOT NULL,
    zone TEXT,
    begun_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL
) WITHOUT ROWID;

-- A new password and a disabled operator end the sessions of this operator.
CREATE INDEX session_operator ON session (operator);
-- Old sessions are removed once a day.
CREATE INDEX session_used_at ON session (used_at);
