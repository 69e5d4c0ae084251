"""The processes of an attempt. No code of models."""
