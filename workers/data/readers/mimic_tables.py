"""Read the tables of MIMIC-III as distributed: header names in upper or lower case, plain or .csv.gz."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from orchestrator.contracts.sameness import Identity, id_key, text_key
from orchestrator.errors import DataError
from workers.data.faults import Faults, refuse
from workers.data.files import is_unicode
from workers.data.readers.delimited import stream_rows

_ID = re.compile(r"[0-9]{1,12}")
_CODE = re.compile(r"[EV]?[0-9]{2,5}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*", re.DOTALL)
_LONGEST_GROUP = 100  # characters; records contain labels
_SUMMARY = "discharge summary"


@dataclass(frozen=True, repr=False)
class Admission:
    patient: Identity
    newborn: bool
    died: bool
    stay: timedelta | None  # None if it ends before it begins


@dataclass(frozen=True, repr=False)
class DischargeSummary:
    """One discharge summary, or an addendum to one."""

    admission: str | None
    date: str  # sorts as text
    report: bool  # and not an addendum
    error: bool  # a physician has marked it as an error
    text: str


def read_admissions(path: Path, faults: Faults) -> dict[str, Admission]:
    """Return the admissions by their ids."""
    columns = (
        "HADM_ID",
        "SUBJECT_ID",
        "ADMISSION_TYPE",
        "ADMITTIME",
        "DISCHTIME",
        "HOSPITAL_EXPIRE_FLAG",
    )
    admissions: dict[str, Admission] = {}
    for line, row in _rows(path, columns, faults):
        identity, patient = _identity(row["HADM_ID"]), _identity(row["SUBJECT_ID"])
        begin, end = _moment(row["ADMITTIME"]), _moment(row["DISCHTIME"])
        flag = row["HOSPITAL_EXPIRE_FLAG"].strip()
        if identity is None or patient is None:
            _bad(path, line, "HADM_ID or SUBJECT_ID is not a number", faults)
        elif identity in admissions:
            _bad(path, line, "the HADM_ID of an earlier row", faults)
        elif flag not in ("0", "1"):
            _bad(path, line, "HOSPITAL_EXPIRE_FLAG is not 0 or 1", faults)
        elif begin is None or end is None:
            _bad(path, line, "ADMITTIME or DISCHTIME is not a time (2101-02-03 04:05:00)", faults)
        else:
            newborn = row["ADMISSION_TYPE"].strip().upper() == "NEWBORN"
            stay = end - begin if end >= begin else None
            admissions[identity] = Admission(patient, newborn, flag == "1", stay)
    return admissions


def read_primary_codes(path: Path, faults: Faults) -> dict[str, str]:
    """Return the ICD-9 code with SEQ_NUM 1 of each admission, without dots."""
    codes: dict[str, str] = {}
    for line, row in _rows(path, ("HADM_ID", "SEQ_NUM", "ICD9_CODE"), faults):
        if _identity(row["SEQ_NUM"]) != "1" or not row["ICD9_CODE"].strip():
            continue
        identity = _identity(row["HADM_ID"])
        if identity is None:
            _bad(path, line, "HADM_ID is not a number", faults)
        elif identity in codes:
            _bad(path, line, "the HADM_ID of an earlier row with SEQ_NUM 1", faults)
        else:
            codes[identity] = _code(row["ICD9_CODE"])
    return codes


def read_codes(path: Path, written: Callable[[str], str], faults: Faults) -> dict[str, set[str]]:
    """Return the ICD-9 codes of each admission, each as `written` gives it. MIMIC-III has rows without a
    code, which count for nothing."""
    codes: dict[str, set[str]] = {}
    for line, row in _rows(path, ("HADM_ID", "ICD9_CODE"), faults):
        code = _code(row["ICD9_CODE"])
        if not code:
            continue
        identity = _identity(row["HADM_ID"])
        if identity is None:
            _bad(path, line, "HADM_ID is not a number", faults)
        elif not _CODE.fullmatch(code):
            _bad(path, line, "ICD9_CODE is no ICD-9 code", faults)
        else:
            codes.setdefault(identity, set()).add(written(code))
    return codes


def diagnosis_code(code: str) -> str:
    """Return `038.9` for 0389: MIMIC-III omits the dot, which is after three signs, or four of an E code."""
    return _dotted(code, 4 if code.startswith("E") else 3)


def procedure_code(code: str) -> str:
    """Return `38.93` for 3893: codes of procedures have the dot after two digits."""
    return _dotted(code, 2)


def _dotted(code: str, before: int) -> str:
    return f"{code[:before]}.{code[before:]}" if len(code) > before else code


def read_groups(path: Path) -> dict[str, str]:
    """Return the group of each ICD-9 code, without dots. Every problem is an error, even if the task skips
    bad records. Raises DataError with all of them."""
    groups: dict[str, str] = {}
    faults = Faults("error", together=True)
    for line, row in _rows(path, ("ICD9_CODE", "GROUP"), faults):
        code, group = _code(row["ICD9_CODE"]), row["GROUP"].strip()
        if not is_unicode(group):
            _bad(path, line, "GROUP is not UTF-8 text", faults)
        elif not code or not 0 < len(group) <= _LONGEST_GROUP:
            _bad(path, line, f"no code, or no group of at most {_LONGEST_GROUP} characters", faults)
        elif groups.setdefault(code, group) != group:
            _bad(path, line, "another group than in an earlier row with the same code", faults)
    refuse([faults])
    return groups


def read_summaries(path: Path, faults: Faults, unwanted: Collection[str]) -> Iterator[DischargeSummary]:
    """Yield the discharge summaries in the order of the file, without the `unwanted` admissions. Without a
    column ISERROR no note is marked as an error."""
    for line, row in _rows(path, ("HADM_ID", "CHARTDATE", "CATEGORY", "DESCRIPTION", "TEXT"), faults):
        if row["CATEGORY"].strip().lower() != _SUMMARY:
            continue
        admission, text = _identity(row["HADM_ID"]), row["TEXT"]
        if admission in unwanted:
            continue
        error = text_key(row.get("ISERROR", ""))
        if error in ("1", "1.0"):
            yield DischargeSummary(admission, "", False, True, "")
        elif error not in ("", "0", "0.0"):
            _bad(path, line, "ISERROR is not empty, 0 or 1", faults)
        elif admission is None and row["HADM_ID"].strip():
            _bad(path, line, "HADM_ID is not a number", faults)
        elif not _DATE.fullmatch(row["CHARTDATE"].strip()):
            _bad(path, line, "CHARTDATE is not a date (2101-02-03)", faults)
        elif not is_unicode(text):
            _bad(path, line, "TEXT is not UTF-8 text", faults)
        else:
            report = row["DESCRIPTION"].strip().lower() == "report"
            yield DischargeSummary(admission, row["CHARTDATE"].strip(), report, False, text)


def _rows(path: Path, columns: Sequence[str], faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    return stream_rows(path, faults, partial(_upper_names, path, columns))


def _upper_names(path: Path, columns: Sequence[str], line: int, names: list[str]) -> list[str]:
    upper = [name.strip().upper() for name in names]
    for column in columns:
        if upper.count(column) != 1:
            problem = f"there is no column {column}" if column not in upper else f"{column} stands twice"
            raise DataError(str(path), line, problem, "give the table as MIMIC-III has it, with its header")
    return upper


def _bad(path: Path, line: int, problem: str, faults: Faults) -> None:
    faults.found(DataError(str(path), line, problem, "correct the row, or set `on_bad_record: skip`"))


def _identity(value: str) -> Identity | None:
    identity = id_key(value)
    return identity if _ID.fullmatch(identity) else None


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value.strip()).replace(tzinfo=None)
    except ValueError:
        return None


def _code(value: str) -> str:
    return value.strip().replace(".", "").upper()
