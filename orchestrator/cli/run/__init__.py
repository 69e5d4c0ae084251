"""What `frontier run` does."""
