"""Properties that hold for any input, and machinery that looks for one for which they do not.

`python -m tests.fuzz --seconds 60 [target …]`; the tests try a fixed handful of inputs for each.
"""
