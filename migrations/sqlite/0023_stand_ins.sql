-- Recipients whom only an id of LINE names had numbers that stood in for it: from +999000000000000 on. They get the key of
-- the id, as opt-outs have it. The number
-- after the last of them means that a recipient was erased, and nothing else.
ALTER TABLE recipient RENAME COLUMN msisdn TO address;
ALTER TABLE message RENAME COLUMN msisdn TO address;
ALTER TABLE tier_slot RENAME COLUMN msisdn TO address;

-- Each of them has the id in its row; messages and replies may tell it too.
CREATE TABLE found (
    audience INTEGER NOT NULL,
    n INTEGER NOT NULL,
    number INTEGER NOT NULL,
    called TEXT NOT NULL,
    PRIMARY KEY (audience, n)
) WITHOUT ROWID;
INSERT OR IGNORE INTO found (audience, n, number, called)
SELECT r.audience, r.n, r.address, r.fields ->> CAST(c.key AS INTEGER)
FROM recipient r CROSS JOIN audience a ON a.id = r.audience CROSS JOIN json_each(a.columns) c
WHERE r.address BETWEEN 999000000000000 AND 999999999999998 AND c.value GLOB 'lineUserId_*';
CREATE TABLE stands_for (
    number INTEGER NOT NULL,
    called TEXT NOT NULL,
    PRIMARY KEY (number, called)
) WITHOUT ROWID;
INSERT INTO stands_for (number, called)
SELECT number, called FROM found
UNION SELECT msisdn, called FROM alias WHERE channel = 4 AND msisdn BETWEEN 999000000000000 AND 999999999999998
UNION SELECT msisdn, called FROM inbound
WHERE channel = 4 AND called IS NOT NULL AND msisdn BETWEEN 999000000000000 AND 999999999999998;
INSERT INTO channel_user (channel, called) SELECT DISTINCT 4, called FROM stands_for WHERE true ON CONFLICT DO NOTHING;

UPDATE recipient SET address = -u.id
FROM found f CROSS JOIN channel_user u ON u.channel = 4 AND u.called = f.called
WHERE f.audience = recipient.audience AND f.n = recipient.n;
UPDATE message SET address = -u.id
FROM found f CROSS JOIN channel_user u ON u.channel = 4 AND u.called = f.called
WHERE f.audience = message.audience AND f.n = message.recipient AND message.address = f.number;
UPDATE attempt SET adoptable = m.address
FROM message m
WHERE attempt.adoptable BETWEEN 999000000000000 AND 999999999999998 AND m.batch = attempt.batch AND m.n = attempt.n;
-- Their filters are of numbers. One with every bit set may contain anybody.
UPDATE sieve SET bits = unhex(replace(hex(zeroblob(length(bits))), '0', 'F'))
WHERE audience IN (SELECT DISTINCT audience FROM found);

-- Numbers of which there were opt-outs: the provider may have got them as contacts. The opt-outs apply to any id that has
-- such a number and comes later: an id tells its number, but not the other way round.
CREATE TABLE stand_in (
    number INTEGER PRIMARY KEY,
    since INTEGER,
    source INTEGER,
    words TEXT
);
INSERT OR IGNORE INTO stand_in (number, since, source, words)
SELECT address, since, source, words FROM opt_out WHERE address BETWEEN 999000000000000 AND 999999999999998;
INSERT OR IGNORE INTO stand_in (number)
SELECT address FROM opt_out_record WHERE wants = 0 AND address BETWEEN 999000000000000 AND 999999999999998;
INSERT INTO opt_out (address, since, source, words)
SELECT -u.id, o.since, o.source, o.words
FROM opt_out o CROSS JOIN stands_for s ON s.number = o.address
CROSS JOIN channel_user u ON u.channel = 4 AND u.called = s.called
WHERE o.address BETWEEN 999000000000000 AND 999999999999998
ON CONFLICT DO UPDATE SET source = excluded.source, words = excluded.words WHERE excluded.source > opt_out.source;
INSERT INTO opt_out_record (address, at, wants, source, words)
SELECT -u.id, r.at, r.wants, r.source, r.words
FROM opt_out_record r CROSS JOIN stands_for s ON s.number = r.address
CROSS JOIN channel_user u ON u.channel = 4 AND u.called = s.called
WHERE r.address BETWEEN 999000000000000 AND 999999999999998
    AND NOT EXISTS (SELECT 1 FROM opt_out_record same WHERE same.address = -u.id AND same.at = r.at
                    AND same.wants = r.wants AND same.source = r.source)
ORDER BY r.id;
DELETE FROM opt_out WHERE address BETWEEN 999000000000000 AND 999999999999999;
DELETE FROM opt_out_record WHERE address BETWEEN 999000000000000 AND 999999999999999;
DELETE FROM alias WHERE msisdn BETWEEN 999000000000000 AND 999999999999999;
DELETE FROM tier_slot WHERE address BETWEEN 999000000000000 AND 999999999999999;
UPDATE inbound SET msisdn = NULL, called = coalesce(called, (SELECT s.called FROM stands_for s WHERE s.number = msisdn))
WHERE msisdn BETWEEN 999000000000000 AND 999999999999999;
UPDATE rejected_row SET msisdn = NULL WHERE msisdn = 999999999999999;
UPDATE rejected_row SET other_msisdn = NULL WHERE other_msisdn = 999999999999999;
DROP TABLE found;
DROP TABLE stands_for;

-- Servers look for opt-outs of ids too, to which messages are sent.
DROP INDEX opt_out_record_stop;
CREATE INDEX opt_out_record_stop ON opt_out_record (id) WHERE wants = 0;

-- Tells whether a recipient still has an id. Numbers are not in it.
CREATE INDEX recipient_user ON recipient (address) WHERE address < 0;
