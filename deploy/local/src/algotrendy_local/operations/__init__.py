"""What an operator does to a running stack from a terminal: dead letters, halts, accounts."""
