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
from workers.data import Text, inspect_task, read_split
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


def task_of(root: Path, form: str, *files: list[str]) -> TaskSpec:
    """A relation task whose splits are held out of files with these texts."""
    names = [f"all{number}" for number in range(len(files))]
    for name, rows in zip(names, files, strict=True):
        write_rows(root / name, form, rows)
    reader: dict[str, Any] = {"format": form, "text": "text", "label": "label", "files": {"train": names}}
    return TaskSpec.model_validate(
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


def write_rows(path: Path, form: str, rows: list[str]) -> None:
    labels = ["causes" if n % 3 else "none" for n in range(len(rows))]
    if form == "arrow":
        path.mkdir()
        table = pyarrow.table({"text": rows, "label": labels})
        with (
            pyarrow.OSFile(str(path / "data.arrow"), "wb") as sink,
            pyarrow.ipc.new_stream(sink, table.schema) as out,
        ):
            out.write_table(table)
        (path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data.arrow"}]}))
    elif form == "jsonl":
        lines = [json.dumps({"text": text, "label": y}) for text, y in zip(rows, labels, strict=True)]
        path.write_text("\n".join(lines))
    else:
        quoted = [text.replace('"', '""') for text in rows]
        lines = [f'"{text}",{label}' for text, label in zip(quoted, labels, strict=True)]
        path.write_text("\n".join(["text,label", *lines]))


def splits_of_sentences(root: Path, spec: TaskSpec) -> list[Counter[Split]]:
    found: list[Counter[Split]] = [Counter() for _ in range(SENTENCES)]
    for split in Split:
        for example in read_split(spec, split, root):
            assert isinstance(example, Text)
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
    found = splits_of_sentences(tmp_path, task_of(tmp_path, form, order(pairs((MARKS | MASKS)[style]))))
    assert all(splits.total() == 6 for splits in found)
    assert [len(splits) for splits in found] == [1] * SENTENCES
    assert len({next(iter(splits)) for splits in found}) == 3


@pytest.mark.parametrize("style", MARKS | MASKS)
def test_the_pairs_of_a_sentence_in_two_files_share_a_split(tmp_path: Path, style: str) -> None:
    rows = pairs((MARKS | MASKS)[style])
    found = splits_of_sentences(tmp_path, task_of(tmp_path, "csv", rows[::2], rows[1::2]))
    assert [len(splits) for splits in found] == [1] * SENTENCES


def test_a_short_sentence_that_two_files_share_has_one_split(tmp_path: Path) -> None:
    rows = [f"n{n} {pair}" for n in range(SENTENCES) for pair in ("DRUG1 , DRUG2 or c", "DRUG1 , b or DRUG2")]
    found = splits_of_sentences(tmp_path, task_of(tmp_path, "jsonl", rows[:61], rows[61:]))
    assert [len(splits) for splits in found] == [1] * SENTENCES


@pytest.mark.parametrize("order", [list, shuffled])
@pytest.mark.parametrize(
    "form",
    ["DRUG1 {} DRUG2", "@GENE$ {} @DISEASE$ .", "XXX {} XXX", "<DRUG> was {} by <GENE> in our patients ."],
)
def test_sentences_with_masks_at_both_ends_stay_apart(
    form: str, order: Callable[[list[str]], list[str]]
) -> None:
    whole = [form.format(" ".join(sentence(number)[1:11])) for number in range(600)]
    one_word = [form.format(f"mostly {a}{b}") for a in VOCABULARY[:20] for b in VOCABULARY[:20]]
    for texts in (whole, one_word):
        assert len(set(sentence_ids(order(texts)))) == len(set(texts))


UNKNOWN: dict[str, Style] = {
    "masks in small letters": lambda m, n: f"drug{n}",
    "masks of another name": lambda m, n: f"entity{n}",
    "masks without a number": lambda m, n: "BLINDED",
    "underlines": lambda m, n: f"__{m}__",
    "parentheses": lambda m, n: f"(({m}))",
    "tildes": lambda m, n: f"~~{m}~~",
    "words": lambda m, n: f"E{n}START {m} E{n}END",
}


@pytest.mark.parametrize("order", [list, shuffled])
@pytest.mark.parametrize("style", UNKNOWN)
def test_pairs_that_are_not_recognised_are_counted_and_refused(
    tmp_path: Path, style: str, order: Callable[[list[str]], list[str]]
) -> None:
    check_refused(tmp_path, order(pairs(UNKNOWN[style])))


def test_pairs_that_are_named_behind_their_sentence_are_counted_and_refused(tmp_path: Path) -> None:
    rows = []
    for number in range(SENTENCES):
        words = sentence(number)
        for first, second in combinations((2, 5, 6, 9), 2):
            rows.append(f"{' '.join(words)} [SEP] {words[first]} [SEP] {words[second]}")
    check_refused(tmp_path, rows)


def test_short_enumerations_in_any_order_are_counted_and_refused(tmp_path: Path) -> None:
    rows = []
    for number in range(SENTENCES):
        names = [f"{word}{number}" for word in ("ba", "de", "fi", "go")]
        for first, second in combinations(range(4), 2):
            shown = [
                f"drug{(first, second).index(n) + 1}" if n in (first, second) else names[n] for n in range(4)
            ]
            rows.append(f"{', '.join(shown[:3])} or {shown[3]}")
    check_refused(tmp_path, shuffled(rows))


def check_refused(root: Path, rows: list[str]) -> None:
    found = inspect_task(task_of(root, "csv", rows), root)
    for split in ("dev", "test"):
        counts = found["splits"][split]["counts"]
        assert counts["near_train"] > 0.7 * counts["examples"]
        said = f"{counts['near_train']} of {counts['examples']} {split} texts"
        assert any(line.startswith(f"{said} agree in most of their words") for line in found["caveats"])
        assert said in found["unscorable"]["problem"]
    assert "`id`" in found["unscorable"]["fix"]


def test_a_folder_that_has_no_ids_is_counted_and_not_refused(tmp_path: Path) -> None:
    found = inspect_task(task_of(tmp_path, "arrow", pairs(UNKNOWN["tildes"])), tmp_path)
    assert found["unscorable"] is None
    assert any("pairs of one sentence may be in both" in line for line in found["caveats"])


@pytest.mark.parametrize("style", ["tags", "types"])
def test_recognised_pairs_are_not_refused_though_sentences_share_words(tmp_path: Path, style: str) -> None:
    rows = pairs((MARKS | MASKS)[style])
    few = VOCABULARY[:20]
    for number in range(SENTENCES):
        words = [f"n{number}", *random.Random(number).choices(few, k=12), "case"]
        for first, second in combinations((2, 5, 6, 9), 2):
            shown = {first: MARKS["tags"](words[first], 1), second: MARKS["tags"](words[second], 2)}
            rows.append(" ".join(shown.get(at, word) for at, word in enumerate(words)))
    found = inspect_task(task_of(tmp_path, "csv", rows), tmp_path)
    counts = [found["splits"][split]["counts"] for split in ("train", "dev", "test")]
    assert counts[0]["near_train"] is None
    assert all(one["near_train"] <= 0.1 * one["examples"] for one in counts[1:])
    assert found["unscorable"] is None


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
