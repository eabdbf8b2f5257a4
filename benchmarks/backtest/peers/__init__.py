"""The same workload on other engines, each in an environment of its own, made when it is first asked for."""
