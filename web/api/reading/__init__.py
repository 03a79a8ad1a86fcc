"""Reads a client's request, before anything is decided."""
