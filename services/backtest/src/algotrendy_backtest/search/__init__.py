"""Looking for parameters: what may be tried, in which order, and where it is computed."""
