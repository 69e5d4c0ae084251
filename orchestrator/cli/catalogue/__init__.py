"""What the catalogue has: a task, a backbone under a method, what is supported."""
