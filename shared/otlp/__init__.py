"""OpenTelemetry: where its data goes, and what is measured for it. Spans are in shared/tracing.py."""
