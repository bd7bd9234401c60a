-- The last known templates of each channel of an account at the provider, and what was asked of the provider about them.

-- A channel whose templates were fetched. It is also here if it has none.
CREATE TABLE catalogue (
    account_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, channel_id)
) WITHOUT ROWID;

-- A template as the provider listed it. Later words of its webhooks are in `provider_report`.
--   category, status   the provider's words
--   components         the provider's JSON
--   updated_at         by the provider; null if it names no time
CREATE TABLE catalogue_template (
    account_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    category TEXT NOT NULL,
    status TEXT NOT NULL,
    components TEXT NOT NULL,
    updated_at INTEGER,
    fetched_at INTEGER NOT NULL,
    PRIMARY KEY (account_id, channel_id, name, language)
) WITHOUT ROWID;

CREATE INDEX catalogue_template_name ON catalogue_template (name);

-- What was asked of the provider about a template's name: recorded before the request, removed if the provider refuses it.
--   kind   0 create, 1 remove
CREATE TABLE template_request (
    id INTEGER PRIMARY KEY,
    account_id TEXT NOT NULL,
    channel_id TEXT NOT NULL,
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL
);

CREATE INDEX template_request_of_account ON template_request (account_id, at);
