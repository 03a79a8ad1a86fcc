"""Reads the parts of requests and answers that several client APIs share."""
