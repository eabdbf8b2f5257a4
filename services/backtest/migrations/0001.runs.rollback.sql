DROP TABLE run_equity;
DROP TABLE run_fill;
DROP TABLE run;
