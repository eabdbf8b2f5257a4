"""The processes in which strategies run: without a network, with limits, replaced when they die."""
