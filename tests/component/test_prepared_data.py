"""A slot reads and encodes the data of a task once, and its later trials end as if they had read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts import layout
from orchestrator.contracts.trial import AttemptOrder
from orchestrator.contracts.vocabulary import FailureKind, Phase, Split, TaskKind
from workers.inputs import DataSpec
from workers.runtime.host import AttemptHost


@pytest.fixture(scope="module")
def slot():
    """A host of these tests alone, which has seen no data yet."""
    host = AttemptHost(threads=1)
    yield host
    host.close()


def known(order: Path, data: str = "d" * 64, **trial: Any) -> Path:
    """The order with digests, as each order of a sweep has them."""
    changed = json.loads(order.read_text())
    changed["trial"]["digests"] |= {"data": data, "weights": "w" * 64}
    changed["trial"] |= trial
    order.write_text(json.dumps(changed))
    return order


def result(outcome) -> dict[str, Any]:
    fields = ("test", "dev", "best_step", "steps", "planned_steps", "epochs", "rows", "splits", "labels")
    more = ("train_classes", "guessing", "train_tokens", "target_scale", "signature")
    return {name: getattr(outcome, name) for name in (*fields, *more)}


KINDS = [TaskKind.NER, TaskKind.CLASSIFICATION]


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_trial_needs_no_files_and_learns_the_same(slot, lab, outcome_of, kind):
    read, found, other = (known(lab.order("lora", kind)) for _ in range(3))
    assert slot.run(read) == 0
    for file in lab.data.iterdir():
        file.unlink()
    assert slot.run(found) == 0
    assert outcome_of(found).state == "finished"
    assert result(outcome_of(found)) == result(outcome_of(read))
    scored = [(order.parent / layout.EXAMPLES).read_bytes() for order in (read, found)]
    assert scored[0] == scored[1]
    assert slot.run(known(other, data="e" * 64)) == 0  # other content under the same names
    assert outcome_of(other).failure.kind is FailureKind.BAD_INPUT
    assert outcome_of(other).failure.phase is Phase.TOKENISE


def test_trials_that_read_less_or_test_nothing_read_for_themselves(slot, lab, outcome_of):
    whole, fewer, candidate = (
        known(lab.order(recipe=recipe, candidate=number))
        for recipe, number in (({}, None), ({"train_rows": 20}, None), ({}, 1))
    )
    assert [slot.run(order) for order in (whole, fewer, candidate)] == [0, 0, 0]
    assert outcome_of(whole).rows[Split.TRAIN] == 42
    assert outcome_of(fewer).rows[Split.TRAIN] == 20
    assert outcome_of(whole).guessing
    assert not outcome_of(candidate).guessing


def test_orders_that_differ_in_what_the_data_depend_on_have_other_keys(lab):
    def digest(order: Path, **trial: Any) -> str:
        return DataSpec.of(AttemptOrder.model_validate_json(known(order, **trial).read_bytes())).digest

    orders = [
        lab.order(),
        lab.order(kind=TaskKind.NER),
        lab.order(recipe={"max_length": 16}),
        lab.order(recipe={"train_rows": 5}),
        lab.order(recipe={"train_rows_per_class": 5}),
        lab.order(recipe={"dev_rows": 5}),
        lab.order(data_dir="elsewhere"),
        lab.order(cache_dir="elsewhere"),
        lab.order(candidate=1),
        lab.order(task={"paper_scoring": True}),
        lab.order(backbone=lab.backbone.model_copy(update={"cased": not lab.backbone.cased})),
    ]
    folds = [{"number": number, "of": 5} for number in (1, 2)]
    keys = [*map(digest, orders), digest(lab.order(), data="e" * 64)]
    keys += [digest(lab.order(seed=seed), fold=fold) for seed in (1, 2) for fold in folds]
    assert len(set(keys)) == len(keys)
    same = [digest(lab.order(recipe={"epochs": 9, "batch_size": 4}, seed=7)), digest(lab.order("lora"))]
    assert same == [keys[0], keys[0]]
