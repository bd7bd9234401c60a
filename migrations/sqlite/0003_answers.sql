-- The chosen button or list row of each reply, and opt-outs of recipients whom only a channel's id names.

-- In the words of the campaign; null if the reply chose none. Replies of earlier versions get theirs here, as
-- wire::ReplyContent::choice reads it. LINE's form has no payload around the content.
ALTER TABLE inbound ADD COLUMN choice TEXT;
UPDATE inbound SET choice = (
    SELECT substr(replace(replace(CASE
            WHEN button IS NOT NULL THEN coalesce(nullif(button ->> '$.title', ''), payload, nullif(button ->> '$.id', ''))
            WHEN line IS NOT NULL THEN coalesce(nullif(line ->> '$.title', ''), nullif(line ->> '$.id', ''))
                || ifnull(': ' || nullif(line ->> '$.description', ''), '')
            WHEN is_alone THEN coalesce(nullif(content ->> '$.text', ''), payload)
        END, char(10), ' '), char(13), ' '), 1, 200)
    FROM (
        SELECT content, nullif(content ->> '$.payload', '') AS payload,
            nullif(coalesce(content -> '$.interactive.button_reply', content -> '$.interactive.buttonReply'), 'null') AS button,
            nullif(coalesce(content -> '$.interactive.list_reply', content -> '$.interactive.listReply'), 'null') AS line,
            content ->> '$.payload' <> ''
                AND coalesce(content ->> '$.interactive', content ->> '$.order', content ->> '$.location') IS NULL AS is_alone
        FROM (SELECT coalesce(raw -> '$.payload.content', raw -> '$.content') AS content)
    ))
WHERE json_valid(raw);

-- The language of the keyword, if it belongs to one alone: see domain::Language.
ALTER TABLE inbound ADD COLUMN language INTEGER;

-- Inbound messages that opted their writers out, and whose confirmation is due. A row ends in the transaction that queues the
-- confirmation, or when it is too late for one.
CREATE TABLE confirmation (
    inbound INTEGER PRIMARY KEY
);

-- Counts the replies to a batch by step, kind and choice without reading them.
CREATE INDEX inbound_choice ON inbound (batch, step, kind, choice) WHERE batch IS NOT NULL;

-- Opt-outs by a channel's id for a recipient. They apply to each number that is known with the id, now or later.
--   source     who asked for it: see domain::OptOutSource
CREATE TABLE opt_out_id (
    channel INTEGER NOT NULL,
    called TEXT NOT NULL,
    since INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL,
    PRIMARY KEY (channel, called)
) WITHOUT ROWID;
-- Those of earlier versions: the latest keyword under each id, if that is "stop" and no number of the id has opted in since.
INSERT INTO opt_out_id (channel, called, since, source, words)
SELECT channel, called, written_at, 0, 'stop by message' FROM (
    SELECT channel, called, written_at, keyword, max(written_at * 2 + (keyword = 0)) FROM inbound
    WHERE called IS NOT NULL AND channel IS NOT NULL AND keyword IS NOT NULL GROUP BY channel, called) last
WHERE keyword = 0 AND NOT EXISTS (
    SELECT 1 FROM alias JOIN opt_out_record record ON record.msisdn = alias.msisdn
    WHERE alias.channel = last.channel AND alias.called = last.called AND record.wants = 1 AND record.at > last.written_at);

-- History of these opt-outs and opt-ins, in the order of arrival.
--   wants      0 opt-out, 1 opt-in
CREATE TABLE opt_out_id_record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    channel INTEGER NOT NULL,
    called TEXT NOT NULL,
    at INTEGER NOT NULL,
    wants INTEGER NOT NULL,
    source INTEGER NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX opt_out_id_record_recipient ON opt_out_id_record (channel, called, at);
INSERT INTO opt_out_id_record (channel, called, at, wants, source, words)
SELECT channel, called, since, 0, source, words FROM opt_out_id;
