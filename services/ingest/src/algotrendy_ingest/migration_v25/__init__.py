"""Candles and trades of AlgoTrendy 2.5, into QuestDB: ``rows`` what they are there and here, ``importing`` the way."""
