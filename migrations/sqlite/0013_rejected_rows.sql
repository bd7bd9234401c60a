-- Rows of an imported file that became no recipient, at most 100,000 of an audience.
--   n          from 0, in the order of the file
--   line       where the row begins in the file
--   msisdn     the row's number, if it can be read, so that an erased recipient is erased here too
--   fields     JSON array: the cells in the order of the audience's columns, and then those after the last column
CREATE TABLE rejected_row (
    audience INTEGER NOT NULL,
    n INTEGER NOT NULL,
    line INTEGER NOT NULL,
    reason TEXT NOT NULL,
    msisdn INTEGER,
    fields TEXT NOT NULL,
    PRIMARY KEY (audience, n)
) WITHOUT ROWID;

-- Lists the rows of one reason.
CREATE INDEX rejected_row_reason ON rejected_row (audience, reason, n);
-- Finds the rows of a recipient who is erased.
CREATE INDEX rejected_row_recipient ON rejected_row (msisdn) WHERE msisdn IS NOT NULL;

-- Lists the audiences with a name, latest first.
CREATE INDEX audience_latest ON audience (id, name) WHERE ready = 1 AND name IS NOT NULL;
