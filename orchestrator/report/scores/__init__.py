"""Composite efficiency scores, of a sweep or of a table of points."""
