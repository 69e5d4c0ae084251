"""A plan on the console, and what `frontier plan` does."""
