"""What sessions have saved and spent, in dollars."""
