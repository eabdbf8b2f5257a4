"""What ingest does with a message, a batch, a question; one file each."""
