-- Orders. `state` is the order machine's own JSON, `document` the newest OrderUpdated as it was published.
CREATE TABLE orders (
    order_id         text PRIMARY KEY,
    account          text NOT NULL,
    venue            text NOT NULL,
    symbol           text NOT NULL,
    client_order_id  text NOT NULL UNIQUE,
    venue_client_id  text NOT NULL,
    venue_order_id   text,
    approval_id      text UNIQUE,
    notional         numeric,
    expires_at       timestamptz,
    origin           jsonb NOT NULL,
    strategy         text,
    signal_time      timestamptz,
    status           text NOT NULL,
    state            jsonb NOT NULL,
    revision         integer NOT NULL,
    created_at       timestamptz NOT NULL,
    submitted_at     timestamptz,
    updated_at       timestamptz NOT NULL,
    cancel_requested boolean NOT NULL DEFAULT false,
    document         text NOT NULL
);
CREATE INDEX orders_newest ON orders (account, created_at DESC);
CREATE INDEX orders_live ON orders (account, status)
    WHERE status NOT IN ('filled', 'cancelled', 'rejected', 'refused');
CREATE INDEX orders_venue_client ON orders (account, venue, venue_client_id);
CREATE UNIQUE INDEX orders_venue_order ON orders (account, venue, symbol, venue_order_id)
    WHERE venue_order_id IS NOT NULL;

-- An order's history, a row a step.
CREATE TABLE order_steps (
    step     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id text NOT NULL REFERENCES orders,
    status   text NOT NULL,
    time     timestamptz NOT NULL,
    detail   text NOT NULL
);
CREATE INDEX order_steps_order ON order_steps (order_id, step);

-- Where the search for a lost answer stands.
CREATE TABLE searches (
    order_id        text PRIMARY KEY REFERENCES orders,
    since           timestamptz NOT NULL,
    asked           integer NOT NULL,
    not_found       integer NOT NULL,
    first_not_found timestamptz
);

-- Cancellations asked for before the order itself had arrived.
CREATE TABLE early_cancels (
    order_id     text PRIMARY KEY,
    requested_by text NOT NULL,
    reason       text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now()
);

-- Trades of ours. The key is what makes a fill count once; venues number trades per symbol.
CREATE TABLE fills (
    venue      text NOT NULL,
    account    text NOT NULL,
    symbol     text NOT NULL,
    trade_id   text NOT NULL,
    order_id   text NOT NULL REFERENCES orders,
    event_time timestamptz NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    document   text NOT NULL,
    PRIMARY KEY (venue, account, symbol, trade_id)
);
CREATE INDEX fills_newest ON fills (account, event_time DESC);
CREATE INDEX fills_order ON fills (order_id);

-- Positions from fills alone: the account's own (strategy '') and what each strategy contributed.
CREATE TABLE positions (
    account       text NOT NULL,
    venue         text NOT NULL,
    symbol        text NOT NULL,
    strategy      text NOT NULL,
    quantity      numeric NOT NULL,
    cost          numeric NOT NULL,
    realised_pnl  numeric NOT NULL,
    fees          numeric NOT NULL,
    unpriced_fees jsonb NOT NULL,
    revision      integer NOT NULL,
    document      text,
    PRIMARY KEY (account, venue, symbol, strategy)
);

-- What an account should hold of each asset: entries and fills added up. Compared with the venue's balances.
CREATE TABLE holdings (
    account  text NOT NULL,
    asset    text NOT NULL,
    quantity numeric NOT NULL,
    PRIMARY KEY (account, asset)
);

-- What came or went otherwise than by fills.
CREATE TABLE entries (
    entry       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account     text NOT NULL,
    asset       text NOT NULL,
    quantity    numeric NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('opening', 'transfer')),
    recorded_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX entries_opening ON entries (account, asset) WHERE kind = 'opening';

-- Per symbol, the last trade up to which the venue's own list has been read without a hole.
CREATE TABLE watermarks (
    account  text NOT NULL,
    venue    text NOT NULL,
    symbol   text NOT NULL,
    trade_id bigint NOT NULL,
    PRIMARY KEY (account, venue, symbol)
);

-- An account's newest balances and newest comparison, as published; and whether it was stopped from within.
CREATE TABLE accounts (
    account    text PRIMARY KEY,
    opened_at  timestamptz,
    balance    text,
    reconciled text,
    stopped    text
);
