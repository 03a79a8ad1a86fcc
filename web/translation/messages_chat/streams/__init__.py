"""Streams of the one API as streams of the other, event by event."""
