"""Measured before the launch, held to a budget, and priced afterwards: through the front door."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from workshop import Workshop

pytestmark = pytest.mark.e2e

KEYS = {
    "domains": ["clinical"],
    "methods": ["full", "ia3"],
    "tasks": ["mini-outcome"],
    "seeds": [1, 2],
    "recipe": {"epochs": 2, "batch_size": 8},
    "prices": "aws-us-east-1",
}


def test_probes_tell_what_a_run_takes_and_a_budget_holds_it(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    config = workshop.write("measured", **KEYS)
    assert workshop.json("plan", config)["forecast"]["basis"] == "estimate"

    told = workshop.frontier("plan", config, "--measure", "--launcher", "local").stdout
    assert "measuring 2 probes" in told
    assert "from probes of 4 trials like these" in told
    again = workshop.frontier("plan", config, "--measure", "--launcher", "local").stdout
    assert "measuring" not in again  # nothing has changed: they are used as they are
    forecast = workshop.json("plan", config)["forecast"]
    assert (forecast["basis"], forecast["currency"]) == ("probe", "USD")
    assert [o["state"] for o in workshop.outcomes("measured-probes").values()] == ["finished"] * 2
    assert not (workshop.sweeps / "measured").exists()  # a probe is no part of the sweep

    refused = workshop.frontier("run", config, "budget.core_hours=1e-6", "--launcher", "local", expect=2)
    assert "budget: 0.000001 core-hours; forecast" in refused.stderr
    assert "seeds=1" in refused.stderr

    hours = forecast["device_hours"]
    done = workshop.frontier("run", config, "budget.core_hours=1", "--launcher", "local").stdout
    assert f"forecast {hours:.3g}" in done
    assert ", took " in done

    found = workshop.json("report", "measured", "--what-if", "requests_per_year=1000000")["what_if"]
    [task] = found["tasks"]
    assert {row["total"]["source"] for row in task["rows"]} == {"measured"}
    assert all(row["serving"]["value"] > row["training"]["value"] > 0 for row in task["rows"])
