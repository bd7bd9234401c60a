-- What is reserved for each step of a message that may still be delivered, also after the message has gone on to another step.
--
--   amount     what is charged if it is delivered, in millionths
--   until      when the step's receipt window is over
CREATE TABLE reservation (
    batch INTEGER NOT NULL,
    n INTEGER NOT NULL,
    step INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (batch, n, step)
) WITHOUT ROWID;
CREATE INDEX reservation_until ON reservation (until);
-- Until now, only the present step had a reservation. A message that is sending has no receipt window yet: two days are the usual
-- one of an SMS.
INSERT INTO reservation (batch, n, step, amount, until)
    SELECT batch, n, step, reserved, coalesce(due, at + 172800000) FROM message WHERE reserved > 0 AND state IN (1, 2);
ALTER TABLE message DROP COLUMN reserved;
