"""Texts of MIMIC-III with their outcomes, from its raw tables: what is known at admission (van Aken et al.
2021), or whole discharge summaries (Mullenbach et al. 2018).

NOTEEVENTS is read as a stream; what stays in memory while it is read are the discharge summaries, which take
about their size on disk (6,000 of 9.6 kB took 63 MB).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.contracts.readers import MimicNotesReader
from orchestrator.contracts.sameness import NO_ID, Identity
from orchestrator.contracts.vocabulary import TaskKind, Unit
from workers.data.examples import MultilabelText, RegressionText, Text
from workers.data.faults import Faults
from workers.data.holdout import Selector
from workers.data.readers.mimic_outcomes import (
    AdmissionOutcome,
    LeftOut,
    check_groups,
    discharge_codes,
    frequent_codes,
    outcomes_at_admission,
    table_of,
)
from workers.data.readers.mimic_sections import cut_sections, hide_death, render_sections
from workers.data.readers.mimic_tables import (
    Admission,
    DischargeSummary,
    read_admissions,
    read_summaries,
)


@dataclass(frozen=True, repr=False)
class _Corpus:
    examples: list[tuple[Identity, Text]]  # with their patients
    faults: Faults  # of rows
    left_out: LeftOut  # by the definition of the task


# The key has the sizes and modification times of the files, which distinguish them from earlier versions.
_Key = tuple[str, TaskKind, tuple[str, ...], Path, tuple[tuple[int, int], ...], Literal["error", "skip"]]
_corpora: ContextVar[dict[_Key, _Corpus] | None] = ContextVar("corpora", default=None)


@contextmanager
def tables_read_once() -> Iterator[None]:
    """Let the splits that are read inside share one pass over the tables. This keeps patient text in memory
    until the end, that of the outermost one where they nest."""
    if _corpora.get() is not None:
        yield
        return
    token = _corpora.set({})
    try:
        yield
    finally:
        _corpora.reset(token)


def read_mimic(
    reader: MimicNotesReader,
    kind: TaskKind,
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
        check_groups(root / reader.groups, labels)
    paths = [root / name for name in (*names, *filter(None, [reader.groups]))]
    stamps = tuple((s.st_size, s.st_mtime_ns) for s in (p.stat() for p in paths if p.is_file()))
    corpora = _corpora.get()
    key = reader.model_dump_json(), kind, tuple(names), root, stamps, faults.on_bad_record
    corpus = None if corpora is None else corpora.get(key)
    if corpus is None:
        corpus = _corpus(reader, kind, names, root, faults.of_other_splits())
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


def _corpus(
    reader: MimicNotesReader, kind: TaskKind, names: Sequence[str], root: Path, faults: Faults
) -> _Corpus:
    left_out = LeftOut()
    notes = table_of(names, root, "NOTEEVENTS")
    admissions = read_admissions(table_of(names, root, "ADMISSIONS"), faults)
    outcomes: Mapping[str, AdmissionOutcome] = {}
    given, unread = dict[str, set[str]](), set[str]()
    if reader.outcome == "discharge-codes":
        given = discharge_codes(names, root, faults)
    else:
        outcomes = outcomes_at_admission(reader, kind, names, root, admissions, faults, left_out)
        unread = {identity for identity, admission in admissions.items() if admission.newborn}
    texts = _texts(read_summaries(notes, faults, unread), admissions, left_out)
    if reader.outcome == "discharge-codes":
        summarised = {identity for identity, summaries in texts.items() if _has_report(summaries)}
        outcomes = frequent_codes(given, reader.codes, admissions, summarised, left_out)
    examples = []
    for number, (identity, outcome) in enumerate(outcomes.items(), start=1):
        patient = admissions[identity].patient
        text, reason = _text(texts.pop(identity, []), reader.outcome)
        if text is None:
            left_out[reason, patient] += 1
        else:
            examples.append((patient, _example(text, outcome, f"admission#{number}", patient)))
    return _Corpus(examples, faults, left_out)


def _example(text: str, outcome: AdmissionOutcome, document: str, patient: Identity) -> Text:
    if isinstance(outcome, float):
        return RegressionText(text, None, "", document, patient, Unit.PATIENT, value=outcome)
    if isinstance(outcome, tuple):
        return MultilabelText(text, None, "", document, patient, Unit.PATIENT, labels=outcome)
    return Text(text, None, outcome, document, patient, Unit.PATIENT)


def _texts(
    summaries: Iterator[DischargeSummary], admissions: Mapping[str, Admission], left_out: LeftOut
) -> dict[str, list[DischargeSummary]]:
    """Return the summaries of each admission by date; of equal texts only the last one is kept."""
    valid: list[DischargeSummary] = []
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
    by_admission: defaultdict[str, list[DischargeSummary]] = defaultdict(list)
    for summary in reversed(valid):
        identity = str(summary.admission)
        if summary.text in seen:
            reason = "discharge summaries with the text of a later one"
            left_out[reason, admissions[identity].patient] += 1
        else:
            seen.add(summary.text)
            by_admission[identity].insert(0, summary)
    return by_admission


def _has_report(summaries: Iterable[DischargeSummary]) -> bool:
    return any(summary.report for summary in summaries)


def _text(summaries: Sequence[DischargeSummary], outcome: str) -> tuple[str | None, str]:
    """Return the text that is read for the outcome, or None and the reason why there is none."""
    if not _has_report(summaries):
        return None, "admissions without a discharge summary that is no addendum"
    joined = "\n\n".join(summary.text for summary in summaries)
    if outcome == "discharge-codes":
        return joined, ""
    texts = cut_sections(joined)
    if texts is None:
        return None, "admissions without chief complaint, present illness and medical history"
    if outcome == "mortality":
        texts = hide_death(texts)
        if texts is None:
            return None, "admissions whose text tells the death"
    return render_sections(texts), ""
