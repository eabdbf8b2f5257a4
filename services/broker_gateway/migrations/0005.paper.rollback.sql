DROP TABLE paper_fills;
DROP TABLE paper_orders;
DROP TABLE paper_balances;
