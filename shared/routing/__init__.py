"""Which model answers a request, and what happens when it fails."""
