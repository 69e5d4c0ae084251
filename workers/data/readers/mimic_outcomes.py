"""What became of each admission of MIMIC-III: classes and numbers at admission, codes at discharge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from orchestrator.contracts.readers import MimicNotesReader
from orchestrator.contracts.sameness import Identity
from orchestrator.contracts.vocabulary import TaskKind
from orchestrator.errors import ConfigError, DataError, Problem
from workers.data.faults import Faults
from workers.data.readers.mimic_tables import (
    Admission,
    diagnosis_code,
    procedure_code,
    read_codes,
    read_groups,
    read_primary_codes,
)

_DAY = timedelta(days=1)
_STAYS = (timedelta(days=3), timedelta(days=7), timedelta(days=14))  # the longest of classes 0, 1 and 2
AdmissionOutcome = str | float | tuple[str, ...]  # a class, a number, or codes
LeftOut = Counter[tuple[str, Identity]]  # (reason, patient; NO_ID if unknown)


def table_of(names: Sequence[str], root: Path, table: str) -> Path:
    """Return the path of a table of MIMIC-III. Raises ConfigError unless one name is that of it."""
    matches = [name for name in names if Path(name).name.upper().split(".")[0] == table]
    if len(matches) != 1:
        problem = f"among its {len(names)} names, {len(matches)} are {table}.csv or {table}.csv.gz"
        raise _mistake("files.train", problem, "name NOTEEVENTS, ADMISSIONS, and what its outcome needs")
    return root / matches[0]


def _mistake(key: str, problem: str, fix: str) -> ConfigError:
    return ConfigError([Problem("a mimic-notes task", f"reader.{key}", problem, fix)])


def outcomes_at_admission(
    reader: MimicNotesReader,
    kind: TaskKind,
    names: Sequence[str],
    root: Path,
    admissions: Mapping[str, Admission],
    faults: Faults,
    left_out: LeftOut,
) -> dict[str, AdmissionOutcome]:
    """Return the label, or the days, of each admission that has one, in the order of their ids."""
    grouped = _groups(reader, names, root, faults) if reader.outcome == "diagnosis-group" else {}
    outcomes: dict[str, AdmissionOutcome] = {}
    for identity, admission in _by_id(admissions):
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
        elif kind is TaskKind.REGRESSION:
            outcomes[identity] = admission.stay / _DAY
        else:
            outcomes[identity] = str(sum(admission.stay > longest for longest in _STAYS))
    return outcomes


def _by_id(admissions: Mapping[str, Admission]) -> list[tuple[str, Admission]]:
    return sorted(admissions.items(), key=lambda item: int(item[0]))


def discharge_codes(names: Sequence[str], root: Path, faults: Faults) -> dict[str, set[str]]:
    """Return the codes of diagnoses and procedures that each admission got."""
    given = read_codes(table_of(names, root, "DIAGNOSES_ICD"), diagnosis_code, faults)
    procedures = read_codes(table_of(names, root, "PROCEDURES_ICD"), procedure_code, faults)
    for identity, codes in procedures.items():
        given.setdefault(identity, set()).update(codes)
    return given


def frequent_codes(
    given: Mapping[str, Collection[str]],
    number: int | None,
    admissions: Mapping[str, Admission],
    read: Collection[str],
    left_out: LeftOut,
) -> dict[str, AdmissionOutcome]:
    """Return which of the most frequent codes each admission has, in the order of their ids.

    The `number` codes count that most of the `read` admissions have, those with a summary: what newborns
    have, who have none, would be classes without an example. Of equally
    frequent ones the first by name count.
    """
    counts = Counter(code for identity in read for code in given.get(identity, ()))
    frequent = set(sorted(counts, key=lambda code: (-counts[code], code))[:number])
    coded: dict[str, AdmissionOutcome] = {}
    for identity, admission in _by_id(admissions):
        codes = frequent.intersection(given.get(identity, ()))
        if codes or identity not in read:
            coded[identity] = tuple(sorted(codes))
        else:
            left_out["admissions without one of the codes", admission.patient] += 1
    return coded


def check_groups(path: Path, labels: Collection[str]) -> None:
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
    codes = read_primary_codes(table_of(names, root, "DIAGNOSES_ICD"), faults)
    grouped = {identity: groups[code] for identity, code in codes.items() if code in groups}
    if not grouped:
        message = "none of its codes is a primary diagnosis"
        fix = "write ICD-9 codes with all their digits, leading zeros included"
        raise DataError(str(root / reader.groups), None, message, fix)
    return grouped
