"""Whole pools as in the folder above, but looked into: these tests import what they look at."""
