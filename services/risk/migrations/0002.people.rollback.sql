DROP TABLE pending_approval;
DROP TABLE strategy_switch;
DROP TABLE strategy_base;
DROP TABLE strategy_equity_point;
ALTER TABLE equity_point DROP COLUMN flows;
DROP INDEX fill_time;
ALTER TABLE fill DROP COLUMN strategy, DROP COLUMN side, DROP COLUMN price, DROP COLUMN quantity, DROP COLUMN fee,
    DROP COLUMN fee_currency, DROP COLUMN time;
ALTER TABLE fill RENAME TO counted_fill;
ALTER TABLE decision DROP COLUMN strategy, DROP COLUMN notional, DROP COLUMN by_person;
ALTER TABLE reservation DROP COLUMN source, DROP COLUMN strategy;
UPDATE reservation SET cash_ratio = greatest(cash_ratio - 1, 0);
ALTER TABLE reservation RENAME COLUMN cash_ratio TO fee_ratio;
-- Older code refuses a document with fields it does not know: the newest of its own shape is in force again.
DELETE FROM account_limits WHERE document ? 'trigger_collar';
ALTER TABLE account_limits DROP COLUMN reason;
ALTER TABLE holding DROP COLUMN margined, DROP COLUMN observed_leverage;
ALTER TABLE account DROP COLUMN flows;
ALTER TABLE account ADD COLUMN halted_by text, ADD COLUMN halted_reason text, ADD COLUMN halted_since timestamptz;
UPDATE account SET halted_by = halt.by_whom, halted_reason = halt.reason, halted_since = halt.since
FROM halt WHERE halt.engaged AND (halt.level = 'global' OR (halt.level = 'account' AND halt.key = account.account));
DROP TABLE halt_step;
DROP TABLE halt;
