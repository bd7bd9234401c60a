-- The chosen button or list row of each reply, and opt-outs of recipients whom only a channel's id names.

-- In the words of the campaign; null if the reply chose none. Replies of earlier versions get theirs here.
ALTER TABLE inbound ADD COLUMN choice TEXT;
UPDATE inbound SET choice = substr(coalesce(
        raw ->> '$.payload.content.interactive.button_reply.title',
        raw ->> '$.payload.content.interactive.list_reply.title'
            || ifnull(': ' || nullif(raw ->> '$.payload.content.interactive.list_reply.description', ''), ''),
        iif(raw ->> '$.payload.content.payload' <> '',
            coalesce(nullif(raw ->> '$.payload.content.text', ''), raw ->> '$.payload.content.payload'), NULL)
    ), 1, 200)
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
-- Those of earlier versions: the latest keyword under each id, if that is "stop".
INSERT INTO opt_out_id (channel, called, since, source, words)
SELECT channel, called, written_at, 0, 'stop by message' FROM (
    SELECT channel, called, written_at, keyword, max(written_at * 2 + (keyword = 0)) FROM inbound
    WHERE called IS NOT NULL AND channel IS NOT NULL AND keyword IS NOT NULL GROUP BY channel, called)
WHERE keyword = 0;

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
