"""Requests and answers of one client API as those of another: pure functions from dict to dict, without I/O.

Chat Completions is the hub: what comes over the Messages API and goes to a Responses provider passes through chat.
"""
