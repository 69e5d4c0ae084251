"""What was measured: from the records of trials to the points of a report."""
