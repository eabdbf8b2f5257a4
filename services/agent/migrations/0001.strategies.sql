-- A strategy at work: what it is, how it stands, and its state after the newest bar.
CREATE TABLE strategy (
    strategy           text PRIMARY KEY,
    name               text NOT NULL,
    kind               text NOT NULL,
    venue              text NOT NULL,
    symbol             text NOT NULL,
    base               text NOT NULL,
    quote              text NOT NULL,
    timeframe          text NOT NULL,
    account            text NOT NULL,
    parameters         jsonb NOT NULL,
    capital_share      numeric NOT NULL,
    status             text NOT NULL,
    status_detail      text NOT NULL DEFAULT '',
    revision           bigint NOT NULL DEFAULT 0,
    state              jsonb,
    held_target        numeric,
    quantity           numeric NOT NULL DEFAULT 0,
    cost               numeric NOT NULL DEFAULT 0,
    realised_pnl       numeric NOT NULL DEFAULT 0,
    fees               numeric NOT NULL DEFAULT 0,
    last_signal_time   timestamptz,
    last_signal_target numeric,
    last_signal_reason text
);

CREATE TABLE signal (
    event_id  text PRIMARY KEY,
    strategy  text NOT NULL REFERENCES strategy,
    bar_time  timestamptz NOT NULL,
    event     text NOT NULL,
    closes    jsonb NOT NULL,
    raised_at timestamptz NOT NULL
);
CREATE INDEX signal_raised_at ON signal (raised_at DESC);

-- Orders that strategies proposed. A strategy proposes nothing while one of its orders is unsettled; that two are can only
-- come of a venue that takes back what it said.
CREATE TABLE own_order (
    order_id        text PRIMARY KEY,
    strategy        text NOT NULL REFERENCES strategy,
    bar_time        timestamptz NOT NULL,
    target          numeric NOT NULL,
    clipped         boolean NOT NULL,
    status          text NOT NULL,
    revision        integer NOT NULL,
    filled          numeric NOT NULL,
    reported_filled numeric NOT NULL,
    settled         boolean NOT NULL,
    proposed_at     timestamptz NOT NULL
);
CREATE INDEX own_order_unsettled ON own_order (strategy, proposed_at) WHERE NOT settled;

CREATE TABLE counted_fill (
    account  text NOT NULL,
    venue    text NOT NULL,
    symbol   text NOT NULL,
    trade_id text NOT NULL,
    order_id text NOT NULL REFERENCES own_order,
    PRIMARY KEY (account, venue, symbol, trade_id)
);
