"""All of Redis, and only here."""
