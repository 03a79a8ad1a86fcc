"""What happens to sessions: gathered for their records, and held against the promise that each keeps its model."""
