"""REST and WebSocket: a file a noun, each a router made of what it needs. Who may call what is in ``access``."""
