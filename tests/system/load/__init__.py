"""Many clients at once, a pool that serves them, and counts of what must not happen.

`python -m tests.system.load --seconds 60 --sessions 200` runs every scenario once at least. The clients are one
process that does nothing else, so that the machine is left to the pool.
"""
