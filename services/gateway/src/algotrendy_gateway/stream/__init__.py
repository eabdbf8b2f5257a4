"""The push side: deltas go out once serialised, to every client at its own pace."""
