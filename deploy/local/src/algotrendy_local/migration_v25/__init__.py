"""``algotrendy migrate v25``: an export of AlgoTrendy 2.5 into the stores of the services that own its tables."""
