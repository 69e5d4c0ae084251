"""Splits held out of train: an id falls where its hash says, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import HoldOut, I2b2XmlReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import read_split, splits_of
from workers.data.holdout import part_of

SHARES = st.floats(0, 0.45)


def task(files: dict[Split, tuple[str, ...]], hold_out: HoldOut | None) -> TaskSpec:
    return TaskSpec(
        name="t",
        title="T",
        kind=TaskKind.NER,
        domain="clinical",
        reader=I2b2XmlReader(files=files, attribute="type", hold_out=hold_out),
        metric=MetricName.ENTITY_F1,
    )


def test_an_id_falls_into_the_same_part_in_every_process() -> None:
    script = (
        "from orchestrator.contracts.readers import HoldOut; from workers.data.holdout import part_of\n"
        "print(*(part_of(f'record-{n}', HoldOut(dev=0.3, test=0.3)) for n in range(20)))"
    )
    here = [str(part_of(f"record-{n}", HoldOut(dev=0.3, test=0.3))) for n in range(20)]
    there = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert there.stdout.split() == here
    # Pinned: another hash would give every held-out split other records, and every score another meaning.
    assert " ".join(here[:10]) == "train test test test test dev train dev train dev"


def test_shares_hold_on_average() -> None:
    found = Counter(part_of(str(n), HoldOut(dev=0.1, test=0.2)) for n in range(20_000))
    assert found[Split.DEV] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert found[Split.TEST] / 20_000 == pytest.approx(0.2, abs=0.01)


@given(st.text(), SHARES, SHARES, SHARES.filter(bool))
def test_a_larger_share_holds_the_ids_of_a_smaller_one(
    name: str, one: float, other: float, test: float
) -> None:
    small, large = (part_of(name, HoldOut(dev=dev, test=test)) for dev in sorted((one, other)))
    assert (small, large) in {
        (Split.DEV, Split.DEV),
        (Split.TEST, Split.TEST),
        (Split.TRAIN, Split.TRAIN),
        (Split.TRAIN, Split.DEV),
    }


@given(st.text(min_size=1), SHARES.filter(bool))
def test_nothing_falls_into_a_part_without_a_share(name: str, share: float) -> None:
    assert part_of(name, HoldOut(dev=share)) is not Split.TEST
    assert part_of(name, HoldOut(test=share)) is not Split.DEV


def test_a_task_has_the_splits_of_its_files_and_those_held_out() -> None:
    files: dict[Split, tuple[str, ...]] = {Split.TRAIN: ("a",), Split.TEST: ("b",)}
    assert splits_of(task(files, None)) == (Split.TRAIN, Split.TEST)
    assert splits_of(task(files, HoldOut(dev=0.1))) == (Split.TRAIN, Split.DEV, Split.TEST)


def test_a_share_into_which_nothing_falls_is_said_as_that(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "1.xml").write_text("<R><TEXT>Well .</TEXT><TAGS/></R>")
    spec = task({Split.TRAIN: ("corpus",)}, HoldOut(dev=0.001, test=0.001))
    assert read_split(spec, Split.TRAIN, tmp_path)
    with pytest.raises(DataError, match=r"no example for test: nothing of train falls[\s\S]*hold_out\.test"):
        read_split(spec, Split.TEST, tmp_path)
