"""What is known of the prompt caches of providers."""
