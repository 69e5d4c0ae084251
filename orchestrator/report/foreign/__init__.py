"""Reports on runs that Frontier did not make: from tables, results of PEFT, and experiments in MLflow."""
