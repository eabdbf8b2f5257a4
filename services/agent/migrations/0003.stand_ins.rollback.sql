DROP TABLE stand_in_position;
ALTER TABLE strategy DROP COLUMN routed_account, DROP COLUMN routed_venue;
