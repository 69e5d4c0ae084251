"""MIMIC-III outcomes from invented raw tables, and the prepared files of the study."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.config.layouts import resolve_layout
from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import HoldOut, MimicNotesReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, read_corpus, read_split
from workers.data.examples import MultilabelText, RegressionText, labels_of

MARKER = "Zzpatientword"
FIXTURES = Path(__file__).parent / "fixtures" / "mimic_outcomes"
CONFIGS = Path(__file__).parents[3] / "configs" / "tasks"
NOTE = """Admission Date:  [**2101-1-1**]

Chief Complaint:
made-up cough

History of Present Illness:
Invented case
of two lines.

Past Medical History: none

Physical Exam:
Well.

Hospital Course:
Nothing of this is known at admission.
"""
RENDERED = (
    "CHIEF COMPLAINT: made-up cough\n\nPRESENT ILLNESS: Invented case of two lines.\n\n"
    "MEDICAL HISTORY: none\n\nMEDICATION ON ADMISSION: \n\nALLERGIES: \n\nPHYSICAL EXAM: Well.\n\n"
    "FAMILY HISTORY: \n\nSOCIAL HISTORY: "
)
ADMISSION = {
    "ROW_ID": "1",
    "SUBJECT_ID": "10",
    "HADM_ID": "100",
    "ADMITTIME": "2101-01-01 10:00:00",
    "DISCHTIME": "2101-01-04 10:00:00",
    "ADMISSION_TYPE": "EMERGENCY",
    "HOSPITAL_EXPIRE_FLAG": "0",
}
EVENT = {
    "ROW_ID": "1",
    "SUBJECT_ID": "10",
    "HADM_ID": "100",
    "CHARTDATE": "2101-01-04",
    "CATEGORY": "Discharge summary",
    "DESCRIPTION": "Report",
    "TEXT": NOTE,
}
DIAGNOSIS = {"HADM_ID": "100", "SEQ_NUM": "1", "ICD9_CODE": "0389"}

Rows = list[Mapping[str, str]]


def table(rows: Rows) -> str:
    content = io.StringIO(newline="")
    writer = csv.DictWriter(content, list(rows[0]), quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    return content.getvalue()


def admissions(*changes: Mapping[str, str]) -> Rows:
    return [ADMISSION | change for change in changes or [{}]]


def events(*changes: Mapping[str, str]) -> Rows:
    return [EVENT | change for change in changes or [{}]]


def task(outcome: str = "mortality", **values: Any) -> TaskSpec:
    names = ("NOTEEVENTS.csv", "ADMISSIONS.csv", "DIAGNOSES_ICD.csv", "PROCEDURES_ICD.csv")
    used = {"diagnosis-group": 3, "discharge-codes": 4}.get(outcome, 2)
    reader: dict[str, Any] = {"files": {"train": names[:used]}, "outcome": outcome}
    reader |= {"groups": "groups.csv"} if outcome == "diagnosis-group" else {}
    return TaskSpec(
        name="mimic",
        title="MIMIC",
        domain="clinical",
        reader=MimicNotesReader.model_validate(reader | values.pop("reader", {})),
        **{"kind": TaskKind.CLASSIFICATION, "metric": MetricName.MACRO_F1} | values,
    )


def write(root: Path, notes: Rows, admitted: Rows | None = None, **others: str) -> None:
    (root / "NOTEEVENTS.csv").write_text(table(notes), newline="")
    (root / "ADMISSIONS.csv").write_text(table(admitted or admissions()), newline="")
    for name, content in others.items():
        (root / f"{name}.csv").write_text(content, newline="")


def read(root: Path, spec: TaskSpec | None = None) -> tuple[list[tuple[str, str]], dict[str, int], int]:
    """Text and label of all splits, what was set aside, and how many records were skipped."""
    spec = spec or task()
    found, aside, skipped = list[tuple[str, str]](), dict[str, int](), 0
    for split in Split:
        faults = Faults(spec.on_bad_record)
        try:
            examples = read_split(spec, split, root, faults)
        except DataError as error:
            if "no example" not in str(error):
                raise
            examples = []
        found += [(e.text, e.label) for e in examples if isinstance(e, Text)]
        for reason, count in faults.set_aside.items():
            aside[reason] = aside.get(reason, 0) + count
        skipped += faults.count
    return found, aside, skipped


def test_a_note_with_sections_is_kept_and_cut_to_what_is_known_at_admission(tmp_path: Path) -> None:
    write(tmp_path, events())
    assert read(tmp_path) == ([(RENDERED, "0")], {}, 0)


def test_tables_may_be_packed_and_have_names_in_lower_case(tmp_path: Path) -> None:
    write(tmp_path, [{k.lower(): v for k, v in row.items()} for row in events()], admissions())
    (tmp_path / "noteevents.csv.gz").write_bytes(gzip.compress((tmp_path / "NOTEEVENTS.csv").read_bytes()))
    spec = task(reader={"files": {"train": ["ADMISSIONS.csv", "noteevents.csv.gz"]}})
    assert read(tmp_path, spec)[0] == [(RENDERED, "0")]


def test_addenda_are_joined_by_date_and_repeated_texts_stand_once(tmp_path: Path) -> None:
    later = {"CHARTDATE": "2101-01-06", "DESCRIPTION": "Addendum", "TEXT": "Allergies: dust\n\nMore: no"}
    early = {"CHARTDATE": "2101-01-02", "DESCRIPTION": "Report", "TEXT": NOTE}
    write(tmp_path, events(later, early, {"HADM_ID": "100.0"}))
    found, aside, _ = read(tmp_path)
    assert found == [(RENDERED.replace("ALLERGIES: ", "ALLERGIES: dust"), "0")]
    assert aside == {"discharge summaries with the text of a later one": 1}


def test_what_is_left_out_is_counted_by_its_reason(tmp_path: Path) -> None:
    admitted = [
        {"HADM_ID": str(number), "SUBJECT_ID": str(number)} | change
        for number, change in enumerate([{}, {"ADMISSION_TYPE": "NEWBORN"}, {}, {}, {}, {}], start=100)
    ]
    notes = [
        {"HADM_ID": "100"},
        {"HADM_ID": "101", "TEXT": NOTE + "newborn"},
        {"HADM_ID": "102", "TEXT": "Family History:\nnone\n\nAllergies: dust"},
        {"HADM_ID": "103", "TEXT": NOTE + "an addendum", "DESCRIPTION": "Addendum"},
        {"HADM_ID": "104", "TEXT": NOTE.replace("made-up cough", "the patient expired at home")},
        {"HADM_ID": "", "TEXT": NOTE + "no admission"},
        {"HADM_ID": "105", "CATEGORY": "Nursing", "TEXT": NOTE + "nursing"},
    ]
    write(tmp_path, events(*notes), admissions(*admitted))
    found, aside, skipped = read(tmp_path)
    assert found == [(RENDERED, "0")]
    assert skipped == 0
    assert aside == {
        "newborn admissions": 1,
        "admissions without chief complaint, present illness and medical history": 1,
        "admissions without a discharge summary that is no addendum": 2,
        "admissions whose text tells the death": 1,
        "discharge summaries without text or admission": 1,
    }


@pytest.mark.parametrize(
    ("exam", "kept"),
    [
        ("Well.", "Well."),
        ("Lungs clear. Expired.", "Lungs clear.."),
        ("Pt has passed away, pupils fixed", ", pupils fixed"),
        ("Mother died, patient cried", "Mother died, patient cried"),
        ("CO2 expired normal", "CO2 expired normal"),
    ],
)
def test_a_death_that_the_exam_states_is_taken_out(tmp_path: Path, exam: str, kept: str) -> None:
    write(tmp_path, events({"TEXT": NOTE.replace("Well.", exam)}))
    assert read(tmp_path)[0] == [(RENDERED.replace("Well.", kept), "0")]


def test_a_relative_who_died_is_no_death_of_the_patient(tmp_path: Path) -> None:
    write(
        tmp_path,
        events({"TEXT": "Chief Complaint: cough\n\nFamily History: Father: died. Patient's aunt expired."}),
    )
    assert read(tmp_path)[0][0][0].endswith("Father: died. Patient's aunt expired.\n\nSOCIAL HISTORY: ")


@pytest.mark.parametrize(
    ("end", "died", "label"),
    [
        ("2101-01-04 10:00:00", "0", "0"),
        ("2101-01-04 10:00:01", "0", "1"),
        ("2101-01-08 10:00:00", "0", "1"),
        ("2101-01-15 10:00:00", "0", "2"),
        ("2101-02-15 10:00:00", "0", "3"),
        ("2101-02-15 10:00:00", "1", None),
        ("2100-12-31 10:00:00", "0", None),
    ],
)
def test_length_of_stay_in_four_classes_without_deaths(
    tmp_path: Path, end: str, died: str, label: str | None
) -> None:
    write(tmp_path, events(), admissions({"DISCHTIME": end, "HOSPITAL_EXPIRE_FLAG": died}))
    found, aside, _ = read(tmp_path, task("length-of-stay"))
    assert [got for _, got in found] == ([label] if label else [])
    assert sum(aside.values()) == (label is None)


def test_length_of_stay_in_days_is_a_number(tmp_path: Path) -> None:
    write(tmp_path, events(), admissions({"DISCHTIME": "2101-01-04 22:00:00"}))
    spec = task("length-of-stay", kind=TaskKind.REGRESSION, metric=MetricName.MAE)
    [example] = [e for split in Split for e in found(spec, split, tmp_path)]
    assert isinstance(example, RegressionText)
    assert (example.text, example.value, example.group) == (RENDERED, 3.5, "10")


def test_discharge_codes_are_the_most_frequent_ones_of_a_whole_summary(tmp_path: Path) -> None:
    ids = [str(100 + n) for n in range(4)]
    admitted = admissions(*({"HADM_ID": i, "SUBJECT_ID": i, "ADMISSION_TYPE": "NEWBORN"} for i in ids))
    notes = events(*({"HADM_ID": i, "TEXT": f"{NOTE}{i}"} for i in ids))
    diagnoses = [("100", "4019"), ("100", "E8497"), ("100", ""), ("101", "4019")]
    diagnoses += [("102", "V10"), ("103", "0389")]
    procedures = [("100", "3893"), ("101", "3893"), ("102", "3893")]

    def codes(rows: list[tuple[str, str]]) -> str:
        return table([{"HADM_ID": i, "SEQ_NUM": "1", "ICD9_CODE": code} for i, code in rows])

    write(tmp_path, notes, admitted, DIAGNOSES_ICD=codes(diagnoses), PROCEDURES_ICD=codes(procedures))
    spec = task("discharge-codes", kind=TaskKind.MULTILABEL, metric=MetricName.MICRO_F1, reader={"codes": 3})
    read = sorted((e for split in Split for e in found(spec, split, tmp_path)), key=lambda e: e.document)
    assert all(isinstance(e, MultilabelText) and e.text.startswith("Admission Date") for e in read)
    # 38.93 is on three, 401.9 on two, and of those on one 038.9 comes first.
    assert [labels_of(e) for e in read] == [["38.93", "401.9"], ["38.93", "401.9"], ["38.93"], ["038.9"]]
    write(tmp_path, notes, admitted, DIAGNOSES_ICD=codes([("100", MARKER)]), PROCEDURES_ICD=codes(procedures))
    with pytest.raises(DataError, match="line 2: ICD9_CODE is no ICD-9 code") as caught:
        read_corpus(spec, tmp_path)
    assert MARKER not in f"{caught.value!r} {caught.value.__context__!r}"


def test_codes_of_admissions_without_a_summary_do_not_count(tmp_path: Path) -> None:
    coded = [("100", "4019"), *((i, code) for i in ("101", "102") for code in ("V053", "V290"))]
    codes = table([{"HADM_ID": i, "SEQ_NUM": "1", "ICD9_CODE": code} for i, code in coded])
    admitted = admissions(*({"HADM_ID": i, "SUBJECT_ID": i} for i in ("100", "101", "102")))
    write(tmp_path, events(), admitted, DIAGNOSES_ICD=codes, PROCEDURES_ICD="HADM_ID,ICD9_CODE\n")
    spec = task("discharge-codes", kind=TaskKind.MULTILABEL, metric=MetricName.MICRO_F1, reader={"codes": 2})
    [example] = [e for split in Split for e in found(spec, split, tmp_path)]
    assert labels_of(example) == ["401.9"]
    assert read(tmp_path, spec)[1] == {"admissions without a discharge summary that is no addendum": 2}


def found(spec: TaskSpec, split: Split, root: Path) -> list[Any]:
    try:
        return list(read_split(spec, split, root))
    except DataError as error:
        if "no example" not in str(error):
            raise
        return []


def test_groups_of_primary_diagnoses_are_the_users_own(tmp_path: Path) -> None:
    admitted = admissions(*({"HADM_ID": str(n)} for n in (100, 101, 102)))
    notes = events(*({"HADM_ID": str(n), "TEXT": f"{NOTE}{n}"} for n in (100, 101, 102)))
    codes = [
        DIAGNOSIS,
        DIAGNOSIS | {"HADM_ID": "101", "SEQ_NUM": "2"},
        DIAGNOSIS | {"HADM_ID": "101", "ICD9_CODE": "V10"},
    ]
    groups = "icd9_code,group\n038.9,Infection\nV11,Other\n"
    write(tmp_path, notes, admitted, DIAGNOSES_ICD=table([*codes]), groups=groups)
    found, aside, _ = read(tmp_path, task("diagnosis-group"))
    assert found == [(RENDERED, "Infection")]
    assert aside == {"admissions whose primary diagnosis is in no group": 2}
    write(tmp_path, notes, admitted, groups="icd9_code,group\n389,Infection\n")
    with pytest.raises(DataError, match="leading zeros"):
        read(tmp_path, task("diagnosis-group"))


def test_a_second_primary_diagnosis_is_a_fault_and_the_first_one_stands(tmp_path: Path) -> None:
    codes = table([DIAGNOSIS, DIAGNOSIS | {"ICD9_CODE": "V10"}])
    write(tmp_path, events(), admissions(), DIAGNOSES_ICD=codes, groups="icd9_code,group\n0389,A\nV10,B\n")
    with pytest.raises(DataError, match="line 3: the HADM_ID of an earlier row with SEQ_NUM 1"):
        read(tmp_path, task("diagnosis-group"))
    assert read(tmp_path, task("diagnosis-group", on_bad_record="skip"))[0] == [(RENDERED, "A")]


@pytest.mark.parametrize("mark", ["1", "1.0", " 1 "])
def test_summaries_marked_as_errors_are_left_out_and_counted(tmp_path: Path, mark: str) -> None:
    wrong = {"TEXT": NOTE.replace("cough", MARKER), "ISERROR": mark}
    write(tmp_path, events({"ISERROR": ""}, wrong, wrong | {"CHARTDATE": MARKER, "HADM_ID": "7"}))
    found, aside, skipped = read(tmp_path)
    assert [text for text, _ in found] == [RENDERED]
    assert (aside, skipped) == ({"discharge summaries marked as errors (ISERROR)": 2}, 0)


def test_an_admission_whose_only_summary_is_an_error_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        events({"ISERROR": "0"}, {"HADM_ID": "101", "ISERROR": "1"}),
        admissions({}, {"HADM_ID": "101"}),
    )
    found, aside, _ = read(tmp_path)
    assert len(found) == 1
    assert aside["discharge summaries marked as errors (ISERROR)"] == 1


def test_another_mark_of_errors_is_a_fault_of_its_row(tmp_path: Path) -> None:
    write(tmp_path, events({"ISERROR": MARKER}))
    with pytest.raises(DataError, match="line 2: ISERROR is not empty, 0 or 1") as caught:
        read(tmp_path)
    assert MARKER not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("icd9_code;group\n0389;Infection\n", "line 1: it has 1 column and 1 semicolon"),
        ("icd9_code,group\n0389,Infection\nicd9_code,group\n", "line 3: it repeats the header"),
        ("icd9_code,group\n0389,Infecti\u00f3n\n", "line 2: GROUP is not UTF-8 text"),
    ],
)
def test_groups_in_another_dialect_are_an_error_that_says_so(
    tmp_path: Path, content: str, fault: str
) -> None:
    write(tmp_path, events(), DIAGNOSES_ICD=table([DIAGNOSIS]))
    (tmp_path / "groups.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        read(tmp_path, task("diagnosis-group"))
    assert fault in str(caught.value)


def test_groups_may_declare_their_separator(tmp_path: Path) -> None:
    write(
        tmp_path,
        events(),
        DIAGNOSES_ICD=table([DIAGNOSIS]),
        groups="sep=;\nicd9_code;group\n0389;Infection\n",
    )
    assert read(tmp_path, task("diagnosis-group"))[0] == [(RENDERED, "Infection")]


def test_groups_that_are_no_labels_of_the_task_are_an_error_that_names_the_labels(tmp_path: Path) -> None:
    groups = f"icd9_code,group\n0389,Infection\nV10,{MARKER}\n"
    write(tmp_path, events(), DIAGNOSES_ICD=table([DIAGNOSIS]), groups=groups)
    with pytest.raises(DataError, match="1 of its 2 groups are not among `labels`") as caught:
        read(tmp_path, task("diagnosis-group", labels=("Infection", "Other")))
    assert "Infection, Other" in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    assert read(tmp_path, task("diagnosis-group", labels=("Infection", MARKER)))[0] == [
        (RENDERED, "Infection")
    ]
    assert read(tmp_path, task("diagnosis-group"))[0] == [(RENDERED, "Infection")]


def test_patients_never_stand_in_two_splits_and_files_are_read_anew_when_they_change(tmp_path: Path) -> None:
    admitted = [{"HADM_ID": str(100 + n), "SUBJECT_ID": str(n // 2)} for n in range(400)]
    notes = [
        {"HADM_ID": str(100 + n), "TEXT": f"Chief Complaint: p{n // 2}q\n\nEnd: {n}"} for n in range(400)
    ]
    write(tmp_path, events(*notes), admissions(*admitted))
    spec = task(reader={"hold_out": HoldOut(dev=0.1, test=0.2)})
    patients = {
        split: {e.text.split("\n")[0] for e in read_split(spec, split, tmp_path) if isinstance(e, Text)}
        for split in Split
    }
    assert sum(map(len, patients.values())) == len(set.union(*patients.values())) == 200
    assert all(len(found) > 5 for found in patients.values())
    assert sum(len(read_split(spec, split, tmp_path)) for split in Split) == 400
    write(tmp_path, events(*notes[:-1]), admissions(*admitted))
    assert sum(len(read_split(spec, split, tmp_path)) for split in Split) == 399


BAD = [
    ("ADMISSIONS", {"HADM_ID": MARKER}, "HADM_ID"),
    ("ADMISSIONS", {"HADM_ID": "101", "HOSPITAL_EXPIRE_FLAG": MARKER}, "HOSPITAL_EXPIRE_FLAG"),
    ("ADMISSIONS", {"HADM_ID": "101", "DISCHTIME": MARKER}, "DISCHTIME"),
    ("ADMISSIONS", {"SUBJECT_ID": "11"}, "earlier row"),
    ("NOTEEVENTS", {"HADM_ID": MARKER}, "HADM_ID"),
    ("NOTEEVENTS", {"CHARTDATE": MARKER}, "CHARTDATE"),
]


@pytest.mark.parametrize(("where", "change", "fault"), BAD)
def test_a_bad_row_is_an_error_at_its_line_or_left_out_and_counted(
    tmp_path: Path, where: str, change: dict[str, str], fault: str
) -> None:
    # A row's line is the one it begins on, and the note before it has line breaks.
    line = {"ADMISSIONS": 3, "NOTEEVENTS": 2 + EVENT["TEXT"].count("\n") + 1}[where]
    notes = events({}, change) if where == "NOTEEVENTS" else events()
    write(tmp_path, notes, admissions({}, change) if where == "ADMISSIONS" else admissions())
    with pytest.raises(DataError, match=fault) as caught:
        read(tmp_path)
    assert caught.value.line == line
    assert str(tmp_path / where) in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value!r} {caught.value.__context__!r}"
    found, _, skipped = read(tmp_path, task(on_bad_record="skip"))
    assert found == [(RENDERED, "0")]
    assert skipped == 1


def test_all_malformed_rows_of_the_tables_are_named_at_once(tmp_path: Path) -> None:
    dates = [{"HADM_ID": "100", "CHARTDATE": MARKER, "TEXT": "one line"}] * 12
    flags = [{"HADM_ID": str(101 + n), "HOSPITAL_EXPIRE_FLAG": MARKER} for n in range(2)]
    codes = table([DIAGNOSIS, DIAGNOSIS | {"HADM_ID": MARKER}])
    groups = "icd9_code,group\n0389,Infection\n"
    write(tmp_path, events(*dates), admissions({}, *flags), DIAGNOSES_ICD=codes, groups=groups)
    with pytest.raises(DataError) as caught:
        read_corpus(task("diagnosis-group", reader={"hold_out": {"test": 0.5}}), tmp_path)
    fix = "    -> correct the row, or set `on_bad_record: skip`"
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'ADMISSIONS.csv'}, lines 3 and 4: HOSPITAL_EXPIRE_FLAG is not 0 or 1",
        fix,
        f"{tmp_path / 'DIAGNOSES_ICD.csv'}, line 3: HADM_ID is not a number",
        fix,
        f"{tmp_path / 'NOTEEVENTS.csv'}, lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more: CHARTDATE is not a "
        "date (2101-02-03)",
        fix,
    ]
    assert MARKER not in f"{caught.value!r} {caught.value.__context__!r}"


def test_all_malformed_rows_of_the_groups_are_named_at_once(tmp_path: Path) -> None:
    groups = f"icd9_code,group\n0389,Infection\n,{MARKER}\nV10,\n0389,{MARKER}\n"
    write(tmp_path, events(), DIAGNOSES_ICD=table([DIAGNOSIS]), groups=groups)
    with pytest.raises(DataError) as caught:
        read(tmp_path, task("diagnosis-group", on_bad_record="skip"))
    assert "lines 3 and 4: no code, or no group" in str(caught.value)
    assert "line 5: another group than in an earlier row" in str(caught.value)
    assert MARKER not in f"{caught.value!r} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (table(events()).replace("CATEGORY", MARKER).encode(), "no column CATEGORY"),
        (table(events()).encode()[:-3], "not CSV"),
        (gzip.compress(table(events()).encode(), mtime=0)[:-9], "compressed with gzip"),
    ],
)
def test_what_spoils_the_rest_of_a_file_is_always_an_error(
    tmp_path: Path, content: bytes, fault: str
) -> None:
    write(tmp_path, events())
    (tmp_path / "NOTEEVENTS.csv").write_bytes(content)
    for spec in (task(), task(on_bad_record="skip")):
        with pytest.raises(DataError, match=fault) as caught:
            read(tmp_path, spec)
        assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


def test_a_packed_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, events())
    packed = gzip.compress(table(events()).encode())
    spec = task(on_bad_record="skip", reader={"files": {"train": ["ADMISSIONS.csv", "NOTEEVENTS.csv.gz"]}})
    for content in (packed[: len(packed) // 2], b"\x1f\x8b", b"no gzip", packed[:30] + b"\xff" * 40):
        (tmp_path / "NOTEEVENTS.csv.gz").write_bytes(content)
        with pytest.raises(DataError, match="cannot be read on as gzip") as caught:
            read(tmp_path, spec)
        assert "quote" not in str(caught.value)  # the remedy for rows, which there are none of
        assert "gzip -t" in str(caught.value)


def test_a_row_that_is_not_utf_8_spoils_itself_alone(tmp_path: Path) -> None:
    write(tmp_path, events())
    with (tmp_path / "NOTEEVENTS.csv").open("ab") as file:
        file.write(table(events({"TEXT": f"{MARKER}§"})).split("\r\n", 1)[1].encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8") as caught:
        read(tmp_path)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"
    assert read(tmp_path, task(on_bad_record="skip"))[::2] == ([(RENDERED, "0")], 1)


JUNK = st.binary(max_size=120) | st.text(alphabet='a,"\n\r0:', max_size=60).map(str.encode)


@given(
    JUNK,
    st.sampled_from(["NOTEEVENTS", "ADMISSIONS", "DIAGNOSES_ICD", "groups"]),
    st.booleans(),
    st.booleans(),
)
def test_any_bytes_give_examples_or_a_data_error(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, where: str, headed: bool, skip: bool
) -> None:
    root = tmp_path_factory.mktemp("any")
    write(root, events(), DIAGNOSES_ICD=table([DIAGNOSIS]), groups="icd9_code,group\n0389,x\n")
    file = root / f"{where}.csv"
    file.write_bytes((file.read_bytes() if headed else b"") + MARKER.encode() + junk)
    spec = task("diagnosis-group", on_bad_record="skip" if skip else "error")
    found, said = list[tuple[str, str]](), ""
    try:
        found, _, _ = read(root, spec)
    except DataError as error:
        said = f"{error!s} {error.__context__!r}"
    assert MARKER not in said
    assert all(text.startswith("CHIEF COMPLAINT: ") for text, _ in found)


def catalogued(name: str) -> TaskSpec:
    return TaskSpec.model_validate(yaml.safe_load((CONFIGS / f"{name}.yaml").read_text()) | {"name": name})


@pytest.mark.parametrize(("name", "prefix"), [("mimic-mortality", "MP_IN"), ("mimic-los", "LOS_WEEKS")])
@pytest.mark.parametrize("renamed", [False, True])
def test_the_prepared_files_are_read_under_both_names(
    tmp_path: Path, name: str, prefix: str, renamed: bool
) -> None:
    spec = catalogued(name)
    folder = tmp_path / name
    folder.mkdir()
    for split, short in (("train", "train"), ("val", "valid"), ("test", "test")):
        target = f"{short}.csv" if renamed else f"{prefix}_adm_{split}.csv"
        (folder / target).write_bytes((FIXTURES / f"{prefix}_adm_{split}.csv").read_bytes())
    fitting = [
        layout
        for layout in (spec.reader, *spec.layouts)
        if all((tmp_path / file).exists() for files in layout.files.values() for file in files)
    ]
    assert len(fitting) == 1
    prepared = spec.model_copy(update={"reader": fitting[0]})
    first = read_split(prepared, Split.TRAIN, tmp_path)[0]
    assert isinstance(first, Text)
    assert 'PRESENT ILLNESS: Invented case one, "quoted".\n\nMEDICAL HISTORY: none' in first.text
    assert all(read_split(prepared, split, tmp_path) for split in Split)


@pytest.mark.parametrize("name", ["mimic-mortality", "mimic-los"])
def test_the_catalogued_raw_layout_is_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "mimic-iii").mkdir()
    write(tmp_path / "mimic-iii", events())
    spec = catalogued(name)
    for packed in ("ADMISSIONS", "NOTEEVENTS"):  # one of them, then both
        file = tmp_path / "mimic-iii" / f"{packed}.csv"
        file.with_suffix(".csv.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
        assert read(tmp_path, resolve_layout(spec, tmp_path))[0] == [(RENDERED, "0")]
