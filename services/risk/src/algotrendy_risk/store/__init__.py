"""The only place that speaks SQL, one file a subject. Every method works inside the caller's transaction."""
