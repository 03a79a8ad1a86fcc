"""What passes between a client and a provider."""
