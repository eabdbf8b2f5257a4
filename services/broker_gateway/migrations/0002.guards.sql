-- Cursors are the venue's own: trade ids are numbers on some venues, text on others, times on a few.
ALTER TABLE watermarks ALTER COLUMN trade_id TYPE text;
ALTER TABLE watermarks RENAME COLUMN trade_id TO cursor;

-- An order whose legs follow one another at the venue (an OCO the venue has not): which leg it is at, and the
-- identities of those that have ended. A late word about them still finds its order.
ALTER TABLE orders ADD COLUMN leg integer NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN switching boolean NOT NULL DEFAULT false; -- its leg is being ended for the next one
ALTER TABLE orders ADD COLUMN ended_venue_ids text[] NOT NULL DEFAULT '{}';
ALTER TABLE orders ADD COLUMN ended_client_ids text[] NOT NULL DEFAULT '{}';
CREATE INDEX orders_ended_venue_ids ON orders USING gin (ended_venue_ids) WHERE leg > 0;
CREATE INDEX orders_ended_client_ids ON orders USING gin (ended_client_ids) WHERE leg > 0;

-- Exits of an entry.
CREATE INDEX orders_parent ON orders ((origin ->> 'parent')) WHERE origin ->> 'parent' IS NOT NULL;
CREATE INDEX orders_live_symbol ON orders (account, symbol)
    WHERE status NOT IN ('filled', 'cancelled', 'rejected', 'refused');

-- Prices the gateway waits for itself. `document` is domain.triggers.Watch.
CREATE TABLE watches (
    order_id   text PRIMARY KEY REFERENCES orders,
    account    text NOT NULL,
    symbol     text NOT NULL,
    document   jsonb NOT NULL
);

-- Entries that brought their own exits: what they opened, and what has left again. `document` is the protection.
CREATE TABLE brackets (
    order_id   text PRIMARY KEY REFERENCES orders,
    account    text NOT NULL,
    venue      text NOT NULL,
    symbol     text NOT NULL,
    document   jsonb NOT NULL,
    reduced    numeric NOT NULL DEFAULT 0,
    best_price numeric,
    closed_at  timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX brackets_open ON brackets (account, symbol) WHERE closed_at IS NULL;

-- How each position is guarded, as published.
CREATE TABLE protections (
    account    text NOT NULL,
    venue      text NOT NULL,
    symbol     text NOT NULL,
    revision   integer NOT NULL,
    generation integer NOT NULL DEFAULT 0,
    bare_since timestamptz,
    document   text NOT NULL,
    PRIMARY KEY (account, venue, symbol)
);

ALTER TABLE entries DROP CONSTRAINT entries_kind_check;
ALTER TABLE entries ADD CONSTRAINT entries_kind_check CHECK (kind IN ('opening', 'transfer', 'funding'));
