"""Tuned before compared, through the front door, on Ray."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from workshop import Workshop

pytestmark = pytest.mark.e2e

RATES = [1e-5, 4e-3]
KEYS = {
    "domains": ["clinical"],
    "methods": [{"name": "lora", "tune": {"space": {"learning_rate": RATES}}}],
    "tasks": ["mini-outcome"],
    "recipe": {"epochs": 1, "batch_size": 8},
}


def test_a_tuned_sweep_searches_freezes_and_compares(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    config = workshop.write("tuned", **KEYS)
    plan = workshop.json("plan", config)
    assert plan["forecast"]["tuning_candidates"] == 2
    assert {item["reason"] for item in plan["to_run"]} == {"waiting"}

    out = workshop.frontier("run", config, "--dashboard").stdout
    assert "after 2 candidates of searches" in out
    assert out.count("Ray dashboard while this runs") == 1  # one cluster for both launches
    outcomes = workshop.outcomes("tuned")
    tried = {name: found for name, found in outcomes.items() if "/tune-" in name}
    assert len(tried) == len(outcomes) - len(tried) == 2
    assert all(found["test"] == {} and found["dev"] for found in tried.values())

    status = workshop.json("status", "tuned")
    [won] = status["tuning"]["tuned"].values()
    scores = {int(name.split("/tune-")[1][:3]): f["dev"]["accuracy"]["value"] for name, f in tried.items()}
    assert won["dev_quality"] == max(scores.values())
    assert won["values"] == {"learning_rate": RATES[won["candidate"] - 1]}
    [spent] = status["device_hours"]
    assert spent["tuning"] == pytest.approx(won["device_seconds"] / 3600)
    parts = ("useful", "overhead", "wasted", "unfinished", "superseded", "tuning")
    assert spent["billed"] == pytest.approx(sum(spent[part] for part in parts))
    kinds = [tags["frontier.kind"] for tags in workshop.runs("tuned")]
    assert sorted(kinds) == ["candidate", "candidate", "trial", "trial"]

    assert "nothing to do" in workshop.frontier("run", config).stdout
    assert workshop.outcomes("tuned") == outcomes


def test_a_rehearsal_goes_through_its_searches(new_workshop: Callable[[], Workshop]) -> None:
    workshop = new_workshop()
    out = workshop.frontier("run", workshop.write("tuned", **KEYS), "--launcher", "simulated").stdout
    assert "4 attempts" in out
    assert not (workshop.sweeps / "tuned").exists()
