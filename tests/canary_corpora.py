"""Corpora of each format with a marker of its own in every place that may hold text or an identity."""

from __future__ import annotations

import csv
import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from orchestrator.contracts.vocabulary import Split

LABELS = ("no", "yes")
_ROWS = 6


@dataclass
class Planted:
    """A task's corpus: its catalogue entry, and its markers by what they replace."""

    name: str
    entry: dict[str, Any]
    markers: dict[str, str] = field(default_factory=dict)

    def mark(self, source: str) -> str:
        """Return the marker of a source, letters only: a tokenizer or a reader takes it for a word."""
        letters = "".join(filter(str.isalpha, f"{self.name}{source}"))
        return self.markers.setdefault(source, f"Zz{letters}")

    def mark_number(self, source: str) -> str:
        """Return the marker of a source that must be a number, of ten digits."""
        drawn = int(hashlib.sha256(f"{self.name}{source}".encode()).hexdigest(), 16)
        return self.markers.setdefault(source, str(10**9 + drawn % 10**9))


def _entry(kind: str, reader: dict[str, Any], files: str, labels: Iterable[str]) -> dict[str, Any]:
    """Return the entry; `reader` may name its own `files`, else `files` has a place for the split."""
    names = {split: [files.format(split)] for split in Split}
    metric = "entity_f1" if kind == "ner" else "accuracy"
    return {
        "title": "Planted",
        "kind": kind,
        "domain": "clinical",
        "metric": metric,
        "labels": list(labels),
        "reader": {"files": names, **reader},
    }


def _csv(task: Planted, root: Path, split: Split, bad: bool) -> None:
    text, second, identity = (task.mark(source) for source in ("text", "second", "id"))
    rows = [
        f"{identity}{split}{n},{text} {task.name} {split} {n},{second} {n},{LABELS[n % 2]}"
        for n in range(_ROWS)
    ]
    rows += [f"{identity},{text},{second},no,{text}"] * bad
    (root / f"{split}.csv").write_text("\n".join(["id,text,second,label", *rows, ""]))


def _headless(task: Planted, root: Path, split: Split, bad: bool) -> None:
    cells = [task.mark("headercell"), task.mark("label")]
    (root / f"{split}.csv").write_text("\n".join([",".join(cells)] * _ROWS))


def _jsonl(task: Planted, root: Path, split: Split, bad: bool) -> None:
    rows = [
        {"text": f"{task.mark('text')} {split} {n}", "label": LABELS[n % 2], task.mark("key"): n}
        for n in range(_ROWS)
    ]
    lines = [json.dumps(row) for row in rows] + [f'{{"text": "{task.mark("text")}", "lab'] * bad
    (root / f"{split}.jsonl").write_text("\n".join(lines))


def _conll(task: Planted, root: Path, split: Split, bad: bool) -> None:
    token = task.mark("token")
    blocks = [f"{split}{n}\tO\n{token}\tB-x\nhere\tO\n" for n in range(_ROWS)] + [f"{token}\tI-x\n"] * bad
    (root / f"{split}.tsv").write_text("\n".join(blocks))


def _pubtator(task: Planted, root: Path, split: Split, bad: bool) -> None:
    title, identity = task.mark("title"), task.mark("pmid")
    documents = []
    for n in range(_ROWS):
        head = f"{title} of {split} {n}."
        start = 3 if bad and n == 0 else 0
        mention = f"{identity}{n}\t{start}\t{start + len(title)}\t{title}\tx\tD1"
        documents.append(f"{identity}{n}|t|{head}\n{identity}{n}|a|{task.mark('abstract')}.\n{mention}\n")
    (root / f"{split}.txt").write_text("\n".join(documents))


def _xml_files(task: Planted, split: Split, bad: bool) -> dict[str, str]:
    words, files = task.mark("text"), {}
    for n in range(_ROWS):
        start = 7 if bad and n == 0 else 0
        place = f'start="{start}" end="{start + len(words)}" text="{words}"'
        tag = f'<N {place} TYPE="x" n="{task.mark("attribute")}"/>'
        body = f"<R><TEXT><![CDATA[{words} in {split} {n} .]]></TEXT><TAGS>{tag}</TAGS></R>"
        files[f"{task.mark('folder')}/{task.mark('file')}_{split}_{n}.xml"] = body
    return files


def _xml(task: Planted, root: Path, split: Split, bad: bool) -> None:
    for name, content in _xml_files(task, split, bad).items():
        path = root / split / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def _xml_packed(task: Planted, root: Path, split: Split, bad: bool) -> None:
    _xml(task, root / "loose", split, bad)
    with tarfile.open(root / f"{split}.tar.gz", "w:gz") as archive:
        archive.add(root / "loose" / split, arcname="")


def _i2b2(task: Planted, root: Path, split: Split, bad: bool) -> None:
    words = task.mark("text")
    for n in range(_ROWS):
        stem = f"{task.mark('record')}-{split}-{n}"
        concept = f'c="{words.lower()}" 1:{int(bad and n == 0)} 1:0||t="problem"\n'
        text = f"{words} {split} {n} .\n"
        for place, content in ((f"txt/{stem}.txt", text), (f"concept/{stem}.con", concept)):
            path = root / split / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)


def _mimic(task: Planted, root: Path, split: Split, bad: bool) -> None:
    """Write the two tables from which the patients of every split are drawn."""
    if split is not Split.TRAIN:
        return
    patient, text = task.mark_number("patient"), task.mark("text")
    admissions, notes = [], []
    for n in range(40):
        hour = f"2101-01-{n % 20 + 1:02} 10:00:00"
        admission = f"{n + 100}"
        both = {"SUBJECT_ID": f"{patient}{n:02}", "HADM_ID": admission}
        stay = {"ADMITTIME": hour, "DISCHTIME": hour, "ADMISSION_TYPE": "EMERGENCY"}
        last = {"HOSPITAL_EXPIRE_FLAG": str(n % 2), "DIAGNOSIS": task.mark("diagnosis")}
        admissions.append(both | stay | last)
        note = f"Chief Complaint: {text} {n}\n\nHospital Course: {task.mark('course')}\n"
        kind = {"CATEGORY": "Discharge summary", "DESCRIPTION": "Report", "CHARTDATE": "2101-01-04"}
        notes.append(both | kind | {"CGID": task.mark("writer"), "TEXT": note})
    notes += [notes[0] | {"HADM_ID": task.mark("id")}] * bad
    for name, rows in (("ADMISSIONS", admissions), ("NOTEEVENTS", notes)):
        with (root / f"{name}.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)


def _datasets(task: Planted, root: Path, split: Split, bad: bool) -> None:
    _save_to_disk(root / split, _columns(task, split, bad), _features(task), f"{task.mark('file')}.arrow")


def _parquet(task: Planted, root: Path, split: Split, bad: bool) -> None:
    metadata = {"huggingface": json.dumps({"info": {"features": _features(task)}})}
    table = pyarrow.table(_columns(task, split, bad)).replace_schema_metadata(metadata)
    pyarrow.parquet.write_table(table, root / f"{split}.parquet")


def _features(task: Planted) -> dict[str, Any]:
    return {"label": {"names": [*LABELS, task.mark("classname")], "_type": "ClassLabel"}}


def _columns(task: Planted, split: Split, bad: bool) -> dict[str, Any]:
    rows = _ROWS + bad
    return {
        "id": [f"{task.mark('id')}{split}{n}" for n in range(rows)],
        "text": [f"{task.mark('text')} {split} {n}" for n in range(rows)],
        "label": [n % 2 if n < _ROWS else 2 for n in range(rows)],
        task.mark("column"): ["x"] * rows,
    }


def _datasets_ner(task: Planted, root: Path, split: Split, bad: bool) -> None:
    tokens = [[f"{split}{n}", task.mark("token"), "here"] for n in range(_ROWS + bad)]
    tags = [["O", "B-x", "O"]] * _ROWS + [["O", f"B-{task.mark('tag')}", "O"]] * bad
    _save_to_disk(root / split, {"tokens": tokens, "ner_tags_str": tags}, {}, f"{task.mark('file')}.arrow")


def _save_to_disk(folder: Path, columns: dict[str, Any], features: dict[str, Any], name: str) -> None:
    folder.mkdir()
    table = pyarrow.table(columns)
    with pyarrow.ipc.new_stream(str(folder / name), table.schema) as stream:
        stream.write_table(table)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


_TABLE = {"text": "text", "label": "label"}
_XML = {"format": "i2b2-xml", "attribute": "TYPE"}
_MIMIC = {
    "format": "mimic-notes",
    "outcome": "mortality",
    "files": {"train": ["mimic/ADMISSIONS.csv", "mimic/NOTEEVENTS.csv"]},
    "hold_out": {"dev": 0.3, "test": 0.3},
}
_Writer = Callable[[Planted, Path, Split, bool], None]
FORMATS: dict[str, tuple[_Writer, dict[str, Any]]] = {
    "csv": (
        _csv,
        _entry(
            "classification",
            {"format": "csv", **_TABLE, "second_text": "second", "id": "id"},
            "csv/{}.csv",
            LABELS,
        ),
    ),
    "jsonl": (_jsonl, _entry("classification", {"format": "jsonl", **_TABLE}, "jsonl/{}.jsonl", LABELS)),
    "conll": (_conll, _entry("ner", {"format": "conll"}, "conll/{}.tsv", ["x"])),
    "pubtator": (
        _pubtator,
        _entry("ner", {"format": "pubtator", "entity_types": ["x"]}, "pubtator/{}.txt", ["x"]),
    ),
    "xml": (_xml, _entry("ner", _XML, "xml/{}", ["x"])),
    "packed": (_xml_packed, _entry("ner", _XML, "packed/{}.tar.gz", ["x"])),
    "records": (_i2b2, _entry("ner", {"format": "i2b2-2010"}, "records/{}", ["problem"])),
    "mimic": (
        _mimic,
        _entry("classification", _MIMIC, "", ["0", "1"]),
    ),
    "datasets": (
        _datasets,
        _entry("classification", {"format": "arrow", "id": "id"}, "datasets/{}", LABELS),
    ),
    "datasets-ner": (_datasets_ner, _entry("ner", {"format": "arrow"}, "datasets-ner/{}", ["x"])),
    "parquet": (
        _parquet,
        _entry("classification", {"format": "parquet", "id": "id"}, "parquet/{}.parquet", LABELS),
    ),
    # Its first row is taken for the header: it is malformed as it is.
    "headless": (_headless, _entry("classification", {"format": "csv", **_TABLE}, "headless/{}.csv", LABELS)),
}


def write(name: str, root: Path, catalogue: Path, prefix: str = "", *, bad: bool = False) -> Planted:
    """Write the corpus of a format below `root`, and its task, named `prefix` and the format, into the
    catalogue. With `bad` one record of each split is malformed."""
    writer, entry = FORMATS[name]
    task = Planted(f"{prefix}{name}", json.loads(json.dumps(entry).replace(f'"{name}/', f'"{prefix}{name}/')))
    folder = root / task.name
    folder.mkdir(parents=True)
    for split in Split:
        writer(task, folder, split, bad)
    (catalogue / "tasks").mkdir(parents=True, exist_ok=True)
    (catalogue / "tasks" / f"{task.name}.yaml").write_text(json.dumps(task.entry))
    return task
