"""One module a client API: whatever knows its fields stands here, and nowhere else."""
