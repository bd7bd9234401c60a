-- What the messages of a key are for: see domain::Purpose; NULL means marketing. Keys of before send codes and
-- confirmations as well, which an opt-out of marketing does not stop.
ALTER TABLE api_key ADD COLUMN purpose INTEGER;
UPDATE api_key SET purpose = 1;
