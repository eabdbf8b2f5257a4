-- Who may come in.
CREATE TABLE roles (
    role    text PRIMARY KEY,
    meaning text NOT NULL
);
INSERT INTO roles (role, meaning) VALUES
    ('viewer', 'reads everything but the audit trail'),
    ('trader', 'also orders, commands strategies and halts'),
    ('admin', 'also resumes trading and reads the audit trail');

CREATE TABLE users (
    username      text PRIMARY KEY CHECK (username ~ '^[a-z][a-z0-9_.-]{0,31}$'),
    display_name  text NOT NULL,
    role          text NOT NULL REFERENCES roles,
    password_hash text NOT NULL,
    enabled       boolean NOT NULL DEFAULT true,
    -- Raised, it ends every session of the user at once.
    session_epoch integer NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL
);

-- A session is a family of refresh tokens; it ends as a whole.
CREATE TABLE sessions (
    session_id text PRIMARY KEY,
    username   text NOT NULL REFERENCES users,
    epoch      integer NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    end_reason text
);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- Hashes only: a copy of this table lets nobody in.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE stream_tickets (
    ticket_hash bytea PRIMARY KEY,
    session_id  text NOT NULL REFERENCES sessions ON DELETE CASCADE,
    account     text NOT NULL,
    expires_at  timestamptz NOT NULL
);

-- Orders asked for here; the primary key is why asking twice is asking once.
CREATE TABLE proposals (
    order_id    text PRIMARY KEY,
    account     text NOT NULL,
    terms       jsonb NOT NULL,
    origin      jsonb NOT NULL,
    proposed_at timestamptz NOT NULL,
    -- True once risk or the broker gateway was seen to answer for it; the row stays for its primary key.
    settled     boolean NOT NULL DEFAULT false
);
CREATE INDEX proposals_unsettled ON proposals (account, proposed_at DESC) WHERE NOT settled;

CREATE TABLE backtest_requests (
    run_id       text PRIMARY KEY,
    spec         jsonb NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL
);
CREATE INDEX backtest_requests_at ON backtest_requests (requested_at DESC);

CREATE TABLE alerts (
    alert_id text PRIMARY KEY,
    time     timestamptz NOT NULL,
    body     jsonb NOT NULL
);
CREATE INDEX alerts_time ON alerts (time DESC);

-- Numbered without gaps, each line's hash over the line and the hash before it.
CREATE TABLE audit (
    seq     bigint PRIMARY KEY,
    time    timestamptz NOT NULL,
    actor   text NOT NULL,
    action  text NOT NULL,
    target  text NOT NULL,
    before  text,
    after   text,
    outcome text NOT NULL,
    hash    text NOT NULL
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail only grows';
END $$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
