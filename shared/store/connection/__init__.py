"""Reaches a Redis: its commands, and what notices that it is away."""
