-- What refusals without a known code have shown about a queued message: 0 nothing, 1 refused once, 2 it alone was refused,
-- 3 refused again, 4 set aside (no claim takes it).
ALTER TABLE message ADD COLUMN refused INTEGER NOT NULL DEFAULT 0;
