"""The slow calls: asking the router model, ranking, settling pins."""
