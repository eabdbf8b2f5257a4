"""Who somebody is and how long that holds: passwords, tokens, sessions, throttles."""
