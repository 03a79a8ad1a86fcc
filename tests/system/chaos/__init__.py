"""A pool whose parts are killed, frozen and restarted under load, and a checker of what its clients were promised.

`python -m tests.system.chaos --seconds 600 --seed 7` runs it; the same seed makes the same schedule, though not the
same moments: how long a process takes to start is the machine's affair.
"""
