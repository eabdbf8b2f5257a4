"""Data providers on localhost: recorded HTTP exchanges, played again, and the faults that a client has to survive."""
