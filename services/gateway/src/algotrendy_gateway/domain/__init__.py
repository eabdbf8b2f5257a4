"""What the gateway shows and decides, as values: shapes of its answers, roles, the board of newest facts."""
