"""The invented notes: what they are made of, as files of tasks and as text for pre-training."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import MadeNotes, TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import Text, Tokens, inspect_task, read_split
from workers.demo.corpora import corpus, write_task
from workers.demo.lexicon import EVERY_ENTITY

CONLL = {"format": "conll"}
PUBTATOR = {"format": "pubtator", "entity_types": ["treatment", "problem"], "relation": "TREATS"}
CSV = {"format": "csv", "text": "text", "label": "outcome"}


def made(kind: TaskKind, reader: dict[str, Any], notes: MadeNotes | None = None) -> TaskSpec:
    files = {split: [f"{kind}/{split}.data"] for split in ("train", "dev", "test")}
    values = {"name": "demo", "title": "Demo", "kind": kind, "domain": "clinical", "metric": PRIMARY[kind]}
    negative = {"negative_label": "none"} if kind is TaskKind.RELATION else {}
    return TaskSpec.model_validate(
        values | {"reader": {"files": files} | reader, "made": notes or MadeNotes()} | negative
    )


def names(examples: list[Any]) -> set[str]:
    """The entities that are tagged, in lower case."""
    found: set[str] = set()
    for example in examples:
        assert isinstance(example, Tokens)
        tagged = " ".join(f"{tag[0]}{word}" for word, tag in zip(example.tokens, example.tags, strict=True))
        spans = re.findall(r"(?:^| )B(\S+)((?: I\S+)*)", tagged)
        found.update((first + rest.replace(" I", " ")).lower() for first, rest in spans)
    return found


def test_a_third_of_the_test_entities_is_known_from_pre_training_only(tmp_path: Path) -> None:
    task = made(TaskKind.NER, CONLL)
    write_task(task, tmp_path)
    train = names(read_split(task, Split.TRAIN, tmp_path))
    test = names(read_split(task, Split.TEST, tmp_path))
    unseen = test - train
    assert 0.28 < len(unseen) / len(test) < 0.40
    assert all(name not in entity for entity in train for name in unseen)
    uses = Counter[str]()
    for text in corpus("clinical", 2000, 0):
        uses.update(name for name in unseen if re.search(rf"\b{name}\b", text))
    assert min(uses[name] for name in unseen) >= 10


def test_every_entity_has_a_name_of_its_own() -> None:
    heads = [max(entity.name.split(), key=len) for entity in EVERY_ENTITY]
    assert (
        len({entity.name for entity in EVERY_ENTITY})
        == len({e.identifier for e in EVERY_ENTITY})
        == len(heads)
    )


def test_the_general_corpus_knows_no_clinical_name() -> None:
    general = set(re.findall(r"\w+", " ".join(corpus("general", 2000, 0)).lower()))
    clinical = set(re.findall(r"\w+", " ".join(corpus("clinical", 2000, 0)).lower()))
    assert not general & {
        word for entity in EVERY_ENTITY for word in entity.name.split() if word not in {"left", "right"}
    }
    grammar = {"the", "was", "no", "after", "because", "with", "on", "not"}
    assert grammar <= general & clinical


def test_texts_are_short() -> None:
    for name in ("general", "clinical"):
        lengths = sorted(len(re.findall(r"\w+|[^\w\s]", text)) for text in corpus(name, 500, 1))  # type: ignore[arg-type]
        assert lengths[0] >= 15
        assert lengths[-1] <= 110
        assert 35 <= lengths[250] <= 65


def test_ner_holds_three_types_and_sentences_without_any(tmp_path: Path) -> None:
    task = made(TaskKind.NER, CONLL)
    write_task(task, tmp_path)
    found = inspect_task(task, tmp_path)
    assert found["labels"] == [
        "O",
        "B-problem",
        "I-problem",
        "B-test",
        "I-test",
        "B-treatment",
        "I-treatment",
    ]
    assert all(count > 200 for count in found["splits"]["train"]["mentions"].values())
    examples = read_split(task, Split.TRAIN, tmp_path)
    assert any(isinstance(e, Tokens) and set(e.tags) == {"O"} for e in examples)


def test_relation_offsets_hold_and_neither_class_is_rare(tmp_path: Path) -> None:
    task = made(TaskKind.RELATION, PUBTATOR)
    write_task(task, tmp_path)
    labels = inspect_task(task, tmp_path)["splits"]["train"]["labels"]
    assert 0.25 < labels["TREATS"] / sum(labels.values()) < 0.75
    for example in read_split(task, Split.TRAIN, tmp_path):
        assert isinstance(example, Text)
        assert example.text.count("@treatment$") == example.text.count("@problem$") == 1


def test_the_same_sentence_pattern_is_found_with_and_without_the_relation(tmp_path: Path) -> None:
    """Negation turns a pair around: `We gave …` is a relation, `No … was given` is none."""
    task = made(TaskKind.RELATION, PUBTATOR)
    write_task(task, tmp_path)
    labels = {e.text: e.label for e in read_split(task, Split.TRAIN, tmp_path) if isinstance(e, Text)}
    assert labels["We gave @treatment$ for @problem$."] == "TREATS"
    assert labels["No @treatment$ was given for @problem$."] == "none"


@pytest.mark.parametrize("layout", [CSV, CSV | {"format": "jsonl"}], ids=["csv", "jsonl"])
def test_outcome_texts_hold_line_breaks_and_four_classes_and_not_the_outcome(
    tmp_path: Path, layout: dict[str, Any]
) -> None:
    task = made(TaskKind.CLASSIFICATION, layout)
    write_task(task, tmp_path)
    found = inspect_task(task, tmp_path)
    assert found["labels"] == ["home", "intensive-care", "transfer", "ward"]
    for split, size in {"train": 400, "dev": 100, "test": 200}.items():
        assert found["splits"][split]["examples"] == size
        assert min(found["splits"][split]["labels"].values()) > 0.08 * size
    for example in read_split(task, Split.TEST, tmp_path):
        assert isinstance(example, Text)
        assert "\n" in example.text
        assert not re.search(r"intensive care|went home|stays on the ward", example.text)


def test_everything_says_that_it_is_invented(tmp_path: Path) -> None:
    for kind, reader in (
        (TaskKind.NER, CONLL),
        (TaskKind.RELATION, PUBTATOR),
        (TaskKind.CLASSIFICATION, CSV),
    ):
        write_task(made(kind, reader), tmp_path)
        assert "invented" in (tmp_path / kind / "README.txt").read_text()
    for kind in ("relation", "classification"):
        assert "Invented" in (tmp_path / kind / "test.data").read_text()[:60]


def test_sizes_seed_files_and_columns_are_those_of_the_task(tmp_path: Path) -> None:
    small = MadeNotes(train=6, dev=2, test=3, seed=5)
    layout = {"separator": "space", "token_column": -1, "tag_column": 1}
    task = made(TaskKind.NER, CONLL | layout, small)
    two = {"train": ["a/one.txt", "b/two.txt"]}
    split = task.model_copy(update={"reader": task.reader.model_validate(CONLL | layout | {"files": two})})
    write_task(split, tmp_path)
    assert (tmp_path / "a/README.txt").exists()
    assert (tmp_path / "b/README.txt").exists()
    write_task(task, tmp_path)
    dealt = [e.tokens for e in read_split(split, Split.TRAIN, tmp_path) if isinstance(e, Tokens)]
    whole = [e.tokens for e in read_split(task, Split.TRAIN, tmp_path) if isinstance(e, Tokens)]
    assert dealt != whole
    assert sorted(dealt) == sorted(whole)
    write_task(made(TaskKind.NER, CONLL | layout, MadeNotes(train=6, dev=2, test=3, seed=6)), tmp_path)
    assert whole != [e.tokens for e in read_split(task, Split.TRAIN, tmp_path) if isinstance(e, Tokens)]


def test_entity_types_and_labels_may_be_spelt_by_the_task(tmp_path: Path) -> None:
    task = made(TaskKind.RELATION, PUBTATOR | {"entity_types": ["Treatment", "Problem"], "relation": "GIVEN"})
    write_task(task, tmp_path)
    assert inspect_task(task, tmp_path)["splits"]["dev"]["labels"].keys() == {"GIVEN", "none"}


_DIGEST = """
import hashlib, itertools
from workers.demo.corpora import corpus
texts = itertools.chain(corpus("general", 50, 3), corpus("clinical", 50, 3))
print(hashlib.sha256("\\n".join(texts).encode()).hexdigest())
"""


def test_another_process_with_other_hashing_makes_the_same_text() -> None:
    here = hashlib.sha256(
        "\n".join([*corpus("general", 50, 3), *corpus("clinical", 50, 3)]).encode()
    ).hexdigest()
    for seed in ("1", "2"):
        there = subprocess.run(
            [sys.executable, "-c", _DIGEST],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.strip() == here


def test_the_generator_needs_the_standard_library_and_the_contracts_only() -> None:
    heavy = "{'torch', 'numpy', 'transformers'} & set(sys.modules)"
    code = f"import sys, workers.demo.corpora, workers.data; print(sorted({heavy}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
