"""The pairs of one sentence share a split, however their mentions are marked or masked, in any order."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow
import pytest

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from workers.data import read_split
from workers.data.masked import sentence_ids

Style = Callable[[str, int], str]  # a mention, first (1) or second (2) of its pair
MARKS: dict[str, Style] = {
    "tags": lambda m, n: f"<e{n}>{m}</e{n}>",
    "tags with blanks": lambda m, n: f"<e{n}> {m} </e{n}>",
    "tags with attributes": lambda m, n: f'<drug id="{n}">{m}</drug>',
    "names of types": lambda m, n: f"<{'ab'[n - 1]}>{m}</{'ab'[n - 1]}>",
    "brackets": lambda m, n: f"[E{n}] {m} [/E{n}]",
    "brackets without blanks": lambda m, n: f"[E{n}]{m}[/E{n}]",
    "start and end": lambda m, n: f"[E{n}_start] {m} [E{n}_end]",
    "words": lambda m, n: f"E{n}_START {m} E{n}_END",
    "symbols": lambda m, n: f"{'@#'[n - 1]} {m} {'@#'[n - 1]}",
    "symbols without blanks": lambda m, n: f"{'@#'[n - 1]}{m}{'@#'[n - 1]}",
    "dollars": lambda m, n: f"$ {m} $",
    "types in symbols": lambda m, n: f"{'@#'[n - 1]} {'*^'[n - 1]} drug {'*^'[n - 1]} {m} {'@#'[n - 1]}",
    "chevrons": lambda m, n: f"<< {m} >>" if n == 1 else f"[[ {m} ]]",
    "stars": lambda m, n: f"**{m}**",
    "guillemets": lambda m, n: f"« {m} »",
}
MASKS: dict[str, Style] = {
    "types": lambda m, n: f"@{'drug' if n == 1 else 'effect'}$",
    "drugs": lambda m, n: f"DRUG{n}",
    "drug and gene": lambda m, n: "DRUG0" if n == 1 else "GENE1",
    "unnumbered": lambda m, n: "@DRUG$" if n == 1 else "@GENE$",
    "in brackets": lambda m, n: "[DRUG]" if n == 1 else "[GENE]",
    "in chevrons": lambda m, n: "<DRUG>" if n == 1 else "<GENE>",
    "subject and object": lambda m, n: "[SUBJ-DRUG]" if n == 1 else "[OBJ-PROBLEM]",
    "at both sides": lambda m, n: "@DRUG@" if n == 1 else "@GENE@",
    "crosses": lambda m, n: "XXX",
}
SENTENCES = 60
VOCABULARY = [
    a + b for a in ("ba", "de", "fi", "go", "lu", "mo", "ne") for b in ("ka", "le", "mi", "no", "pu", "ro")
]


def sentence(number: int) -> list[str]:
    """Words, of which numbers 2, 5, 6 and 9 are mentions. The first one tells the sentence."""
    source = random.Random(number)
    return [f"n{number}", *(source.choice(VOCABULARY) for _ in range(10)), f"z{number}", "."]


def pairs(style: Style) -> list[str]:
    rows = []
    for number in range(SENTENCES):
        for first, second in combinations((2, 5, 6, 9), 2):
            words = sentence(number)
            words[first], words[second] = style(words[first], 1), style(words[second], 2)
            rows.append(" ".join(words))
    return rows


def splits_of_sentences(root: Path, form: str, rows: list[str]) -> list[Counter[Split]]:
    labels = ["causes" if n % 3 else "none" for n in range(len(rows))]
    if form == "arrow":
        (root / "all").mkdir()
        table = pyarrow.table({"text": rows, "label": labels})
        with (
            pyarrow.OSFile(str(root / "all" / "data.arrow"), "wb") as sink,
            pyarrow.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
        (root / "all" / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    elif form == "jsonl":
        lines = [json.dumps({"text": text, "label": y}) for text, y in zip(rows, labels, strict=True)]
        (root / "all").write_text("\n".join(lines))
    else:
        quoted = [text.replace('"', '""') for text in rows]
        lines = [f'"{text}",{label}' for text, label in zip(quoted, labels, strict=True)]
        (root / "all").write_text("\n".join(["text,label", *lines]))
    reader: dict[str, Any] = {"format": form, "text": "text", "label": "label", "files": {"train": ["all"]}}
    spec = TaskSpec.model_validate(
        {
            "name": "t",
            "title": "T",
            "kind": TaskKind.RELATION,
            "domain": "clinical",
            "reader": reader | {"hold_out": {"dev": 0.3, "test": 0.3}},
            "negative_label": "none",
            "metric": PRIMARY[TaskKind.RELATION],
        }
    )
    found: list[Counter[Split]] = [Counter() for _ in range(SENTENCES)]
    for split in Split:
        for example in read_split(spec, split, root):
            found[int(example.text.split()[0][1:])][split] += 1
    return found


def shuffled(rows: list[str]) -> list[str]:
    return random.Random(7).sample(rows, len(rows))


@pytest.mark.parametrize("form", ["csv", "jsonl", "arrow"])
@pytest.mark.parametrize("order", [list, shuffled])
@pytest.mark.parametrize("style", MARKS | MASKS)
def test_all_pairs_of_a_sentence_share_a_split(
    tmp_path: Path, style: str, order: Callable[[list[str]], list[str]], form: str
) -> None:
    found = splits_of_sentences(tmp_path, form, order(pairs((MARKS | MASKS)[style])))
    assert all(splits.total() == 6 for splits in found)
    assert [len(splits) for splits in found] == [1] * SENTENCES
    assert len({next(iter(splits)) for splits in found}) == 3


@pytest.mark.parametrize("style", MARKS)
def test_marked_pairs_fall_where_they_fall_in_any_selection(style: str) -> None:
    rows = pairs(MARKS[style])
    assert sentence_ids(rows[::7]) == sentence_ids(rows)[::7]


def test_sentences_without_marks_or_masks_are_their_own_ids() -> None:
    texts = [
        "The week ended; see [2] and < 5 mg > 3 times.",
        "She paid $ 5 @ noon, # 4.",
        "At the end, treatment was open.",
        "HER2 and T4 were normal",
        "",
    ]
    assert sentence_ids(texts) == texts


def test_masked_pairs_side_by_side_keep_the_id_of_their_first_row() -> None:
    # Pinned: it decides on the splits of corpora that are held out already.
    rows = ["@a$ and @b$ of c end", "@a$ and b of @c$ end", "other", "a and @b$ of @c$ end"]
    assert sentence_ids(rows)[:3] == [rows[0], rows[0], "other"]


def test_sentences_that_share_words_beside_their_masks_stay_apart() -> None:
    one = [
        "@a$ was given for pain on monday and @b$ too",
        "aspirin was given for pain on monday and @b$ , @a$",
    ]
    other = ["@a$ was seen with fever on friday and @b$ later"]
    ids = sentence_ids([*one, *other])
    assert ids[2] not in ids[:2]
