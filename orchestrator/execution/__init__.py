"""Running a plan: launchers, retries, and the loop around them. Importing this loads no Ray."""
