-- A rejected row that was too long to be stored as a whole: its long cells are cut.
ALTER TABLE rejected_row ADD COLUMN is_cut INTEGER NOT NULL DEFAULT 0;

-- Ends the links of an operator who is disabled.
CREATE INDEX shared_report_operator ON shared_report (made_by);

-- The entries of the audit log by who and by action, in their order.
CREATE INDEX audit_entry_name ON audit_entry (name COLLATE NOCASE, id);
CREATE INDEX audit_entry_name_action ON audit_entry (name COLLATE NOCASE, action, id);
CREATE INDEX audit_entry_caller ON audit_entry (caller, id) WHERE caller IS NOT NULL;
CREATE INDEX audit_entry_caller_action ON audit_entry (caller, action, id) WHERE caller IS NOT NULL;
CREATE INDEX audit_entry_action ON audit_entry (action, id);

-- The deliveries of a receiver whose latest try failed.
CREATE INDEX delivery_failed ON delivery (receiver, id) WHERE state = 2 OR (state = 0 AND tries > 0);

-- Campaigns by how long they were sent, and then by their start: 0 up to a day, 1 up to 32 days, 2 longer or not over. So a
-- calendar reads of each length only those that can reach into its days.
DROP INDEX batch_sent;
CREATE INDEX batch_sent ON batch (
    CASE WHEN coalesce(finished_at, cancelled_at) - started_at <= 86400000 THEN 0
         WHEN coalesce(finished_at, cancelled_at) - started_at <= 2764800000 THEN 1 ELSE 2 END,
    started_at
) WHERE name IS NOT NULL AND started_at IS NOT NULL;
