-- Halts at three levels, with what they were before. Account halts move here from the account's own row.
CREATE TABLE halt (
    level            text NOT NULL,
    key              text NOT NULL,
    revision         bigint NOT NULL,
    engaged          boolean NOT NULL,
    by_whom          text NOT NULL,
    reason           text NOT NULL,
    flatten          boolean NOT NULL,
    since            timestamptz NOT NULL,
    release_asked_by text,
    release_asked_at timestamptz,
    PRIMARY KEY (level, key)
);
CREATE TABLE halt_step (
    level    text NOT NULL,
    key      text NOT NULL,
    revision bigint NOT NULL,
    document jsonb NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (level, key, revision)
);
INSERT INTO halt (level, key, revision, engaged, by_whom, reason, flatten, since)
SELECT 'account', account, (extract(epoch FROM halted_since) * 1000)::bigint, true, halted_by, halted_reason, false,
       halted_since
FROM account WHERE halted_since IS NOT NULL;
ALTER TABLE account DROP COLUMN halted_by, DROP COLUMN halted_reason, DROP COLUMN halted_since;

-- Money that came from outside, summed: no profit, whatever the equity says.
ALTER TABLE account ADD COLUMN flows numeric NOT NULL DEFAULT 0;

ALTER TABLE holding ADD COLUMN margined boolean NOT NULL DEFAULT false;
ALTER TABLE holding ADD COLUMN observed_leverage numeric;

-- A document that lacks a limit is no document: what is stored gets the new ones as a version of its own.
ALTER TABLE account_limits ADD COLUMN reason text NOT NULL DEFAULT '';
INSERT INTO account_limits (account, version, document, set_by, reason)
SELECT DISTINCT ON (account) account, version + 1,
       jsonb_build_object(
           'trigger_collar', '0.5', 'drift_window', 'PT1M', 'max_drift', '0.1',
           'max_strategy_orders', (document ->> 'max_orders')::int,
           'max_instrument_orders', (document ->> 'max_orders')::int,
           'max_net_exposure', document ->> 'max_gross_exposure', 'max_concentration', '1',
           'max_leverage', '1', 'market_slippage', '0.005', 'exit_room', '0.1',
           'max_repeats', 20, 'repeat_window', 'PT10M', 'approval_notional', NULL, 'approval_daily_notional', NULL,
           'approval_timeout', 'PT5M', 'approval_by_another', true, 'reductions_while_halted', false
       ) || document,
       'migration 0002', 'limits that did not exist before'
FROM account_limits ORDER BY account, version DESC;

-- Cash that a unit of an order's value takes: its fee, the room for its price and its leverage in one number.
ALTER TABLE reservation RENAME COLUMN fee_ratio TO cash_ratio;
UPDATE reservation SET cash_ratio = CASE WHEN terms ->> 'side' = 'sell' THEN 0 ELSE 1 + cash_ratio END;
ALTER TABLE reservation ADD COLUMN source text NOT NULL DEFAULT 'strategy';
ALTER TABLE reservation ADD COLUMN strategy text;

ALTER TABLE decision ADD COLUMN strategy text;
ALTER TABLE decision ADD COLUMN notional numeric;
ALTER TABLE decision ADD COLUMN by_person text;

-- Fills are kept whole now; those counted before this have only their identity.
ALTER TABLE counted_fill RENAME TO fill;
ALTER TABLE fill ADD COLUMN strategy text;
ALTER TABLE fill ADD COLUMN side text;
ALTER TABLE fill ADD COLUMN price numeric;
ALTER TABLE fill ADD COLUMN quantity numeric;
ALTER TABLE fill ADD COLUMN fee numeric;
ALTER TABLE fill ADD COLUMN fee_currency text;
ALTER TABLE fill ADD COLUMN time timestamptz;
CREATE INDEX fill_time ON fill (time) WHERE price IS NOT NULL;

ALTER TABLE equity_point ADD COLUMN flows numeric NOT NULL DEFAULT 0;
CREATE TABLE strategy_equity_point (
    account  text NOT NULL REFERENCES account,
    strategy text NOT NULL,
    time     timestamptz NOT NULL,
    equity   numeric NOT NULL,
    PRIMARY KEY (account, strategy, time)
);
-- What a strategy's curve stands on: the account's equity when it began.
CREATE TABLE strategy_base (
    account  text NOT NULL REFERENCES account,
    strategy text NOT NULL,
    base     numeric NOT NULL,
    PRIMARY KEY (account, strategy)
);

-- Strategies that the repeated-execution throttle switched off, and who switched them on again.
CREATE TABLE strategy_switch (
    strategy       text PRIMARY KEY,
    is_off         boolean NOT NULL,
    account        text NOT NULL,
    reason         text NOT NULL,
    off_since      timestamptz NOT NULL,
    enabled_by     text,
    enabled_reason text,
    enabled_at     timestamptz
);

-- Orders that wait for a person. ``state`` is waiting, approved, refused or expired.
CREATE TABLE pending_approval (
    order_id   text PRIMARY KEY,
    account    text NOT NULL,
    state      text NOT NULL,
    proposal   text NOT NULL,
    request    text NOT NULL,
    asked_at   timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    decided_by text,
    reason     text,
    decided_at timestamptz
);
CREATE INDEX pending_approval_waiting ON pending_approval (expires_at) WHERE state = 'waiting';
