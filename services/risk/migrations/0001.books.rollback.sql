DROP TABLE equity_point;
DROP TABLE decision;
DROP TABLE counted_fill;
DROP TABLE reservation;
DROP TABLE holding;
DROP TABLE account_limits;
DROP TABLE account;
