"""From the file's text to its models, step by step."""
