"""A pool that serves for long while much goes wrong: what it holds in the end is what it held at the start.

`python -m tests.system.soak --seconds 600`: sessions come and go, clients do not read or leave in mid-request, and
the provider misbehaves in every way that the stand-in knows.
"""
