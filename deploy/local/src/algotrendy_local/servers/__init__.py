"""One file a server: where its binary comes from, how it is configured, how it is asked for its health."""
