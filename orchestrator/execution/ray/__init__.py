"""Trials on a Ray cluster. Ray is imported here and nowhere else in `execution`."""
