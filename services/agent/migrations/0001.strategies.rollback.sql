DROP TABLE counted_fill;
DROP TABLE own_order;
DROP TABLE signal;
DROP TABLE strategy;
