"""The sections of the report: what each one computes, and its sentences."""
