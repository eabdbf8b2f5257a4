"""What is polled over HTTP: one port, and around it limits, retries, a circuit, a cache, failover and a quorum."""
