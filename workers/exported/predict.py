"""Answer the texts of a file, and write the answers to a file of their own."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from orchestrator.contracts.exported import PredictRequest
from orchestrator.contracts.files import draft
from orchestrator.contracts.vocabulary import TaskKind
from workers.exported.answers import Answerer
from workers.exported.devices import ready
from workers.exported.texts import Given, read_given
from workers.models.foreign_tokenizers import bounded, reading_seconds

_PASSES = 16  # between two signs of progress
_ANSWERS = {TaskKind.MULTILABEL: "labels", TaskKind.REGRESSION: "value"}
_BETWEEN = ";"  # the labels of a multilabel answer in CSV


def predict(request: PredictRequest) -> Iterator[dict[str, Any]]:
    """Yield how many of the texts are done, {"done": …, "of": …}, until the file of the answers is complete.
    Its owner alone may read it. Raises DataError, WeightsError, InputError."""
    given = read_given(request)
    yield {"done": 0, "of": len(given)}
    answerer = ready(request.folder, request.exported, request.cache_dir, threads=None)
    out, size = Path(request.out), _PASSES * answerer.use.batch_size
    with draft(out) as temporary:
        with _owned(temporary) as file:
            writer = _Csv(file, answerer) if out.suffix == ".csv" else _JsonLines(file)
            for start in range(0, len(given), size):
                part = given[start : start + size]
                characters = sum(len(g.text) + len(g.second_text or "") for g in part)
                with bounded(answerer.use.backbone.name, reading_seconds(3 * characters)):
                    writer.write(part, answerer.answer(part))
                yield {"done": start + len(part), "of": len(given)}
        temporary.replace(out)


def _owned(path: Path) -> TextIO:
    """Open a new file that its owner alone may read, whatever the umask."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8")


def _key(given: Given) -> dict[str, Any]:
    return {"row": given.number} if given.name is None else {"file": given.name}


class _JsonLines:
    """One object per text."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, given: Sequence[Given], records: Sequence[dict[str, Any]]) -> None:
        for each, record in zip(given, records, strict=True):
            self._file.write(json.dumps(_key(each) | record, ensure_ascii=False) + "\n")


class _Csv:
    """One row per text, or of ner one per entity."""

    def __init__(self, file: TextIO, answerer: Answerer) -> None:
        self._file, self._ner = file, answerer.use.kind is TaskKind.NER
        self._answer = _ANSWERS.get(answerer.use.kind, "label")
        self._labels = () if answerer.use.kind is TaskKind.REGRESSION else answerer.use.labels
        self._begun = False

    def write(self, given: Sequence[Given], records: Sequence[dict[str, Any]]) -> None:
        buffer = io.StringIO()
        rows = csv.writer(buffer, lineterminator="\n")
        if not self._begun:
            key = next(iter(_key(given[0])))
            columns = ["start", "end", "type", "probability"]
            labels = [f"probability of {label}" for label in self._labels]
            rows.writerow([key, *(columns if self._ner else [self._answer, "cut", *labels])])
            self._begun = True
        for each, record in zip(given, records, strict=True):
            [key] = _key(each).values()
            if self._ner:
                rows.writerows([key, *entity.values()] for entity in record["entities"])
            else:
                shares, answer = record.get("probabilities", {}).values(), record[self._answer]
                answer = _BETWEEN.join(answer) if isinstance(answer, list) else answer
                rows.writerow([key, answer, str(record["cut"]).lower(), *shares])
        self._file.write(buffer.getvalue())
