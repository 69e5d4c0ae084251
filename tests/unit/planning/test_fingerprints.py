"""What a fingerprint depends on, and what it does not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import SLOW

from orchestrator.contracts.methods.low_rank import Lora
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.recipe import Recipe
from orchestrator.contracts.trial import TrialSpec
from orchestrator.contracts.vocabulary import Split
from orchestrator.planning import differences, fingerprint

LOAD = settings(suppress_health_check=[*SLOW, HealthCheck.function_scoped_fixture])

OTHER: dict[str, Any] = {
    "learning_rate": 0.5,
    "epochs": 17,
    "batch_size": 48,
    "micro_batch_size": 16,
    "evaluation_batch_size": 3,
    "warmup_ratio": 0.5,
    "schedule": "constant",
    "weight_decay": 0.5,
    "max_grad_norm": 0.5,
    "max_length": 77,
    "evaluations_per_epoch": 3,
    "train_rows": 5,
    "dev_rows": 6,
    "class_weights": "balanced",
    "precision": "bf16",
    "steps": 7,
    "train_seconds": 7.0,
    "device_hours": 7.0,
    "money": 7.0,
    "evaluations": 7,
    "train_rows_per_class": 7,
    "stop_collapsed": True,
    "collapse_grace": 0.25,
}


@pytest.fixture
def spec(plan: Any) -> TrialSpec:
    planned = plan()
    spec: TrialSpec = planned.spec(planned.trials[0])
    return spec


def changed(spec: TrialSpec, path: str, value: Any) -> TrialSpec:
    """A copy with the value at a dotted path replaced."""
    head, _, rest = path.partition(".")
    inner = changed(getattr(spec, head), rest, value) if rest else value
    return spec.model_copy(update={head: inner})


def test_a_planned_fingerprint_is_that_of_its_spec(plan: Any) -> None:
    planned = plan()
    for trial in planned.trials:
        assert trial.fingerprint == fingerprint(planned.spec(trial))
    assert len({trial.fingerprint for trial in planned.trials}) == len(planned.trials) == 32


def test_it_is_the_same_in_another_process(spec: TrialSpec) -> None:
    code = (
        "import sys\n"
        "from orchestrator.contracts.trial import TrialSpec\n"
        "from orchestrator.planning import fingerprint\n"
        "print(fingerprint(TrialSpec.model_validate_json(sys.stdin.read())))"
    )
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=spec.model_dump_json(),
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        )
        assert done.stdout.strip() == fingerprint(spec)
    assert len(fingerprint(spec)) == 16
    assert int(fingerprint(spec), 16) >= 0


# A key that idles, and the keys that set it to work. Of those without any nothing sets them to work.
IDLE: dict[str, dict[str, Any]] = {
    "evaluation_batch_size": {},
    "evaluations": {"steps": 9},
    "collapse_grace": {"stop_collapsed": True},
}
UNDER_A_BUDGET = ("epochs", "evaluations_per_epoch")


@pytest.mark.parametrize("key", IDLE)
def test_a_key_that_idles_makes_nothing_stale_until_another_sets_it_to_work(
    spec: TrialSpec, key: str
) -> None:
    idle = changed(spec, f"recipe.{key}", OTHER[key])
    assert fingerprint(idle) == fingerprint(spec)
    assert differences(spec, idle) == ()
    if IDLE[key]:
        at_work = spec.model_copy(update={"recipe": spec.recipe.model_copy(update=IDLE[key])})
        assert fingerprint(changed(at_work, f"recipe.{key}", OTHER[key])) != fingerprint(at_work)


@pytest.mark.parametrize("budget", ["steps", "train_seconds"])
@pytest.mark.parametrize("key", UNDER_A_BUDGET)
def test_under_a_budget_epochs_idle(spec: TrialSpec, key: str, budget: str) -> None:
    timed = changed(spec, f"recipe.{budget}", OTHER[budget])
    assert fingerprint(changed(timed, f"recipe.{key}", OTHER[key])) == fingerprint(timed)
    assert fingerprint(changed(spec, f"recipe.{key}", OTHER[key])) != fingerprint(spec)


def test_every_key_of_a_recipe_has_another_value_to_try() -> None:
    assert set(OTHER) == set(Recipe.model_fields)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((f"recipe.{key}", value) for key, value in OTHER.items() if key not in IDLE),
        ("seed", 99),
        ("method.settings.kind", "head-only"),
        ("task.metric", MetricName.LOSS),
        ("task.labels", ("Disease", "Drug")),
        ("task.reader.tag_column", 1),
        ("backbone.architecture", "roberta"),
        ("digests.data", "other"),
        ("digests.data", None),
        ("digests.weights", "other"),
        ("digests.code", "other"),
        ("digests.metrics", "2"),
    ],
)
def test_what_can_change_the_result_changes_it(spec: TrialSpec, path: str, value: Any) -> None:
    assert fingerprint(changed(spec, path, value)) != fingerprint(spec)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cell.model", "renamed"),
        ("backbone.name", "renamed"),
        ("backbone.note", "a note"),
        ("backbone.licence", "another"),
        ("backbone.shape", {}),
        ("backbone.parameters", 1),
        ("backbone.weights.hub", "elsewhere/same-files"),
        ("method.name", "renamed"),
        ("method.entry", "renamed"),
        ("task.name", "renamed"),
        ("task.title", "another title"),
        ("task.note", None),
        ("task.licence", "another"),
        ("task.domain", "another"),
        ("task.max_length", 3),
        ("task.train_examples", 3),
        ("task.reader.files", {Split.TRAIN: ("moved.tsv",)}),
        ("fingerprint", "0" * 16),
    ],
)
def test_what_cannot_change_the_result_does_not(spec: TrialSpec, path: str, value: Any) -> None:
    other = changed(spec, path, value)
    assert other != spec
    assert fingerprint(other) == fingerprint(spec)
    assert differences(spec, other) == ()


def test_a_candidate_is_no_trial_whatever_its_number(spec: TrialSpec) -> None:
    third, fourth = changed(spec, "candidate", 3), changed(spec, "candidate", 4)
    assert fingerprint(third) == fingerprint(fourth) != fingerprint(spec)


def test_differences_are_told_by_dotted_key_with_both_values(spec: TrialSpec) -> None:
    other = changed(changed(spec, "recipe.learning_rate", 0.001), "recipe.train_rows", 10)
    other = changed(other, "digests.data", "f" * 64)
    assert differences(spec, other) == (
        "recipe.learning_rate: 3e-05 -> 0.001",
        "recipe.train_rows: null -> 10",
        "task.data: data of ncbi-disease -> ffffffff…",
    )


def test_another_method_is_told_with_the_settings_that_came_and_went(plan: Any) -> None:
    planned = plan(methods=["full", "lora"])
    full, lora = (
        next(planned.spec(t) for t in planned.trials if t.cell.method == slug) for slug in ("full", "lora-r8")
    )
    told = {line.split(":")[0] for line in differences(full, lora)}
    assert {key for key in told if key.startswith("method.")} == {f"method.{k}" for k in Lora.model_fields}
    assert "recipe.learning_rate" in told


METHODS: list[Any] = ["full", "head-only", {"name": "lora", "rank": [4, 8]}, {"name": "ia3", "epochs": 2}]


LISTED: dict[str, list[Any]] = {
    "models": ["tiny", "base", "distil"],
    "domains": ["general", "clinical"],
    "methods": METHODS,
    "tasks": ["ncbi-disease", "mts-dialog", "bc5cdr-ner"],
    "seeds": [3, 1, 2],
}


@pytest.fixture
def straight(plan: Any) -> dict[str, str]:
    """Fingerprints by trial, of a file with `LISTED` as it stands: once for all examples."""
    return {trial.name: trial.fingerprint for trial in plan(**LISTED).trials}


@LOAD
@given(shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_file_changes_no_trial(
    plan: Any, straight: dict[str, str], shuffle: random.Random
) -> None:
    keys = {axis: list(items) for axis, items in LISTED.items()}
    for axis in keys:
        shuffle.shuffle(keys[axis])
    assert {trial.name: trial.fingerprint for trial in plan(**keys).trials} == straight


KEYS: dict[str, Any] = {
    "recipe": {"batch_size": 32, "micro_batch_size": 8},
    "resources": {"gpus": 1},
    "prices": "taylor-2024",  # a budget of money needs one
}


@pytest.fixture
def unchanged(plan: Any) -> dict[str, str]:
    """Fingerprints by trial, of a file with `KEYS` alone: once for all examples."""
    return {trial.name: trial.fingerprint for trial in plan(**KEYS).trials}


@LOAD
@given(
    key=st.sampled_from(sorted(OTHER.keys() - IDLE)),
    match=st.fixed_dictionaries(
        {},
        optional={
            "model": st.sampled_from(["tiny", "base"]),
            "domain": st.sampled_from(["general", "clinical"]),
            "entry": st.sampled_from(["full", "lora"]),
            "task": st.sampled_from(["ncbi-disease", "mts-dialog"]),
        },
    ),
)
def test_changing_one_recipe_value_changes_exactly_the_trials_it_reaches(
    plan: Any, unchanged: dict[str, str], key: str, match: dict[str, str]
) -> None:
    after = plan(**KEYS, rules=[{"match": match, "set": {key: OTHER[key]}}])
    for trial in after.trials:
        names = trial.cell.model_dump() | {"entry": trial.cell.method.split("-")[0]}
        reached = all(names[axis] == value for axis, value in match.items())
        assert (trial.fingerprint != unchanged[trial.name]) == reached
