-- The other number that a rejected row can be read as.
ALTER TABLE rejected_row ADD COLUMN other_msisdn INTEGER;

-- Finds the rows of a recipient who is erased.
CREATE INDEX rejected_row_other ON rejected_row (other_msisdn) WHERE other_msisdn IS NOT NULL;
