"""Measurements of the pool, one file a question; see README.md."""
