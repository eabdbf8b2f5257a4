"""``algotrendy feed``: venues' sockets recorded and replayed, and the feeds of a running stack."""
