-- What a batch was restored from before it was over: the time of the backup. It is unknown what was sent of it since. Null
-- once an operator has confirmed to send it all the same.
ALTER TABLE batch ADD COLUMN restored_from INTEGER;

-- The last restore, in one row: the time of the backup, and when the first server accepted it.
CREATE TABLE restore (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    copied_at INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL
);

-- Recipients of a portfolio's tier whom this database does not know: a restored backup does not know to whom the portfolio sent
-- since.
--   at         from when their slots count
--   is_told    whether an operator said how many they are
CREATE TABLE unknown_slots (
    portfolio TEXT PRIMARY KEY,
    recipients INTEGER NOT NULL,
    at INTEGER NOT NULL,
    is_told INTEGER NOT NULL
) WITHOUT ROWID;
