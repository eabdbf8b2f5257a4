-- depends: 0002.exits
-- Where a strategy's new orders go while another account stands in for its own; null is its own.
ALTER TABLE strategy ADD COLUMN routed_account text, ADD COLUMN routed_venue text;

-- What a strategy holds on accounts that stood in.
CREATE TABLE stand_in_position (
    strategy     text NOT NULL REFERENCES strategy,
    account      text NOT NULL,
    venue        text NOT NULL,
    quantity     numeric NOT NULL,
    cost         numeric NOT NULL,
    realised_pnl numeric NOT NULL,
    fees         numeric NOT NULL,
    PRIMARY KEY (strategy, account)
);
