"""The operator's pages: rendered here, and usable without a script."""
