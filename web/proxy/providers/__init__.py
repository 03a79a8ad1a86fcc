"""Speaks HTTP with providers."""
