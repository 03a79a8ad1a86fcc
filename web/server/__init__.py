"""gunicorn, as this gateway needs it."""
