"""What a night of many symbols costs in calls, with the cache and without."""
