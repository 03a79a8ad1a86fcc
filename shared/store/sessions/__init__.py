"""What is kept of sessions, and of what the pool has done."""
