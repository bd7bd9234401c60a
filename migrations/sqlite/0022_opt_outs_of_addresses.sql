-- Ids by which channels name recipients. Where a column is called `address`, a positive number is a phone number, and a
-- negative one the id whose number here it is.
CREATE TABLE channel_user (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    called TEXT NOT NULL,
    UNIQUE (channel, called)
);
INSERT INTO channel_user (channel, called)
SELECT channel, called FROM opt_out_id UNION SELECT channel, called FROM opt_out_id_record;

-- Opt-outs by id have been in tables of their own.
ALTER TABLE opt_out RENAME COLUMN msisdn TO address;
ALTER TABLE opt_out_record RENAME COLUMN msisdn TO address;
INSERT INTO opt_out (address, since, source, words)
SELECT -u.id, o.since, o.source, o.words FROM opt_out_id o CROSS JOIN channel_user u USING (channel, called);
INSERT INTO opt_out_record (address, at, wants, source, words)
SELECT -u.id, r.at, r.wants, r.source, r.words
FROM opt_out_id_record r CROSS JOIN channel_user u USING (channel, called) ORDER BY r.id;
DROP TABLE opt_out_id;
DROP TABLE opt_out_id_record;

-- Servers look for opt-outs of numbers, to which messages are sent.
DROP INDEX opt_out_record_stop;
CREATE INDEX opt_out_record_stop ON opt_out_record (id) WHERE wants = 0 AND address > 0;
