"""What the ranking reads: prices and latencies."""
