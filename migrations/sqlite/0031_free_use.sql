-- How many messages of a line of the price list count, where some of them are free.
--
--   address    the recipient; 0 for a line whose first messages of a month are free
--   period     the month, as 202611; or until when the recipient's latest message keeps a window open
CREATE TABLE free_use (
    line TEXT NOT NULL,
    address INTEGER NOT NULL,
    period INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (address, line, period)
) WITHOUT ROWID;
