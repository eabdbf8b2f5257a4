"""The only room that speaks SQL: orders and what follows from their fills, accounts, and questions from outside."""
