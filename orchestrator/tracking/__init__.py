"""The ledger of records (files, the source of truth) and MLflow, a view rebuilt from them at any time."""
