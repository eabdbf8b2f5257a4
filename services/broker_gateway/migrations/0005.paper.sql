-- The paper venue's own books. They are a venue's, not ours: the desk compares its books with them like with any other.
CREATE TABLE paper_balances (
    account text NOT NULL,
    asset   text NOT NULL,
    total   numeric NOT NULL,
    PRIMARY KEY (account, asset)
);
-- `document` is domain.paper_exchange.PaperOrder.
CREATE TABLE paper_orders (
    account        text NOT NULL,
    venue_order_id bigint NOT NULL,
    client_id      text NOT NULL,
    working        boolean NOT NULL,
    document       text NOT NULL,
    PRIMARY KEY (account, venue_order_id),
    UNIQUE (account, client_id)
);
CREATE INDEX paper_orders_working ON paper_orders (account) WHERE working;
-- `document` is domain.paper_exchange.PaperFill.
CREATE TABLE paper_fills (
    account        text NOT NULL,
    trade_id       bigint NOT NULL,
    symbol         text NOT NULL,
    venue_order_id bigint NOT NULL,
    document       text NOT NULL,
    PRIMARY KEY (account, trade_id)
);
CREATE INDEX paper_fills_symbol ON paper_fills (account, symbol, trade_id);
CREATE INDEX paper_fills_order ON paper_fills (account, venue_order_id);
