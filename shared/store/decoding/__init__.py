"""Reads what stands in Redis, whatever it is."""
