"""The contract between services and the plumbing they share; it knows no trading rule."""
