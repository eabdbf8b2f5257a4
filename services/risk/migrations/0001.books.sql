-- The book of each account. `version` rises with every change; a writer that does not know the newest writes nothing.
CREATE TABLE account (
    account              text PRIMARY KEY,
    venue                text NOT NULL,
    quote_currency       text NOT NULL,
    version              bigint NOT NULL DEFAULT 0,
    moved_at             timestamptz NOT NULL,
    anchored             boolean NOT NULL DEFAULT false,
    cash                 numeric,
    observed_cash        numeric,
    balance_at           timestamptz,
    reconciled           boolean NOT NULL DEFAULT false,
    reconciled_at        timestamptz,
    halted_by            text,
    halted_reason        text,
    halted_since         timestamptz,
    day                  date,
    day_opening_equity   numeric,
    day_opening_realised numeric,
    day_opening_fees     numeric,
    day_loss_breached    boolean NOT NULL DEFAULT false,
    high_water           numeric
);

-- Limits as people set them; the newest version of an account's rows is in force.
CREATE TABLE account_limits (
    account  text NOT NULL REFERENCES account,
    version  integer NOT NULL,
    document jsonb NOT NULL,
    set_by   text NOT NULL,
    set_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, version)
);

CREATE TABLE holding (
    account                text NOT NULL REFERENCES account,
    venue                  text NOT NULL,
    symbol                 text NOT NULL,
    base                   text NOT NULL,
    quantity               numeric NOT NULL,
    cost                   numeric NOT NULL,
    realised_pnl           numeric NOT NULL,
    fees                   numeric NOT NULL,
    observed_revision      bigint NOT NULL,
    observed_quantity      numeric NOT NULL,
    observed_average_price numeric,
    observed_realised_pnl  numeric NOT NULL,
    observed_fees          numeric NOT NULL,
    PRIMARY KEY (account, venue, symbol)
);

-- From the approval until nothing more can happen to the order; closed rows stay, so that an old update cannot reopen one.
CREATE TABLE reservation (
    order_id        text PRIMARY KEY,
    account         text NOT NULL REFERENCES account,
    terms           jsonb NOT NULL,
    price           numeric,
    fee_ratio       numeric NOT NULL,
    approved_at     timestamptz NOT NULL,
    expires_at      timestamptz,
    status          text NOT NULL,
    revision        integer NOT NULL,
    filled          numeric NOT NULL,
    reported_filled numeric NOT NULL,
    open            boolean NOT NULL
);
CREATE INDEX reservation_open ON reservation (account) WHERE open;

-- Fills that were counted: a venue numbers its trades per symbol.
CREATE TABLE counted_fill (
    venue      text NOT NULL,
    symbol     text NOT NULL,
    trade_id   text NOT NULL,
    account    text NOT NULL,
    order_id   text NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, venue, symbol, trade_id)
);

-- Every decision, once an order id, with the event that told of it and what it was taken on.
CREATE TABLE decision (
    order_id   text PRIMARY KEY,
    account    text NOT NULL,
    approved   boolean NOT NULL,
    code       text NOT NULL,
    terms      jsonb NOT NULL,
    event      text NOT NULL,
    seen       jsonb NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX decision_account ON decision (account, approved, decided_at DESC);

CREATE TABLE equity_point (
    account text NOT NULL REFERENCES account,
    time    timestamptz NOT NULL,
    equity  numeric NOT NULL,
    PRIMARY KEY (account, time)
);
