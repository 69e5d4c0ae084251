"""In every reader each annotation is in an example, or set aside, or skipped with its record: none vanishes.

The admissions of `mimic-notes` are accounted for in `test_mimic.py`.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.contracts.metrics import PRIMARY
from orchestrator.contracts.task import TaskSpec
from orchestrator.contracts.vocabulary import Split, TaskKind
from orchestrator.errors import DataError
from workers.data import Example, Faults, Text, Tokens, read_split

TYPES = ("problem", "test", "treatment")
NAMES = ("TrAP", "TeRP", "PIP", "XY")
Root = pytest.TempPathFactory


@dataclass(frozen=True)
class Mention:
    first: int
    end: int  # exclusive; equal to `first` for an empty one
    type: str
    id: str


@dataclass(frozen=True)
class Document:
    sentences: tuple[tuple[str, ...], ...]
    mentions: tuple[Mention, ...]
    relations: tuple[tuple[str, int, int], ...]  # the type, and which of the mentions

    @property
    def words(self) -> list[str]:
        return [word for sentence in self.sentences for word in sentence]

    def place(self, word: int) -> tuple[int, int]:
        """Sentence and word in it, from 0."""
        for number, sentence in enumerate(self.sentences):
            if word < len(sentence):
                return number, word
            word -= len(sentence)
        raise IndexError(word)

    def characters(self, mention: Mention) -> tuple[int, int]:
        """From and to, where one character is between two words."""
        starts = [sum(len(word) + 1 for word in self.words[:n]) for n in range(len(self.words))]
        if mention.first == mention.end:
            return starts[mention.first], starts[mention.first]
        return starts[mention.first], starts[mention.end - 1] + len(self.words[mention.end - 1])


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Mentions that are nested, overlap, repeat, cross sentences, are empty or without an id."""
    more = st.lists(st.sampled_from(["Ab", "cd", "7"]), max_size=3)
    begun = st.tuples(st.sampled_from(["Ab", "Ef", "7"]), more)  # in capitals, so that PubTator's text is cut
    drawn = draw(st.lists(begun, min_size=2, max_size=4))
    sentences = tuple((first, *words, "gh.") for first, words in drawn)
    count = sum(map(len, sentences))
    mentions: list[Mention] = []
    for _ in range(draw(st.integers(0, 6))):
        first = draw(st.integers(0, count - 1))
        length = draw(st.sampled_from([1, 1, 2, 2, 3, 5] * 4 + [0]))
        identity = draw(st.sampled_from(["I1", "I2", "I3", "I2|I3", "-1"]))
        mention = Mention(first, min(first + length, count), draw(st.sampled_from(TYPES)), identity)
        mentions += [mention] * draw(st.sampled_from([1, 1, 1, 2]))
    ends = st.integers(0, len(mentions) - 1) if mentions else st.nothing()
    related = draw(st.lists(st.tuples(st.sampled_from(NAMES), ends, ends), max_size=5)) if mentions else []
    return Document(
        sentences, tuple(draw(st.permutations(mentions))), tuple(related * draw(st.integers(1, 2)))
    )


def read(
    root: Path, kind: TaskKind, reader: dict[str, Any], content: dict[str, bytes]
) -> tuple[list[Example], Faults]:
    """No example at all is no fault here."""
    for name, file in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(file)
    task = TaskSpec.model_validate(
        {
            "name": "drawn",
            "title": "Drawn",
            "kind": kind,
            "domain": "clinical",
            "reader": {"files": {"train": ["train"]}} | reader,
            "metric": PRIMARY[kind],
            "negative_label": "none" if kind is TaskKind.RELATION else None,
            "on_bad_record": "skip",
        }
    )
    faults = Faults("skip")
    try:
        return read_split(task, Split.TRAIN, root, faults), faults
    except DataError as error:
        if "there is no example" not in str(error):
            raise
        return [], faults


def tagged(examples: Sequence[Example]) -> int:
    return sum(tag.startswith("B-") for e in examples if isinstance(e, Tokens) for tag in e.tags)


def words(examples: Sequence[Example]) -> list[str]:
    return [word for e in examples if isinstance(e, Tokens) for word in e.tokens]


def pubtator(document: Document) -> bytes:
    title, *rest = (" ".join(sentence) for sentence in document.sentences)
    lines = [f"1|t|{title}", f"1|a|{' '.join(rest)}"]
    for mention in document.mentions:
        start, end = document.characters(mention)
        shown = " ".join(document.words)[start:end]
        lines.append(f"1\t{start}\t{end}\t{shown}\t{mention.type}\t{mention.id}")
    for name, one, other in document.relations:
        lines.append("\t".join(["1", name, document.mentions[one].id, document.mentions[other].id]))
    return "\n".join([*lines, ""]).encode()


@given(st.lists(documents(), min_size=1, max_size=3))
def test_pubtator_mentions(tmp_path_factory: Root, drawn: list[Document]) -> None:
    reader = {"format": "pubtator", "entity_types": ["problem", "test"]}
    content = {"train": b"\n".join(map(pubtator, drawn))}
    examples, faults = read(tmp_path_factory.mktemp("drawn"), TaskKind.NER, reader, content)
    sound = [d for d in drawn if all(m.first < m.end for m in d.mentions)]
    assert faults.count == len(drawn) - len(sound)
    assert tagged(examples) + faults.set_aside.total() == sum(len(d.mentions) for d in sound)
    assert "".join(words(examples)) == "".join(word for d in sound for word in d.words)


def sentence_numbers(document: Document, mentions: Sequence[Mention]) -> list[int]:
    """The sentence of each word; those that share a mention are one."""
    number = [document.place(word)[0] for word in range(len(document.words))]
    for _ in document.sentences:
        for mention in mentions:
            inside = {number[word] for word in range(mention.first, mention.end)}
            number = [min(inside) if n in inside else n for n in number]
    return number


@given(documents())
def test_pubtator_relations(tmp_path_factory: Root, document: Document) -> None:
    reader = {"format": "pubtator", "entity_types": ["problem", "treatment"], "relation": "TrAP"}
    found, faults = read(
        tmp_path_factory.mktemp("drawn"), TaskKind.RELATION, reader, {"train": pubtator(document)}
    )
    unknown = any(
        name == "TrAP" and "-1" in (document.mentions[one].id, document.mentions[other].id)
        for name, one, other in document.relations
    )
    if unknown or any(m.first == m.end for m in document.mentions):
        assert (found, faults.count, faults.set_aside.total(), faults.relations) == ([], 1, 0, 0)
        return
    aside = +Counter({reason: n for reason, n in faults.set_aside.items() if "relations" in reason})
    assert faults.relations + aside.total() == len(document.relations)

    ids: dict[tuple[int, int, str], set[str]] = {}
    for m in document.mentions:
        if m.type != "test":
            ids.setdefault((m.first, m.end, m.type), set()).update(set(m.id.split("|")) - {"-1"})
    of_others = sum(m.type == "test" for m in document.mentions)
    mentions = faults.set_aside - aside
    assert mentions == +Counter(
        {
            "repeated": len(document.mentions) - of_others - len(ids),
            "without an id": sum(not known for known in ids.values()),
        }
    )
    number = sentence_numbers(document, [Mention(*place, "") for place in ids])
    related = {
        frozenset((a, b))
        for name, one, other in document.relations
        if name == "TrAP"
        for a in document.mentions[one].id.split("|")
        for b in document.mentions[other].id.split("|")
    }
    expected = Counter(
        "TrAP" if any(frozenset((a, b)) in related for a in ids[one] for b in ids[other]) else "none"
        for one, other in combinations(ids, 2)
        if ids[one] and ids[other] and one[2] != other[2] and number[one[0]] == number[other[0]]
    )
    assert Counter(e.label for e in found if isinstance(e, Text)) == expected


def concept(document: Document, mention: Mention) -> str:
    """Text and place; of an empty one there is none that fits."""
    (line, word), (last_line, last) = map(
        document.place, (mention.first, max(mention.first, mention.end - 1))
    )
    shown = " ".join(document.words[mention.first : mention.end]).lower()
    return f'c="{shown}" {line + 1}:{word} {last_line + 1}:{last}'


def i2b2_2010(document: Document) -> dict[str, bytes]:
    placed = [concept(document, mention) for mention in document.mentions]
    related = "\n".join(f'{placed[a]}||r="{name}"||{placed[b]}' for name, a, b in document.relations)
    concepts = "\n".join(f'{c}||t="{m.type}"' for c, m in zip(placed, document.mentions, strict=True))
    text = "\n".join(" ".join(sentence) for sentence in document.sentences)
    files = {"txt/r.txt": text, "concept/r.con": concepts, "rel/r.rel": related}
    return {f"train/{name}": content.encode() for name, content in files.items()}


@given(documents())
def test_i2b2_2010_concepts(tmp_path_factory: Root, document: Document) -> None:
    reader = {"format": "i2b2-2010"}
    examples, faults = read(tmp_path_factory.mktemp("drawn"), TaskKind.NER, reader, i2b2_2010(document))
    assert words(examples) == document.words
    assert faults.count == sum(m.first == m.end for m in document.mentions)
    assert tagged(examples) + faults.set_aside.total() + faults.count == len(document.mentions)


@given(documents())
def test_i2b2_2010_relations(tmp_path_factory: Root, document: Document) -> None:
    reader = {"format": "i2b2-2010"}
    found, faults = read(tmp_path_factory.mktemp("drawn"), TaskKind.RELATION, reader, i2b2_2010(document))
    labels = Counter(e.label for e in found if isinstance(e, Text))
    assert labels.total() - labels["none"] == faults.relations
    empty = sum(m.first == m.end for m in document.mentions)
    aside = faults.set_aside["repeated relations"]
    assert faults.relations + aside + faults.count - empty == len(document.relations)

    placed = {(m.first, m.end, m.type) for m in document.mentions if m.first < m.end}
    number = sentence_numbers(document, [Mention(*place, "") for place in placed])
    named = {
        frozenset(document.mentions[end].first for end in ends) for _, *ends in document.relations
    }  # by the first words of the two, so that no more pairs are left out than have a relation
    pairs = [pair for pair in combinations(placed, 2) if number[pair[0][0]] == number[pair[1][0]]]
    unrelated = sum(frozenset(place[0] for place in pair) not in named for pair in pairs)
    assert unrelated <= labels["none"] <= len(pairs) - faults.relations


@given(documents(), st.booleans())
def test_i2b2_xml_annotations(tmp_path_factory: Root, document: Document, tokenised: bool) -> None:
    text = "\n".join(" ".join(sentence) for sentence in document.sentences)
    tags = []
    for number, mention in enumerate(document.mentions):
        start, end = document.characters(mention)
        element = "TIMEX3" if mention.type == "test" else "EVENT"
        kind = "" if mention.id == "I3" else mention.type
        wording = quoteattr(text[start:end].replace("\n", " "))
        tags.append(f'<{element} id="{number}" start="{start}" end="{end}" text={wording} type="{kind}" />')
    tags += ['<TLINK fromID="1" toID="2" type="BEFORE" />'] * len(document.relations)
    content = f"<r><TEXT><![CDATA[{text}]]></TEXT><TAGS>{''.join(tags)}</TAGS></r>"
    reader = {"format": "i2b2-xml", "element": "EVENT", "attribute": "type", "tokenised": tokenised}
    root = tmp_path_factory.mktemp("drawn")
    examples, faults = read(root, TaskKind.NER, reader, {"train/1.xml": content.encode()})
    assert "".join(words(examples)) == "".join(document.words)
    assert tagged(examples) + faults.set_aside.total() + faults.count == len(document.mentions)


TAGS = st.lists(st.sampled_from(["O", "O", "B-x", "I-x", "I-x", "B-y", "I-y", "S-x"]), min_size=1, max_size=6)


def sound(tags: Sequence[str]) -> bool:
    before = ["O", *tags]
    return "S-x" not in tags and all(
        not tag.startswith("I-") or before[n][2:] == tag[2:] for n, tag in enumerate(tags)
    )


def stream(columns: dict[str, list[Any]]) -> dict[str, bytes]:
    table, sink = pyarrow.table(columns), io.BytesIO()
    with pyarrow.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    state = json.dumps({"_data_files": [{"filename": "data.arrow"}]}).encode()
    return {"train/data.arrow": sink.getvalue(), "train/state.json": state, "train/dataset_info.json": b"{}"}


def parquet(columns: dict[str, list[Any]]) -> dict[str, bytes]:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), sink)
    return {"train": sink.getvalue()}


@given(st.lists(TAGS, min_size=1, max_size=4), st.sampled_from(["tab", "space", "arrow", "parquet"]))
def test_conll_and_arrow_tags(tmp_path_factory: Root, drawn: list[list[str]], form: str) -> None:
    tokens = [[f"w{n}" for n, _ in enumerate(tags)] for tags in drawn]
    if form == "arrow":
        reader, content = {"format": "arrow"}, stream({"tokens": tokens, "ner_tags_str": drawn})
    elif form == "parquet":
        reader, content = {"format": "parquet"}, parquet({"tokens": tokens, "ner_tags_str": drawn})
    else:
        apart = "\t" if form == "tab" else " "
        blocks = [
            "".join(f"{w}{apart}{t}\n" for w, t in zip(*pair, strict=True))
            for pair in zip(tokens, drawn, strict=True)
        ]
        reader, content = {"format": "conll", "separator": form}, {"train": "\n".join(blocks).encode()}
    examples, faults = read(tmp_path_factory.mktemp("drawn"), TaskKind.NER, reader, content)
    assert [list(e.tags) for e in examples if isinstance(e, Tokens)] == [
        tags for tags in drawn if sound(tags)
    ]
    assert len(examples) + faults.count == len(drawn)


ROWS = st.lists(
    st.tuples(st.sampled_from(["a", "b c", "a", " "]), st.sampled_from(["x", "none", ""])),
    min_size=1,
    max_size=6,
)


@given(
    ROWS,
    st.sampled_from(["csv", "jsonl", "arrow", "parquet"]),
    st.sampled_from([TaskKind.CLASSIFICATION, TaskKind.RELATION]),
)
def test_rows_of_tables(
    tmp_path_factory: Root, rows: list[tuple[str, str]], form: str, kind: TaskKind
) -> None:
    named = [{"text": text, "label": label} for text, label in rows]
    if form == "arrow":
        content = stream({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    elif form == "parquet":
        content = parquet({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    elif form == "jsonl":
        content = {"train": "".join(json.dumps(row) + "\n" for row in named).encode()}
    else:
        out = io.StringIO()
        writer = csv.DictWriter(out, ["text", "label"])
        writer.writeheader()
        writer.writerows(named)
        content = {"train": out.getvalue().encode()}
    reader = {"format": form, "text": "text", "label": "label"}
    examples, faults = read(tmp_path_factory.mktemp("drawn"), kind, reader, content)
    kept = [(text, label) for text, label in rows if text.strip() and label]
    assert [(e.text, e.label) for e in examples if isinstance(e, Text)] == kept
    assert len(examples) + faults.count == len(rows)
