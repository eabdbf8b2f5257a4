"""Pure decisions: how a strategy stands, and what follows from what it wants."""
