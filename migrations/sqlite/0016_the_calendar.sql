-- Campaigns by the time in which they were sent, for a calendar. Batches of the API, which have no name, are not in it.
CREATE INDEX batch_sent ON batch (started_at, finished_at, cancelled_at) WHERE name IS NOT NULL AND started_at IS NOT NULL;
