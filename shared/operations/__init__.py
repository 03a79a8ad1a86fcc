"""What an operator can ask of a pool and do to it: once, for the command line and for the API."""
