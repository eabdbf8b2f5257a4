"""Orders and positions of AlgoTrendy 2.5, kept as a record: ``rows`` what they are, ``importing`` the way in."""
