"""What the whole pool does: by the minute for charts, as gauges for Prometheus."""
