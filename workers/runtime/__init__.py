"""The processes of an attempt. They contain no model code."""
