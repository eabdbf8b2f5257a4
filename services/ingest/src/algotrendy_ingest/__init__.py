"""Market data: what venues say, on the bus at once and in QuestDB for good.

Ingest alone reads venues' public feeds; everybody else learns of prices from its events and its answers.
"""
