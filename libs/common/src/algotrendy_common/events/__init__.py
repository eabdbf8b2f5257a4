"""Events: frozen facts in the past tense, one module a context. ``subjects`` says where each travels."""
