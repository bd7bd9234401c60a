-- Messages of API calls may have an expiry of their own.
--   expires    from then on no step is submitted, whatever the plan allows; null if only the plan limits that
ALTER TABLE message ADD COLUMN expires INTEGER;
