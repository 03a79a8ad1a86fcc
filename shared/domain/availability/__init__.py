"""Which models can serve: those that have not failed, and that no operator drains."""
