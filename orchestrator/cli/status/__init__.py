"""What `frontier status` shows."""
