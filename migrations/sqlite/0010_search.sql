-- Finds the additions of an audience.
CREATE INDEX audience_part ON audience (part_of) WHERE part_of IS NOT NULL;

-- Which batches use an audience: as `batch.audience_ids`, the other way round. Written once for each batch, never for a
-- message.
--   base       the number of its first recipient's message in the batch
CREATE TABLE audience_use (
    audience INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    base INTEGER NOT NULL,
    PRIMARY KEY (audience, batch)
) WITHOUT ROWID;
INSERT OR IGNORE INTO audience_use (audience, batch, base)
    SELECT used.value, batch.id, coalesce(sum(audience.recipients) OVER (
        PARTITION BY batch.id ORDER BY used.key ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)
    FROM batch, json_each(batch.audience_ids) used JOIN audience ON audience.id = used.value;

-- Pages of the replies to a batch, and of the messages of a recipient, in order of arrival: an index ends with the id.
CREATE INDEX inbound_batch ON inbound (batch) WHERE batch IS NOT NULL;
CREATE INDEX inbound_from ON inbound (msisdn) WHERE msisdn IS NOT NULL;
