-- depends: 0001.strategies
-- A fill may be of an order that the broker gateway made to guard a position: no order of ours then.
ALTER TABLE counted_fill DROP CONSTRAINT counted_fill_order_id_fkey;
