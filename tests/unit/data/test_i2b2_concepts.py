"""i2b2 2010 as ner and relation tasks, read through the door that the worker uses."""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.readers import HoldOut, I2b2ConceptReader
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Faults, Text, Tokens, inspect_task, label_set, read_split
from workers.data.readers.i2b2_concepts import read_sentences
from workers.data.readers.i2b2_records import read_records

FIXTURES = Path(__file__).parent / "fixtures"
MARKER = "Zzpatientword"
CONCEPTS = ("cough", "drops", "scan"), (1, 3, 5), ("problem", "treatment", "test")
RELATIONS = ("PIP", "TeCP", "TeRP", "TrAP", "TrCP", "TrIP", "TrNAP", "TrWP")


def task(kind: TaskKind = TaskKind.NER, *train: str, **more: object) -> TaskSpec:
    relation = kind is TaskKind.RELATION
    values: dict[str, object] = {
        "name": "i2b2",
        "title": "i2b2",
        "kind": kind,
        "domain": "clinical",
        "reader": I2b2ConceptReader(files={Split.TRAIN: train or ("corpus",)}),
        "labels": (*RELATIONS, "false") if relation else ("problem", "test", "treatment"),
        "negative_label": "false" if relation else None,
        "metric": PRIMARY[kind],
    }
    return TaskSpec.model_validate(values | more)


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def record(
    text: str, concepts: str, relations: str = "", name: str = "corpus/beth", stem: str = "r1"
) -> dict[str, str]:
    return {
        f"{name}/txt/{stem}.txt": text,
        f"{name}/concept/{stem}.con": concepts,
        f"{name}/rel/{stem}.rel": relations,
    }


def archive(root: Path, target: Path) -> None:
    with tarfile.open(target, "w:gz") as found:
        found.add(root, arcname=root.name)


def tagged(spec: TaskSpec, root: Path, faults: Faults | None = None, split: Split = Split.TRAIN) -> list[str]:
    return [
        " ".join(f"{word}/{tag}" for word, tag in zip(found.tokens, found.tags, strict=True))
        for found in read_split(spec, split, root, faults)
        if isinstance(found, Tokens)
    ]


def pairs(root: Path, faults: Faults | None = None) -> list[tuple[str, str]]:
    found = read_split(task(TaskKind.RELATION), Split.TRAIN, root, faults)
    return [(e.text, e.label) for e in found if isinstance(e, Text)]


def spans(examples: list[str]) -> Counter[str]:
    """The mentions, as `type: words` in lower case."""
    found: Counter[str] = Counter()
    for sentence in examples:
        words: list[str] = []
        kind = ""
        for cell in [*sentence.split(" "), "/O"]:
            word, _, tag = cell.rpartition("/")
            if not tag.startswith("I-") and words:
                found[f"{kind}: {' '.join(words).lower()}"] += 1
                words = []
            if tag != "O":
                kind = tag[2:]
                words.append(word)
    return found


def test_the_fixture_gives_the_documented_tags() -> None:
    assert tagged(task(TaskKind.NER, "i2b2_2010"), FIXTURES) == [
        "Admission/O Diagnosis/O :/O",
        "She/O has/O mild/B-problem asthma/I-problem ./O",
        "A/B-test chest/I-test x-ray/I-test showed/O no/O pneumonia/B-problem ,/O so/O albuterol/B-treatment "
        "was/O given/O for/O wheezing/B-problem ./O",
    ]


def test_the_fixture_gives_the_documented_pairs() -> None:
    found = read_split(task(TaskKind.RELATION, "i2b2_2010"), Split.TRAIN, FIXTURES)
    assert [(e.text, e.label) for e in found if isinstance(e, Text)] == [
        ("@test$ showed no @problem$ , so albuterol was given for wheezing .", "TeRP"),
        ("@test$ showed no pneumonia , so @treatment$ was given for wheezing .", "false"),
        ("@test$ showed no pneumonia , so albuterol was given for @problem$ .", "false"),
        ("A chest x-ray showed no @problem$ , so @treatment$ was given for wheezing .", "false"),
        ("A chest x-ray showed no @problem$ , so albuterol was given for @problem$ .", "false"),
        ("A chest x-ray showed no pneumonia , so @treatment$ was given for @problem$ .", "TrAP"),
    ]


def test_the_last_sentence_is_read_without_a_final_line_break(tmp_path: Path) -> None:
    """The published converters write no final line break, and their reader drops what no blank line ends."""
    write(tmp_path, record("One .\nHis ache grew", 'c="his ache" 2:0 2:1||t="problem"'))
    assert tagged(task(), tmp_path) == ["One/O ./O", "His/B-problem ache/I-problem grew/O"]


def test_labels_have_one_order() -> None:
    """The published reader numbers labels in the order of a set of strings, another one in every process."""
    examples = read_split(task(TaskKind.NER, "i2b2_2010"), Split.TRAIN, FIXTURES)
    order = ("O", "B-problem", "I-problem", "B-test", "I-test", "B-treatment", "I-treatment")
    assert label_set(task(), examples) == label_set(task(labels=None), examples[::-1]) == order


def test_the_records_of_both_hospitals_are_read(tmp_path: Path) -> None:
    """The published converter overwrites the merged files with those of Partners alone."""
    write(tmp_path, record("a cough", 'c="cough" 1:1 1:1||t="problem"'))
    write(tmp_path, record("a fall", 'c="fall" 1:1 1:1||t="problem"', name="corpus/partners", stem="r2"))
    assert tagged(task(), tmp_path) == ["a/O cough/B-problem", "a/O fall/B-problem"]
    apart = task(TaskKind.NER, "corpus/partners", "corpus/beth")
    assert tagged(apart, tmp_path) == ["a/O fall/B-problem", "a/O cough/B-problem"]


def test_records_of_one_name_are_told_apart_by_their_hospital(tmp_path: Path) -> None:
    write(tmp_path, record("a cough", 'c="cough" 1:1 1:1||t="problem"'))
    write(tmp_path, record("no fall", 'c="fall" 1:1 1:1||t="problem"', name="corpus/partners"))
    assert tagged(task(), tmp_path) == ["a/O cough/B-problem", "no/O fall/B-problem"]
    (tmp_path / "corpus/partners/concept/r1.con").unlink()
    with pytest.raises(DataError, match=r"corpus: \.txt file 2: a text without its one \.con file"):
        read_split(task(), Split.TRAIN, tmp_path)


def test_the_test_part_has_its_gold_in_another_directory(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "test_data/0001.txt": "a cough and ache",
            "gold/concepts/0001.con": 'c="cough" 1:1 1:1||t="problem"\nc="ache" 1:3 1:3||t="problem"',
            "gold/ast/0001.ast": "not read",
            "gold/rel/0001.rel": 'c="ache" 1:3 1:3||r="PIP"||c="cough" 1:1 1:1',
        },
    )
    spec = task(TaskKind.RELATION, "test_data", "gold")
    found = read_split(spec, Split.TRAIN, tmp_path)
    assert [(e.text, e.label) for e in found if isinstance(e, Text)] == [("a @problem$ and @problem$", "PIP")]


def test_archives_are_read_as_directories_are(tmp_path: Path) -> None:
    write(tmp_path, record("a cough", 'c="cough" 1:1 1:1||t="problem"'))
    write(tmp_path, record("no fall", 'c="fall" 1:1 1:1||t="problem"', name="corpus/partners", stem="r2"))
    write(tmp_path, {"corpus/partners/unannotated/x.txt": "not read", "corpus/.hidden/txt/y.txt": "nor this"})
    write(tmp_path, {"corpus/beth/txt/._r1.txt": b"\x00", "corpus/README.txt": "a note about the corpus"})
    archive(tmp_path / "corpus", tmp_path / "corpus.tar.gz")
    directory = tagged(task(), tmp_path)
    assert directory == tagged(task(TaskKind.NER, "corpus.tar.gz"), tmp_path)
    assert directory == ["a/O cough/B-problem", "no/O fall/B-problem"]


@pytest.mark.parametrize(
    ("line", "position"),
    [
        (" The  mild ache grew", "1:2 1:3"),  # the space at the start counts as a token
        (" The  mild ache grew", "1:3 1:4"),  # every space too many does
        (" The  mild ache grew", "1:1 1:2"),  # none does
        (" The  mild ache grew", "1:4 1:5"),  # no way of counting
        ("The  mild ache grew", "1:1 1:2"),
        ("The  mild ache grew", "1:2 1:3"),  # the second space counts
    ],
)
def test_tokens_are_found_however_spaces_were_numbered(tmp_path: Path, line: str, position: str) -> None:
    write(tmp_path, record(line, f'c="mild ache" {position}||t="problem"'))
    if position == "1:4 1:5":
        with pytest.raises(DataError, match="is not at its position"):
            read_split(task(), Split.TRAIN, tmp_path)
    else:
        assert tagged(task(), tmp_path) == ["The/O mild/B-problem ache/I-problem grew/O"]


def test_a_concept_over_two_lines_joins_them_and_stays_whole(tmp_path: Path) -> None:
    text = "One .\nShe has mild\nasthma . Then\n\nno cough"
    concepts = 'c="mild asthma" 2:2 3:0||t="problem"\nc="cough" 5:1 5:1||t="problem"'
    relations = 'c="mild asthma" 2:2 3:0||r="PIP"||c="cough" 5:1 5:1'
    write(tmp_path, record(text, concepts, relations))
    assert tagged(task(), tmp_path) == [
        "One/O ./O",
        "She/O has/O mild/B-problem asthma/I-problem ./O Then/O",
        "no/O cough/B-problem",
    ]
    with pytest.raises(
        DataError, match=r"\.rel file 1, line 1: a relation that matches no two concepts of one"
    ):
        pairs(tmp_path)


def test_of_nested_concepts_the_longer_is_tagged_and_the_other_counted(tmp_path: Path) -> None:
    concepts = 'c="ache" 1:2 1:2||t="problem"\nc="a "mild" ache" 1:0 1:2||t="problem"\n'
    write(tmp_path, record('A "mild" ACHE', concepts + concepts))
    faults = Faults("error")
    assert tagged(task(), tmp_path, faults) == ['A/B-problem "mild"/I-problem ACHE/I-problem']
    assert faults.set_aside == {"overlapping": 1, "repeated": 2}
    assert inspect_task(task(), tmp_path)["splits"]["train"]["set_aside"] == dict(faults.set_aside)
    assert pairs(tmp_path) == [("@problem-problem$", "false")]


def test_a_relation_may_name_its_concepts_in_any_order(tmp_path: Path) -> None:
    concepts = (
        'c="cough" 1:1 1:1||t="problem"\nc="scan" 1:3 1:3||t="test"\nc="drops" 1:5 1:5||t="treatment"\n'
    )
    relations = (
        'c="scan" 1:3 1:3||r="TeRP"||c="cough" 1:1 1:1\nc="drops" 1:5 1:5||r="TrAP"||c="cough" 1:1 1:1\n'
    )
    write(tmp_path, record("a cough on scan so drops", concepts, relations))
    assert [label for _, label in pairs(tmp_path)] == ["TeRP", "TrAP", "false"]


def test_a_relation_written_twice_is_one_and_counted(tmp_path: Path) -> None:
    concepts = "".join(f'c="{w}" 1:{n} 1:{n}||t="{k}"\n' for w, n, k in zip(*CONCEPTS, strict=True))
    one, other = 'c="drops" 1:3 1:3', 'c="cough" 1:1 1:1'
    lines = f'{one}||r="TrAP"||{other}\n' * 2 + f'{other}||r="TrAP"||{one}\n'
    write(tmp_path, record("a cough so drops and scan", concepts, lines))
    faults = Faults("error")
    assert [label for _, label in pairs(tmp_path, faults)] == ["TrAP", "false", "false"]
    assert (faults.set_aside, faults.relations) == ({"repeated relations": 2}, 1)
    split = inspect_task(task(TaskKind.RELATION, labels=("TrAP", "false")), tmp_path)["splits"]["train"]
    assert split["relations"] == 1


@pytest.mark.parametrize("label", ["XYZ", "TeRP", "TrXP"])
def test_a_pair_whose_relation_is_skipped_is_no_negative(tmp_path: Path, label: str) -> None:
    """Of an unknown type, or of one that is between other concepts."""
    concepts = "".join(f'c="{w}" 1:{n} 1:{n}||t="{k}"\n' for w, n, k in zip(*CONCEPTS, strict=True))
    relation = f'c="drops" 1:3 1:3||r="{label}"||c="cough" 1:1 1:1'
    write(tmp_path, record("a cough so drops and scan", concepts, relation))
    faults = Faults("skip")
    assert pairs(tmp_path, faults) == [
        ("a @problem$ so drops and @test$", "false"),
        ("a cough so @treatment$ and @test$", "false"),
    ]
    assert (faults.count, faults.relations) == (1, 0)


@pytest.mark.parametrize(
    ("suffix", "line", "fault"),
    [
        ("concept/r1.con", f'c="{MARKER}" 1:1||t="problem"', "no concept"),
        ("concept/r1.con", f'c="{MARKER}" 1:1 1:1||t="problem"', "at its position"),
        ("concept/r1.con", 'c="cough" 9:1 9:1||t="problem"', "at its position"),
        ("concept/r1.con", 'c="" 1:1 1:0||t="problem"', "at its position"),
        ("concept/r1.con", f'c="cough" 1:1 1:1||t="{MARKER}"', "a type of concept"),
        ("concept/r1.con", f'c="{MARKER * 1000}', "no concept"),
        ("rel/r1.rel", f"{MARKER}", "no relation"),
        ("rel/r1.rel", f'c="cough" 1:1 1:1||r="{MARKER}"||c="drops" 1:3 1:3', "a type of relation"),
        ("rel/r1.rel", f'c="{MARKER}" 1:0 1:0||r="TrAP"||c="cough" 1:1 1:1', "matches no two"),
        ("rel/r1.rel", 'c="cough" 1:1 1:1||r="PIP"||c="drops" 1:3 1:3', "matches no two"),
        ("rel/r1.rel", 'c="drops" 1:3 1:3||r="TrIP"||c="cough" 1:1 1:1', "another relation"),
    ],
)
def test_a_malformed_annotation_is_named_by_line_or_left_out(
    tmp_path: Path, suffix: str, line: str, fault: str
) -> None:
    good = record(
        "a cough so drops",
        'c="cough" 1:1 1:1||t="problem"\nc="drops" 1:3 1:3||t="treatment"\n',
        'c="drops" 1:3 1:3||r="TrAP"||c="cough" 1:1 1:1\n',
    )
    write(tmp_path, good)
    path = tmp_path / "corpus/beth" / suffix
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, line]))
    with pytest.raises(DataError, match=fault) as caught:
        pairs(tmp_path)
    assert caught.value.line == len(lines) + 1
    assert caught.value.file == f"{tmp_path / 'corpus'}: {path.suffix} file 1"
    assert MARKER not in str(caught.value)
    faults = Faults("skip")
    assert pairs(tmp_path, faults) == [("a @problem$ so @treatment$", "TrAP")]
    assert faults.count == 1


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"corpus/txt/r1.txt": "a"}, r"there is no \.con file"),
        ({"corpus/concept/r1.con": ""}, r"there is no \.txt file"),
        (record("a", "") | {"corpus/beth/txt/r2.txt": "b"}, r"\.txt file 2: a text without its one \.con"),
        (
            record("a", "") | {"corpus/beth/concept/r2.con": ""},
            r"\.con file 2: a \.con file without its text",
        ),
        ({"corpus": b"no archive"}, r"not a \.tar\.gz archive"),
        ({"other": ""}, "no such directory or archive"),
    ],
)
def test_what_is_no_corpus_is_an_error(tmp_path: Path, files: Mapping[str, str | bytes], fault: str) -> None:
    write(tmp_path, files)
    with pytest.raises(DataError, match=fault):
        read_split(task(), Split.TRAIN, tmp_path)


def test_faults_count_in_the_split_of_their_record(tmp_path: Path) -> None:
    for number in range(40):
        write(tmp_path, record("a cough", 'c="fall" 1:1 1:1||t="problem"\n' * 2, stem=str(number)))
    write(tmp_path, record("a cough", 'c="cough" 1:1 1:1||t="problem"', stem="good-1"))
    reader = I2b2ConceptReader(files={Split.TRAIN: ("corpus",)}, hold_out=HoldOut(dev=0.4))
    spec = task(reader=reader, on_bad_record="skip")
    found = {split: Faults("skip") for split in (Split.TRAIN, Split.DEV)}
    documents = {
        s: {e.document for e in read_split(spec, s, tmp_path, faults)} for s, faults in found.items()
    }
    assert sum(len(names) for names in documents.values()) == 41
    assert not documents[Split.TRAIN] & documents[Split.DEV]
    assert found[Split.TRAIN].count + found[Split.DEV].count == 80
    assert found[Split.DEV].count > 0


WORDS = st.text("abc\"'|:=", min_size=1, max_size=4)


@st.composite
def corpora(draw: st.DrawFn) -> tuple[str, str, Counter[str]]:
    """(text, concept file, mentions) of a record: traps of spacing and quotes, concepts over two lines."""
    lines = draw(st.lists(st.lists(WORDS, max_size=6), min_size=1, max_size=5))
    leading = draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    gap = draw(st.sampled_from([" ", "  "]))
    places = [(line, word) for line, words in enumerate(lines) for word in range(len(words))]
    concepts: list[str] = []
    mentions: Counter[str] = Counter()
    at = 0
    while at < len(places):
        length = draw(st.integers(0, 4))
        inside = places[at : at + length]
        at += max(length, 1)
        if inside and inside[-1][0] - inside[0][0] < 2:
            kind = draw(st.sampled_from(["problem", "test", "treatment"]))
            words = " ".join(lines[line][word] for line, word in inside)
            (first_line, first), (last_line, last) = inside[0], inside[-1]
            place = (
                f"{first_line + 1}:{first + leading[first_line]} {last_line + 1}:{last + leading[last_line]}"
            )
            concepts.append(f'c="{words.lower()}" {place}||t="{kind}"')
            mentions[f"{kind}: {words.lower()}"] += 1
    text = "\n".join(" " * lead + gap.join(words) for lead, words in zip(leading, lines, strict=True))
    return text, "\n".join(draw(st.permutations(concepts))), mentions


@given(corpora())
def test_every_concept_comes_exactly_once_with_its_words(
    tmp_path_factory: pytest.TempPathFactory, corpus: tuple[str, str, Counter[str]]
) -> None:
    text, concepts, mentions = corpus
    root = tmp_path_factory.mktemp("corpus")
    write(root, record(text, concepts) | record("x", "", stem="r2"))
    found = tagged(task(), root)
    assert spans(found) == mentions
    assert sum(len(sentence.split(" ")) for sentence in found) == len(text.split()) + 1


# Type, first and last (line, word), the words: of one concept.
Placed = tuple[str, tuple[int, int], tuple[int, int], str]


@st.composite
def crowded(draw: st.DrawFn) -> tuple[list[list[str]], list[Placed]]:
    """The lines of a record in words, and concepts that overlap, nest, repeat or go on in the next line."""
    lines = draw(st.lists(st.lists(WORDS, min_size=1, max_size=6), min_size=1, max_size=4))
    places = [(line, word) for line, words in enumerate(lines) for word in range(len(words))]
    concepts: list[Placed] = []
    for _ in range(draw(st.integers(0, 8))):
        begin = draw(st.integers(0, len(places) - 1))
        inside = places[begin : begin + draw(st.integers(1, 4))]
        inside = [place for place in inside if place[0] - inside[0][0] < 2]
        kind = draw(st.sampled_from(["problem", "test", "treatment"]))
        words = " ".join(lines[line][word] for line, word in inside)
        concepts += [(kind, inside[0], inside[-1], words)] * draw(st.sampled_from([1, 1, 1, 2]))
    return lines, draw(st.permutations(concepts))


def in_files(lines: list[list[str]], concepts: list[Placed]) -> dict[str, str]:
    written = [
        f'c="{words.lower()}" {first[0] + 1}:{first[1]} {last[0] + 1}:{last[1]}||t="{kind}"'
        for kind, first, last, words in concepts
    ]
    return record("\n".join(map(" ".join, lines)), "\n".join(written))


@given(crowded())
def test_overlapping_nested_and_repeated_concepts_come_once_each(
    tmp_path_factory: pytest.TempPathFactory, corpus: tuple[list[list[str]], list[Placed]]
) -> None:
    """As concepts; of what is written twice, or that no tag can hold, the tags give the number."""
    lines, concepts = corpus
    root = tmp_path_factory.mktemp("corpus")
    write(root, in_files(lines, concepts))
    faults = Faults("error")
    [found] = read_records(("corpus",), root, (".con",), faults, lambda *_: True)
    sentences = read_sentences(found, ("problem", "test", "treatment"), faults)
    assert [word for s in sentences for word in s.words] == [word for line in lines for word in line]
    read = Counter(
        (
            c.span.type,
            (c.place[0] - 1, c.place[1]),
            (c.place[2] - 1, c.place[3]),
            " ".join(s.words[c.span.first : c.span.end]),
        )
        for s in sentences
        for c in s.concepts
    )
    assert read == Counter(set(concepts))
    assert faults.set_aside == +Counter({"repeated": len(concepts) - len(set(concepts))})

    faults = Faults("error")
    held = spans(tagged(task(), root, faults)).total()
    assert held + faults.set_aside.total() == len(concepts)
    assert faults.count == 0


def sentence_numbers(lines: list[list[str]], concepts: list[Placed]) -> list[int]:
    """The sentence of each line: lines that a concept holds together are one."""
    joined = {line for _, first, last, _ in concepts for line in range(first[0] + 1, last[0] + 1)}
    return [sum(other not in joined for other in range(line + 1)) for line in range(len(lines))]


@given(crowded())
def test_every_two_concepts_of_a_sentence_are_one_pair_with_both_masked(
    tmp_path_factory: pytest.TempPathFactory, corpus: tuple[list[list[str]], list[Placed]]
) -> None:
    lines, concepts = corpus
    root = tmp_path_factory.mktemp("corpus")
    write(root, in_files(lines, concepts))
    number = sentence_numbers(lines, concepts)
    expected: Counter[str] = Counter()
    for one, other in combinations(sorted(set(concepts), key=lambda c: (c[1], c[2], c[0])), 2):
        if number[one[1][0]] == number[other[1][0]]:
            overlap = other[1] <= one[2]
            masked: list[str] = []
            for line in (n for n in range(len(lines)) if number[n] == number[one[1][0]]):
                for word, text in enumerate(lines[line]):
                    inside = [c for c in (one, other) if c[1] <= (line, word) <= c[2]]
                    begun = [c for c in (one, other) if c[1] == (line, word)]
                    if not inside:
                        masked.append(text)
                    elif overlap and one in begun:
                        masked.append(f"@{one[0]}-{other[0]}$")
                    elif not overlap and begun:
                        masked.append(f"@{begun[0][0]}$")
            expected[" ".join(masked)] += 1
    if not expected:
        with pytest.raises(DataError, match="there is no example"):
            pairs(root)
        return
    found = pairs(root)
    assert Counter(text for text, _ in found) == expected
    assert {label for _, label in found} <= {"false"}


LINES = st.sampled_from(
    [
        b"a cough so drops\n",
        b' a  "cough"\n',
        b'c="cough" 1:1 1:1||t="problem"\n',
        b'c="drops" 1:3 2:0||t="treatment"\n',
        b'c="drops" 1:3 1:3||r="TrAP"||c="cough" 1:1 1:1\n',
        b"\r\n",
        MARKER.encode(),
    ]
)
CONTENT = st.lists(LINES | st.binary(max_size=12), max_size=6).map(b"".join)


@given(CONTENT, CONTENT, CONTENT, st.sampled_from(["error", "skip"]))
@example(b"\xff", b"", b"", "skip")
@example(b"a", b'c="' + b'" 1:1' * 1900, b'c="' + b'" 1:1 1:1||r="PIP"||c="' * 400, "error")
def test_any_bytes_give_examples_or_a_fault_without_a_word_of_them(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, concepts: bytes, relations: bytes, policy: str
) -> None:
    root = tmp_path_factory.mktemp("corpus")
    write(
        root,
        {"corpus/txt/r.txt": text, "corpus/concept/r.con": concepts, "corpus/rel/r.rel": relations},
    )
    for kind in (TaskKind.NER, TaskKind.RELATION):
        fault = None
        try:
            read_split(task(kind, on_bad_record=policy), Split.TRAIN, root)
        except DataError as error:
            fault = error
        if fault is not None:
            assert MARKER not in str(fault)
            assert fault.__context__ is None or fault.__suppress_context__
