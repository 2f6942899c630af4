CREATE TABLE IF NOT EXISTS opens (
    number INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    ip TEXT,
    user_agent TEXT,
    referer TEXT
);
