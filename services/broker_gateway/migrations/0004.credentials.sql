-- Keys of venues, each under a data key of its own that a key-encryption key wraps. Nothing here is readable alone.
CREATE TABLE credentials (
    credential_id text PRIMARY KEY,
    account       text NOT NULL UNIQUE,
    venue         text NOT NULL,
    key_hint      text NOT NULL,
    key_version   integer NOT NULL,
    wrapped_key   bytea NOT NULL,
    sealed        bytea NOT NULL,
    stored_at     timestamptz NOT NULL DEFAULT now()
);
