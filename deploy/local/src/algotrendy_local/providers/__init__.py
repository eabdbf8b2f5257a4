"""``algotrendy providers``: data that is polled over HTTP, asked for by a person or a night's batch."""
