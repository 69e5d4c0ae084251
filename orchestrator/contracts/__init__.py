"""What crosses the line between driver and worker. pydantic and the standard library only."""
