DROP TABLE v25_positions;
DROP TABLE v25_orders;
