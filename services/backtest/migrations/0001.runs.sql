-- A run is claimed by one worker at a time: it holds the lease, and only the holder may end the run.
CREATE TABLE run (
    run_id       text PRIMARY KEY,
    spec         jsonb NOT NULL,
    request      text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    status       text NOT NULL CHECK (status IN ('queued', 'running', 'finished', 'failed')),
    attempts     int NOT NULL DEFAULT 0,
    not_before   timestamptz NOT NULL,
    claimed_by   text,
    lease_until  timestamptz,
    finished_at  timestamptz,
    error        text,
    result_hash  text,
    statistics   jsonb NOT NULL DEFAULT '{}',
    manifest     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX run_waiting ON run (requested_at) WHERE status IN ('queued', 'running');
CREATE INDEX run_requested_at ON run (requested_at DESC);

CREATE TABLE run_fill (
    run_id   text NOT NULL REFERENCES run ON DELETE CASCADE,
    position int NOT NULL,
    time     timestamptz NOT NULL,
    side     text NOT NULL,
    price    numeric NOT NULL,
    quantity numeric NOT NULL,
    fee      numeric NOT NULL,
    pnl      numeric NOT NULL,
    PRIMARY KEY (run_id, position)
);

CREATE TABLE run_equity (
    run_id text NOT NULL REFERENCES run ON DELETE CASCADE,
    time   timestamptz NOT NULL,
    equity numeric NOT NULL,
    PRIMARY KEY (run_id, time)
);
