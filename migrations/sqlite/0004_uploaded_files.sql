-- Files that were uploaded to the provider, so that a second campaign does not upload them again.
--   digest    SHA-256 of the file's bytes
--   url       where the provider hosts it, with its token
CREATE TABLE uploaded_file (
    base_url TEXT NOT NULL,
    sub_account TEXT NOT NULL,
    digest BLOB NOT NULL,
    url TEXT NOT NULL,
    uploaded_at INTEGER NOT NULL,
    PRIMARY KEY (base_url, sub_account, digest)
) WITHOUT ROWID;
