"""Pure decisions: an account's book, what it is worth, and whether an order fits into it."""
