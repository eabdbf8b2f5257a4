"""The only files that speak SQL, one a noun. Times come from the caller, so that one clock rules."""
