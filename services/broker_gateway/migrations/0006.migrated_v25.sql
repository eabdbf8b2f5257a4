-- Orders and positions of AlgoTrendy 2.5, as its export had them: a record, and no part of the books. What an account
-- holds and what rests at a venue, the venue says.
CREATE TABLE v25_orders (
    order_id      text PRIMARY KEY,
    account       text NOT NULL,
    venue         text NOT NULL,
    symbol        text NOT NULL,
    strategy      text NOT NULL,
    side          text NOT NULL,
    type          text NOT NULL,
    quantity      numeric NOT NULL,
    price         numeric,
    stop_price    numeric,
    filled        numeric NOT NULL,
    average_price numeric,
    fee           numeric NOT NULL,
    fee_currency  text NOT NULL,
    status        text NOT NULL,
    created_at    timestamptz NOT NULL,
    imported_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX v25_orders_account ON v25_orders (account, created_at);
CREATE TABLE v25_positions (
    account       text NOT NULL,
    venue         text NOT NULL,
    symbol        text NOT NULL,
    opened_at     timestamptz NOT NULL,
    side          text NOT NULL,
    quantity      numeric NOT NULL,
    entry_price   numeric NOT NULL,
    exit_price    numeric,
    realized_pnl  numeric NOT NULL,
    closed_at     timestamptz,
    imported_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, venue, symbol, opened_at)
);
