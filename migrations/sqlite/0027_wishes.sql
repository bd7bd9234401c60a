-- Opt-outs of everything, or of marketing alone; of all senders, or of those on one channel. Those of before are of everything.
--   purpose    see domain::OptOutOf
--   channel    the channel of the senders; -1 means every channel
--   sender     the subaccount of the sender on that channel; empty means each
ALTER TABLE opt_out RENAME TO former_opt_out;
CREATE TABLE opt_out (
    address INTEGER NOT NULL,
    purpose INTEGER NOT NULL DEFAULT 0,
    channel INTEGER NOT NULL DEFAULT -1,
    sender TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (address, purpose, channel, sender)
) WITHOUT ROWID;
INSERT INTO opt_out (address, since, source, words) SELECT address, since, source, words FROM former_opt_out ORDER BY address;
DROP TABLE former_opt_out;
-- The provider reports opt-outs of marketing; those of before were stored as opt-outs of everything.
CREATE INDEX opt_out_reported ON opt_out (address) WHERE source = 1 AND purpose = 0;

-- What every address has asked for, in the order of arrival: nothing in it changes.
DROP INDEX opt_out_record_recipient;
DROP INDEX opt_out_record_stop;
ALTER TABLE opt_out_record RENAME TO wish;
ALTER TABLE wish ADD COLUMN purpose INTEGER NOT NULL DEFAULT 0;
ALTER TABLE wish ADD COLUMN channel INTEGER NOT NULL DEFAULT -1;
ALTER TABLE wish ADD COLUMN sender TEXT NOT NULL DEFAULT '';
CREATE INDEX wish_address ON wish (address, at);
CREATE INDEX wish_stop ON wish (id) WHERE wants = 0;
