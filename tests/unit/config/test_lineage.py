"""What a backbone's pretraining read, by its lineage."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.config import load_catalogue
from orchestrator.config.lineage import with_inherited
from orchestrator.contracts.backbone import BackboneSpec, contamination, pretraining_known


def entry(name: str, **keys: Any) -> BackboneSpec:
    weights = {"kind": "hub", "hub": f"owner/{name}"}
    return BackboneSpec.model_validate(
        {"name": name, "model": name, "domain": "x", "architecture": "bert", "weights": weights} | keys
    )


@pytest.mark.parametrize(
    ("own", "lineage", "expected"),
    [
        (("c",), {"started_from": "old"}, ("a", "b", "c")),
        (None, {"started_from": "old"}, ("a", "b")),
        (None, {"teacher": "owner/old"}, ("a", "b")),  # named by its repository
        (("c",), {"teacher": "silent"}, ("c",)),
        (None, {"teacher": "silent"}, None),
        (None, {"teacher": "nlpie/elsewhere"}, None),
        ((), {}, ()),
        (None, {}, None),
        (None, {"teacher": "silent", "started_from": "old"}, ("a", "b")),
        (("c",), {"started_from": "mine"}, ("c",)),  # a ring
    ],
)
def test_it_is_its_own_and_that_of_all_before_it(own: Any, lineage: dict[str, str], expected: Any) -> None:
    entries = [
        entry("oldest", saw=("a",)),
        entry("old", saw=("b",), lineage={"started_from": "oldest"}),
        entry("silent"),
        entry("mine", saw=own, lineage=lineage),
    ]
    found = with_inherited({(e.model, e.domain): e for e in reversed(entries)})
    assert found["mine", "x"].saw == expected
    assert pretraining_known(found["mine", "x"]) is (expected is not None)


def test_what_came_of_a_clinical_model_is_contaminated_as_it_is() -> None:
    entries = [entry("first", saw=("mimic-iii",)), entry("student", lineage={"teacher": "first"})]
    found = with_inherited({(e.model, e.domain): e for e in entries})
    assert contamination(found["student", "x"], "mimic-iii")


def test_of_the_models_of_the_study_only_llama_is_unknown() -> None:
    models = {"tiny", "mobile", "distil", "base", "llama-2-7b"}
    found = [b for b in load_catalogue().backbones.values() if b.model in models]
    assert [b.name for b in found if not pretraining_known(b)] == ["llama-2-7b"]
    assert {b.domain for b in found if contamination(b, "mimic-iii")} == {"clinical"}
