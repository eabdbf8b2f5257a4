"""How long a decision takes: the judgement alone, with its commit, and over the bus."""
