"""Results on the console: report, ledger, scores."""
