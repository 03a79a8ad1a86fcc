"""What operators see: health, metrics, usage, traces, heartbeats."""
