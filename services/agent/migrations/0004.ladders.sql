-- depends: 0003.stand_ins
-- What each rung of a strategy's ladder asks for and has traded.
ALTER TABLE strategy ADD COLUMN ladder jsonb NOT NULL DEFAULT '[]';

-- Orders of rungs. A rung has one that is not settled at most; its id follows from strategy, symbol, rung, turn and
-- revision.
CREATE TABLE rung_order (
    order_id        text PRIMARY KEY,
    strategy        text NOT NULL REFERENCES strategy,
    rung            integer NOT NULL,
    turn            bigint NOT NULL,
    stop_rung       integer,
    stop_turn       bigint NOT NULL DEFAULT 0,
    kind            integer NOT NULL,
    asked           numeric NOT NULL,
    terms           jsonb NOT NULL,
    status          text NOT NULL DEFAULT 'proposed',
    revision        integer NOT NULL DEFAULT 0,
    filled          numeric NOT NULL DEFAULT 0,
    reported_filled numeric NOT NULL DEFAULT 0,
    settled         boolean NOT NULL DEFAULT false,
    cancel_asked    boolean NOT NULL DEFAULT false,
    proposed_at     timestamptz NOT NULL
);
CREATE INDEX rung_order_unsettled ON rung_order (strategy, proposed_at) WHERE NOT settled;
