"""Small real HTTP servers that stand in for what is outside of us: providers and the router model.

Tests start them in their own process (`with Provider() as provider:`), demos as one of its own
(`python -m tests.fakes --provider 12101 --router 12103`). They import nothing of ours and need nothing
installed.
"""
