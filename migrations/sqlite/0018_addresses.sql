-- Numbers of Brazil, Mexico and Argentina have two spellings: see domain::spellings. From here on, opt-outs are stored
-- under both; windows, replies and slots under the canonical one. A name in `alias` may be another number, with its plus.

-- A reply that names a message of ours is its recipient's, whichever number it came from: so is its opt-out.
INSERT INTO opt_out (msisdn, since, source, words)
SELECT m.msisdn, o.since, o.source, o.words
FROM inbound i CROSS JOIN message m ON m.batch = i.batch AND m.n = i.n CROSS JOIN opt_out o ON o.msisdn = i.msisdn
WHERE i.batch IS NOT NULL AND i.keyword = 0 AND m.msisdn <> i.msisdn AND m.msisdn < 999000000000000
    AND NOT EXISTS (SELECT 1 FROM opt_out_record later
                    WHERE later.msisdn = m.msisdn AND later.wants = 1 AND later.at > o.since)
ON CONFLICT DO NOTHING;

-- Each opt-out applies to the other spelling too, unless that number opted in since.
WITH spelling (msisdn, other) AS MATERIALIZED (
    SELECT msisdn,
           CASE
               WHEN msisdn BETWEEN 551100000000 AND 559999999999 AND msisdn / 10000000 % 10 >= 6
                   THEN msisdn / 100000000 * 1000000000 + 900000000 + msisdn % 100000000
               WHEN msisdn BETWEEN 5511000000000 AND 5599999999999 AND msisdn / 10000000 % 100 >= 96
                   THEN msisdn / 1000000000 * 100000000 + msisdn % 100000000
               WHEN msisdn BETWEEN 5212000000000 AND 5219999999999 THEN msisdn - 4690000000000
               WHEN msisdn BETWEEN 522000000000 AND 529999999999 THEN 5210000000000 + msisdn % 10000000000
               WHEN msisdn BETWEEN 541000000000 AND 543999999999 THEN msisdn + 4950000000000
               WHEN msisdn BETWEEN 5491000000000 AND 5493999999999 THEN msisdn - 4950000000000
           END
    FROM opt_out)
INSERT INTO opt_out (msisdn, since, source, words)
SELECT spelling.other, o.since, o.source, o.words
FROM spelling CROSS JOIN opt_out o ON o.msisdn = spelling.msisdn
WHERE spelling.other IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM opt_out_record later
                    WHERE later.msisdn = spelling.other AND later.wants = 1 AND later.at > o.since)
ON CONFLICT DO NOTHING;

INSERT INTO opt_out_record (msisdn, at, wants, source, words)
SELECT msisdn, since, 0, source, words FROM opt_out
WHERE NOT EXISTS (SELECT 1 FROM opt_out_record r WHERE r.msisdn = opt_out.msisdn AND r.wants = 0);

-- Replies belong to the recipients whose messages they answer.
UPDATE inbound SET called = coalesce(called, '+' || inbound.msisdn), msisdn = m.msisdn
FROM message m
WHERE m.batch = inbound.batch AND m.n = inbound.n AND inbound.batch IS NOT NULL AND m.msisdn <> inbound.msisdn
    AND m.msisdn < 999000000000000;

-- The canonical spelling of replies and slots.
UPDATE inbound SET msisdn = CASE
        WHEN msisdn BETWEEN 551100000000 AND 559999999999
            THEN msisdn / 100000000 * 1000000000 + 900000000 + msisdn % 100000000
        WHEN msisdn BETWEEN 5212000000000 AND 5219999999999 THEN msisdn - 4690000000000
        ELSE msisdn + 4950000000000
    END
WHERE (msisdn BETWEEN 551100000000 AND 559999999999 AND msisdn / 10000000 % 10 >= 6)
    OR msisdn BETWEEN 5212000000000 AND 5219999999999
    OR msisdn BETWEEN 541000000000 AND 543999999999;

INSERT INTO tier_slot (portfolio, msisdn, at, before)
SELECT portfolio, CASE
        WHEN msisdn BETWEEN 551100000000 AND 559999999999
            THEN msisdn / 100000000 * 1000000000 + 900000000 + msisdn % 100000000
        WHEN msisdn BETWEEN 5212000000000 AND 5219999999999 THEN msisdn - 4690000000000
        ELSE msisdn + 4950000000000
    END, at, before
FROM tier_slot
WHERE (msisdn BETWEEN 551100000000 AND 559999999999 AND msisdn / 10000000 % 10 >= 6)
    OR msisdn BETWEEN 5212000000000 AND 5219999999999
    OR msisdn BETWEEN 541000000000 AND 543999999999
ON CONFLICT DO UPDATE SET at = max(at, excluded.at);

DELETE FROM tier_slot
WHERE (msisdn BETWEEN 551100000000 AND 559999999999 AND msisdn / 10000000 % 10 >= 6)
    OR msisdn BETWEEN 5212000000000 AND 5219999999999
    OR msisdn BETWEEN 541000000000 AND 543999999999;
