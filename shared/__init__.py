"""What web and workers both stand on."""
