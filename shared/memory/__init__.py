"""The single-process mode: no Redis, no queue."""
