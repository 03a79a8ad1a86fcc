"""The endpoints: each view parses, asks, answers."""
