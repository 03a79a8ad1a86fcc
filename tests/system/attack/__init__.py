"""Greedy clients beside honest ones: 64 agents work, and nothing that others send may hurt them.

`python -m tests.system.attack` runs every attack, one after the other and all at once, against two replicas.
"""
