-- The tables of a new file: what the migrations in `schema` make of an empty one, which say what each column is for.
-- A test compares the two, so a migration that is added changes this file, too.

CREATE TABLE pixels (
    pixel INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    short_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    image TEXT,
    recipients INTEGER NOT NULL DEFAULT 0,
    last_recipient INTEGER NOT NULL DEFAULT 0,
    opens INTEGER NOT NULL DEFAULT 0,
    first_opened_at INTEGER,
    last_opened_at INTEGER,
    counted INTEGER NOT NULL DEFAULT 0,
    first_counted_at INTEGER,
    last_counted_at INTEGER,
    views INTEGER NOT NULL DEFAULT 0,
    counted_views INTEGER NOT NULL DEFAULT 0,
    opened INTEGER NOT NULL DEFAULT 0,
    opened_raw INTEGER NOT NULL DEFAULT 0,
    folded_name TEXT NOT NULL DEFAULT '',
    purged INTEGER NOT NULL DEFAULT 0,
    purged_before INTEGER,
    first_purged_at INTEGER,
    last_purged_at INTEGER,
    prefetched INTEGER NOT NULL DEFAULT 0,
    archived INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    rejudged INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE images (
    pixel INTEGER PRIMARY KEY REFERENCES pixels ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    data BLOB NOT NULL
);

CREATE TABLE hours (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    hour INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    opens INTEGER NOT NULL,
    counted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pixel, hour, verdict)
) WITHOUT ROWID;

CREATE TABLE facets (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    facet TEXT NOT NULL,
    name TEXT NOT NULL,
    opens INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    PRIMARY KEY (pixel, facet, name)
) WITHOUT ROWID;
CREATE INDEX frequent_facets ON facets (pixel, facet, opens DESC, name);

CREATE TABLE delays (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    bucket INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    PRIMARY KEY (pixel, bucket)
) WITHOUT ROWID;

CREATE TABLE api_keys (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE purged_opens (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (pixel, first)
) WITHOUT ROWID;

CREATE TABLE agents (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    agent INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    opens INTEGER NOT NULL,
    user_agent TEXT NOT NULL,
    client TEXT NOT NULL,
    client_version TEXT NOT NULL,
    os TEXT NOT NULL,
    device TEXT NOT NULL,
    PRIMARY KEY (pixel, agent),
    UNIQUE (pixel, digest)
) WITHOUT ROWID;

CREATE TABLE judgements (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    judgement INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    opens INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    vendor TEXT,
    reasons TEXT NOT NULL,
    certainty TEXT,
    rules_version INTEGER NOT NULL,
    counted INTEGER NOT NULL,
    signals TEXT NOT NULL,
    networks TEXT NOT NULL,
    PRIMARY KEY (pixel, judgement),
    UNIQUE (pixel, digest)
) WITHOUT ROWID;

CREATE TABLE deleted_recipients (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (pixel, number),
    UNIQUE (pixel, id)
) WITHOUT ROWID;

CREATE TABLE opens (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    number INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    shift INTEGER NOT NULL,
    rest BLOB NOT NULL,
    recipient INTEGER,
    ip BLOB,
    agent INTEGER NOT NULL,
    judgement INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    age INTEGER,
    referer TEXT NOT NULL,
    firsts INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pixel, number)
) WITHOUT ROWID;
CREATE INDEX opens_by_id ON opens (pixel, rest);
CREATE INDEX opens_of_recipient ON opens (pixel, recipient, number) WHERE recipient IS NOT NULL;
CREATE INDEX opens_by_kind ON opens (pixel, kind, number);

CREATE TABLE deleted_pixels (pixel INTEGER PRIMARY KEY);
CREATE INDEX pixels_by_archived ON pixels (archived);

CREATE TABLE recipients (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    ref TEXT NOT NULL DEFAULT '',
    spare INTEGER NOT NULL DEFAULT 0,
    data TEXT,
    token TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at INTEGER,
    opens INTEGER NOT NULL DEFAULT 0,
    first_opened_at INTEGER,
    last_opened_at INTEGER,
    counted INTEGER NOT NULL DEFAULT 0,
    first_counted_at INTEGER,
    last_counted_at INTEGER,
    purged_counted INTEGER NOT NULL DEFAULT 0,
    first_purged_at INTEGER,
    last_purged_at INTEGER,
    prefetches INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (pixel, number),
    UNIQUE (pixel, id),
    UNIQUE (pixel, email_key, ref, spare),
    UNIQUE (pixel, token)
) WITHOUT ROWID;
CREATE INDEX recipients_by_ref ON recipients (pixel, ref, number) WHERE ref <> '';

CREATE TABLE erased (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    digest INTEGER NOT NULL,
    PRIMARY KEY (pixel, digest)
) WITHOUT ROWID;

CREATE TABLE erasing (
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    number INTEGER NOT NULL,
    PRIMARY KEY (pixel, number)
) WITHOUT ROWID;
CREATE INDEX recipients_by_counted ON recipients (pixel, counted DESC, number) WHERE counted >= 2;
CREATE INDEX pixels_by_creation ON pixels (archived, created_at);
CREATE INDEX pixels_by_name ON pixels (archived, folded_name DESC);
CREATE INDEX pixels_by_opens ON pixels (archived, counted);
CREATE INDEX pixels_by_rate ON pixels (archived, CASE WHEN recipients > 0 THEN opened * 1000000 / recipients ELSE -1 END);

CREATE TABLE totals (
    verdict TEXT PRIMARY KEY,
    opens INTEGER NOT NULL,
    counted INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE feed (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    pixel INTEGER NOT NULL REFERENCES pixels ON DELETE CASCADE,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    newest INTEGER NOT NULL
);
CREATE UNIQUE INDEX feed_of_pixel ON feed (pixel, first);

CREATE TABLE readers (name TEXT PRIMARY KEY, after TEXT NOT NULL, owner TEXT, until INTEGER) WITHOUT ROWID;

CREATE TABLE webhooks (
    webhook INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    first TEXT NOT NULL,
    kinds TEXT,
    pixels TEXT,
    secret TEXT NOT NULL,
    former_secret TEXT,
    former_until INTEGER,
    enabled INTEGER NOT NULL,
    disabled_reason TEXT,
    failing_since INTEGER,
    created_at INTEGER NOT NULL,
    after TEXT,
    replay_since INTEGER,
    last_delivery INTEGER NOT NULL DEFAULT 0,
    pending INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE deleted_webhooks (webhook INTEGER PRIMARY KEY);

CREATE TABLE deliveries (
    webhook INTEGER NOT NULL,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    cursor TEXT NOT NULL,
    event_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    next_try_at INTEGER,
    due_at INTEGER,
    last_status INTEGER,
    error TEXT,
    ended_at INTEGER,
    PRIMARY KEY (webhook, number),
    UNIQUE (webhook, event)
) WITHOUT ROWID;
CREATE INDEX deliveries_due ON deliveries (webhook, due_at, number) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_pending ON deliveries (webhook, event_at) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_by_state ON deliveries (webhook, state, number);
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

INSERT INTO settings (name, value) VALUES ('id', lower(hex(randomblob(16))));
