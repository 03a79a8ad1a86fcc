"""The commands with which an operator looks at a pool that runs, and steers it."""
