DELETE FROM counted_fill WHERE order_id NOT IN (SELECT order_id FROM own_order);
ALTER TABLE counted_fill ADD CONSTRAINT counted_fill_order_id_fkey FOREIGN KEY (order_id) REFERENCES own_order;
