"""i2b2 2012 and 2014, read through the door that the worker uses."""

from __future__ import annotations

import gzip
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import MetricName
from orchestrator.contracts.readers import I2b2XmlReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Tokens, inspect_task, read_split

FIXTURES = Path(__file__).parent / "fixtures"
MARKER = "Zzpatientword"
EVENTS: dict[str, Any] = {"element": "EVENT", "attribute": "type", "tokenised": True}
PHI: dict[str, Any] = {"attribute": "TYPE", "patient_before": "-"}


def task(
    reader: dict[str, Any], *train: str, hold_out: dict[str, float] | None = None, **more: Any
) -> TaskSpec:
    files = {Split.TRAIN: train or ("corpus",)}
    values = {
        "name": "i2b2",
        "title": "i2b2",
        "kind": TaskKind.NER,
        "domain": "clinical",
        "reader": I2b2XmlReader.model_validate({"files": files, "hold_out": hold_out} | reader),
        "metric": MetricName.ENTITY_F1,
    }
    return TaskSpec.model_validate(values | more)


def tagged(spec: TaskSpec, root: Path, faults: Faults | None = None, split: Split = Split.TRAIN) -> list[str]:
    return [
        " ".join(f"{word}/{tag}" for word, tag in zip(found.tokens, found.tags, strict=True))
        for found in read_split(spec, split, root, faults)
        if isinstance(found, Tokens)
    ]


def annotation(text: str, words: str, kind: str, element: str = "EVENT", wording: str | None = None) -> str:
    start = text.index(words)
    shown = quoteattr(wording if wording is not None else words.replace("\n", " "))
    place = f'start="{start}" end="{start + len(words)}"'
    return f'<{element} id="E1" {place} text={shown} type="{kind}" TYPE="{kind}" />'


def document(text: str, *annotations: str) -> str:
    tags = "\n".join(annotations)
    return f"<root>\n<TEXT><![CDATA[{text}]]></TEXT>\n<TAGS>\n{tags}\n</TAGS>\n</root>"


def write(root: Path, content: str | bytes, name: str = "corpus/1.xml") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_the_fixture_of_2012_gives_its_events() -> None:
    assert tagged(task(EVENTS, "i2b2_2012"), FIXTURES) == [
        "Admission/B-OCCURRENCE Date/O :/O",
        "2001-02-03/O",
        "He/O had/O mild/B-PROBLEM asthma/I-PROBLEM and/O received/O albuterol/B-TREATMENT in/O "
        "the/B-CLINICAL_DEPT emergency/I-CLINICAL_DEPT room/I-CLINICAL_DEPT ./O",
    ]


def test_the_fixture_of_2014_gives_its_types_and_not_its_categories() -> None:
    assert tagged(task(PHI, "i2b2_2014"), FIXTURES) == [
        "Record/O date/O :/O 2091/B-DATE -/I-DATE 05/I-DATE -/I-DATE 06/I-DATE",
        "Dr/O ./O Ann/B-DOCTOR Example/I-DOCTOR saw/O Mr/O ./O Sample/B-PATIENT at/O "
        "Nowhere/B-HOSPITAL Clinic/I-HOSPITAL ./O",
        "He/O is/O 61/B-AGE ;/O call/O 555/B-PHONE -/I-PHONE 0100/I-PHONE ./O",
    ]


def test_no_word_boundary_gives_an_annotation_away(tmp_path: Path) -> None:
    """The published converters cut words at gold boundaries, so that a lone "cough" in "coughing" is gold."""
    text = "\nHe was coughing .\n"
    write(tmp_path, document(text, annotation(text, "cough", "PROBLEM")))
    bare = tmp_path / "bare"
    write(bare, document(text))
    for reader in (EVENTS, PHI):
        assert tagged(task(reader), tmp_path) == ["He/O was/O coughing/B-PROBLEM ./O"]
        assert tagged(task(reader), bare) == ["He/O was/O coughing/O ./O"]


def test_the_last_line_is_read_without_a_line_break(tmp_path: Path) -> None:
    text = "\nOne .\nTwo"
    write(tmp_path, document(text, annotation(text, "Two", "TEST")))
    assert tagged(task(EVENTS), tmp_path) == ["One/O ./O", "Two/B-TEST"]


def test_bare_ampersands_cost_neither_text_nor_offsets(tmp_path: Path) -> None:
    text = "\nH&P & S&amp;S showed <5 of R&D .\n"
    tags = [
        annotation(text, "H&P", "A").replace("&amp;", "&"),
        annotation(text, "S&amp;S", "B").replace("&amp;amp;", "&"),
        annotation(text, "R&D", "C"),
    ]
    write(tmp_path, document(text, *tags))
    assert tagged(task(EVENTS), tmp_path) == ["H&P/B-A &/O S&amp;S/B-B showed/O <5/O of/O R&D/B-C ./O"]


def test_escapes_left_in_annotations_are_understood(tmp_path: Path) -> None:
    text = '\nThe "spell" of patient\'s ache\n'
    tags = [
        annotation(text, "patient's", "A", wording="patient&apos;s"),
        annotation(text, '"spell"', "B", wording="&quot;spell&quot;"),
    ]
    write(tmp_path, document(text, *tags))
    assert tagged(task(EVENTS), tmp_path) == ['The/O "spell"/B-B of/O patient\'s/B-A ache/O']


ENCODED = ("ISO-8859-1", "iso-8859-15", "windows-1252", "UTF-16", "utf-8")


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_declared_encoding_is_read(tmp_path: Path, encoding: str) -> None:
    text = "\nFièvre élevée .\n"
    content = document(text, annotation(text, "élevée", "PROBLEM"))
    declared = f"<?xml version='1.0' encoding='{encoding}' ?>\n{content}"
    write(tmp_path, declared.encode(encoding))
    assert tagged(task(EVENTS), tmp_path) == ["Fièvre/O élevée/B-PROBLEM ./O"]


@pytest.mark.parametrize(
    ("content", "line", "fault"),
    [
        ("<r>\n\xe9</r>".encode("latin-1"), 2, "not utf-8 text, and declares no encoding"),
        ('<?xml version="1.0" encoding="utf-8"?>\n\n<r>\xe9</r>'.encode("latin-1"), 3, "as it declares"),
        (
            '<?xml version="1.0" encoding="US-ASCII"?><r>\xe9</r>'.encode("latin-1"),
            1,
            "not ascii text, as it declares",
        ),
        (b'<?xml version="1.0" encoding="utf-16"?><r></r> ', 1, "not utf-16 text, as it declares"),
        (b'<?xml version="1.0" encoding="utf-7"?><r></r>', 1, "an encoding that is not read"),
        (b'<?xml version="1.0" encoding="rot13"?><r></r>', 1, "an encoding that is not read"),
        (f'<?xml version="1.0" encoding="{MARKER}"?><r></r>'.encode(), 1, "an encoding that is not read"),
    ],
)
def test_another_encoding_is_named(tmp_path: Path, content: bytes, line: int, fault: str) -> None:
    write(tmp_path, content)
    with pytest.raises(DataError, match=fault) as caught:
        tagged(task(EVENTS), tmp_path)
    assert caught.value.line == line
    assert MARKER not in str(caught.value)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


DECLARED = f'<?xml version="1.0" encoding="{{}}"?>\n{document(MARKER)}'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (DECLARED.format("utf-16").encode("utf-16-le"), "got UTF-16 text without a byte order mark"),
        (DECLARED.format("utf-16").encode("utf-16-be"), "iconv -f UTF-16BE"),
        (document(MARKER).encode("utf-16-le"), "iconv -f UTF-16LE"),
        (DECLARED.format("utf-32").encode("utf-32"), "got UTF-32 text"),
        (DECLARED.format("utf-32").encode("utf-32-le"), "iconv -f UTF-32LE"),
        (document(MARKER).encode("utf-32-be"), "iconv -f UTF-32BE"),
        (gzip.compress(document(MARKER).encode(), mtime=0), "got a file compressed with gzip"),
        (b"PK\x03\x04\x14\x00", "got a ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "run git lfs pull"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        tagged(task(EVENTS), tmp_path)
    assert said in str(caught.value)
    assert MARKER not in f"{caught.value!s} {caught.value.__context__!r}"


@pytest.mark.parametrize(
    ("reference", "code"),
    [
        ("&#8;", "0008"),
        ("&#0;", "0000"),
        ("&#x1B;", "001B"),
        ("&#xFFFF;", "FFFF"),
        ("&#x1F600;&#xD800;", "D800"),
    ],
)
def test_a_reference_to_what_xml_does_not_allow_is_named_with_its_line(
    tmp_path: Path, reference: str, code: str
) -> None:
    write(tmp_path, f"<r>\n<TEXT><![CDATA[&#8;\n]]>{MARKER}{reference}</TEXT><TAGS/></r>")
    with pytest.raises(DataError, match=rf"line 3: it refers to U\+{code}") as caught:
        tagged(task(EVENTS), tmp_path)
    assert MARKER not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "line"), [("\n", 2), (" ", 1), ("\r\n\r\n", 3), (f"<!-- {MARKER} -->\n", 2)]
)
def test_a_declaration_below_the_beginning_of_the_file_is_said(
    tmp_path: Path, before: str, line: int
) -> None:
    write(tmp_path, before + DECLARED.format("utf-8"))
    with pytest.raises(DataError, match=r"declaration .* is not at the beginning of the file") as caught:
        tagged(task(EVENTS), tmp_path)
    assert caught.value.line == line
    assert MARKER not in str(caught.value)


@pytest.mark.parametrize("page", ["\x0c", "\x0b", "\x1c", "\x1f"])
def test_a_page_break_is_white_space_and_moves_no_offset(tmp_path: Path, page: str) -> None:
    text = f"\n{page}Mild{page}asthma now{page}\n"
    once = annotation(text, f"Mild{page}asthma", "PROBLEM")
    for tag in (once, once.replace(page, f"&#{ord(page)};"), once.replace(page, f"&#x{ord(page):X};")):
        write(tmp_path, document(text, tag))
        assert tagged(task(EVENTS), tmp_path) == ["Mild/B-PROBLEM asthma/I-PROBLEM now/O"]


@pytest.mark.parametrize(
    ("control", "code"), [("\x00", "0000"), ("\x07", "0007"), ("\x1b", "001B"), ("\ufffe", "FFFE")]
)
def test_another_control_character_is_named_with_its_line(tmp_path: Path, control: str, code: str) -> None:
    text = f"\nMild\nast{control}hma\n"
    write(tmp_path, document(text))
    with pytest.raises(DataError, match=rf"U\+{code}, a character that XML does not allow") as caught:
        tagged(task(EVENTS), tmp_path)
    assert caught.value.line == 4
    assert "hma" not in str(caught.value)


def test_an_annotation_over_a_line_break_joins_the_lines(tmp_path: Path) -> None:
    text = "\nOne .\nat Nowhere\nClinic .\nTwo .\n"
    write(tmp_path, document(text, annotation(text, "Nowhere\nClinic", "HOSPITAL", "LOCATION")))
    expected = ["One/O ./O", "at/O Nowhere/B-HOSPITAL Clinic/I-HOSPITAL ./O", "Two/O ./O"]
    assert tagged(task(PHI), tmp_path) == expected
    write(tmp_path, document(text, annotation(text, "Nowhere\nClinic", "HOSPITAL")).replace("\n", "\r\n"))
    assert tagged(task(PHI), tmp_path) == expected


def test_what_bio_cannot_hold_is_counted_and_no_fault(tmp_path: Path) -> None:
    text = "\nthe emergency room\n"
    tags = [
        annotation(text, "emergency", "PROBLEM"),
        annotation(text, "emergency room", "CLINICAL_DEPT"),
        annotation(text, "emergency room", "CLINICAL_DEPT"),
        annotation(text, "the", ""),
        annotation(text, "room", "DATE", "TIMEX3"),
        '<TLINK id="TL1" fromID="E1" toID="E2" type="BEFORE" />',
    ]
    write(tmp_path, document(text, *tags))
    faults = Faults("error")
    assert tagged(task(EVENTS), tmp_path, faults) == ["the/O emergency/B-CLINICAL_DEPT room/I-CLINICAL_DEPT"]
    assert faults.set_aside == {
        "of another element": 1,
        "overlapping": 1,
        "repeated": 1,
        "untyped": 1,
    }
    found = inspect_task(task(EVENTS, labels=("CLINICAL_DEPT", "PROBLEM")), tmp_path)["splits"]["train"]
    assert found["documents"] == 1
    assert found["mentions"] == {"CLINICAL_DEPT": 1}
    assert found["set_aside"] == dict(faults.set_aside)


TEXT = "\nNo cough .\n"
GOOD = annotation(TEXT, "No", "TEST")


@pytest.mark.parametrize(
    ("content", "fault", "kept"),
    [
        (document(TEXT, GOOD, annotation(TEXT, "cough", "TEST", wording=MARKER)), "offsets", 1),
        (document(TEXT, GOOD, f'<EVENT start="4" end="9" type="TEST" note="{MARKER}" />'), "offsets", 1),
        (document(TEXT, GOOD, f'<EVENT start="{MARKER}" end="9" text="cough" type="TEST" />'), "offsets", 1),
        (document(TEXT, GOOD, '<EVENT start="4" end="4" text="" type="TEST" />'), "offsets", 1),
        (document(TEXT, GOOD, '<EVENT start="0" end="1" text=" " type="TEST" />'), "offsets", 1),
        (document(TEXT, GOOD, '<EVENT start="4" end="99" text="cough" type="TEST" />'), "offsets", 1),
        (document(TEXT, GOOD, annotation(TEXT, "cough", MARKER)), "`labels` of the task", 1),
        (f"<root><TEXT>{MARKER}", "not XML", 0),
        (f"{MARKER}{'<a>' * 2_000_000}", "more than 200,000 tags", 0),
        (f"<root><TEXT><![CDATA[{MARKER}", "not XML", 0),
        (f"<root><TEXT>{MARKER}</TEXT></root>", "no TEXT or no TAGS", 0),
        (b"<root>\xff</root>", "not utf-8", 0),
        (f'<!DOCTYPE r [<!ENTITY a "{MARKER}">]><r><TEXT>&a;</TEXT><TAGS/></r>', "document type", 0),
        (
            f'<!-- <![CDATA[ --><!DOCTYPE r [<!ENTITY a "{MARKER}">]><!-- ]]> --><r>&a;</r>',
            "document type",
            0,
        ),
    ],
)
def test_what_is_malformed_is_named_without_its_words_or_left_out(
    tmp_path: Path, content: str | bytes, fault: str, kept: int
) -> None:
    write(tmp_path, content)
    write(tmp_path, document("\nOne .\n"), "corpus/2.xml")
    with pytest.raises(DataError, match=fault) as caught:
        read_split(task(EVENTS, labels=("TEST",)), Split.TRAIN, tmp_path)
    assert MARKER not in str(caught.value)
    assert ".xml file 1" in caught.value.file
    assert caught.value.__context__ is None
    faults = Faults("skip")
    assert tagged(task(EVENTS, labels=("TEST",)), tmp_path, faults) == [
        *["No/B-TEST cough/O ./O"] * kept,
        "One/O ./O",
    ]
    assert faults.count == 1


def test_patients_are_held_out_whole_and_archives_read_as_directories(tmp_path: Path) -> None:
    for patient in range(60):
        for visit in (1, 2):
            write(tmp_path, document(f"\npatient {patient} .\n"), f"set-{visit}/{patient}-0{visit}.xml")
    for name in ("set-1", "set-2"):
        with tarfile.open(tmp_path / f"{name}.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / name, arcname=name)
    directories = task(PHI, "set-1", "set-2", hold_out={"dev": 0.2, "test": 0.2})
    archives = task(PHI, "set-2.tar.gz", "set-1.tar.gz", hold_out={"dev": 0.2, "test": 0.2})
    found = {split: sorted(tagged(directories, tmp_path, split=split)) for split in Split}
    assert found == {split: sorted(tagged(archives, tmp_path, split=split)) for split in Split}
    assert sum(len(sentences) for sentences in found.values()) == 120
    assert all(set(Counter(sentences).values()) == {2} for sentences in found.values())


@st.composite
def notes(draw: st.DrawFn) -> tuple[str, list[str], Counter[str]]:
    """(text, annotations, mentions) of words that the two word rules cut alike; no two share a word."""
    lines = draw(
        st.lists(st.lists(st.text("abÄ7", min_size=1, max_size=3), max_size=5), min_size=1, max_size=5)
    )
    text = "\n"
    places: list[tuple[int, int]] = []
    for line in lines:
        for word in line:
            text += draw(st.sampled_from(["", " "]))
            places.append((len(text), len(text) + len(word)))
            text += f"{word} "
        text += "\n"
    annotations: list[str] = []
    mentions: Counter[str] = Counter()
    at = 0
    while at < len(places):
        length = draw(st.integers(0, 4))
        if length and at + length <= len(places):
            start, end = places[at][0], places[at + length - 1][1]
            kind = draw(st.sampled_from("XYZ"))
            wording = quoteattr(text[start:end])
            annotations.append(
                f'<EVENT start="{start}" end="{end}" text={wording} type="{kind}" TYPE="{kind}"/>'
            )
            mentions[f"{kind}: {' '.join(text[start:end].split())}"] += 1
        at += max(length, 1)
    return text, draw(st.permutations(annotations)), mentions


@given(notes(), st.sampled_from([EVENTS, PHI]))
def test_every_annotation_comes_exactly_once_with_its_words(
    tmp_path_factory: pytest.TempPathFactory,
    note: tuple[str, list[str], Counter[str]],
    reader: dict[str, Any],
) -> None:
    text, annotations, mentions = note
    root = tmp_path_factory.mktemp("corpus")
    write(root, document(text, *annotations))
    write(root, document("\nx\n"), "corpus/2.xml")
    found: Counter[str] = Counter()
    words = 0
    for sentence in read_split(task(reader), Split.TRAIN, root):
        assert isinstance(sentence, Tokens)
        words += len(sentence.tokens)
        starts = [i for i, tag in enumerate(sentence.tags) if tag.startswith("B-")]
        for start in starts:
            end = start + 1
            while end < len(sentence.tags) and sentence.tags[end].startswith("I-"):
                end += 1
            found[f"{sentence.tags[start][2:]}: {' '.join(sentence.tokens[start:end])}"] += 1
    assert found == mentions
    assert words == len(text.split()) + 1


PIECES = st.sampled_from(
    [
        b"<root>",
        b"</root>",
        b"<TEXT><![CDATA[",
        b"]]></TEXT>",
        b"<TAGS>",
        b"</TAGS>",
        b'<EVENT start="1" end="3" text="ab" type="X" />',
        b"ab cd\n",
        b"&",
        b"<!DOCTYPE a>",
        b'<?xml version="1.0" encoding="UTF-16"?>',
        MARKER.encode(),
    ]
)


@given(st.lists(PIECES | st.binary(max_size=8), max_size=9).map(b"".join), st.sampled_from(["error", "skip"]))
@example(b"<root><TEXT><![CDATA[\nab]]></TEXT><TAGS>" + b"<a>" * 50_000, "skip")
@example(b"<root>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</root>", "error")
@example(b"<![CDATA[" * 50_000, "error")
@example(b"<a>" + b"&#1" * 50_000, "skip")
def test_any_bytes_give_examples_or_a_fault_without_a_word_of_them(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, policy: str
) -> None:
    root = tmp_path_factory.mktemp("corpus")
    write(root, content)
    fault = None
    try:
        read_split(task(EVENTS, on_bad_record=policy), Split.TRAIN, root)
    except DataError as error:
        fault = error
    if fault is not None:
        assert MARKER not in str(fault)
        assert fault.__context__ is None
