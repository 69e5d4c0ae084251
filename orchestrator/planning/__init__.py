"""Pure functions over frozen records: what must run, why, in which order, and what it costs."""

from orchestrator.planning.fingerprints import differences, fingerprint
from orchestrator.planning.forecast import Forecast
from orchestrator.planning.placement import longest_first, seed_by_seed
from orchestrator.planning.plan import Plan, make_plan
from orchestrator.planning.plan_builder import ToRun
from orchestrator.planning.tuning import Candidate, Search

__all__ = [
    "Candidate",
    "Forecast",
    "Plan",
    "Search",
    "ToRun",
    "differences",
    "fingerprint",
    "longest_first",
    "make_plan",
    "seed_by_seed",
]
