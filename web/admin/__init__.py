"""The operator's API and pages."""
