"""What is outside: Redis, and the other services."""
