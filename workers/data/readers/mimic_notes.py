"""MIMIC-III outcomes from its raw tables (van Aken et al. 2021): what is known at admission, and the outcome.

NOTEEVENTS is read as a stream; what stays in memory while it is read are the discharge summaries, which take
about their size on disk (6,000 of 9.6 kB took 63 MB).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from orchestrator.contracts.readers import MimicNotesReader
from orchestrator.contracts.sameness import NO_ID, Identity
from orchestrator.contracts.vocabulary import Unit
from orchestrator.errors import ConfigError, DataError, Problem
from workers.data.examples import Text
from workers.data.faults import Faults
from workers.data.holdout import Selector
from workers.data.readers.mimic_sections import cut_sections, hide_death, render_sections
from workers.data.readers.mimic_tables import (
    Admission,
    Summary,
    read_admissions,
    read_groups,
    read_primary_codes,
    read_summaries,
)

_STAYS = (timedelta(days=3), timedelta(days=7), timedelta(days=14))  # the longest of classes 0, 1 and 2


LeftOut = Counter[tuple[str, Identity]]  # (reason, patient; NO_ID if unknown)


@dataclass(frozen=True, repr=False)
class _Corpus:
    examples: list[tuple[Identity, Text]]  # with their patients
    faults: Faults  # of rows
    left_out: LeftOut  # by the definition of the task


# The key has the sizes and modification times of the files, which distinguish them from earlier versions.
_Key = tuple[str, tuple[str, ...], Path, tuple[tuple[int, int], ...], Literal["error", "skip"]]
_corpora: ContextVar[dict[_Key, _Corpus] | None] = ContextVar("corpora", default=None)


@contextmanager
def tables_read_once() -> Iterator[None]:
    """Let the splits that are read inside share one pass over the tables. This keeps patient text in memory
    until the end."""
    token = _corpora.set({})
    try:
        yield
    finally:
        _corpora.reset(token)


def read_mimic(
    reader: MimicNotesReader,
    names: Sequence[str],
    root: Path,
    labels: Collection[str] | None,
    faults: Faults,
    selected: Selector,
) -> Iterator[Text]:
    """Yield the admissions of the selected patients in the order of their ids.

    `faults` gets what was left out, and why; what belongs to no patient counts in the one split that selects
    NO_ID. Inside `tables_read_once` the splits of a corpus read the tables once. Raises DataError,
    ConfigError.
    """
    if reader.groups is not None and labels is not None:
        _check_groups(root / reader.groups, labels)
    paths = [root / name for name in (*names, *filter(None, [reader.groups]))]
    stamps = tuple((s.st_size, s.st_mtime_ns) for s in (p.stat() for p in paths if p.is_file()))
    corpora = _corpora.get()
    key = reader.model_dump_json(), tuple(names), root, stamps, faults.on_bad_record
    corpus = None if corpora is None else corpora.get(key)
    if corpus is None:
        corpus = _corpus(reader, names, root, faults.of_other_splits())
        if corpora is not None:
            corpora[key] = corpus
    faults.errors |= corpus.faults.errors  # they may have been found in reading another split
    if selected(NO_ID):
        faults.kinds.update(corpus.faults.kinds)
    for (reason, patient), count in corpus.left_out.items():
        if selected(patient):
            faults.set_aside[reason] += count
    if reader.groups is not None:
        for _, example in corpus.examples:
            faults.spelt(example.label, str(root / reader.groups), None)
    return (example for patient, example in corpus.examples if selected(patient))


def _corpus(reader: MimicNotesReader, names: Sequence[str], root: Path, faults: Faults) -> _Corpus:
    left_out = LeftOut()
    notes = _table(names, root, "NOTEEVENTS")
    admissions = read_admissions(_table(names, root, "ADMISSIONS"), faults)
    outcomes = _outcomes(reader, names, root, admissions, faults, left_out)
    newborn = {identity for identity, admission in admissions.items() if admission.newborn}
    texts = _texts(read_summaries(notes, faults, newborn), admissions, left_out)
    examples = []
    for number, (identity, label) in enumerate(outcomes.items(), start=1):
        patient = admissions[identity].patient
        text, reason = _known_at_admission(texts.pop(identity, []), reader.outcome)
        if text is None:
            left_out[reason, patient] += 1
        else:
            example = Text(text, None, label, f"admission#{number}", patient, Unit.PATIENT)
            examples.append((patient, example))
    return _Corpus(examples, faults, left_out)


def _table(names: Sequence[str], root: Path, table: str) -> Path:
    matches = [name for name in names if Path(name).name.upper().split(".")[0] == table]
    if len(matches) != 1:
        problem = f"among its {len(names)} names, {len(matches)} are {table}.csv or {table}.csv.gz"
        raise _mistake(
            "files.train", problem, "name NOTEEVENTS, ADMISSIONS and for groups DIAGNOSES_ICD there"
        )
    return root / matches[0]


def _mistake(key: str, problem: str, fix: str) -> ConfigError:
    return ConfigError([Problem("a mimic-notes task", f"reader.{key}", problem, fix)])


def _outcomes(
    reader: MimicNotesReader,
    names: Sequence[str],
    root: Path,
    admissions: Mapping[str, Admission],
    faults: Faults,
    left_out: LeftOut,
) -> dict[str, str]:
    """Return the label of each admission that has one, in the order of their ids."""
    grouped = _groups(reader, names, root, faults) if reader.outcome == "diagnosis-group" else {}
    outcomes: dict[str, str] = {}
    for identity, admission in sorted(admissions.items(), key=lambda item: int(item[0])):
        if admission.newborn:
            left_out["newborn admissions", admission.patient] += 1
        elif reader.outcome == "mortality":
            outcomes[identity] = str(int(admission.died))
        elif reader.outcome == "diagnosis-group":
            if identity in grouped:
                outcomes[identity] = grouped[identity]
            else:
                left_out["admissions whose primary diagnosis is in no group", admission.patient] += 1
        elif admission.died:
            left_out["admissions that ended in death", admission.patient] += 1
        elif admission.stay is None:
            left_out["admissions that end before they begin", admission.patient] += 1
        else:
            outcomes[identity] = str(sum(admission.stay > longest for longest in _STAYS))
    return outcomes


def _check_groups(path: Path, labels: Collection[str]) -> None:
    """Raise DataError, before the large tables are read, if a group is not a label of the task."""
    groups = set(read_groups(path).values())
    if foreign := len(groups - set(labels)):
        problem = f"{foreign} of its {len(groups)} groups are not among `labels` of the task"
        fix = (
            f"name them {', '.join(labels)}; or, for groups of other names, copy the task to a name of its "
            "own and leave its `labels` out"
        )
        raise DataError(str(path), None, problem, fix)


def _groups(reader: MimicNotesReader, names: Sequence[str], root: Path, faults: Faults) -> dict[str, str]:
    """Return the group of the primary diagnosis of each admission."""
    if reader.groups is None:
        problem = "a diagnosis-group task has none, and there is no published one"
        raise _mistake("groups", problem, "name a CSV with the columns icd9_code and group")
    groups = read_groups(root / reader.groups)
    codes = read_primary_codes(_table(names, root, "DIAGNOSES_ICD"), faults)
    grouped = {identity: groups[code] for identity, code in codes.items() if code in groups}
    if not grouped:
        message = "none of its codes is a primary diagnosis"
        fix = "write ICD-9 codes with all their digits, leading zeros included"
        raise DataError(str(root / reader.groups), None, message, fix)
    return grouped


def _texts(
    summaries: Iterator[Summary], admissions: Mapping[str, Admission], left_out: LeftOut
) -> dict[str, list[Summary]]:
    """Return the summaries of each admission by date; of equal texts only the last one is kept."""
    valid: list[Summary] = []
    for summary in summaries:
        if summary.error:
            admission = admissions.get(summary.admission or "")
            left_out[
                "discharge summaries marked as errors (ISERROR)", admission.patient if admission else NO_ID
            ] += 1
        elif summary.admission in admissions and summary.text.strip():
            valid.append(summary)
        else:
            left_out["discharge summaries without text or admission", NO_ID] += 1
    valid.sort(key=lambda summary: summary.date)
    seen: set[str] = set()
    by_admission: defaultdict[str, list[Summary]] = defaultdict(list)
    for summary in reversed(valid):
        identity = str(summary.admission)
        if summary.text in seen:
            reason = "discharge summaries with the text of a later one"
            left_out[reason, admissions[identity].patient] += 1
        else:
            seen.add(summary.text)
            by_admission[identity].insert(0, summary)
    return by_admission


def _known_at_admission(summaries: Sequence[Summary], outcome: str) -> tuple[str | None, str]:
    """Return the text, or None and the reason why there is none."""
    if not any(summary.report for summary in summaries):
        return None, "admissions without a discharge summary that is no addendum"
    texts = cut_sections("\n\n".join(summary.text for summary in summaries))
    if texts is None:
        return None, "admissions without chief complaint, present illness and medical history"
    if outcome == "mortality":
        texts = hide_death(texts)
        if texts is None:
            return None, "admissions whose text tells the death"
    return render_sections(texts), ""
