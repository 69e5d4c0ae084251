"""How many examples the property tests draw: a profile decides, never a test.

Another one is chosen by `pytest --hypothesis-profile=NAME`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# `ci` draws the same examples each time, so that no change is blamed for what chance found.
EXAMPLES = {"daily": 30, "ci": 30, "nightly": 300}
# Time is never asserted: on a shared machine an example may take any number of milliseconds.
SLOW = [HealthCheck.too_slow]


def load() -> None:
    """Register the profiles, and load `ci` or `daily`; the option of the command line is read later."""
    for name, examples in EXAMPLES.items():
        settings.register_profile(
            name,
            deadline=None,
            suppress_health_check=SLOW,
            max_examples=examples,
            derandomize=name == "ci",
        )
    settings.load_profile("ci" if "CI" in os.environ else "daily")


def examples(share: float) -> int:
    """Return a share of the profile's examples, for tests of which each example takes long."""
    return max(1, round(share * settings.default.max_examples))
