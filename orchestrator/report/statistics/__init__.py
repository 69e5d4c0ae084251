"""Numbers in, numbers out: intervals, paired differences, Pareto fronts, equivalence."""
