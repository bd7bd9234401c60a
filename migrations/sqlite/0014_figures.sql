-- The figures of campaigns over time, for their charts: at most some 300 rows of each, which the server thins out.
--   submitted   submissions, fallbacks included
--   reached     recipients who were reached
--   ended       recipients with another outcome
--   open        recipients without an outcome
--   fell_back   messages that went on to a later step
--   allowed     submissions a second that its lanes allowed, in thousandths
CREATE TABLE batch_figures (
    batch INTEGER NOT NULL,
    at INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    reached INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    open INTEGER NOT NULL,
    fell_back INTEGER NOT NULL,
    allowed INTEGER NOT NULL,
    PRIMARY KEY (batch, at)
) WITHOUT ROWID;
