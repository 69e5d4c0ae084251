"""Pure functions over frozen records: what must run, why, in which order, and what it costs."""

from orchestrator.planning.identity import differences, fingerprint
from orchestrator.planning.placement import longest_first, seed_by_seed
from orchestrator.planning.plan import Plan, ToRun, make_plan
from orchestrator.planning.searches import Candidate, Search
from orchestrator.planning.totals import Prediction

__all__ = [
    "Candidate",
    "Plan",
    "Prediction",
    "Search",
    "ToRun",
    "differences",
    "fingerprint",
    "longest_first",
    "make_plan",
    "seed_by_seed",
]
