-- Links to the report of a campaign, for readers without an account.
--   secret       SHA-256 of the secret in the link
CREATE TABLE shared_report (
    secret BLOB PRIMARY KEY,
    batch INTEGER NOT NULL,
    made_by TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Lists the links of a campaign.
CREATE INDEX shared_report_batch ON shared_report (batch, made_at);
-- Expired links are removed once a day.
CREATE INDEX shared_report_expires_at ON shared_report (expires_at);

-- The campaign that a repetition sends again.
ALTER TABLE batch ADD COLUMN repeats INTEGER;

-- Lists the repetitions of a campaign.
CREATE INDEX batch_repeats ON batch (repeats) WHERE repeats IS NOT NULL;
