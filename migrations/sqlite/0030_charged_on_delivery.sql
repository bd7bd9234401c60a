-- What the provider charges when it delivers is reserved until then.
--
-- What is charged if the present step of a message is delivered, in millionths. A claim sets it; the decision that ends the step,
-- or that reports the delivery, clears it.
ALTER TABLE message ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
-- Until now, everything was charged when it was submitted. The sum of the reservations of a step is beside what is spent.
ALTER TABLE spent RENAME COLUMN amount TO spent;
ALTER TABLE spent ADD COLUMN reserved INTEGER NOT NULL DEFAULT 0;
