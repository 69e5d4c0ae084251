"""What to take: the cheapest cell that is good enough, how sure that is, and what would help."""
