-- Campaigns that operators write on the pages, before their launch.
--   id          random, because it is in addresses
--   campaign    JSON with the keys of a campaign file; some may still be missing
--   version     changes with each change
--   launch      the name under which a launch has begun
CREATE TABLE sketch (
    id INTEGER PRIMARY KEY,
    campaign TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    changed_by TEXT NOT NULL,
    launch TEXT
);

-- Lists them, latest change first.
CREATE INDEX sketch_changed_at ON sketch (changed_at);
