DROP TABLE rung_order;
ALTER TABLE strategy DROP COLUMN ladder;
