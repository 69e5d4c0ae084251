"""What `frontier export`, `frontier predict` and `frontier evaluate` call."""
