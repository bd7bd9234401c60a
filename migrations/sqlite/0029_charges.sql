-- What the provider says that a message cost, in the receipt that said it. Receipts of before have none.
--   price      of the whole message, in millionths of the currency
--   parts      of an SMS
--   category   by which WhatsApp charges it
ALTER TABLE receipt ADD COLUMN price INTEGER;
ALTER TABLE receipt ADD COLUMN currency TEXT;
ALTER TABLE receipt ADD COLUMN parts INTEGER;
ALTER TABLE receipt ADD COLUMN category TEXT;
