"""How fast a recorded book is replayed with queue positions, beside hftbacktest on the same events."""
