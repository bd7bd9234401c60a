-- From when on the texts of a batch are not corrected any more: since its first claim, or since its beginning if the API began it.
-- Until now, texts were final from the start on.
ALTER TABLE batch ADD COLUMN texts_final_at INTEGER;
UPDATE batch SET texts_final_at = started_at;
