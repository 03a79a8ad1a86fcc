"""One module an endpoint; each view parses, asks, answers."""
